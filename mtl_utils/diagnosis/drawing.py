"""The picture of a diagnosis: a panel a test, tasks one below the other, and the thresholds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from mtl_utils.diagnosis.causes import NOTHING, Cause
from mtl_utils.diagnosis.changes import Change
from mtl_utils.diagnosis.evidence import Evidence, Thresholds
from mtl_utils.plots import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mtl_utils.diagnosis.report import Diagnosis

_FOUND, _CLEAR, _LIMIT = PALETTE[1], PALETTE[-1], PALETTE[0]


@dataclass(frozen=True)
class _Panel:
    """What one test shows.

    Args:
        cause: The cause that it speaks for.
        title: What is drawn.
        value: What of the evidence.
        limit: The threshold, on the same axis.
        below: Whether values below it speak for the cause.
    """

    cause: Cause
    title: str
    value: Callable[[Evidence], Change | float | None]
    limit: Callable[[Thresholds], float]
    below: bool = True


_PANELS = (
    _Panel(
        "drowned loss", "share of the gradient\n(1: equal)", lambda e: e.share, lambda t: t.share
    ),
    _Panel(
        "label noise",
        "rows put aside\ncost more",
        lambda e: e.held_out,
        lambda t: t.held_out,
        below=False,
    ),
    _Panel(
        "under-training",
        "part learnt in the\nsecond half",
        lambda e: e.late,
        lambda t: t.late,
        below=False,
    ),
    _Panel(
        "too little width",
        "twice the width,\nhalf the steps",
        lambda e: e.wider,
        lambda t: -t.wider,
    ),
    _Panel(
        "unrelated task",
        "agreement of\ngradients",
        lambda e: e.agreement,
        lambda t: t.agreement,
    ),
)


def draw_diagnosis(diagnosis: Diagnosis) -> Figure:
    """Draw the evidence of each task for each cause.

    Args:
        diagnosis: The diagnosis.

    Returns:
        The figure, of which pyplot knows nothing: a notebook shows it where it is the last value of
        a cell, and ``figure.savefig(path)`` writes it.
    """
    tasks, causes = list(diagnosis.evidence), diagnosis.causes
    figure = Figure(figsize=(9.5, 1.8 + 0.6 * len(tasks)), layout="constrained")
    panels = figure.subplots(1, len(_PANELS), sharey=True)
    for axes, panel in zip(panels, _PANELS, strict=True):
        for place, (task, evidence) in enumerate(diagnosis.evidence.items()):
            colour = _FOUND if causes[task] == panel.cause else _CLEAR
            _draw_value(axes, place, panel.value(evidence), colour)
        _draw_limit(axes, panel, diagnosis.thresholds)
        axes.set_title(panel.cause, fontsize=11)
        axes.set_xlabel(panel.title, fontsize=10)
        axes.tick_params(labelsize=10)
        axes.locator_params(axis="x", nbins=3)
    names = [f"{task}\n{causes[task] or NOTHING}" for task in tasks]
    panels[0].set_yticks(range(len(tasks)), names)
    panels[0].set_ylim(len(tasks) - 0.5, -0.5)
    return figure


def _draw_value(axes: Axes, place: int, value: Change | float | None, colour: str) -> None:
    if value is None:
        axes.text(0.5, place, "not tested", transform=axes.get_yaxis_transform(), fontsize=9)
        return
    change = value if isinstance(value, Change) else Change(value, 0.0)
    width = change.half_width if math.isfinite(change.half_width) else 0.0
    axes.errorbar(change.mean, place, xerr=width, fmt="o", color=colour, capsize=2, markersize=4)


def _draw_limit(axes: Axes, panel: _Panel, thresholds: Thresholds) -> None:
    limit = panel.limit(thresholds)
    low, high = axes.get_xlim()
    low, high = min(low, limit, 0.0), max(high, limit, 0.0)
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
    axes.axvspan(low if panel.below else limit, limit if panel.below else high, color="0.93")
    axes.axvline(limit, color=_LIMIT, linewidth=1, linestyle="--")
    axes.set_xlim(low, high)
