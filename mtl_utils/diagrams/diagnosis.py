"""How causes of negative transfer are told apart: one thing changed in each training."""

from __future__ import annotations

from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box

#: What is changed alone, and what that speaks for.
_CHANGES = (
    ("equal shares", "drowned loss"),
    ("rows put aside", "label noise"),
    ("more steps", "under-training"),
    ("twice the width", "too little width"),
    ("a task alone", "unrelated task"),
)


def changed_alone() -> Diagram:
    """Draw a joint training, and copies of it in each of which one thing is changed.

    Causes have the first five colours of :data:`mtl_utils.plots.PALETTE`, in the order of
    :data:`mtl_utils.diagnosis.CAUSES`.
    """
    rows = len(_CHANGES)
    boxes = [Box("joint", "all tasks, as they are", "layer", (0, 0), (rows, 1), "shared")]
    arrows = []
    for place, (change, cause) in enumerate(_CHANGES):
        boxes += [
            Box(change, change, "head", (place, 1), role=place),
            Box(f"loss {place}", "$L_k$ again", "loss", (place, 2), role=place),
            Box(cause, cause, "text", (place, 3), tight=True),
        ]
        arrows += [
            Arrow("joint", change),
            Arrow(change, f"loss {place}"),
            Arrow(f"loss {place}", cause),
        ]
    return Diagram(
        "a joint training, and copies in each of which one thing is changed",
        tuple(boxes),
        tuple(arrows),
        columns=(92, 112, 76, 112),
        gap=24,
        row_gap=20,
    )
