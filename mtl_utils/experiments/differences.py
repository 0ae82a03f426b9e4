"""All differences that a recorded comparison named, as one picture."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

import pandas as pd

from mtl_utils.experiments.contrasts import CLAIMED
from mtl_utils.experiments.registry import find_comparison
from mtl_utils.experiments.tables import verdicts

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure


def plot_differences(
    name: str, folder: str | pathlib.Path | None = None
) -> matplotlib.figure.Figure:
    """Draw what a recorded comparison was made for: its named differences with their intervals.

    Args:
        name: Name of the comparison.
        folder: Where its results are; see :func:`load_results`.

    Returns:
        The figure: one panel a setting, one row a contrast, a mark at the mean over seeds of first
        minus second, in the units of the records, and a bar over its 95% interval. A filled mark is
        claimed, a hollow one is not (see :func:`verdicts`); a cross is the mean at twice the
        steps.

    Raises:
        KeyError: If there is no such comparison, or it names no difference.
        ValueError: As :func:`verdicts`.
        FileNotFoundError: If it is not on record.
        TypeError: If the name is no string.
    """
    settings = list(find_comparison(name).contrasts)
    if not settings:
        raise KeyError(f"{name} names no difference, in any of its settings: there is none to draw")
    tables = [verdicts(name, setting, folder) for setting in settings]
    from matplotlib import pyplot as plt  # takes a while, and records are read without it

    rows = max(map(len, tables))
    alike = len({tuple(_labels(table)) for table in tables}) == 1
    figure, panels = plt.subplots(
        1,
        len(tables),
        squeeze=False,
        sharey=alike,
        figsize=(2.4 + 3.0 * len(tables), 1.3 + 0.36 * rows),
    )
    for panel, setting, table in zip(panels[0], settings, tables, strict=True):
        _draw(panel, table)
        panel.set(title=setting, xlabel="first minus second, points")
    for panel in panels[0][: 1 if alike else None]:  # an axis that is shared turns for all
        panel.invert_yaxis()
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _labels(table: pd.DataFrame) -> list[str]:
    """Name each contrast, with what it is judged by where that is not the same for all."""
    several = table["metric"].nunique() > 1
    return [
        f"{row['first']} / {row['second']}"
        + (f", {row['metric'].replace('_', ' ')}" if several else "")
        for _, row in table.iterrows()
    ]


def _draw(panel: matplotlib.axes.Axes, table: pd.DataFrame) -> None:
    places = range(len(table))
    claimed = (table["verdict"].isin(CLAIMED) & ~table["withdrawn"]).to_numpy()
    panel.axvline(0, color="0.6", linewidth=1)
    panel.errorbar(
        table["difference"],
        places,
        xerr=table["half_width"],
        fmt="o",
        color="C0",
        markersize=6,
        markerfacecolor="white",
        label="not claimed",
    )
    panel.plot(
        table["difference"][claimed],
        [place for place in places if claimed[place]],
        "o",
        color="C0",
        markersize=6,
        zorder=3,
        label="claimed",
    )
    panel.plot(table["doubled"], places, "x", color="C1", markersize=6, label="twice the steps")
    panel.set_yticks(places, _labels(table))
