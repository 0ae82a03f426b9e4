"""Ways of sharing whose parameters depend on the input or the task: experts, and what is added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box, Frame
from mtl_utils.diagrams.tasks import check_pair, head_and_loss, listed, written


def mixture_of_experts(tasks: Sequence[str]) -> Diagram:
    """Draw three experts over a trunk, and for each of two tasks a gate that mixes them.

    After Ma et al. (2018). Every loss moves every expert; only what is computed is drawn.

    Args:
        tasks: Names of two tasks; they have the first two colours of
            :data:`mtl_utils.plots.PALETTE`.

    Raises:
        TypeError: If ``tasks`` is no list of strings.
        ValueError: If there are fewer or more than two, or one is empty or occurs twice.
    """
    check_pair(tasks)
    boxes = [
        Box("text", "text $x$", "text", (0, 0), (5, 1), tight=True),
        Box("trunk", "trunk $f_s$", "layer", (0, 1), (5, 1), "shared"),
    ]
    names = tuple(f"expert {place}" for place in (1, 2, 3))
    boxes += [
        Box(name, f"expert $f_{place}$", "layer", (place, 2), role="shared")
        for place, name in enumerate(names, start=1)
    ]
    arrows = [Arrow("text", "trunk"), Arrow("trunk", "experts")]
    for number, task in enumerate(tasks):
        gate, mixture = f"gate {number}", f"mixture {number}"
        first = 3 * number  # the gate of the second task stands below the experts
        boxes += [
            Box(gate, f"gate $g^{{({number + 1})}}$", "layer", (4 * number, 2), role=number),
            Box(
                mixture,
                f"mixture $h^{{({number + 1})}}$",
                "layer",
                (first, 3),
                (2, 1),
                number,
            ),
        ]
        arrows += [Arrow("trunk", gate), Arrow(gate, mixture), Arrow("experts", mixture)]
        more, between = head_and_loss(number, task, (mixture,), 4, gradients=False, row=first)
        boxes += [replace(box, span=(2, 1)) for box in more]
        arrows += between
    return Diagram(
        f"experts with a gate for each of {listed(tasks)}",
        tuple(boxes),
        tuple(arrows),
        columns=(44, 54, 86, 76, 100, 36),
        frames=(Frame("experts", "for both", names, "shared"),),
        gap=26,
        row_gap=12,
    )


def layered_extraction(tasks: Sequence[str]) -> Diagram:
    """Draw two levels of experts, some of each of two tasks and some of both, and their gates.

    After Tang et al. (2020), with one expert of each kind. A gate is drawn with the mixture that
    it makes. Only what is computed is drawn.

    Args:
        tasks: Names of two tasks; they have the first two colours of
            :data:`mtl_utils.plots.PALETTE`.

    Raises:
        TypeError: If ``tasks`` is no list of strings.
        ValueError: If there are fewer or more than two, or one is empty or occurs twice.
    """
    check_pair(tasks)
    boxes = [
        Box("text", "text $x$", "text", (0, 0), (3, 1), tight=True),
        Box("trunk", "trunk $f_s$", "layer", (0, 1), (3, 1), "shared"),
    ]
    arrows = [Arrow("text", "trunk")]
    rows = {"1": 0, "s": 1, "2": 2}
    roles: dict[str, str | int] = {"1": 0, "s": "shared", "2": 1}
    for level in (1, 2):
        kept = [whose for whose in rows if whose != "s" or level == 1]
        for whose, row in rows.items():
            name = f"E_{whose}"
            place = (row, 2 * level)
            expert = f"expert {whose} {level}"
            label = f"${name}$, level {level}"
            boxes.append(Box(expert, label, "layer", place, role=roles[whose]))
            below = "trunk" if level == 1 else f"mixture {whose} 1"
            arrows.append(Arrow(below, expert))
        for whose in kept:
            mixture = f"mixture {whose} {level}"
            label = f"gate $g_{whose}$, level {level}"
            place = (rows[whose], 2 * level + 1)
            boxes.append(Box(mixture, label, "layer", place, role=roles[whose]))
            read = rows if whose == "s" else [whose, "s"]
            arrows += [  # aslant: bent, several would run on one vertical and seem joined
                Arrow(f"expert {other} {level}", mixture, role=roles[other], bend="straight")
                for other in read
            ]
    for number, task in enumerate(tasks):
        head = f"head {number}"
        boxes.append(Box(head, f"{written(task)} head", "head", (2 * number, 6), role=number))
        arrows.append(Arrow(f"mixture {number + 1} 2", head))
    return Diagram(
        f"progressive layered extraction for {listed(tasks)}",
        tuple(boxes),
        tuple(arrows),
        columns=(34, 46, 40, 40, 40, 40, 62),
        gap=22,
        row_gap=22,
    )


def task_adapters(tasks: Sequence[str]) -> Diagram:
    """Draw a layer, the adapter of each of two tasks after it, and the layer above.

    After Houlsby et al. (2019), with one adapter after a layer as Bapna & Firat (2019) have it.
    Only what is computed is drawn.

    Args:
        tasks: Names of two tasks; they have the first two colours of
            :data:`mtl_utils.plots.PALETTE`.

    Raises:
        TypeError: If ``tasks`` is no list of strings.
        ValueError: If there are fewer or more than two, or one is empty or occurs twice.
    """
    check_pair(tasks)
    boxes = [
        Box("below", "layer $l$", "layer", (0, 0), (4, 1), "shared"),
        Box("above", "layer $l + 1$", "layer", (0, 4), (4, 1), "shared"),
    ]
    arrows = []
    for number, task in enumerate(tasks):
        down, up = f"down {number}", f"up {number}"
        kept, total, row = f"kept {number}", f"sum {number}", 2 * number
        boxes += [
            Box(down, f"{written(task)}: down, $D$ to $R$", "layer", (row, 1), role=number),
            Box(up, "$\\phi$, then up, $R$ to $D$", "layer", (row, 2), role=number),
            Box(kept, "what was read, unchanged", "text", (row + 1, 1), (1, 2), number),
            Box(total, f"sum ({number + 1})", "layer", (row, 3), (2, 1), number),
        ]
        arrows += [
            Arrow("below", down),
            Arrow("below", kept),
            Arrow(down, up),
            Arrow(up, total),
            Arrow(kept, total),
            Arrow(total, "above"),
        ]
    return Diagram(
        f"adapters of {listed(tasks)}",
        tuple(boxes),
        tuple(arrows),
        columns=(60, 110, 80, 44, 64),
        gap=28,
        row_gap=16,
    )


def low_rank_additions(tasks: Sequence[str]) -> Diagram:
    """Draw a matrix of an encoder, and what each of two tasks adds to it in two thin factors.

    After Hu et al. (2022). Only what is computed is drawn.

    Args:
        tasks: Names of two tasks; they have the first two colours of
            :data:`mtl_utils.plots.PALETTE`.

    Raises:
        TypeError: If ``tasks`` is no list of strings.
        ValueError: If there are fewer or more than two, or one is empty or occurs twice.
    """
    check_pair(tasks)
    boxes = [
        Box("read", "what is read, $n$ numbers", "text", (0, 0), (4, 1), tight=True),
        Box("matrix", "$W$: $m$ by $n$,\nof all tasks", "layer", (1, 1), (2, 2), "shared"),
    ]
    arrows = [Arrow("read", "matrix")]
    for number, task in enumerate(tasks):
        inner, outer, total = f"inner {number}", f"outer {number}", f"sum {number}"
        row, place = 3 * number, (2 * number, 4)
        power = f"^{{({number + 1})}}"
        boxes += [
            Box(inner, f"$A{power}$: $R$ by $n$", "layer", (row, 1), role=number),
            Box(outer, f"$B{power}$: $m$ by $R$", "layer", (row, 2), role=number),
            Box(total, f"sum ({number + 1})", "layer", (2 * number, 3), (2, 1), number),
            Box(f"made {number}", f"for {written(task)}", "text", place, (2, 1), number, True),
        ]
        arrows += [
            Arrow("read", inner),
            Arrow(inner, outer),
            Arrow(outer, total),
            Arrow("matrix", total, bend="straight"),
            Arrow(total, f"made {number}"),
        ]
    return Diagram(
        f"low-rank additions of {listed(tasks)} to a matrix",
        tuple(boxes),
        tuple(arrows),
        columns=(84, 80, 80, 44, 80),
        gap=24,
        row_gap=16,
    )
