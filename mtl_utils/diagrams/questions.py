"""Which questions are put to which part of a multi-task model."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box
from mtl_utils.diagrams.tasks import check_tasks, listed, written


def questions_to_features(tasks: Sequence[str]) -> Diagram:
    """Draw where each way of asking what features know takes hold of a model.

    Probes read the states, erasure changes them on the way to the heads, attribution follows the
    gradient of a head back to the words.

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
        Box("words", "words", "text", (0, 0), (count, 1)),
        Box("encoder", "shared layers", "layer", (0, 1), (count, 1), "shared"),
        Box("states", "states", "embedding", (0, 2), (count, 1), "shared"),
        Box("erasure", "erase a property", "penalty", (0, 3), (count, 1)),
        Box("probe", "probe, compare", "layer", (count, 2), tight=True),
        Box("attribution", "attribution: back to the words", "note", (count, 0), (1, 2)),
    ]
    arrows = [
        Arrow("words", "encoder"),
        Arrow("encoder", "states"),
        Arrow("states", "erasure"),
        Arrow("states", "probe"),
    ]
    for number, task in enumerate(tasks):
        head = f"head {number}"
        boxes.append(Box(head, f"{written(task)} head", "head", (number, 4), role=number))
        arrows.append(Arrow("erasure", head))
    arrows.append(Arrow("encoder", "words", "gradient"))
    return Diagram(
        f"questions to the features that {listed(tasks)} share",
        tuple(boxes),
        tuple(arrows),
        columns=(60, 76, 76, 84, 112),
        gap=26,
    )
