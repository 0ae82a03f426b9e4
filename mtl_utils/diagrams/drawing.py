"""Boxes, arrows and frames as Matplotlib draws them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch, Patch, PathPatch, Polygon
from matplotlib.patches import Rectangle as RectanglePatch
from matplotlib.path import Path

from mtl_utils.diagrams.layout import MARGIN, WIDTH, Placement, Rectangle
from mtl_utils.diagrams.lettering import FAMILY, LEADING, SIZE, width_of
from mtl_utils.diagrams.parts import Arrow, Box, Frame
from mtl_utils.diagrams.routes import Point, route
from mtl_utils.diagrams.theme import Theme

_LEGEND = {"forward": "forward", "gradient": "gradient", "reversed": "reversed gradient"}
_SAMPLE = 26.0  # points of an arrow in the legend
_ROUNDING = {"text": 0.0, "embedding": 0.0, "layer": 5.0, "head": 5.0, "mirror": 0.0}
_HEAD = 6.0  # points of an arrow's head
_SLIM = 0.5  # half its width, as a share of that
_DASHES = (0, (3.2, 1.8))
_SHORT_DASHES = (0, (1.4, 1.6))


def legend_height(arrows: Sequence[Arrow]) -> float:
    """Return the points that a legend takes: none where all arrows are of one kind.

    Args:
        arrows: The arrows.
    """
    return LEADING + MARGIN if len({arrow.kind for arrow in arrows}) > 1 else 0.0


def draw(
    axes: Axes,
    parts: tuple[Sequence[Box], Sequence[Arrow], Sequence[Frame]],
    placement: Placement,
    theme: Theme,
    scale: float,
) -> None:
    """Draw a diagram.

    Args:
        axes: Where to; their limits are set.
        parts: Boxes, arrows and frames.
        placement: Where they stand.
        theme: The colours.
        scale: Size of what is drawn, 1 where the axes are as wide as the diagram is meant to be.
    """
    boxes, arrows, frames = parts
    below = legend_height(arrows)
    axes.set(xlim=(0, WIDTH), ylim=(-below, placement.height), aspect="equal")
    axes.set_axis_off()
    paper = RectanglePatch((0, -below), WIDTH, placement.height + below, fc=theme.paper, lw=0)
    axes.add_patch(paper)
    pen = _Pen(axes, theme, scale)
    for frame in frames:
        pen.frame(frame, placement.places[frame.name], placement.lines[frame.name])
    kinds = {(arrow.start, arrow.end) for arrow in arrows}
    both_ways = {frozenset(pair) for pair in kinds if pair[::-1] in kinds}
    # What is said of a frame is said of its first box's row, such as the states of a decoder.
    leaving = {frame.name: placement.places[frame.boxes[0]].middle[1] for frame in frames}
    for arrow in arrows:
        points = route(arrow, placement.places, both_ways, leaving)
        name = f"{arrow.start} > {arrow.end}, {arrow.kind}"
        pen.arrow(points, arrow.kind, theme.colour(arrow.role), name)
    for box in boxes:
        pen.box(box, placement.places[box.name], placement.lines[box.name])
    if below:
        pen.legend([kind for kind in _LEGEND if kind in {arrow.kind for arrow in arrows}], below)


class _Pen:
    """Draws one thing at a time onto axes whose unit is a point."""

    def __init__(self, axes: Axes, theme: Theme, scale: float) -> None:
        self.axes = axes
        self.theme = theme
        self.scale = scale

    def text(self, x: float, y: float, line: str, gid: str, **style: object) -> None:
        self.axes.text(
            x,
            y,
            line,
            fontsize=SIZE * self.scale,
            family=FAMILY,
            color=self.theme.ink,
            va="center_baseline",
            gid=gid,
            math_fontfamily="dejavusans",
            zorder=5,
            **style,  # type: ignore[arg-type]
        )

    def box(self, box: Box, place: Rectangle, lines: Sequence[str]) -> None:
        for patch in self._shapes(box, place) if box.kind != "note" else ():
            self.axes.add_patch(patch)
        x, middle = place.middle
        for number, line in enumerate(lines):
            y = middle + LEADING * ((len(lines) - 1) / 2 - number)
            self.text(x, y, line, f"box {box.name}", ha="center")

    def _shapes(self, box: Box, place: Rectangle) -> Iterator[Patch]:
        edge = self.theme.colour(box.role)
        width, height = place.right - place.left, place.top - place.bottom
        rounding = _ROUNDING.get(box.kind, min(width, height, 2 * LEADING) / 2)
        yield FancyBboxPatch(
            (place.left, place.bottom),
            width,
            height,
            boxstyle=f"round,pad=0,rounding_size={rounding}" if rounding else "square,pad=0",
            facecolor=self.theme.ground(box.role, box.kind),
            edgecolor=edge,
            linewidth=(0.9 if box.kind == "text" else 1.4) * self.scale,
            linestyle=_SHORT_DASHES if box.kind == "penalty" else "solid",
            gid=f"box {box.name}",
            zorder=3,
        )
        if box.kind == "embedding":  # a table: a rule under its upper edge
            yield self._line([(place.left, place.top - 3), (place.right, place.top - 3)], edge)
        if box.kind == "mirror":  # as in optics: the glass, and short strokes behind it
            steps = int(height // 6)
            for step in range(steps):
                y = place.bottom + height * (step + 1) / steps
                yield self._line([(place.right, y), (place.right - 5, y - 5)], edge)
            yield self._line(
                [(place.right, place.bottom), (place.right, place.top)], edge, weight=2.6
            )

    def _line(self, points: list[Point], colour: str, weight: float = 1.0) -> Patch:
        return PathPatch(Path(points), fc="none", ec=colour, lw=weight * self.scale, zorder=4)

    def frame(self, frame: Frame, place: Rectangle, lines: Sequence[str]) -> None:
        self.axes.add_patch(
            FancyBboxPatch(
                (place.left, place.bottom),
                place.right - place.left,
                place.top - place.bottom,
                boxstyle="round,pad=0,rounding_size=7",
                facecolor="none",
                edgecolor=self.theme.colour(frame.role),
                linewidth=0.9 * self.scale,
                gid=f"frame {frame.name}",
                zorder=1,
            )
        )
        top = place.bottom + LEADING * len(lines) + 6 if frame.below else place.top
        for number, line in enumerate(lines):
            y = top - LEADING * (number + 0.5) - 3
            self.text(place.middle[0], y, line, f"frame {frame.name}", ha="center", weight="bold")

    def arrow(self, points: list[Point], kind: str, colour: str, name: str) -> None:
        tip, (x, y) = points[-1], _towards(points[-1], points[-2], _HEAD, share=1.0)
        across = ((tip[1] - y) * _SLIM, (x - tip[0]) * _SLIM)
        wings = [(x + across[0], y + across[1]), (x - across[0], y - across[1])]
        line = PathPatch(
            _rounded([*points[:-1], (x, y)]),
            facecolor="none",
            edgecolor=colour,
            linewidth=(1.2 if kind == "forward" else 1.5) * self.scale,
            linestyle="solid" if kind == "forward" else _DASHES,
            capstyle="butt",
            gid=f"arrow {name}",
            zorder=2,
        )
        self.axes.add_patch(line)
        # A head of its own: that of a dashed arrow has a dashed outline.
        self.axes.add_patch(
            Polygon([tip, *wings], facecolor=colour, lw=0, gid=f"head {name}", zorder=2)
        )
        if kind == "reversed":  # the sign is turned
            (x0, y0), (x1, y1) = points[0], points[-1]
            x, y = 0.6 * x0 + 0.4 * x1, 0.6 * y0 + 0.4 * y1
            disc = Circle(
                (x, y), 4.6, fc=self.theme.paper, ec=colour, lw=1.2 * self.scale, zorder=3
            )
            self.axes.add_patch(disc)
            self.axes.add_patch(self._line([(x - 2.4, y), (x + 2.4, y)], colour, weight=1.4))

    def legend(self, kinds: Sequence[str], below: float) -> None:
        y, space = -below + MARGIN + LEADING / 2 - 2, 6.0
        widths = [_SAMPLE + space + width_of(_LEGEND[kind]) for kind in kinds]
        between = 26.0
        x = (WIDTH - sum(widths) - between * (len(kinds) - 1)) / 2
        for kind, width in zip(kinds, widths, strict=True):
            self.arrow([(x, y), (x + _SAMPLE, y)], kind, self.theme.line, "legend")
            self.text(x + _SAMPLE + space, y, _LEGEND[kind], "legend", ha="left")
            x += width + between


def _rounded(points: Sequence[Point], radius: float = 6.0) -> Path:
    """Return a line with rounded corners."""
    vertices, codes = [points[0]], [Path.MOVETO]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        vertices += [_towards(corner, before, radius), corner, _towards(corner, after, radius)]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return Path([*vertices, points[-1]], [*codes, Path.LINETO])


def _towards(point: Point, other: Point, distance: float, share: float = 0.5) -> Point:
    """Return the point at a distance on the way to another, at most a share of the way."""
    length = math.hypot(other[0] - point[0], other[1] - point[1])
    share = min(share, distance / length) if length else 0.0
    return point[0] + (other[0] - point[0]) * share, point[1] + (other[1] - point[1]) * share
