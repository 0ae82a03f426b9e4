"""How the losses of several tasks become one gradient."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box
from mtl_utils.diagrams.tasks import check_tasks, written

_BATCH = 4
_NOTE = "○ label missing: costs nothing, moves nothing"


def joint_losses(tasks: Sequence[str]) -> Diagram:
    """Draw how losses, weights and missing labels add up to one gradient on the shared part.

    Each task's loss is a mean over the texts of a batch of four that have its label; the labels
    that are missing are drawn as empty circles.

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
        Box("total", r"$L = \Sigma_k\, \lambda_k L_k$", "loss", (0, 4), (count, 1), "shared"),
        Box(
            "gradient",
            r"one gradient $\nabla_{\theta_s} L = \Sigma_k\, \lambda_k\, \nabla_{\theta_s} L_k$",
            "text",
            (count, 1),
            (1, 4),
            "shared",
        ),
        Box("note", _NOTE, "note", (count + 1, 0), (1, 5)),
    ]
    arrows = []
    for number, task in enumerate(tasks):
        head, loss, weight = f"head {number}", f"loss {number}", f"weight {number}"
        label = f"$L_{{{number + 1}}}$: mean over\n{_labels(number)}"
        boxes += [
            Box(head, f"{written(task)} head", "head", (number, 1), role=number),
            Box(loss, label, "loss", (number, 2), role=number),
            Box(
                weight, rf"$\lambda_{{{number + 1}}}$", "text", (number, 3), role=number, tight=True
            ),
        ]
        arrows += [
            Arrow("shared", head),
            Arrow(head, loss),
            Arrow(loss, weight),
            Arrow(weight, "total"),
        ]
    arrows += [
        Arrow("total", "gradient", "gradient", "shared"),
        Arrow("gradient", "shared", "gradient", "shared"),
    ]
    return Diagram(
        f"the joint loss of {count} tasks, {', '.join(map(written, tasks))}",
        tuple(boxes),
        tuple(arrows),
        columns=(52, 98, 96, 30, 76),
        gap=22,
    )


def _labels(number: int) -> str:
    """Return which of the texts have the label of a task: not the same ones for each."""
    missing = {(number * 2 + 1) % _BATCH, (number * 3 + 2) % _BATCH} if number else set()
    return " ".join("○" if text in missing else "●" for text in range(_BATCH))
