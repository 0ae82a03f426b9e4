"""Models at work: requests share a batch, and a text is read once, or once a task."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_utils.arguments import check_flag
from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box
from mtl_utils.diagrams.tasks import check_tasks, listed, written


def served_models(tasks: Sequence[str], *, separate: bool = False) -> Diagram:
    """Draw how a request for several tasks is answered.

    Args:
        tasks: Names of the tasks, two to six; the k-th has the k-th colour of
            :data:`mtl_utils.plots.PALETTE`.
        separate: Whether each task has a model of its own, with its own queue, instead of a head
            on an encoder that all share.

    Raises:
        TypeError: If ``tasks`` is no list of strings, or ``separate`` no boolean.
        ValueError: If there are fewer or more tasks, or one is empty or occurs twice.
    """
    check_tasks(tasks)
    check_flag("separate", separate)
    count = len(tasks)
    boxes = [
        Box("texts", "requests with texts", "text", (0, 0), (count, 1), tight=True),
        Box("answer", "one answer with all labels", "text", (0, 4), (count, 1), tight=True),
    ]
    arrows = []
    if not separate:
        boxes += [
            Box("batch", "batch", "embedding", (0, 1), (count, 1), "shared", tight=True),
            Box("encoder", "encoder: one pass", "layer", (0, 2), (count, 1), "shared"),
        ]
        arrows += [Arrow("texts", "batch"), Arrow("batch", "encoder", role="shared")]
    for number, task in enumerate(tasks):
        head = f"head {number}"
        boxes.append(Box(head, written(task), "head", (number, 3), role=number, tight=True))
        arrows.append(Arrow(head, "answer", role=number))
        if not separate:
            arrows.append(Arrow("encoder", head, role="shared"))
            continue
        batch, encoder = f"batch {number}", f"encoder {number}"
        boxes += [
            Box(batch, f"batch for {written(task)}", "embedding", (number, 1), role=number),
            Box(encoder, f"encoder of {written(task)}", "layer", (number, 2), role=number),
        ]
        arrows += [
            Arrow("texts", batch, role=number),
            Arrow(batch, encoder, role=number),
            Arrow(encoder, head, role=number),
        ]
    way = "a model a task, which each read every text" if separate else "one model of all tasks"
    return Diagram(
        f"requests for {listed(tasks)} answered by {way}",
        tuple(boxes),
        tuple(arrows),
        columns=(104, 96, 100, 90, 88),
        row_gap=10,
    )
