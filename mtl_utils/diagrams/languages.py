"""One encoder for several languages: what they share, and what each may have of its own."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box
from mtl_utils.diagrams.reading import joined
from mtl_utils.diagrams.tasks import check_tasks, written


def shared_languages(tasks: Sequence[str]) -> Diagram:
    """Draw texts of several languages, read by shared pieces, layers and one head.

    Args:
        tasks: Names of two to six languages, which take the place of tasks; the k-th has the k-th
            colour of :data:`mtl_utils.plots.PALETTE`.

    Raises:
        TypeError: If ``tasks`` is no list of strings.
        ValueError: If there are fewer or more, or one is empty or occurs twice.
    """
    check_tasks(tasks)
    count = len(tasks)
    boxes = [
        Box("pieces", "shared pieces", "embedding", (0, 1), (count, 1), "shared", tight=True),
        Box("layers", r"shared layers $\theta$", "layer", (0, 3), (count, 1), "shared", tight=True),
        Box("head", "one head", "head", (0, 4), (count, 1), "shared", tight=True),
        Box("loss", "$L$", "loss", (0, 5), (count, 1), "shared", tight=True),
    ]
    arrows = []
    for number, language in enumerate(tasks):
        text, own = f"text {number}", f"own {number}"
        boxes += [
            Box(text, written(language), "text", (number, 0), role=number),
            Box(own, f"own part, {written(language)}", "embedding", (number, 2), role=number),
        ]
        arrows += [
            Arrow(text, "pieces", role=number),
            Arrow("pieces", own, role=number),
            Arrow(own, "layers", role=number),
        ]
    arrows += [Arrow("layers", "head"), Arrow("head", "loss")]
    return Diagram(
        f"one encoder for {count} languages, {joined([written(task) for task in tasks])}, in which "
        "each may have a part of its own: a vector, which is added before the layers as drawn, or "
        "adapters, which stand after each layer",
        tuple(boxes),
        tuple(arrows),
        columns=(84, 70, 96, 84, 58, 44),
        gap=22,
    )
