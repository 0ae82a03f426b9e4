"""Checks of the exercises of chapter 14."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_curriculum_rows",
    "check_passes",
    "check_rescaled_reward",
    "check_temperature_for",
]


def _without_batches(sizes: Sequence[int], shares: Sequence[float], steps: int, rows: int) -> list:
    return [steps * share / size for size, share in zip(sizes, shares, strict=True)]


def _of_all(sizes: Sequence[int], shares: Sequence[float], steps: int, rows: int) -> list:
    return [steps * rows * share / sum(sizes) for share in shares]


@exercise("passes", wrong=[_without_batches, _of_all])
def check_passes(answer: Answer) -> None:
    """How often a training reads each data set."""
    hint = "A data set is drawn in its share of the steps, and each draw reads one batch of rows."
    for sizes, shares, steps, rows, expected in (
        ([100, 10000], [0.5, 0.5], 1000, 16, [80.0, 0.8]),
        ([150, 1500, 4500], [0.2, 0.3, 0.5], 360, 16, [7.68, 1.152, 0.64]),
        ([50], [1.0], 10, 5, [1.0]),
    ):
        answer.gives(sizes, shares, steps, rows, expected=expected, hint=hint)


def _inverse(large: int, small: int, ratio: float) -> float:
    return math.log(ratio) / math.log(large / small)


def _linear(large: int, small: int, ratio: float) -> float:
    return large / small / ratio


@exercise("temperature_for", wrong=[_inverse, _linear])
def check_temperature_for(answer: Answer) -> None:
    """The temperature at which a large data set is drawn so many times as often as a small one."""
    hint = "The ratio of the two probabilities is the ratio of the sizes to the power 1/T."
    for large, small, ratio in ((10000, 100, 10.0), (10000, 100, 100.0), (13084, 100, 3.0)):
        expected = math.log(large / small) / math.log(ratio)
        answer.gives(large, small, ratio, expected=expected, hint=hint)


def _unclipped(reward: float, low: float, high: float) -> float:
    return 2 * (reward - low) / (high - low) - 1


def _from_zero(reward: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (reward - low) / (high - low)))


@exercise("rescaled_reward", wrong=[_unclipped, _from_zero])
def check_rescaled_reward(answer: Answer) -> None:
    """A reward between two percentiles of those before, brought into [-1, 1]."""
    hint = "The lower percentile becomes -1, the upper 1, and what lies beyond is cut."
    for reward, low, high, expected in (
        (0.5, 0.0, 1.0, 0.0),
        (0.2, -0.2, 0.3, 0.6),
        (-5.0, -0.2, 0.3, -1.0),
        (5.0, -0.2, 0.3, 1.0),
        (-0.2, -0.2, 0.3, -1.0),
    ):
        answer.gives(reward, low, high, expected=expected, hint=hint)


def _even_pace(step: int, steps: int, rows: int, first: float) -> int:
    return math.ceil(rows * min(1.0, step * (1 - first) / steps + first))


def _without_an_end(step: int, steps: int, rows: int, first: float) -> int:
    return math.ceil(rows * math.sqrt(step * (1 - first**2) / steps + first**2))


def _one_more(step: int, steps: int, rows: int, first: float) -> int:
    share = min(1.0, math.sqrt(step * (1 - first**2) / steps + first**2))
    return min(rows, int(rows * share) + 1)


@exercise("curriculum_rows", wrong=[_even_pace, _without_an_end, _one_more])
def check_curriculum_rows(answer: Answer) -> None:
    """How many rows, easy ones first, a step draws from under a pacing by the square root."""
    hint = "Equation 14.9 with p = 2 gives a share, at most 1; round the number of rows up."
    for step, steps, rows, first in (
        (10, 100, 1000, 0.1),
        (25, 100, 1001, 0.5),
        (150, 100, 1000, 0.1),
        (37, 60, 500, 0.2),
        (0, 100, 1000, 0.5),  # a whole number, which stays as it is
    ):
        share = min(1.0, math.sqrt(step * (1 - first**2) / steps + first**2))
        answer.gives(step, steps, rows, first, expected=math.ceil(rows * share), hint=hint)
