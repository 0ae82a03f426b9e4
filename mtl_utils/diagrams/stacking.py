"""Several diagrams in one picture."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib import pyplot
from matplotlib.figure import Figure

from mtl_utils.arguments import check_kind, shown
from mtl_utils.diagrams.diagram import Diagram


def draw_stacked(diagrams: Sequence[Diagram], dark: bool | None = None) -> Figure:
    """Draw diagrams one below the other, each as large as it is alone.

    Its alternative text is theirs, one after the other.

    Args:
        diagrams: What to draw, from top to bottom.
        dark: As for :meth:`Diagram.draw`.

    Returns:
        The figure, as wide as the others of the book.

    Raises:
        ValueError: If there is no diagram.
        TypeError: If ``diagrams`` is no list of diagrams, or ``dark`` is neither a boolean nor
            ``None``.
    """
    if not isinstance(diagrams, Sequence) or isinstance(diagrams, str):
        raise TypeError(f"diagrams must be a list of diagrams, got {shown(diagrams)}")
    if not diagrams:
        raise ValueError(f"diagrams must be at least one, got {diagrams!r}")
    for diagram in diagrams:
        check_kind("diagrams", diagram, Diagram, "a list of diagrams")
    alone = [diagram.draw(dark=dark) for diagram in diagrams]
    width, _ = alone[0].get_size_inches()
    whole = sum(figure.get_figheight() for figure in alone)
    together = pyplot.figure(
        figsize=(width, whole), layout="none", facecolor=alone[0].get_facecolor()
    )
    pyplot.close(together)  # so that the cell of a notebook does not show it a second time
    bottom = 1.0
    for diagram, figure in zip(diagrams, alone, strict=True):
        share = figure.get_figheight() / whole
        bottom -= share
        diagram.draw(together.add_axes((0, bottom, 1, share)), dark)
    return together
