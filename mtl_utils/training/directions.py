"""Which way a metric is better, as far as its name says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

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
