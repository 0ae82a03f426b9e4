"""Where a text and the picture beside it can meet."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box
from mtl_utils.diagrams.tasks import check_tasks, listed, written


def text_and_picture(tasks: Sequence[str]) -> Diagram:
    """Draw three places at which the picture can join the text, of which a model has one.

    Early it stands among the words below all layers, late it is joined to their states, and by
    attention every state looks at its parts.

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
        Box("picture", "picture", "text", (count + 1, 0)),
        Box("convolutions", "convolutions", "layer", (count + 1, 1)),
        Box("parts", "parts of the picture", "embedding", (count, 1), tight=True),
        Box("encoder", "layers of the text", "layer", (0, 2), (count, 1), "shared"),
        Box("states", "states", "embedding", (0, 3), (count, 1), "shared"),
        Box("early", "early: among the words", "layer", (0, 1), (count, 1)),
        Box("late", "late, or by attention", "layer", (count, 3)),
    ]
    arrows = [
        Arrow("words", "early"),
        Arrow("early", "encoder"),
        Arrow("encoder", "states"),
        Arrow("picture", "convolutions"),
        Arrow("convolutions", "parts"),
        Arrow("parts", "early"),
        Arrow("parts", "late"),
        Arrow("late", "states"),
    ]
    for number, task in enumerate(tasks):
        head = f"head {number}"
        boxes.append(Box(head, f"{written(task)} head", "head", (number, 4), role=number))
        arrows.append(Arrow("states", head))
    return Diagram(
        f"text and picture that {listed(tasks)} read",
        tuple(boxes),
        tuple(arrows),
        columns=(64, 102, 76, 98, 88),
        gap=20,
    )
