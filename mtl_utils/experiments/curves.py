"""How the contenders of a recorded comparison learnt, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtl_utils.arguments import check_kind, check_strings, check_text

if TYPE_CHECKING:  # whole names, so that the API page finds them without importing the first
    import matplotlib.figure
    import pandas


def plot_curves(
    frame: pandas.DataFrame, tasks: Sequence[str], by: str = "contender"
) -> matplotlib.figure.Figure:
    """Draw how each task was learnt: the score on validation against the share of the steps.

    Args:
        frame: One row a run, as :func:`load_results` returns, of one setting, with ``curves``: by
            task the scores at equal distances.
        tasks: One panel each.
        by: The column that names the contender, one colour each.

    Returns:
        The figure: a line is the mean over seeds, its band from the worst to the best seed.

    Raises:
        KeyError: If a column is missing, or a task has no curve.
        ValueError: If there is no task.
        TypeError: If an argument is not of its kind.
    """
    check_kind("frame", frame, pd.DataFrame, "a DataFrame")
    check_strings("tasks", tasks)
    check_text("by", by)
    if not tasks:
        raise ValueError(f"tasks must name at least one, got {tasks!r}")
    missing = [name for name in (by, "curves") if name not in frame.columns]
    if missing:
        raise KeyError(f"by: no column {missing}; the results have {list(frame.columns)}")
    from matplotlib import pyplot as plt  # takes a while, and records are read without it

    figure, panels = plt.subplots(1, len(tasks), squeeze=False, figsize=(2.9 * len(tasks), 3.0))
    for panel, task in zip(panels[0], tasks, strict=True):
        for place, (name, runs) in enumerate(frame.groupby(by, sort=False)):
            curves = [curve[task] for curve in runs["curves"] if task in curve]
            if curves:
                steps = np.arange(1, 1 + len(curves[0])) / len(curves[0])
                panel.plot(steps, np.mean(curves, axis=0), color=f"C{place}", label=str(name))
                low, high = np.min(curves, axis=0), np.max(curves, axis=0)
                panel.fill_between(steps, low, high, color=f"C{place}", alpha=0.2, linewidth=0)
        if not panel.lines:
            raise KeyError(f"tasks: no run has a curve of {task!r}")
        panel.set(title=task, xlabel="share of the steps")
    panels[0][0].set(ylabel="validation, percent")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)))
    return figure
