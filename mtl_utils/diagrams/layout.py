"""Where the boxes and frames of a diagram stand: a grid whose rows are as high as their text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mtl_utils.diagrams.lettering import LEADING, broken
from mtl_utils.diagrams.parts import Box, Frame

#: Points. As wide as the figures of the book, so that text has one size on a page.
WIDTH = 450.0
MARGIN = 8.0
#: Points between the border of a box and its text, and of a frame and its boxes.
INSIDE = 5.0
FRAME = 9.0
_EDGE = 1.0  # from a frame to the border of the figure


@dataclass(frozen=True)
class Rectangle:
    """A place in points; y grows upwards, as in Matplotlib."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def middle(self) -> tuple[float, float]:
        """The point in the middle."""
        return (self.left + self.right) / 2, (self.bottom + self.top) / 2


@dataclass(frozen=True)
class Placement:
    """Where everything stands, and the lines into which text is broken; all by name.

    Attributes:
        height: Of the whole, without a legend, in points.
        places: Of boxes and frames.
        lines: Of boxes and frames.
    """

    height: float
    places: Mapping[str, Rectangle]
    lines: Mapping[str, tuple[str, ...]]


def place(
    boxes: Sequence[Box],
    frames: Sequence[Frame],
    columns: Sequence[float],
    gap: float,
    row_gap: float,
) -> Placement:
    """Compute where boxes and frames stand.

    Args:
        boxes: The boxes.
        frames: The frames.
        columns: Relative widths of the columns.
        gap: Points between two columns.
        row_gap: Points between two rows, where no frame asks for more.
    """
    unit = (WIDTH - 2 * MARGIN - gap * (len(columns) - 1)) / sum(columns)
    edges, x = [], MARGIN
    for column in columns:
        edges.append((x, x + unit * column))
        x += unit * column + gap
    across = {b.name: (edges[b.at[1]][0], edges[b.at[1] + b.span[1] - 1][1]) for b in boxes}
    lines = {b.name: broken(b.label, _inner(across[b.name])) for b in boxes}
    by_name = {box.name: box for box in boxes}
    beside = min(FRAME, gap / 2 - 1)  # two frames side by side do not touch
    sides = {f.name: _around([across[name] for name in f.boxes], beside) for f in frames}
    for frame in frames:
        room = _inner(sides[frame.name])
        lines[frame.name] = broken(frame.caption, room, "bold") if frame.caption else ()
    captions = {f.name: LEADING * len(lines[f.name]) for f in frames}
    heads = {f.name: FRAME + (0.0 if f.below else captions[f.name]) for f in frames}
    feet = {f.name: FRAME + (captions[f.name] if f.below else 0.0) for f in frames}

    reach = {f.name: _rows(by_name[name] for name in f.boxes) for f in frames}
    count = max(last for _, last in map(_rows_of, boxes)) + 1
    before, after = [0.0] * count, [0.0] * count
    for name, (first, last) in reach.items():
        before[first] = max(before[first], heads[name])
        after[last] = max(after[last], feet[name])
    heights = _heights(boxes, lines, count, [row_gap + a for a in after])
    tops, y = [], MARGIN
    for row in range(count):
        y += before[row]
        tops.append(y)
        y += heights[row] + after[row] + row_gap
    height = y - row_gap + MARGIN

    places = {}
    for box in boxes:
        first, last = _rows_of(box)
        bottom, top = height - tops[last] - heights[last], height - tops[first]
        spare = (top - bottom - _needed(lines[box.name])) / 2 if box.tight else 0.0
        left, right = across[box.name]
        places[box.name] = Rectangle(left, bottom + spare, right, top - spare)
    for frame in frames:
        inner = [places[name] for name in frame.boxes]
        places[frame.name] = Rectangle(
            sides[frame.name][0],
            min(rectangle.bottom for rectangle in inner) - feet[frame.name],
            sides[frame.name][1],
            max(rectangle.top for rectangle in inner) + heads[frame.name],
        )
    return Placement(height, places, lines)


def _inner(sides: tuple[float, float]) -> float:
    return sides[1] - sides[0] - 2 * INSIDE


def _needed(lines: Sequence[str]) -> float:
    return LEADING * len(lines) + 2 * INSIDE


def _around(sides: Sequence[tuple[float, float]], beside: float) -> tuple[float, float]:
    left, right = min(left for left, _ in sides), max(right for _, right in sides)
    return max(left - beside, _EDGE), min(right + beside, WIDTH - _EDGE)


def _rows_of(box: Box) -> tuple[int, int]:
    return box.at[0], box.at[0] + box.span[0] - 1


def _rows(boxes: Iterable[Box]) -> tuple[int, int]:
    found = [_rows_of(box) for box in boxes]
    return min(first for first, _ in found), max(last for _, last in found)


def _heights(
    boxes: Sequence[Box],
    lines: Mapping[str, tuple[str, ...]],
    count: int,
    gaps: Sequence[float],
) -> list[float]:
    """Return how high each row is: its highest box, and a share of a box over several rows."""
    heights = [0.0] * count
    for box in sorted(boxes, key=lambda box: box.span[0]):
        first, last = _rows_of(box)
        missing = _needed(lines[box.name]) - sum(heights[first : last + 1]) - sum(gaps[first:last])
        for row in range(first, last + 1):
            heights[row] += max(0.0, missing) / box.span[0]
    return heights
