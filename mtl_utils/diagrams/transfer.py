"""Four routes to a model of one task with few rows: what is trained first, and on what last."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.parts import Arrow, Box
from mtl_utils.diagrams.reading import joined
from mtl_utils.diagrams.tasks import check_tasks, written


def transfer_routes(tasks: Sequence[str]) -> Diagram:
    """Draw four routes as rows: alone, jointly, jointly and then alone, others and then alone.

    Args:
        tasks: Names of two to six tasks. The first has few rows, and the first colour of
            :data:`mtl_utils.plots.PALETTE`; the others are drawn as one, in the colour of what is
            shared.

    Raises:
        TypeError: If ``tasks`` is no list of strings.
        ValueError: If there are fewer or more, or one is empty or occurs twice.
    """
    check_tasks(tasks)
    own, *rest = map(written, tasks)
    others, every = joined(rest), joined([own, *rest])
    routes: list[tuple[str, str, str, str | int, str | int]] = [
        ("alone", own, own, 0, 0),
        ("joint", every, every, "shared", "shared"),
        ("joint, then alone", every, own, "shared", 0),
        ("others, then alone", others, own, "shared", 0),
    ]
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    for row, (name, first, last, first_role, last_role) in enumerate(routes):
        boxes += [
            Box(name, name, "note", (row, 0)),
            Box(f"{name}: first", f"train on {first}", "layer", (row, 1), role=first_role),
            Box(f"{name}: last", f"go on with {last}", "layer", (row, 2), role=last_role),
            Box(f"{name}: in use", f"{own} head", "head", (row, 3), role=0),
        ]
        arrows += [
            Arrow(f"{name}: first", f"{name}: last"),
            Arrow(f"{name}: last", f"{name}: in use"),
        ]
    return Diagram(
        f"four routes to a model of {own}, which has few rows, beside {others}, which have more",
        tuple(boxes),
        tuple(arrows),
        columns=(92, 128, 128, 72),
        gap=22,
    )
