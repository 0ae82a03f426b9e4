"""The picture of a history: losses, metrics, shares and the learning rate over epochs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mtl_utils.plots import PALETTE, use_style
from mtl_utils.training.history_columns import (
    SHARE,
    WEIGHT,
    main_metrics,
    stopped_tasks,
    tasks_of_history,
)

_ALL_TASKS, _SHARES, _WEIGHTS = "all tasks", "share of the gradient", "weight of the loss"
_PANEL, _MOST_IN_A_ROW = (4.2, 3.5), 3
_MOST_INSIDE, _BESIDE = 6, 2.0  # a longer legend hides the curves: it stands beside them


@dataclass(frozen=True)
class _Line:
    """A column of the history, what to call it and which task it is of."""

    column: str
    label: str
    task: str | None


class _Shown(Figure):
    """A figure that a notebook shows, though pyplot knows nothing of it."""

    def _repr_png_(self) -> bytes:
        drawn = io.BytesIO()
        self.savefig(drawn, format="png")
        return drawn.getvalue()


def draw_history(history: pd.DataFrame) -> Figure:
    """Draw a history; see :meth:`History.plot`.

    Args:
        history: One row an epoch.

    Raises:
        ValueError: If there is no epoch.
    """
    if history.empty:
        raise ValueError("The history has no epoch to draw")
    panels = {title: lines for title, lines in _panels(history) if lines}
    columns = min(len(panels), _MOST_IN_A_ROW)
    rows = -(-len(panels) // columns)
    tasks = tasks_of_history(history.columns)
    with matplotlib.rc_context():
        use_style()
        width = _PANEL[0] + _BESIDE * any(map(_is_crowded, panels.values()))
        figure = _Shown(figsize=(width * columns, _PANEL[1] * rows))
        axes = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axis, (title, lines) in zip(axes, panels.items(), strict=False):
            _draw(axis, title, lines, history, tasks)
        for axis in axes[len(panels) :]:
            axis.remove()
    return figure


def _panels(history: pd.DataFrame) -> Iterator[tuple[str, list[_Line]]]:
    tasks = tasks_of_history(history.columns)
    names = [str(name) for name in history.columns if history[name].notna().any()]
    ended = stopped_tasks(history.to_dict("records"))  # type: ignore[arg-type]
    for part in ("training", "validation"):
        prefix = "train_" if part == "training" else "validation_"
        lines = []
        for name in names:
            task = name.removeprefix(prefix)
            if not name.startswith(prefix):
                continue
            label = task if task in tasks or task != "loss" else _ALL_TASKS
            if part == "training" and task in ended:
                label = f"{label}, stopped after epoch {ended[task]}"
            lines.append(_Line(name, label, task if task in tasks else None))
        if len(tasks) == 1:  # the sum says the same once more
            lines = [line for line in lines if line.label != _ALL_TASKS]
        yield f"{part} loss", lines
    metrics = [
        _Line(name, name, max((t for t in tasks if name.startswith(f"{t}_")), key=len))
        for name in main_metrics(names, tasks)
    ]
    yield "validation", metrics
    for title, end in ((_SHARES, SHARE), (_WEIGHTS, WEIGHT)):
        found = {f"{task}{end}": task for task in tasks}
        yield title, [_Line(name, found[name], found[name]) for name in names if name in found]
    rates = [name for name in names if name == "learning_rate"]
    yield "learning rate", [_Line(name, "", None) for name in rates]


def _draw(
    axis: Axes, title: str, lines: list[_Line], history: pd.DataFrame, tasks: list[str]
) -> None:
    grey, colours = PALETTE[-1], PALETTE[:-1]
    of_task = {task: colours[place % len(colours)] for place, task in enumerate(tasks)}
    seen: dict[str, int] = {}
    for line in lines:
        colour = grey if line.task is None else of_task[line.task]
        # A second metric of a task has its colour and another dash.
        dash = ("-", "--", ":", "-.")[seen.setdefault(colour, 0) % 4]
        seen[colour] += 1
        known = history[["epoch", line.column]].dropna()
        axis.plot(
            known["epoch"], known[line.column], marker="o", color=colour, ls=dash, label=line.label
        )
    first, last = history["epoch"].min(), history["epoch"].max()
    room = 0.05 * (last - first) or 0.5
    axis.set(title=title, xlabel="epoch", xlim=(first - room, last + room))
    if title == _SHARES:
        axis.set_ylim(0, 1)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    if _is_crowded(lines):
        axis.legend(fontsize="small", handlelength=3.5, loc="upper left", bbox_to_anchor=(1, 1))
    elif any(line.label for line in lines):
        axis.legend(fontsize="small", handlelength=3.5)


def _is_crowded(lines: list[_Line]) -> bool:
    return len(lines) > _MOST_INSIDE
