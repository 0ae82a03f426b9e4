"""A diagram: its description, its picture and its words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib import pyplot, rcParams
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from mtl_utils.arguments import check_flag, check_kind, check_number, shown
from mtl_utils.diagrams.drawing import draw, legend_height
from mtl_utils.diagrams.layout import WIDTH, Placement, place
from mtl_utils.diagrams.parts import Arrow, Box, Frame, check_written
from mtl_utils.diagrams.reading import alternative
from mtl_utils.diagrams.theme import DARK, LIGHT, Theme, luminance

_POINTS = 72  # an inch


@dataclass(frozen=True)
class Diagram:
    """Boxes in a grid, arrows between them and frames around them, as a picture and in words.

    Example:
        ``Diagram("a loop", (Box("a", "state", "layer", (0, 0)), Box("b", "next", "layer", (0, 1))),
        (Arrow("a", "b"),), columns=(1, 1)).draw()``

    Attributes:
        subject: What it is a diagram of, for the alternative text.
        boxes: The boxes.
        arrows: The arrows.
        columns: Relative widths of the columns of the grid. Rows are as high as their text.
        frames: The frames.
        gap: Points between two columns, of 450 that the whole is wide.
        row_gap: Points between two rows.

    Raises:
        TypeError: If ``subject`` is no string, boxes, arrows, frames or columns are no tuples of
            what they should be, or a gap is no number.
        ValueError: If ``subject`` is empty, there is no box, two things have one name or one place,
            an arrow is given twice, a box stands outside the grid, an arrow or a frame names what
            there is not, or a width is not positive.
    """

    subject: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    columns: tuple[float, ...]
    frames: tuple[Frame, ...] = ()
    gap: float = 32.0
    row_gap: float = 14.0

    def __post_init__(self) -> None:
        check_written("subject", self.subject)
        for name, things, kind in (
            ("boxes", self.boxes, Box),
            ("arrows", self.arrows, Arrow),
            ("frames", self.frames, Frame),
        ):
            _check_tuple(name, things, kind)
        if not self.boxes:
            raise ValueError(f"boxes must be at least one, got {self.boxes!r}")
        if not isinstance(self.columns, tuple) or not self.columns:
            raise TypeError(f"columns must be a tuple of widths, got {shown(self.columns)}")
        for width in self.columns:
            check_number("columns", width, above=0)
        check_number("gap", self.gap, least=2)
        check_number("row_gap", self.row_gap, least=0)
        self._check_names()
        self._check_cells()

    def _check_names(self) -> None:
        inside = [box.name for box in self.boxes]
        names = [*inside, *(frame.name for frame in self.frames)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"boxes and frames must have different names, got {name!r} twice")
        for arrow in self.arrows:
            if self.arrows.count(arrow) > 1:
                raise ValueError(f"arrows must be different, got {arrow!r} twice")
            for name in (arrow.start, arrow.end):
                if name not in names:
                    raise ValueError(f"arrows must join boxes or frames of {names}, got {name!r}")
        for frame in self.frames:
            for name in frame.boxes:
                if name not in inside:
                    raise ValueError(f"frames must be around boxes of {inside}, got {name!r}")

    def _check_cells(self) -> None:
        taken: dict[tuple[int, int], str] = {}
        for box in self.boxes:
            if box.at[1] + box.span[1] > len(self.columns):
                raise ValueError(
                    f"boxes must stand in the {len(self.columns)} columns, got {box.name!r} at "
                    f"{box.at} over {box.span[1]}"
                )
            for row in range(box.at[0], box.at[0] + box.span[0]):
                for column in range(box.at[1], box.at[1] + box.span[1]):
                    if (row, column) in taken:
                        raise ValueError(
                            f"boxes must stand in cells of their own, got {box.name!r} where "
                            f"{taken[row, column]!r} stands, at {(row, column)}"
                        )
                    taken[row, column] = box.name

    @property
    def alt(self) -> str:
        """What is seen, in sentences: alternative text, made from the same description."""
        return alternative(self.subject, self.boxes, self.arrows, self.frames)

    def _placement(self) -> Placement:
        """Compute where boxes and frames stand."""
        return place(self.boxes, self.frames, self.columns, self.gap, self.row_gap)

    def draw(self, ax: Axes | None = None, dark: bool | None = None) -> Figure:
        """Draw the diagram.

        As the last line of a notebook's cell it shows the figure, once.

        Args:
            ax: Axes to draw onto, which are filled as far as the proportions allow; a figure of its
                own, as wide as the others of the book, if ``None``.
            dark: Whether it is for a dark page; if ``None``, as the style is that is set, which
                :func:`mtl_utils.plots.use_style` makes light.

        Returns:
            The figure.

        Raises:
            TypeError: If ``ax`` are no axes, or ``dark`` is neither a boolean nor ``None``.
        """
        if ax is not None:
            check_kind("ax", ax, Axes, "Matplotlib's Axes or None")
        if dark is not None:
            check_flag("dark", dark)
        theme = _theme(dark)
        placement = self._placement()
        height = placement.height + legend_height(self.arrows)
        scale = 1.0
        if ax is None:
            # The figure is closed, so that the cell of a notebook does not show it a second time.
            size = (WIDTH / _POINTS, height / _POINTS)
            figure = pyplot.figure(figsize=size, layout="none", facecolor=theme.paper)
            pyplot.close(figure)
            ax = figure.add_axes((0, 0, 1, 1))
        else:
            scale = _scale(ax, height)
        draw(ax, (self.boxes, self.arrows, self.frames), placement, theme, scale)
        found = ax.get_figure(root=True)
        assert found is not None
        return found


def _theme(dark: bool | None) -> Theme:
    if dark is None:
        dark = luminance(to_hex(rcParams["figure.facecolor"])) < 0.18
    return DARK if dark else LIGHT


def _scale(ax: Axes, height: float) -> float:
    """Return the size of a point of the diagram in axes that are there already."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # whoever arranges the axes does so when they are drawn
    extent = ax.get_window_extent()
    pixels = min(extent.width / WIDTH, extent.height / height)
    return float(pixels * _POINTS / figure.dpi)


def _check_tuple(name: str, value: Any, kind: type) -> None:
    if not isinstance(value, tuple):
        raise TypeError(f"{name} must be a tuple of {kind.__name__}, got {shown(value)}")
    for item in value:
        check_kind(name, item, kind, f"a tuple of {kind.__name__}")
