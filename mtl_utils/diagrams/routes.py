"""How arrows run: from border to border, straight where that is possible."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mtl_utils.diagrams.layout import Rectangle
from mtl_utils.diagrams.parts import Arrow

Point = tuple[float, float]

#: Points from the middle of a connection to each of two arrows that run it in opposite directions.
_BESIDE = 5.0
#: Where an arrow that took a turn enters, as a share of the side, so as not to meet a straight one.
_ENTRY = 0.27
#: How far from the middle an arrow that runs aslant enters, as a share of its descent.
_ASLANT = 0.16
#: Points from a corner of a box in which no arrow starts or ends.
_CORNER = 7.0


def route(
    arrow: Arrow,
    places: Mapping[str, Rectangle],
    both_ways: Collection[frozenset[str]],
    leaving: Mapping[str, float],
) -> list[Point]:
    """Return the points of an arrow's line, the first and the last on a border.

    Args:
        arrow: The arrow.
        places: Where boxes and frames stand.
        both_ways: Pairs of names between which arrows run in both directions.
        leaving: Height at which an arrow that turns leaves a side, where it is not the middle.
    """
    start, end = places[arrow.start], places[arrow.end]
    beside = _BESIDE if frozenset((arrow.start, arrow.end)) in both_ways else 0.0
    rows = _common(start.bottom, start.top, end.bottom, end.top)
    columns = _common(start.left, start.right, end.left, end.right)
    if rows is not None:
        forth = start.right <= end.left
        y = rows + (beside if forth else -beside)
        return [(start.right, y), (end.left, y)] if forth else [(start.left, y), (end.right, y)]
    if columns is not None:
        up = start.top <= end.bottom
        x = columns + (-beside if up else beside)
        return [(x, start.top), (x, end.bottom)] if up else [(x, start.bottom), (x, end.top)]
    if arrow.bend == "straight":
        return _aslant(start, end)
    y = leaving.get(arrow.start, start.middle[1])
    return _corner(start, end, y) if arrow.bend == "corner" else _channel(start, end, y)


def _common(low: float, high: float, other_low: float, other_high: float) -> float | None:
    """Return the middle of what two intervals have in common, if that is enough for an arrow."""
    first, last = max(low, other_low), min(high, other_high)
    return (first + last) / 2 if last - first >= 2 * _CORNER else None


def _aslant(start: Rectangle, end: Rectangle) -> list[Point]:
    """From side to side; what comes from above enters higher, so that no two heads meet."""
    forth = start.right <= end.left
    out, into = (start.right, end.left) if forth else (start.left, end.right)
    most = (end.top - end.bottom) / 2 - _CORNER
    turn = max(-most, min(most, (start.middle[1] - end.middle[1]) * _ASLANT))
    return [(out, start.middle[1]), (into, end.middle[1] + turn)]


def _corner(start: Rectangle, end: Rectangle, y: float) -> list[Point]:
    forth = start.right <= end.left
    x = end.left + 2 * _CORNER if forth else end.right - 2 * _CORNER
    return [
        (start.right if forth else start.left, y),
        (x, y),
        (x, end.bottom if start.top <= end.bottom else end.top),
    ]


def _channel(start: Rectangle, end: Rectangle, y: float) -> list[Point]:
    forth = start.right <= end.left
    out, into = (start.right, end.left) if forth else (start.left, end.right)
    entry = end.bottom + (end.top - end.bottom) * _ENTRY
    x = out + (into - out) / 2
    return [(out, y), (x, y), (x, entry), (into, entry)]
