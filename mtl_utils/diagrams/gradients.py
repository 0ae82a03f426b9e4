"""How the gradients of several tasks become one update of what they share."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box
from mtl_utils.diagrams.tasks import check_tasks, listed, written


def combined_gradients(tasks: Sequence[str]) -> Diagram:
    """Draw the way back of K losses: a gradient each, a combiner, one direction for what is shared.

    What belongs to one task alone gets that task's own gradient. Arrows forward lead from the
    shared part to the losses, dashed ones are gradients.

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
        Box("combiner", r"combiner of $J$", "layer", (0, 4), (count, 1), "shared"),
        Box("direction", r"one direction $d$ for $\theta_s$", "text", (count, 1), (1, 4), "shared"),
    ]
    arrows = []
    for number, task in enumerate(tasks):
        head, loss, gradient = (f"{name} {number}" for name in ("head", "loss", "gradient"))
        place = f"{{{number + 1}}}"
        boxes += [
            Box(head, f"{written(task)} head", "head", (number, 1), role=number),
            Box(loss, f"$L_{place}$", "loss", (number, 2), role=number, tight=True),
            Box(gradient, f"$g_{place}$", "text", (number, 3), role=number, tight=True),
        ]
        arrows += [
            Arrow("shared", head),
            Arrow(head, loss),
            Arrow(loss, head, "gradient", number),
            Arrow(loss, gradient, "gradient", number),
            Arrow(gradient, "combiner", "gradient", number),
        ]
    arrows += [
        Arrow("combiner", "direction", "gradient", "shared"),
        Arrow("direction", "shared", "gradient", "shared"),
    ]
    return Diagram(
        f"the gradients of {listed(tasks)}, combined into one",
        tuple(boxes),
        tuple(arrows),
        columns=(60, 112, 40, 40, 84),
        gap=26,
    )
