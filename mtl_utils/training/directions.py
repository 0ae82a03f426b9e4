"""Which way a metric is better, as far as its name says."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from mtl_utils.arguments import check_names, check_text

Direction = Literal["min", "max"]

_SMALLER = (
    "loss losses nll cost risk penalty perplexity ppl nats bits error errors wer cer ter mse rmse "
    "mae brier ece deviation distance"
)
_GREATER = (
    "accuracy acc f1 precision recall sensitivity specificity bleu chrf chrf2 rouge meteor comet "
    "correlation pearson spearman kendall mcc matthews kappa auc auroc mrr ndcg r2 iou jaccard "
    "match exact likelihood"
)
#: Turn the meaning of the next word round, or may do so: ``negative_loss``, ``accuracy_gap``.
_UNCLEAR = "negative neg minus inverse reciprocal reversed gap drop change difference"
_DIRECTIONS = ("min", "max")


def direction_of(metric: str, tasks: Iterable[str] = ()) -> Direction | None:
    """Say whether a metric is better when smaller or when greater, by the words of its name.

    Args:
        metric: Its name, such as ``"validation_loss"`` or ``"topic_accuracy"``.
        tasks: Names of tasks. What ``validation_`` stands before is the loss of a task, and the
            name of a task at the beginning says nothing.

    Returns:
        ``"min"``, ``"max"``, or ``None`` where no word tells, or two say opposite things.
    """
    names = sorted(tasks, key=len, reverse=True)
    if metric in {f"validation_{task}" for task in names}:
        return "min"
    of_task = next((task for task in names if metric.startswith(f"{task}_")), None)
    rest = metric if of_task is None else metric[len(of_task) + 1 :]
    words = set(re.split(r"[^a-z0-9]+", rest.lower()))
    smaller, greater = (not words.isdisjoint(listed.split()) for listed in (_SMALLER, _GREATER))
    if smaller == greater or not words.isdisjoint(_UNCLEAR.split()):
        return None
    return "min" if smaller else "max"


def choose_direction(metric: str, mode: Direction | None, tasks: Iterable[str]) -> Direction:
    """Say which way a metric is better, and refuse what its name contradicts.

    Args:
        metric: Its name.
        mode: What was asked for; ``None`` leaves it to the name.
        tasks: Names of tasks; see :func:`direction_of`.

    Raises:
        ValueError: If ``mode`` is no mode, the name does not tell and ``mode`` does not either, or
            both say opposite things: the worst weights would be kept.
    """
    if mode is not None and mode not in _DIRECTIONS:
        raise ValueError(f'mode must be "min" or "max", got {mode!r}')
    known = direction_of(metric, tasks)
    if mode is None and known is None:
        raise ValueError(
            f"The name of the metric {metric!r} does not tell whether it is better when smaller or "
            'when greater. Give mode="min" or mode="max".'
        )
    if mode is None or known is None or mode == known:
        chosen = mode or known
        assert chosen is not None
        return chosen
    better = "smaller" if known == "min" else "greater"
    raise ValueError(
        f"The metric {metric!r} is better when {better}, but mode is {mode!r}: the worst weights "
        "would be kept. Leave mode out; if it is another number than its name says, return it from "
        "evaluate under another name."
    )


def judged_tasks(
    metrics: Mapping[str, str] | None, patience: int | None, tasks: Collection[str]
) -> dict[str, tuple[str, Direction]] | None:
    """Say by which column each task is judged by itself, and which way that is better.

    Args:
        metrics: By task, its column; its validation loss where a task is left out.
        patience: Validations without a better value after which a task is stopped.
        tasks: Names of all tasks.

    Returns:
        ``None`` where no task is judged by itself.

    Raises:
        ValueError: If there are columns and no patience, or the name of one does not tell which way
            it is better.
        KeyError: If there is no such task.
        TypeError: If they are no names by task.
    """
    if metrics is None and patience is None:
        return None
    if metrics is not None and patience is None:
        raise ValueError(
            f"task_metrics={metrics!r:.60} changes nothing without patience; give "
            "TrainerConfig(task_patience=...) too"
        )
    if metrics is not None:
        check_names("task_metrics", metrics, "columns of the history by task")
    found: dict[str, tuple[str, Direction]] = {}
    for task in tasks:
        found[task] = (f"validation_{task}", "min")
    for task, column in (metrics or {}).items():
        if task not in tasks:
            raise KeyError(
                f"task_metrics={metrics!r:.60} has {task!r}, which is no task; there are "
                f"{list(tasks)}"
            )
        check_text(f"task_metrics of {task!r}", column)
        known = direction_of(column, tasks)
        if known is None:
            raise ValueError(
                f"task_metrics has {column!r}, whose name does not tell whether it is better when "
                "smaller or when greater. Return it from evaluate under one that does, such as "
                f"{task}_f1 or {task}_error."
            )
        found[task] = (column, known)
    return found
