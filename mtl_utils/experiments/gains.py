"""What other tasks give to one, over amounts of its data: a recorded map read as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mtl_utils.arguments import check_kind
from mtl_utils.experiments.analysis import load_results
from mtl_utils.experiments.controls import runs_of
from mtl_utils.experiments.registry import find_comparison
from mtl_utils.experiments.tables import verdicts

if TYPE_CHECKING:  # whole names, so that the API page finds them without importing the first
    import matplotlib.figure
    import pandas

#: What is said of a gain whose sign may be claimed.
_CLAIMED = {"first": "helps", "second": "hurts"}
_COLUMNS = ["judged", "width", "rows", "beside", "gain", "half_width", "doubled", "verdict"]
_LINEAR = "linear model of words, alone"


def gain_map(name: str, folder: str | Path | None = None) -> pd.DataFrame:
    """Say what each task beside the judged one gave it, at each point of a recorded map.

    Args:
        name: Name of a comparison whose settings differ in rows of the judged task and in width
            of the encoder, and whose contrasts hold company against none.
        folder: Where its results are; see :func:`load_results`.

    Returns:
        One row a contrast: the ``judged`` task, ``width``, ``rows`` of that task, the contender
        ``beside`` it, the ``gain`` in points, the mean over seeds of the difference seed by seed,
        its ``half_width``, ``p``, adjusted for the contrasts of the point alone, the gain at
        ``doubled`` steps, the ``verdict``: ``"helps"`` or ``"hurts"`` where that may be claimed,
        ``"withdrawn"`` where it was and is not any more, otherwise as in :func:`contrast_table`,
        and ``linear``: what a linear model of words, trained on the judged task's rows, has over
        the network trained on them alone, in points; nan where it is not on record.

    Raises:
        KeyError: If there is no such comparison.
        ValueError: If it has no rows that differ, or as :func:`verdicts`.
        FileNotFoundError: If it is not on record.
        TypeError: If the name is no string.
    """
    settings = find_comparison(name).settings
    whole = [setting for setting, config in settings.items() if config["data"][0][1] is None]
    if whole:
        raise ValueError(f"name must be that of a map, but {name!r} takes all rows in {whole}")
    runs, linear, parts = runs_of(find_comparison(name), "", folder), _linear_runs(folder), []
    for setting, config in settings.items():
        found = verdicts(name, setting, folder)
        here = runs[runs["setting"] == setting]
        parts.append(
            pd.DataFrame(
                {
                    "judged": [metric.rpartition("_")[0] for metric in found["metric"]],
                    "width": config["encoder"]["width"],
                    "rows": config["data"][0][1],
                    "beside": found["first"],
                    "gain": found["difference"],
                    "half_width": found["half_width"],
                    "p": found["p"],
                    "doubled": found["doubled"],
                    "verdict": found["verdict"]
                    .replace(_CLAIMED)
                    .mask(found["withdrawn"], "withdrawn"),
                    "linear": [
                        _linear_score(config["data"][0], metric, linear)
                        - here.loc[here["contender"] == alone, metric].mean()
                        for alone, metric in zip(found["second"], found["metric"], strict=True)
                    ],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _linear_runs(folder: str | Path | None) -> pd.DataFrame:
    try:
        return load_results("linear_models", folder)
    except FileNotFoundError:
        return pd.DataFrame(columns=["data", "rows"])


def _linear_score(judged: Sequence[Any], metric: str, runs: pd.DataFrame) -> float:
    data, rows, *_ = judged
    found = runs[(runs["data"] == data) & (runs["rows"] == rows)]
    return float(found[metric].mean()) if metric in found else math.nan


def plot_gains(gains: pandas.DataFrame) -> matplotlib.figure.Figure:
    """Draw a map of gains: what company gave, against the rows of the judged task.

    Args:
        gains: As :func:`gain_map` returns it.

    Returns:
        The figure: one panel a width, one colour a task beside the judged one, bars over 95%
        intervals. A filled mark is claimed, a hollow one is not; above the line at 0 company
        helps, below it hurts. A dashed line is drawn where a column ``linear`` has values.

    Raises:
        KeyError: If a column is missing.
        ValueError: If there is no row.
        TypeError: If ``gains`` is no DataFrame.
    """
    check_kind("gains", gains, pd.DataFrame, "a DataFrame")
    missing = [column for column in _COLUMNS if column not in gains.columns]
    if missing:
        raise KeyError(f"gains: no column {missing}; there are {list(gains.columns)}")
    if gains.empty:
        raise ValueError("gains must have at least one row, got none")
    from matplotlib import pyplot as plt  # takes a while, and records are read without it

    widths = sorted(gains["width"].unique())
    amounts = sorted(gains["rows"].unique())
    figure, panels = plt.subplots(
        1, len(widths), squeeze=False, sharey=True, figsize=(1.2 + 3.4 * len(widths), 3.4)
    )
    for panel, width in zip(panels[0], widths, strict=True):
        panel.axhline(0, color="0.6", linewidth=1)
        here = gains[gains["width"] == width]
        tasks = list(here.groupby("beside", sort=False))
        for place, (beside, points) in enumerate(tasks):
            shift = 0.12 * (place - (len(tasks) - 1) / 2)  # intervals stand side by side
            across = [amounts.index(rows) + shift for rows in points["rows"]]
            drawn = panel.errorbar(
                across,
                points["gain"],
                points["half_width"],
                fmt="o-",
                linewidth=1,
                markersize=6,
                markerfacecolor="white",
                label=beside,
            )
            claimed = points["verdict"].isin(_CLAIMED.values())
            panel.plot(
                [at for at, told in zip(across, claimed, strict=True) if told],
                points["gain"][claimed],
                "o",
                markersize=6,
                zorder=3,
                color=drawn.lines[0].get_color(),
            )
        if "linear" in here and here["linear"].notna().any():
            linear = here.groupby("rows")["linear"].mean()
            at = [amounts.index(rows) for rows in linear.index]
            panel.plot(at, linear, "x--", color="0.4", linewidth=1, label=_LINEAR)
        panel.set_xticks(range(len(amounts)), [f"{rows:,}" for rows in amounts])
        panel.set(title=f"width {width}", xlabel="rows of the judged task")
    judged = ", ".join(gains["judged"].unique())
    panels[0][0].set(ylabel=f"gain of {judged} over training alone, points")
    named = dict(zip(*reversed(panels[0][0].get_legend_handles_labels()), strict=True))
    labels = sorted(named, key=lambda label: label == _LINEAR)  # last
    columns = len(labels) if len(labels) < 5 else 3
    handles = [named[label] for label in labels]
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)
    return figure
