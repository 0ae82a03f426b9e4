"""Checks of the exercises of chapter 12."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any

import numpy as np
import torch

from mtl_utils.exercises.checking import Answer, as_number, exercise
from mtl_utils.exercises.paired import (
    require_paired_report,
    require_percent,
    require_verdict,
    wrong_reports,
)

__all__ = [
    "check_best_log_variance",
    "check_falling_factor",
    "check_hidden_points",
    "check_weights_by_hand",
]

Points = Sequence[tuple[float, ...]]
Numbers = Sequence[float]

BY_HAND = {
    "logarithms": [1 / 6, 1 / 2],
    "uncertainty": [1 / 12, 1 / 4],
    "famo": [1 / 2, 3 / 2],
    "gradnorm": [6.0, 2.0],
    "floor": [1 / 6, 1 / 6],
}

_HINTS = {
    "logarithms": "By what does the sum of logarithms divide a gradient?",
    "uncertainty": "Put the best s into equation 12.6: what becomes of the factor of a regression?",
    "famo": "Shares are equal at the start; divide them by the losses, and scale to the sum 2.",
    "gradnorm": "The mean weighted length, times what is left over the mean of what is left.",
    "floor": "The loss is another, the gradient is not. Which of the two makes the weight?",
}


@exercise(
    "weights_by_hand",
    wrong=[
        {**BY_HAND, "logarithms": [6, 2]},
        {**BY_HAND, "logarithms": [1 / 2, 1 / 6]},
        {**BY_HAND, "uncertainty": [1 / 24, 1 / 4]},
        {**BY_HAND, "uncertainty": [1 / 6, 1 / 2]},
        {**BY_HAND, "famo": [1 / 6, 1 / 2]},
        {**BY_HAND, "famo": [3 / 2, 1 / 2]},
        {**BY_HAND, "gradnorm": [4, 4]},
        {**BY_HAND, "gradnorm": [3, 1]},
        {**BY_HAND, "gradnorm": [2, 6]},
        {**BY_HAND, "floor": [1 / 6, 1 / 2]},
        {**BY_HAND, "floor": [1 / 6]},
        {**BY_HAND, "floor": 1 / 6},
        {**BY_HAND, "floor": "1/6"},
        {key: BY_HAND[key] for key in ("logarithms", "uncertainty")},
        [1 / 6, 1 / 2],
    ],
)
def check_weights_by_hand(answer: Answer) -> None:
    """What four methods make of two losses, and one of them of a floor, worked by hand."""
    given = answer.value
    if not isinstance(given, Mapping) or set(given) != set(BY_HAND):
        answer.fail(f"Expected a dictionary with the keys {sorted(BY_HAND)}.")
    for key, hint in _HINTS.items():
        for place, expected in enumerate(BY_HAND[key]):
            found = _both(answer, key, given[key])[place]
            if not abs(found - expected) <= 0.03 * expected:
                answer.fail(f"{key!r}: the number of loss {place + 1} is not {found:.4g}.", hint)


def _both(answer: Answer, key: str, given: Any) -> list[float]:
    values = Answer(given).value
    values = values.tolist() if isinstance(values, torch.Tensor | np.ndarray) else values
    if not isinstance(values, list | tuple) or len(values) != 2:
        answer.fail(f"{key!r} must be two numbers, one for each loss.")
    return [as_number(Answer(value).value) for value in values]


def _mean_of_logarithms(losses: Numbers, regression: bool) -> float:
    return fmean(math.log((1 if regression else 2) * loss) for loss in losses)


def _without_the_kind(losses: Numbers, regression: bool) -> float:
    return math.log(2 * fmean(losses))


def _swapped(losses: Numbers, regression: bool) -> float:
    return math.log((2 if regression else 1) * fmean(losses))


def _the_weight(losses: Numbers, regression: bool) -> float:
    return 1 / (2 * fmean(losses))


@exercise(
    "best_log_variance", wrong=[_mean_of_logarithms, _without_the_kind, _swapped, _the_weight]
)
def check_best_log_variance(answer: Answer) -> None:
    """Where the mean over batches of the loss of uncertainty weighting is least."""
    hint = "Set the derivative by s of the mean of f exp(-s) L + s / 2 to zero."
    for losses in ([1.0, 3.0], [0.5, 0.5, 8.0], [0.25]):
        for regression in (False, True):
            factor = 0.5 if regression else 1.0
            low, high = -20.0, 20.0  # the mean is convex in s: halve where its slope turns
            for _ in range(80):
                middle = (low + high) / 2
                slope = fmean(0.5 - factor * math.exp(-middle) * loss for loss in losses)
                low, high = (middle, high) if slope < 0 else (low, middle)
            answer.gives(losses, regression, expected=low, hint=hint)


def _none(points: Points) -> list[bool]:
    return [False for _ in points]


def _inner(points: Points) -> list[bool]:
    return [p not in (min(points), max(points)) for p in points]


def _equal_weights_alone(points: Points) -> list[bool]:
    return [sum(p) > min(map(sum, points)) for p in points]


def _beside_neighbours_alone(points: Points) -> list[bool]:
    ordered = sorted(points)
    bad = {
        q
        for (p, q), (_, r) in pairwise(pairwise(ordered))
        if (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]) < 0
    }
    return [p in bad for p in points]


def _found_at(weights: Sequence[float], points: Points) -> list[bool]:
    found = {min(points, key=lambda p: w * p[0] + (1 - w) * p[1]) for w in weights}
    return [p not in found for p in points]


def _three_weights_alone(points: Points) -> list[bool]:
    return _found_at([0.0, 0.5, 1.0], points)


def _a_grid_of_weights(points: Points) -> list[bool]:
    return _found_at([step / 100 for step in range(101)], points)


@exercise(
    "hidden_points",
    wrong=[
        *(_none, _inner, _equal_weights_alone, _beside_neighbours_alone),
        *(_three_weights_alone, _a_grid_of_weights),
    ],
)
def check_hidden_points(answer: Answer) -> None:
    """Which Pareto-optimal points no weighted sum of two losses has as its minimum."""
    hint = "For each other point, which weights prefer this one? Is there a weight that all allow?"
    for points, hidden in (
        ([(0, 4), (1, 1), (4, 0)], []),
        ([(0, 4), (3, 3), (4, 0)], [(3, 3)]),
        ([(0, 8), (1, 6), (4, 5), (8, 0)], [(4, 5)]),
        # (5, 7) lies below the line between its neighbours, and above that between the ends.
        ([(0, 12), (4, 10), (5, 7), (9, 0)], [(4, 10), (5, 7)]),
        ([(4, 0), (0, 4), (2, 2)], []),
        # Each is found: (1, 5) by weights near 3/4, (1000, 1370) by those from 0.57806 to 0.57823.
        ([(0, 9), (1, 5), (3, 2), (8, 0)], []),
        ([(0, 2741), (1000, 1370), (2000, 0)], []),
    ):
        answer.gives(points, expected=[p in hidden for p in points], hint=hint)


@exercise(
    "falling_factor",
    wrong=wrong_reports("falling", "constant", [20.0, 17.0, 24.0], -6.0),
)
def check_falling_factor(answer: Answer) -> None:
    """Entities under a factor of both weights that falls and under none, and what that shows."""
    differences = require_paired_report(answer, "falling", "constant", runs=3)
    require_percent(answer, ("falling", "constant"), "F1")
    require_verdict(answer, differences)
