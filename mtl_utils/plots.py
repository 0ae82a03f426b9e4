"""Figures of the book: one style, legible on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from matplotlib import style
from matplotlib.rcsetup import cycler

from mtl_utils.arguments import check_text, shown

if TYPE_CHECKING:  # whole names, so that the API page finds them
    import matplotlib.axes
    import pandas

__all__ = ["PALETTE", "draw_panels", "use_style"]

PALETTE: tuple[str, ...] = (
    "#0072B2",  # blue
    "#D55E00",  # vermilion
    "#009E73",  # green
    "#CC79A7",  # purple
    "#E69F00",  # orange
    "#56B4E9",  # sky
    "#4D4D4D",  # grey
)
"""Colours that readers with colour blindness can tell apart (Okabe and Ito, 2008).

Their yellow is left out: on white it is too faint for a line.
"""

# The paper stays white, also on a dark page. A transparent figure would need one ink that reads
# well on both grounds, and none does.
_STYLE: Mapping[str, Any] = MappingProxyType(
    {
        "figure.figsize": (6.25, 3.5),
        "figure.dpi": 144,  # wider than the text column, so that it stays sharp when fitted
        "savefig.dpi": "figure",
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "figure.constrained_layout.use": True,
        "axes.facecolor": "white",
        "axes.edgecolor": "#4D4D4D",
        "axes.labelcolor": "#222222",
        "axes.titlesize": "medium",
        "axes.titleweight": "bold",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.prop_cycle": cycler(color=PALETTE),
        "grid.color": "#E3E3E3",
        "grid.linewidth": 0.8,
        "lines.linewidth": 1.8,
        "lines.markersize": 5,
        "xtick.color": "#222222",
        "ytick.color": "#222222",
        "text.color": "#222222",
        "legend.frameon": False,
        "font.size": 10.5,
        # The font that Matplotlib ships: the same figure on every machine.
        "font.family": "DejaVu Sans",
        "image.cmap": "viridis",
        "svg.hashsalt": "one-model-many-tasks",
    }
)


def use_style() -> None:
    """Set Matplotlib's defaults to the book's style, for every figure that follows.

    Whatever the reader changed before is reset first, so that the same cell draws the same
    figure in any order of execution. The back end is kept.
    """
    style.use(["default", dict(_STYLE)])


def draw_panels(
    tables: Mapping[str, pandas.DataFrame], across: str, up: str, **line: Any
) -> dict[str, matplotlib.axes.Axes]:
    """Draw tables side by side with one vertical axis: a panel a table, a line a column.

    A column has the same colour in all panels. Where all tables have the same columns, one panel
    has the legend for all.

    Args:
        tables: By the title of its panel. The index of a table is its horizontal axis.
        across: What the horizontal axes are called.
        up: What the vertical axis is called.
        line: Settings of all lines, as Matplotlib's ``plot`` takes them: ``marker="o"``.

    Returns:
        The axes of each panel by its title, for what is to be added; the figure is open, so that
        the cell of a notebook shows it.

    Raises:
        ValueError: If there is no table, or a label is empty.
        TypeError: If ``tables`` are no tables by title, or a label is no string.
    """
    if not isinstance(tables, Mapping):
        raise TypeError(f"tables must be DataFrames by title, got {shown(tables)}")
    if not tables:
        raise ValueError(f"tables must be at least one, got {tables!r}")
    check_text("across", across)
    check_text("up", up)
    for title, table in tables.items():
        check_text("A title among tables", title)
        if not all(hasattr(table, name) for name in ("columns", "index", "items")):
            raise TypeError(f"tables[{title!r}] must be a DataFrame, got {shown(table)}")
    from matplotlib import pyplot  # takes a while, and the style is set without it

    columns = (name for table in tables.values() for name in table.columns)
    names: list[Hashable] = list(dict.fromkeys(columns))
    size = (min(10.0, 2.0 + 3.0 * len(tables)), 2.8)
    _, panels = pyplot.subplots(1, len(tables), figsize=size, sharey=True, squeeze=False)
    for axes, (title, table) in zip(panels[0], tables.items(), strict=True):
        for name, values in table.items():
            colour = f"C{names.index(name)}"
            axes.plot(table.index, values, **{"color": colour, "label": str(name), **line})
        axes.set(title=title, xlabel=across)
    panels[0][0].set(ylabel=up)
    alike = all(set(table.columns) == set(names) for table in tables.values())
    for axes in panels[0][-1:] if alike else panels[0]:
        axes.legend(fontsize=8)
    return dict(zip(tables, panels[0], strict=True))
