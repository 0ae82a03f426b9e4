"""Checks of the exercises of chapter 15."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_equal_shares",
    "check_paired_gain",
    "check_relative_gain",
    "check_row_excess",
]


def _of_the_sum(
    scores: Sequence[float], baseline: Sequence[float], smaller: Sequence[bool]
) -> float:
    return (sum(scores) - sum(baseline)) / sum(baseline)


def _without_signs(
    scores: Sequence[float], baseline: Sequence[float], smaller: Sequence[bool]
) -> float:
    return sum((s - b) / b for s, b in zip(scores, baseline, strict=True)) / len(scores)


def _of_the_model(
    scores: Sequence[float], baseline: Sequence[float], smaller: Sequence[bool]
) -> float:
    gains = [
        (-1) ** less * (s - b) / s for s, b, less in zip(scores, baseline, smaller, strict=True)
    ]
    return sum(gains) / len(gains)


@exercise("relative_gain", wrong=[_of_the_sum, _without_signs, _of_the_model])
def check_relative_gain(answer: Answer) -> None:
    """The mean relative gain over tasks, some with metrics that are better when smaller."""
    hint = "Divide each difference by the baseline, turn it round where smaller is better, average."
    answer.gives([0.66], [0.60], [False], expected=0.1, hint=hint)
    answer.gives([90.0], [100.0], [True], expected=0.1, hint=hint)
    answer.gives(
        [0.5, 80.0, 2.0],
        [0.4, 100.0, 4.0],
        [False, True, False],
        expected=(0.25 + 0.2 - 0.5) / 3,
        hint=hint,
    )


def _by_share(shares: Mapping[str, float]) -> dict[str, float]:
    return dict(shares)


def _not_normalised(shares: Mapping[str, float]) -> dict[str, float]:
    return {task: 1 / share for task, share in shares.items()}


def _same_for_all(shares: Mapping[str, float]) -> dict[str, float]:
    return dict.fromkeys(shares, 1.0)


@exercise("equal_shares", wrong=[_by_share, _not_normalised, _same_for_all])
def check_equal_shares(answer: Answer) -> None:
    """Weights under which every task has the same share of the gradient."""
    hint = "A weight multiplies the length of a gradient: divide by K times the share."
    for shares in ({"a": 0.5, "b": 0.5}, {"a": 0.9, "b": 0.1}, {"a": 0.2, "b": 0.2, "c": 0.6}):
        expected = {task: 1 / (len(shares) * share) for task, share in shares.items()}
        answer.gives(shares, expected=expected, hint=hint)


def _chance(known: NDArray[np.float64], aside: NDArray[np.float64]) -> float:
    return float((aside[:, None] > known[None, :]).mean())


def _turned_round(known: NDArray[np.float64], aside: NDArray[np.float64]) -> float:
    return float(np.sign(known[None, :] - aside[:, None]).mean())


def _of_means(known: NDArray[np.float64], aside: NDArray[np.float64]) -> float:
    return float(aside.mean() / known.mean() - 1)


@exercise("row_excess", wrong=[_chance, _turned_round, _of_means])
def check_row_excess(answer: Answer) -> None:
    """How much likelier a row put aside is to cost more than a trusted one than to cost less."""
    hint = "Over all pairs of a row of each: the share where it costs more, less that where less."
    generator = np.random.default_rng(0)
    answer.gives(np.array([1.0, 2.0]), np.array([3.0]), expected=1.0, hint=hint)
    answer.gives(np.array([1.0, 2.0, 2.0]), np.array([2.0, 0.0]), expected=-2 / 6, hint=hint)
    for n, m in ((3, 4), (6, 2)):
        known, aside = generator.random(n), generator.random(m)
        signs = [int(a > k) - int(a < k) for a in aside for k in known]
        answer.gives(known, aside, expected=sum(signs) / (n * m), hint=hint)


def _unpaired(together: Sequence[float], alone: Sequence[float]) -> tuple[float, float]:
    n = len(together)
    spread = np.var(together, ddof=1) + np.var(alone, ddof=1)
    return float(np.mean(together) - np.mean(alone)), float(math.sqrt(spread / n))


def _spread(together: Sequence[float], alone: Sequence[float]) -> tuple[float, float]:
    differences = np.subtract(together, alone)
    return float(differences.mean()), float(differences.std(ddof=1))


def _of_all(together: Sequence[float], alone: Sequence[float]) -> tuple[float, float]:
    differences = np.subtract(together, alone)
    return float(differences.mean()), float(differences.std() / math.sqrt(len(differences)))


def _without_sign(together: Sequence[float], alone: Sequence[float]) -> tuple[float, float]:
    differences = np.subtract(together, alone)
    error = differences.std(ddof=1) / math.sqrt(len(differences))
    return abs(float(differences.mean())), float(error)


def _alone_first(together: Sequence[float], alone: Sequence[float]) -> tuple[float, float]:
    differences = np.subtract(alone, together)
    error = differences.std(ddof=1) / math.sqrt(len(differences))
    return float(differences.mean()), float(error)


@exercise("paired_gain", wrong=[_unpaired, _spread, _of_all, _without_sign, _alone_first])
def check_paired_gain(answer: Answer) -> None:
    """The mean difference seed by seed, and its standard error."""
    hint = "Take differences seed by seed first; then their mean, and their spread (n - 1) over √n."
    for together, alone in (
        ([60.0, 50.0, 55.0], [58.0, 49.0, 52.0]),
        ([1.0, 3.0, 2.0, 6.0], [2.0, 2.0, 5.0, 1.0]),
        ([50.0, 52.0, 49.0], [53.0, 52.5, 54.0]),  # a loss keeps its sign
    ):
        differences = [a - b for a, b in zip(together, alone, strict=True)]
        n, mean = len(differences), math.fsum(differences) / len(differences)
        squares = math.fsum((d - mean) ** 2 for d in differences)
        error = math.sqrt(squares / (n - 1) / n)
        answer.gives(together, alone, expected=(mean, error), hint=hint)
