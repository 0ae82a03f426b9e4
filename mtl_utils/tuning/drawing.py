"""Pictures of a search. What is seen in one stands, in words, in its ``get_label()``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from mtl_utils.arguments import check_kind
from mtl_utils.plots import PALETTE
from mtl_utils.tuning.search import Search

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DOT, _BEST, _OTHER = PALETTE[0], PALETTE[1], "0.65"
_HEIGHT = 3.2


def draw_history(search: Search, objective: str | None = None) -> Figure:
    """Draw the objective of each finished trial in their order, and the best so far.

    Args:
        search: The search.
        objective: Which one; the first if ``None``.

    Returns:
        The figure, of which pyplot knows nothing: a notebook shows it where it is the last value of
        a cell, and ``figure.savefig(path)`` writes it.

    Raises:
        KeyError: If there is no such objective.
        TypeError: If it is no search.
        ValueError: If no trial has finished.
    """
    name, table = _finished(search, objective)
    best = table[name].cummax() if search.objectives[name] == "max" else table[name].cummin()
    figure = Figure(figsize=(6.25, _HEIGHT), layout="constrained")
    axes = figure.subplots()
    axes.plot(table["trial"], table[name], "o", color=_DOT, label="a trial")
    axes.step(table["trial"], best, where="post", color=_BEST, label="best so far")
    axes.set(xlabel="trial", ylabel=name)
    axes.legend()
    figure.set_label(
        f"{name} of {len(table)} trials in their order, and the best so far: from "
        f"{best.iloc[0]:.4g} after the first to {best.iloc[-1]:.4g} after the last"
    )
    return figure


def draw_front(search: Search, first: str | None = None, second: str | None = None) -> Figure:
    """Draw trials by two objectives, and those that no other beats.

    Args:
        search: The search, of two objectives at least.
        first: The objective to the right; the first if ``None``.
        second: The objective upwards; the second if ``None``.

    Returns:
        The figure; see :func:`draw_history`.

    Raises:
        KeyError: If there is no such objective.
        TypeError: If it is no search.
        ValueError: If no trial has finished, or there are not two objectives.
    """
    check_kind("search", search, Search, "a Search")
    if len(search.objectives) < 2:
        raise ValueError(f"search must have two objectives, got {list(search.objectives)}")
    names = [search._objective(given) for given in (first, second)]
    if second is None:
        names[1] = next(name for name in search.objectives if name != names[0])
    _, table = _finished(search, names[0])
    found = {trial.number for trial in search.front()}
    kept = table["trial"].isin(list(found))
    figure = Figure(figsize=(5, 3.8), layout="constrained")
    axes = figure.subplots()
    axes.plot(*(table.loc[~kept, name] for name in names), "o", color=_OTHER, label="beaten")
    front = table[kept].sort_values(names[0])
    line = "o-" if len(search.objectives) == 2 else "o"  # with more it is no curve
    axes.plot(*(front[name] for name in names), line, color=_BEST, label="on the front")
    axes.set(xlabel=names[0], ylabel=names[1])
    axes.legend()
    figure.set_label(
        f"{len(table)} trials by {names[0]} and {names[1]}: {len(front)} of them, in another "
        f"colour, are beaten by no other in {', '.join(search.objectives)}"
    )
    return figure


def draw_importances(search: Search, objective: str | None = None) -> Figure:
    """Draw how what single settings explain divides among the drawn numbers.

    Args:
        search: The search.
        objective: Which one; the first if ``None``.

    Returns:
        The figure; see :func:`draw_history`.

    Raises:
        ImportError: As :meth:`Search.importances`.
        KeyError: Likewise.
        TypeError: If it is no search.
        ValueError: As :meth:`Search.importances`.
    """
    check_kind("search", search, Search, "a Search")
    shares = search.importances(objective)
    figure = Figure(figsize=(6.25, 0.9 + 0.35 * len(shares)), layout="constrained")
    axes = figure.subplots()
    axes.barh(list(shares.index), shares, color=_DOT)
    axes.invert_yaxis()
    axes.set(xlabel=f"share of what single settings explain of {search._objective(objective)}")
    axes.grid(visible=False, axis="y")
    told = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    figure.set_label(f"Shares of what single settings explain: {told}")
    return figure


def draw_slices(search: Search, objective: str | None = None) -> Figure:
    """Draw the objective against each setting, one panel each.

    Args:
        search: The search.
        objective: Which one; the first if ``None``.

    Returns:
        The figure; see :func:`draw_history`.

    Raises:
        KeyError: If there is no such objective.
        TypeError: If it is no search.
        ValueError: If no trial has finished.
    """
    name, table = _finished(search, objective)
    drawn = search._flat(search.study.best_trials[0].params)
    settings = [s for s in drawn if table[s].map(repr).nunique() > 1] or list(drawn)
    columns = min(3, len(settings))
    rows = math.ceil(len(settings) / columns)
    figure = Figure(figsize=(2.9 * columns + 0.6, 2.5 * rows + 0.3), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).flat
    for axes, setting in zip(panels, settings, strict=False):
        _draw_slice(axes, table, setting, name, _is_log(search, setting))
    for axes in list(figure.axes)[len(settings) :]:
        axes.remove()
    for place in range(rows):
        figure.axes[place * columns].set_ylabel(name)
    figure.set_label(f"{name} of {len(table)} trials against {', '.join(settings)}, a panel each")
    return figure


def _draw_slice(axes: Axes, table: pd.DataFrame, setting: str, name: str, log: bool) -> None:
    values: Any = table[setting]
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        texts = values.map(str)
        labels = sorted(set(texts))
        values = np.array([labels.index(text) for text in texts])
        axes.set_xticks(range(len(labels)), [label[:14] for label in labels])
        axes.set_xlim(-0.5, len(labels) - 0.5)
    axes.plot(values, table[name], "o", color=_DOT, markersize=4)
    axes.set_xlabel(setting)
    if log and pd.api.types.is_numeric_dtype(table[setting]):
        axes.set_xscale("log")
        spread = math.log10(table[setting].max() / table[setting].min())
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3) if spread < 2 else (1,)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())


def _is_log(search: Search, setting: str) -> bool:
    owner = search.space.get(setting, search.space.get(setting.rpartition(".")[0]))
    return bool(getattr(owner, "log", hasattr(owner, "high")))  # ratios have a range and no flag


def _finished(search: Search, objective: str | None) -> tuple[str, pd.DataFrame]:
    check_kind("search", search, Search, "a Search")
    search._finished()  # or says that there is none
    table = search.table()
    return search._objective(objective), table[table["state"] == "finished"]
