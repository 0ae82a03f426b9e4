"""What the columns of a history say: of which tasks, metrics and shares, and who stopped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

#: Under which name a measurement has its step.
STEP = "step"

SHARE, STOPPED, WEIGHT = "_share", "_stopped", "_weight"

_TRAIN, _VALIDATION = "train_", "validation_"
#: After these two, what is said of all tasks together.
_OF_ALL = ("loss", "penalty")
#: Metrics that speak for a task.
_MAIN = ("f1", "micro_f1", "pearson", "bleu", "accuracy", "perplexity")


def tasks_of_history(columns: Iterable[str]) -> list[str]:
    """Name the tasks that a history tells of.

    Args:
        columns: Names of its columns.
    """
    names = [
        str(name).removeprefix(prefix)
        for name in columns
        for prefix in (_TRAIN, _VALIDATION)
        if str(name).startswith(prefix)
    ]
    return [name for name in dict.fromkeys(names) if name not in _OF_ALL]


def main_metrics(columns: Iterable[str], tasks: Iterable[str]) -> list[str]:
    """Name the columns with metrics that speak for a task, not for one of its labels.

    Args:
        columns: Names of the columns.
        tasks: Names of the tasks.
    """
    known = {f"{task}_{metric}" for task in tasks for metric in _MAIN}
    return [name for name in columns if name in known]


def main_metric(task: str, found: Iterable[str]) -> str | None:
    """Return the metric that speaks for a task, or ``None`` where it has none.

    Args:
        task: Name of the task.
        found: Names of metrics.
    """
    known = [name for name in found if name.startswith(f"{task}_")]
    named = [f"{task}_{metric}" for metric in _MAIN if f"{task}_{metric}" in known]
    return next(iter([*named, *known]), None)


def stopped_tasks(rows: Sequence[Mapping[str, float]]) -> dict[str, int]:
    """Return the epochs after which tasks were trained no more.

    Args:
        rows: Rows of a history.
    """
    found: dict[str, int] = {}
    for row in rows:
        for name, value in row.items():
            if name.endswith(STOPPED) and value == 1:
                found.setdefault(name.removesuffix(STOPPED), int(row["epoch"]))
    return found


def mean_shares(measured: Iterable[Mapping[str, float]], after: float) -> dict[str, float]:
    """Return columns with the mean share of each task in the measurements of an epoch.

    Args:
        measured: All measurements of the run.
        after: The last step of the epoch before.
    """
    by_task: dict[str, list[float]] = {}
    for row in measured:
        if row[STEP] > after:
            for task, share in row.items():
                if task != STEP:
                    by_task.setdefault(task, []).append(share)
    return {f"{task}{SHARE}": math.fsum(all_) / len(all_) for task, all_ in by_task.items()}
