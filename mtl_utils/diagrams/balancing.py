"""Where a balancer stands: between the losses of the tasks and one backward pass."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box
from mtl_utils.diagrams.tasks import check_tasks, head_and_loss, listed

_MEASURED = (
    "it may measure: the losses, how fast they fall, or the lengths of their gradients; "
    "and keep something from step to step"
)


def loss_balancing(tasks: Sequence[str]) -> Diagram:
    """Draw a balancer that weighs losses: it reads all of them and one gradient comes back.

    Args:
        tasks: Names of the tasks, two to six; the k-th has the k-th colour of
            :data:`mtl_utils.plots.PALETTE`.

    Raises:
        TypeError: If ``tasks`` is no list of strings.
        ValueError: If there are fewer or more, or one is empty or occurs twice.
    """
    check_tasks(tasks)
    count = len(tasks)
    boxes = [
        Box("shared", r"shared part $\theta_s$", "layer", (0, 0), (count + 1, 1), "shared"),
        Box(
            "balancer", r"balancer: chooses $\lambda_1$ to $\lambda_K$", "layer", (0, 3), (count, 1)
        ),
        Box(
            "total", r"$\Sigma_k\, \lambda_k L_k$", "loss", (0, 4), (count, 1), "shared", tight=True
        ),
        Box(
            "gradient",
            r"one gradient $\Sigma_k\, \lambda_k\, \nabla_{\theta_s} L_k$",
            "text",
            (count, 1),
            (1, 4),
            "shared",
        ),
        Box("note", _MEASURED, "note", (count + 1, 0), (1, 5)),
    ]
    arrows = []
    for number, task in enumerate(tasks):
        more, between = head_and_loss(number, task, ("shared",), 1, gradients=False)
        boxes += more
        arrows += [*between, Arrow(f"loss {number}", "balancer")]
    arrows += [
        Arrow("balancer", "total"),
        Arrow("total", "gradient", "gradient", "shared"),
        Arrow("gradient", "shared", "gradient", "shared"),
    ]
    return Diagram(
        f"a balancer between the losses of {listed(tasks)}, and one backward pass",
        tuple(boxes),
        tuple(arrows),
        columns=(54, 98, 40, 92, 66),
        gap=24,
    )
