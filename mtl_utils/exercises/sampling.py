"""Checks of the exercises of chapter 14."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from mtl_utils.exercises.by_hand import require_by_hand
from mtl_utils.exercises.checking import Answer, exercise
from mtl_utils.exercises.paired import (
    example_report,
    require_paired_report,
    require_percent,
    require_verdict,
    wrong_reports,
)

__all__ = [
    "check_curriculum_rows",
    "check_neighbours",
    "check_sampling_by_hand",
    "check_temperature_within",
]

Sizes = Sequence[float]
_Read = Callable[[list[float]], float]

BY_HAND: dict[str, float | Sequence[float]] = {
    "shares": [1 / 8, 1 / 4, 5 / 8],
    "passes": [2.5, 1.25, 0.5],
    "factors": [4 / 15, 8 / 15, 4 / 3],
    "temperature": 5 / 3,
    "variances": [7.0, 3.0],
    "moved": 0.15,
}

_HINTS = {
    "shares": "At a temperature of 2 the sizes count by their square roots.",
    "passes": "Steps times share are the batches that are read. How many has the data set?",
    "factors": "A share times its factor has to be the share that drawing by size has.",
    "temperature": "Equation 14.4 gives an exponent. What is the temperature of an exponent?",
    "variances": "Single, then mixed. Each row's variance over the rows of a batch, first of all.",
    "moved": "Scale the gain by 14.8, and divide by the probability with which the arm is drawn.",
}


@exercise(
    "sampling_by_hand",
    wrong=[
        {**BY_HAND, "shares": [1 / 30, 2 / 15, 5 / 6]},
        {**BY_HAND, "shares": [1 / 3, 1 / 3, 1 / 3]},
        {**BY_HAND, "shares": [5 / 8, 1 / 4, 1 / 8]},
        {**BY_HAND, "shares": [4, 8, 20]},
        {**BY_HAND, "passes": [40, 80, 200]},
        {**BY_HAND, "passes": [2.5, 1.25]},
        {**BY_HAND, "passes": 2.5},
        {**BY_HAND, "factors": [15 / 4, 15 / 8, 3 / 4]},
        {**BY_HAND, "factors": [1, 2, 5]},
        {**BY_HAND, "factors": [1 / 30, 2 / 15, 5 / 6]},
        {**BY_HAND, "temperature": 0.6},
        {**BY_HAND, "temperature": 2.5},
        {**BY_HAND, "temperature": "5/3"},
        {**BY_HAND, "variances": [3, 7]},
        {**BY_HAND, "variances": [5, 3]},
        {**BY_HAND, "variances": [7, 1.5]},
        {**BY_HAND, "moved": 0.05},
        {**BY_HAND, "moved": 0.06},
        {**BY_HAND, "moved": 0.5},
        {key: BY_HAND[key] for key in ("shares", "passes")},
        [1 / 8, 1 / 4, 5 / 8],
    ],
)
def check_sampling_by_hand(answer: Answer) -> None:
    """Shares, passes, factors that undo them, two variances and a bandit's step, by hand."""
    require_by_hand(answer, BY_HAND, _HINTS)


def _passes(sizes: Sizes, steps: int, temperature: float) -> list[float]:
    whole = sum(size ** (1 / temperature) for size in sizes)
    return [steps * size ** (1 / temperature - 1) / whole for size in sizes]


def _hottest(sizes: Sizes, steps: int, most: float, read: _Read = max) -> float:
    if read(_passes(sizes, steps, math.inf)) <= most:
        return math.inf
    low, high = 1.0, 1e6
    for _ in range(80):
        middle = (low + high) / 2
        fits = read(_passes(sizes, steps, middle)) <= most
        low, high = (middle, high) if fits else (low, middle)
    return low


def _the_exponent(sizes: Sizes, steps: int, most: float) -> float:
    return 1 / _hottest(sizes, steps, most)


def _whole_temperatures(sizes: Sizes, steps: int, most: float) -> float:
    return float(math.floor(min(1e6, _hottest(sizes, steps, most))))


def _never_infinite(sizes: Sizes, steps: int, most: float) -> float:
    return min(100.0, _hottest(sizes, steps, most))


def _of_the_first(sizes: Sizes, steps: int, most: float) -> float:
    return _hottest(sizes, steps, most, lambda passes: passes[0])


def _of_the_largest(sizes: Sizes, steps: int, most: float) -> float:
    return _hottest(sizes, steps, most, min)


def _of_all_together(sizes: Sizes, steps: int, most: float) -> float:
    return _hottest(sizes, steps, most, sum)


@exercise(
    "temperature_within",
    wrong=[
        *(_the_exponent, _whole_temperatures, _never_infinite),
        *(_of_the_first, _of_the_largest, _of_all_together),
    ],
)
def check_temperature_within(answer: Answer) -> None:
    """The greatest temperature at which no data set is read more than so many times."""
    hint = "Above a temperature of 1 the smallest data set is read most, and the more, the hotter."
    for sizes, steps, temperature in (
        ([10, 94, 282], 240, 2.0),
        ([282, 10, 94], 240, 5.0),
        ([1000, 100], 400, 1 / math.log10(3)),  # the small one has a quarter of the steps
        ([7, 30, 30, 2000], 900, 1.3),
        ([40, 30, 900], 600, 27.5),
    ):
        most = max(_passes(sizes, steps, temperature))
        answer.gives(sizes, steps, most, expected=temperature, tolerance=1e-3, hint=hint)
    hint = "As T grows without end, all are drawn alike. Is that within the bound?"
    for sizes, steps, most in (([10, 94, 282], 240, 9.0), ([50, 50], 100, 1.5)):
        answer.gives(sizes, steps, most, expected=math.inf, hint=hint)


def _even_pace(step: int, steps: int, rows: int, first: float) -> int:
    return math.ceil(rows * min(1.0, step * (1 - first) / steps + first))


def _without_an_end(step: int, steps: int, rows: int, first: float) -> int:
    return math.ceil(rows * math.sqrt(step * (1 - first**2) / steps + first**2))


def _share(step: int, steps: int, first: float) -> float:
    return min(1.0, math.sqrt(step * (1 - first**2) / steps + first**2))


def _one_more(step: int, steps: int, rows: int, first: float) -> int:
    return min(rows, int(rows * _share(step, steps, first)) + 1)


def _rounded_down(step: int, steps: int, rows: int, first: float) -> int:
    return int(rows * _share(step, steps, first))


def _first_as_it_is(step: int, steps: int, rows: int, first: float) -> int:
    return math.ceil(rows * min(1.0, math.sqrt(step * (1 - first) / steps + first)))


@exercise(
    "curriculum_rows",
    wrong=[_even_pace, _without_an_end, _one_more, _rounded_down, _first_as_it_is],
)
def check_curriculum_rows(answer: Answer) -> None:
    """How many rows, easy ones first, a step draws from under a pacing by the square root."""
    hint = "Equation 14.9 with the power 2 gives a share, at most 1; round the number of rows up."
    for step, steps, rows, first in (
        (10, 100, 1000, 0.1),
        (25, 100, 1001, 0.5),
        (150, 100, 1000, 0.1),
        (37, 60, 500, 0.2),
        (0, 100, 1000, 0.5),  # a whole number, which stays as it is
    ):
        expected = math.ceil(rows * _share(step, steps, first))
        answer.gives(step, steps, rows, first, expected=expected, hint=hint)


_report = partial(example_report, "events", "entities", [80.0, 76.0, 82.0])


@exercise(
    "neighbours",
    wrong=[
        *wrong_reports("events", "entities", [80.0, 76.0, 82.0], 30.0),
        example_report("events", "entities", [40.0, 36.0, 42.0], -30.0, True),
        _report(30.0, False) | {"shown": "yes"},
    ],
)
def check_neighbours(answer: Answer) -> None:
    """Topics beside events and beside entities, with equal steps on topics, and what it shows."""
    differences = require_paired_report(answer, "events", "entities", runs=3)
    require_percent(answer, ("events", "entities"), "Accuracies")
    require_verdict(answer, differences)
