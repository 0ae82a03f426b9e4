"""Figures of the book: one style, legible on a light and on a dark page."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from matplotlib import style
from matplotlib.rcsetup import cycler

__all__ = ["PALETTE", "use_style"]

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
