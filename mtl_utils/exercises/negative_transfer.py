"""Checks of the exercises of chapter 15."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_utils.exercises.checking import Answer, as_number, exercise
from mtl_utils.exercises.paired import (
    require_paired_report,
    require_percent,
    require_verdict,
    wrong_reports,
)

__all__ = [
    "check_events_beside_topics",
    "check_paired_gain",
    "check_row_excess",
    "check_transfer_by_hand",
]


T_OF_THREE = 4.303
"""The quantile of Student's distribution that the exercise by hand gives."""

BY_HAND = {"mean": -2.0, "half_width": T_OF_THREE, "shown": False, "delta": 3.0}
WEIGHTS = [2.5, 0.625]

_HINTS = {
    "mean": "Together less alone, seed by seed, then their mean: a loss is below zero.",
    "half_width": "s of the differences with n - 1 below the root, over the root of n, times t.",
    "delta": "In percent: each gain over the score alone, turned round for perplexity, averaged.",
}


@exercise(
    "transfer_by_hand",
    wrong=[
        {**BY_HAND, "weights": WEIGHTS, "mean": 2.0},
        {**BY_HAND, "weights": WEIGHTS, "half_width": T_OF_THREE * math.sqrt(2 / 3)},
        {**BY_HAND, "weights": WEIGHTS, "half_width": T_OF_THREE * math.sqrt(3)},
        {**BY_HAND, "weights": WEIGHTS, "shown": True},
        {**BY_HAND, "weights": WEIGHTS, "shown": "no"},
        {**BY_HAND, "weights": WEIGHTS, "delta": -7.0},
        {**BY_HAND, "weights": WEIGHTS, "delta": 0.03},
        {**BY_HAND, "weights": [0.625, 2.5]},
        {**BY_HAND, "weights": [5.0, 1.25]},
        {**BY_HAND, "weights": [1.0]},
        BY_HAND,
        [-2.0, T_OF_THREE],
    ],
)
def check_transfer_by_hand(answer: Answer) -> None:
    """A paired difference, its interval, relative performance and weights, worked by hand."""
    given = answer.value
    keys = {*BY_HAND, "weights"}
    if not isinstance(given, Mapping) or set(given) != keys:
        answer.fail(f"Expected a dictionary with the keys {sorted(keys)}.")
    for key, hint in _HINTS.items():
        found = as_number(Answer(given[key]).value)
        if not abs(found - BY_HAND[key]) <= 0.01:
            answer.fail(f"{key!r} is not {found:g}.", hint)
    shown = Answer(given["shown"]).value
    if isinstance(shown, torch.Tensor | np.ndarray | np.generic):
        shown = shown.tolist()
    if shown is not False:
        hint = "Something is shown where the whole interval lies on one side of zero."
        answer.fail("'shown' must be False or True, and is not right yet.", hint)
    weights = Answer(given["weights"]).value
    both = [as_number(one) for one in weights] if _are_two(weights) else []
    if not both or not np.allclose(both, WEIGHTS, atol=0.01):
        hint = "Shares times weights have to be equal, and to have the sum 1 again."
        answer.fail("'weights' are not the two, of events and of the language model.", hint)


def _are_two(values: Any) -> bool:
    return hasattr(values, "__len__") and not isinstance(values, str | Mapping) and len(values) == 2


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


@exercise(
    "events_beside_topics",
    wrong=wrong_reports("joint", "separate", [60.0, 50.0, 55.0], -4.0),
)
def check_events_beside_topics(answer: Answer) -> None:
    """Events beside topics and alone at another step size, and what the difference shows."""
    differences = require_paired_report(answer, "joint", "separate", runs=3)
    require_percent(answer, ("joint", "separate"), "Accuracies")
    require_verdict(answer, differences)
