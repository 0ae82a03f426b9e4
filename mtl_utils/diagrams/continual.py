"""Tasks that come one after the other: one encoder that moves on, and heads that stay behind."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box
from mtl_utils.diagrams.tasks import check_tasks, head_and_loss, listed


def tasks_in_sequence(tasks: Sequence[str]) -> Diagram:
    """Draw an encoder that is trained on one task after the other, from top to bottom.

    Each task has a head of its own, which is trained with its task and then stays as it is, while
    the encoder that it reads moves on.

    Args:
        tasks: Names of the tasks, two to six, in the order in which they come; the k-th has the
            k-th colour of :data:`mtl_utils.plots.PALETTE`.

    Raises:
        TypeError: If ``tasks`` is no list of strings.
        ValueError: If there are fewer or more, or one is empty or occurs twice.
    """
    check_tasks(tasks)
    boxes, arrows = [], []
    for number, task in enumerate(tasks):
        text, encoder = f"text {number}", f"encoder {number}"
        boxes += [
            Box(text, f"texts of task {number + 1}", "text", (number, 0)),
            Box(
                encoder, rf"encoder $\theta_{{{number + 1}}}$", "layer", (number, 1), role="shared"
            ),
        ]
        arrows.append(Arrow(text, encoder))
        if number:
            arrows.append(Arrow(f"encoder {number - 1}", encoder, role="shared"))
        more, between = head_and_loss(number, task, (encoder,), 2)
        boxes += more
        arrows += between
    return Diagram(
        f"one task after the other: {listed(tasks)}",
        tuple(boxes),
        tuple(arrows),
        columns=(72, 96, 132, 44),
        row_gap=26,
    )
