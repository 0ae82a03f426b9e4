"""Checks of the exercises of chapter 21."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import fmean, median

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_gives_up",
    "check_trials_needed",
    "check_unbiased_best",
    "check_weights_of",
]

Numbers = Sequence[float]


def _one_over_the_share(share: float, chance: float) -> int:
    return math.ceil(1 / share)


def _rounded_down(share: float, chance: float) -> int:
    return math.floor(math.log(1 - chance) / math.log(1 - share))


def _chance_for_share(share: float, chance: float) -> int:
    return math.ceil(math.log(1 - share) / math.log(1 - chance))


@exercise("trials_needed", wrong=[_one_over_the_share, _rounded_down, _chance_for_share])
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


@exercise("unbiased_best", wrong=[_with_replacement, _the_best, _of_the_first, _worst])
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


def _normalised(uniforms: Numbers) -> list[float]:
    every = [*uniforms, 1.0]
    return [len(every) * u / sum(every) for u in every]


def _linear(uniforms: Numbers) -> list[float]:
    left, found = 1.0, []
    for u in uniforms:
        found.append(left * u)
        left -= found[-1]
    return [(len(uniforms) + 1) * share for share in [*found, left]]


def _unscaled(uniforms: Numbers) -> list[float]:
    return [weight / (len(uniforms) + 1) for weight in _broken(uniforms)]


def _broken(uniforms: Numbers) -> list[float]:
    left, found, others = 1.0, [], len(uniforms)
    for place, u in enumerate(uniforms):
        found.append(left * (1 - (1 - u) ** (1 / (others - place))))
        left -= found[-1]
    return [(others + 1) * share for share in [*found, left]]


@exercise("weights_of", wrong=[_normalised, _linear, _unscaled])
def check_weights_of(answer: Answer) -> None:
    """Weights that are even on the simplex, from even numbers."""
    hint = "Of what is left the next of K tasks takes 1 - (1 - u) ** (1 / how many come after it)."
    answer.gives([0.25], expected=[0.5, 1.5], hint=hint)
    answer.gives([0.75, 0.5], expected=[1.5, 0.75, 0.75], hint=hint)
    for uniforms in ([0.0, 1.0], [0.9, 0.2, 0.4], [0.3, 0.6, 0.1, 0.8]):
        answer.gives(uniforms, expected=_broken(uniforms), hint=hint)


Curves = Sequence[Numbers]


def _last_value(others: Curves, seen: Numbers) -> bool:
    return seen[-1] < median(curve[len(seen) - 1] for curve in others)


def _mean(others: Curves, seen: Numbers) -> bool:
    return max(seen) < fmean(curve[len(seen) - 1] for curve in others)


def _at_the_others_end(others: Curves, seen: Numbers) -> bool:
    return max(seen) < median(curve[-1] for curve in others)


def _not_better(others: Curves, seen: Numbers) -> bool:
    return max(seen) <= median(curve[len(seen) - 1] for curve in others)


@exercise("gives_up", wrong=[_last_value, _mean, _at_the_others_end, _not_better])
def check_gives_up(answer: Answer) -> None:
    """The median rule: whether a trial is given up after what was seen of it."""
    hint = "Its best so far, against the median of what the others had at the same validation."
    others = [[1.0, 2.0, 6.0], [2.0, 3.0, 4.0], [3.0, 9.0, 9.0]]
    for seen, expected in (
        ([1.5], True),
        ([2.0], False),
        ([2.5], False),
        ([2.5, 2.9], True),
        ([3.5, 1.0], False),
        ([0.0, 3.5], False),
        ([0.0, 5.0, 5.5], True),
    ):
        answer.gives(others, seen, expected=expected, hint=hint)
