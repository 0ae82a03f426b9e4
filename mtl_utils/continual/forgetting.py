r"""Forgetting and transfer, from scores of every task after every task.

``scores.loc[i, j]``, in the literature :math:`R_{ij}`, is the score of task j after task i was
learnt; rows and columns are the tasks in the order in which they came.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mtl_utils.arguments import check_names, check_number, shown
from mtl_utils.relations.square import check_square


def average_score(scores: pd.DataFrame) -> float:
    r"""Return the mean score of all tasks after the last (Lopez-Paz & Ranzato, 2017).

    .. math:: \frac{1}{K} \sum_{j=1}^{K} R_{Kj}

    Args:
        scores: ``[K, K]``; only its last row counts.

    Raises:
        ValueError: If rows and columns are not the same tasks, or a number that counts is missing.
        TypeError: If it is no table of numbers.
    """
    values, _ = _checked(scores)
    return _mean(scores, values[-1])


def backward_transfer(scores: pd.DataFrame) -> float:
    r"""Return how much old tasks changed since they were learnt (Lopez-Paz & Ranzato, 2017).

    .. math:: \frac{1}{K - 1} \sum_{j=1}^{K-1} R_{Kj} - R_{jj}

    Below 0 they were forgotten; above 0 what came later helped them.

    Args:
        scores: ``[K, K]``.

    Raises:
        ValueError: As :func:`average_score`; if there is a single task.
        TypeError: As :func:`average_score`.
    """
    values, _ = _checked(scores, least=2)
    return _mean(scores, (values[-1] - np.diag(values))[:-1])


def forward_transfer(scores: pd.DataFrame, untrained: Mapping[str, float]) -> float:
    r"""Return how much better tasks are before they are learnt than a model that learnt nothing.

    .. math:: \frac{1}{K - 1} \sum_{j=2}^{K} R_{j-1, j} - b_j

    (Lopez-Paz & Ranzato, 2017.) It takes a model that can be asked for a task that it has not
    learnt. Where each task has a head of its own, that head is as it was drawn, and the number says
    nothing: see :func:`intransigence`.

    Args:
        scores: ``[K, K]``.
        untrained: :math:`b`, the scores of the model at first, by task.

    Raises:
        ValueError: As :func:`backward_transfer`.
        KeyError: If a task is missing.
        TypeError: As :func:`average_score`, or if ``untrained`` holds no numbers by task.
    """
    values, tasks = _checked(scores, least=2)
    first = _by_task("untrained", untrained, tasks[1:])
    return _mean(scores, np.diag(values, 1) - first)


def forgetting(scores: pd.DataFrame) -> float:
    r"""Return how far old tasks are below the best they have been (Chaudhry et al., 2018).

    .. math:: \frac{1}{K - 1} \sum_{j=1}^{K-1} \max_{j \le i < K} R_{ij} - R_{Kj}

    It is the negative of :func:`backward_transfer` where each task is best right after it was
    learnt. Chaudhry et al. take the maximum over all earlier rows; those before a task was learnt
    are left out here, since its head was as it was drawn.

    Args:
        scores: ``[K, K]``.

    Raises:
        ValueError: As :func:`backward_transfer`.
        TypeError: As :func:`average_score`.
    """
    values, tasks = _checked(scores, least=2)
    last = len(tasks) - 1
    lost = [values[j:last, j].max() - values[last, j] for j in range(last)]
    return _mean(scores, np.array(lost))


def intransigence(scores: pd.DataFrame, alone: Mapping[str, float]) -> float:
    r"""Return how much worse tasks are learnt in the sequence than by themselves.

    .. math:: \frac{1}{K} \sum_{j=1}^{K} a_j - R_{jj}

    (Chaudhry et al., 2018, who compare with joint training.) What holds old tasks firmly may keep
    new ones from being learnt: this is the other side of :func:`forgetting`. Below 0 the earlier
    tasks helped.

    Args:
        scores: ``[K, K]``; only its diagonal counts.
        alone: :math:`a`, the scores of models of their own, by task.

    Raises:
        ValueError: As :func:`average_score`.
        KeyError: If a task is missing.
        TypeError: As :func:`average_score`, or if ``alone`` holds no numbers by task.
    """
    values, tasks = _checked(scores)
    return _mean(scores, _by_task("alone", alone, tasks) - np.diag(values))


def _checked(scores: pd.DataFrame, least: int = 1) -> tuple[np.ndarray, list[str]]:
    tasks = check_square("scores", scores)
    if len(tasks) < least:
        raise ValueError(
            f"scores must be of {least} tasks at least, one after the other, got {tasks}"
        )
    return scores.to_numpy(dtype=np.float64), tasks


def _by_task(name: str, given: Mapping[str, float], tasks: list[str]) -> np.ndarray:
    check_names(name, given, "scores by task")
    missing = [task for task in tasks if task not in given]
    if missing:
        raise KeyError(f"{name} must have a score of {missing[0]!r}, got {shown(dict(given))}")
    for task in tasks:
        check_number(f"{name}[{task!r}]", given[task])
    return np.array([given[task] for task in tasks], dtype=np.float64)


def _mean(scores: pd.DataFrame, values: np.ndarray) -> float:
    if not np.isfinite(values).all():
        raise ValueError(f"scores must have a number wherever one is needed, got {shown(scores)}")
    return float(values.mean())
