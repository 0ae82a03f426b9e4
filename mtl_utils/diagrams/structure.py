"""Ways of sharing whose structure is built in or learnt: hierarchies, cross-stitch, sluices."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_utils.arguments import check_flag
from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box
from mtl_utils.diagrams.tasks import check_pair, check_tasks, head_and_loss, listed, written


def hierarchical_sharing(tasks: Sequence[str], *, shortcuts: bool = False) -> Diagram:
    """Draw a layer for each task, from the lowest task at the bottom to the highest at the top.

    After Søgaard & Goldberg (2016). A loss moves its layer and those below; with shortcuts every
    layer reads the embeddings too (Sanh et al., 2019), and only what is computed is drawn.

    Args:
        tasks: Names of the tasks, two to six, the lowest first; the k-th has the k-th colour of
            :data:`mtl_utils.plots.PALETTE`.
        shortcuts: Whether layers above the lowest read the embeddings as well.

    Raises:
        TypeError: If ``tasks`` is no list of strings, or ``shortcuts`` no boolean.
        ValueError: If there are fewer or more, or one is empty or occurs twice.
    """
    check_tasks(tasks)
    check_flag("shortcuts", shortcuts)
    count = len(tasks)
    boxes = [
        Box("text", "text $x$", "text", (0, 0), (count, 1), tight=True),
        Box("embeddings", "embeddings $h_0$", "embedding", (0, 1), (count, 1), "shared"),
    ]
    arrows = [Arrow("text", "embeddings")]
    for number, task in enumerate(tasks):
        row, layer = count - 1 - number, f"layer {number}"
        role = number if number == count - 1 else "shared"
        boxes.append(Box(layer, f"layer {number + 1}", "layer", (row, 2), role=role))
        if number == 0 or shortcuts:
            arrows.append(Arrow("embeddings", layer))
        if number > 0:
            arrows.append(Arrow(f"layer {number - 1}", layer))
        if number > 0 and not shortcuts:
            arrows.append(Arrow(layer, f"layer {number - 1}", "gradient", role))
        more, between = head_and_loss(number, task, (layer,), 3, gradients=not shortcuts, row=row)
        boxes += more
        arrows += between
    if not shortcuts:
        arrows.append(Arrow("layer 0", "embeddings", "gradient", "shared"))
    with_them = ", with shortcuts from the embeddings" if shortcuts else ""
    return Diagram(
        f"a hierarchy of {listed(tasks)}{with_them}",
        tuple(boxes),
        tuple(arrows),
        columns=(44, 98, 78, 112, 40),
        gap=25,
        row_gap=24,
    )


def cross_stitch(tasks: Sequence[str]) -> Diagram:
    """Draw an encoder of two layers for each task, and the mixture of all after each layer.

    After Misra et al. (2016). Every loss moves every encoder; only what is computed is drawn.

    Args:
        tasks: Names of the tasks, two to six; the k-th has the k-th colour of
            :data:`mtl_utils.plots.PALETTE`.

    Raises:
        TypeError: If ``tasks`` is no list of strings.
        ValueError: If there are fewer or more, or one is empty or occurs twice.
    """
    check_tasks(tasks)
    count = len(tasks)
    boxes = [Box("text", "text $x$", "text", (0, 0), (count, 1), tight=True)]
    boxes += [_stitch(place, (0, 2 * place), count) for place in (1, 2)]
    arrows = []
    for number, task in enumerate(tasks):
        more, between = _tower(number, number)
        head = f"head {number}"
        boxes += [*more, Box(head, f"{written(task)} head", "head", (number, 5), role=number)]
        arrows += [*between, Arrow("stitch 2", head)]
    return Diagram(
        f"cross-stitch units between {listed(tasks)}",
        tuple(boxes),
        tuple(arrows),
        columns=(44, 66, 40, 66, 40, 104),
        gap=18,
    )


def sluice_network(tasks: Sequence[str]) -> Diagram:
    """Draw two encoders whose layers have two halves each, and a mixture of layers for each task.

    After Ruder et al. (2019). Only what is computed is drawn, without the penalty.

    Args:
        tasks: Names of two tasks.

    Raises:
        TypeError: If ``tasks`` is no list of strings.
        ValueError: If there are fewer or more than two, or one is empty or occurs twice.
    """
    check_pair(tasks)
    boxes = [Box("text", "text $x$", "text", (1, 0), (2, 1), tight=True)]
    boxes += [_stitch(place, (1, 2 * place), 2) for place in (1, 2)]
    arrows = []
    for number, task in enumerate(tasks):
        more, between = _tower(number, number + 1, ": two halves")
        row, mixture, head = 3 * number, f"mixture {number}", f"head {number}"
        label = rf"$\beta_{{{number + 1}}}$: mixture of both layers"
        boxes += [
            *more,
            Box(mixture, label, "layer", (row, 2), (1, 3), number),
            Box(head, f"{written(task)} head", "head", (row, 5), role=number),
        ]
        arrows += [*between, Arrow(mixture, head)]
        arrows += [Arrow(f"stitch {place}", mixture) for place in (1, 2)]
    return Diagram(
        f"a sluice network between {listed(tasks)}",
        tuple(boxes),
        tuple(arrows),
        columns=(44, 74, 34, 74, 34, 110),
        gap=18,
        row_gap=20,
    )


def _tower(number: int, row: int, more: str = "") -> tuple[list[Box], list[Arrow]]:
    """Return the two layers of a task and the arrows to and from the mixtures beside them."""
    names = [f"layer {place} {number}" for place in (1, 2)]
    boxes = [
        Box(
            name,
            rf"$f_{place}^{{({number + 1})}}${more}",
            "layer",
            (row, 2 * place - 1),
            role=number,
        )
        for place, name in enumerate(names, start=1)
    ]
    first, second = names
    arrows = [
        Arrow("text", first),
        Arrow(first, "stitch 1"),
        Arrow("stitch 1", second),
        Arrow(second, "stitch 2"),
    ]
    return boxes, arrows


def _stitch(place: int, at: tuple[int, int], count: int) -> Box:
    return Box(f"stitch {place}", rf"$\alpha_{place}$", "layer", at, (count, 1), "shared")
