"""Checks of the exercises of chapter 21."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import fmean

from mtl_utils.exercises.by_hand import require_by_hand
from mtl_utils.exercises.checking import Answer, exercise
from mtl_utils.exercises.paired import (
    example_report,
    require_direction,
    require_paired_report,
    require_verdict,
    wrong_reports,
)

__all__ = [
    "check_search_by_hand",
    "check_slow_starters",
    "check_trials_needed",
    "check_unbiased_best",
]

Numbers = Sequence[float]

BY_HAND: dict[str, float | list[float]] = {
    "runs": 4096.0,
    "gain": -0.075,
    "best": 680 / 9,
    "chosen": 71.0,
    "different": 80.0,
    "weights": [1.5, 0.75, 0.75],
    "luck": 1.792,
}

_HINTS = {
    "runs": "Only the ratios of weights count; temperature and sharing are settings as well.",
    "gain": "Each task by what its own model reaches; then the mean, with its sign.",
    "best": "Each score times the chance that the better of two draws is this one: equation 21.3.",
    "chosen": "The same chances as for the best on validation, with the other scores.",
    "different": "There are three ways to choose two of three.",
    "weights": "Two tasks come after the first, one after the second. The sum is not 1.",
    "luck": "Equation 21.4, all in points. What is the noise of 0.8 on 100 sentences?",
}


@exercise(
    "search_by_hand",
    wrong=[
        {**BY_HAND, "runs": 4**7},
        {**BY_HAND, "runs": 4 * 6},
        {**BY_HAND, "runs": [4096]},
        {**BY_HAND, "gain": 0.075},
        {**BY_HAND, "gain": -0.15},
        {**BY_HAND, "gain": -7.5},
        {**BY_HAND, "best": 80},
        {**BY_HAND, "best": 200 / 3},
        {**BY_HAND, "chosen": 81},
        {**BY_HAND, "chosen": 75},
        {**BY_HAND, "different": 680 / 9},
        {**BY_HAND, "weights": [0.5, 0.25, 0.25]},
        {**BY_HAND, "weights": [2.25, 0.375, 0.375]},
        {**BY_HAND, "weights": [0.75, 0.75, 1.5]},
        {**BY_HAND, "weights": [1.5, 0.75]},
        {**BY_HAND, "luck": 3.2},
        {**BY_HAND, "luck": 0.01792},
        {**BY_HAND, "luck": "1.79"},
        {key: BY_HAND[key] for key in ("runs", "gain")},
        4096,
    ],
)
def check_search_by_hand(answer: Answer) -> None:
    """A grid, a gain, what the best of two trials is worth, a stick and luck, worked by hand."""
    require_by_hand(answer, BY_HAND, _HINTS, tolerance=0.014)  # 0.56 is rounded


def _one_over_the_share(share: float, chance: float) -> int:
    return math.ceil(1 / share)


def _rounded_down(share: float, chance: float) -> int:
    return math.floor(math.log(1 - chance) / math.log(1 - share))


def _chance_for_share(share: float, chance: float) -> int:
    return math.ceil(math.log(1 - share) / math.log(1 - chance))


def _not_whole(share: float, chance: float) -> float:
    return math.log(1 - chance) / math.log(1 - share)


def _hits_added_up(share: float, chance: float) -> int:
    return math.ceil(chance / share)


@exercise(
    "trials_needed",
    wrong=[_one_over_the_share, _rounded_down, _chance_for_share, _not_whole, _hits_added_up],
)
def check_trials_needed(answer: Answer) -> None:
    """How many random trials hit the best share of a space."""
    hint = "All n trials miss with the probability (1 - share) ** n."
    for share, chance in ((0.05, 0.95), (0.5, 0.9), (0.01, 0.5), (0.2, 0.99), (0.25, 0.25)):
        n = 1
        while 1 - (1 - share) ** n < chance:
            n += 1
        answer.gives(share, chance, expected=n, hint=hint)


def _with_replacement(scores: Numbers, n: int) -> float:
    count = len(scores)
    ranked = enumerate(sorted(scores), start=1)
    return sum(v * ((i / count) ** n - ((i - 1) / count) ** n) for i, v in ranked)


def _the_best(scores: Numbers, n: int) -> float:
    return max(scores)


def _of_the_first(scores: Numbers, n: int) -> float:
    return max(scores[:n])


def _worst(scores: Numbers, n: int) -> float:
    return fmean(min(drawn) for drawn in combinations(scores, n))


def _not_sorted(scores: Numbers, n: int) -> float:
    chances = math.comb(len(scores), n)
    return sum(v * math.comb(i, n - 1) / chances for i, v in enumerate(scores))


@exercise("unbiased_best", wrong=[_with_replacement, _the_best, _of_the_first, _worst, _not_sorted])
def check_unbiased_best(answer: Answer) -> None:
    """The mean best score over all choices of n recorded trials."""
    hint = "Average the maximum over all sets of n different trials."
    for scores, n in (
        ([3.0, 1.0, 2.0], 2),
        ([5.0, 5.0, 1.0, 4.0], 3),
        ([0.2, 0.9, 0.4, 0.7, 0.1], 1),
        ([0.2, 0.9, 0.4, 0.7, 0.1], 5),
        ([-1.0, 4.0, 2.0, 8.0, 0.5, 3.0], 3),
    ):
        best = fmean(max(drawn) for drawn in combinations(scores, n))
        answer.gives(scores, n, expected=best, hint=hint)


@exercise(
    "slow_starters",
    wrong=[
        *wrong_reports("first", "last", [8.0, 11.0, 5.0], 6.0),
        example_report("first", "last", [-8.0, -11.0, -5.0], -6.0, False),  # rates swapped
    ],
)
def check_slow_starters(answer: Answer) -> None:
    """By how much a great step size leads at the first validation and at the last."""
    differences = require_paired_report(answer, "first", "last", runs=3)
    leads = [abs(float(lead)) for key in ("first", "last") for lead in answer.value[key]]
    answer.require(max(leads) > 1, "Leads must be in points.", "100 times what the judge says.")
    require_direction(answer, differences, "first", "last", greater=True)
    require_verdict(answer, differences)
