"""Checks of the exercises of chapter 23."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtl_utils.exercises.by_hand import require_by_hand
from mtl_utils.exercises.checking import Answer, exercise
from mtl_utils.exercises.paired import (
    require_paired_report,
    require_percent,
    require_verdict,
    wrong_reports,
)

__all__ = [
    "check_adjusted_chances",
    "check_deployment_by_hand",
    "check_shared_batches",
    "check_teachers_or_labels",
]

Numbers = list[float]

BY_HAND: dict[str, Any] = {
    "ratio": 28 / 12,
    "gradient": [-0.5, 0.5],
    "loss": 0.8,
    "quantised": [0.1, 50.0, 62.0, 1.2],
    "sure": [2 / 3, 16 / 17],
}

_HINTS = {
    "ratio": "Heads cost the same either way; only passes of the encoder are saved.",
    "gradient": "A cross-entropy has p - q. Logits are divided by T, and the loss has T squared.",
    "loss": "The share of the labels grows from 0 in the first step to 1 in the last.",
    "quantised": "The least weight becomes 0 and the greatest 255; then round, and go back.",
    "sure": "Take the logarithms of the two for logits, and divide these.",
}


@exercise(
    "deployment_by_hand",
    wrong=[
        {**BY_HAND, "ratio": 3},
        {**BY_HAND, "ratio": 2},
        {**BY_HAND, "ratio": 12 / 28},
        {**BY_HAND, "gradient": [0.5, -0.5]},
        {**BY_HAND, "gradient": [-0.25, 0.25]},
        {**BY_HAND, "gradient": [-1, 1]},
        {**BY_HAND, "gradient": [-0.4, 0.4]},
        {**BY_HAND, "gradient": -0.5},
        {**BY_HAND, "loss": 1.6},
        {**BY_HAND, "loss": 0.72},
        {**BY_HAND, "loss": 2.4},
        {**BY_HAND, "quantised": [0.1, -50, 62, 1.2]},
        {**BY_HAND, "quantised": [0.1, 50, 12, 1.2]},
        {**BY_HAND, "quantised": [0.1, 50, 62, 1.234]},
        {**BY_HAND, "quantised": [0.1, 50, 62.34, 1.234]},
        {**BY_HAND, "quantised": [10, 50, 62, 1.2]},
        {**BY_HAND, "sure": [16 / 17, 2 / 3]},
        {**BY_HAND, "sure": [0.4, 1.6]},
        {**BY_HAND, "sure": "2/3, 16/17"},
        {key: BY_HAND[key] for key in ("ratio", "loss")},
        28 / 12,
    ],
)
def check_deployment_by_hand(answer: Answer) -> None:
    """Cost, a teacher's gradient, annealing, eight bits and a temperature, worked by hand."""
    require_by_hand(answer, BY_HAND, _HINTS)


def _one_each(sizes: Sequence[int], most: int) -> list[list[int]]:
    return [[size] for size in sizes]


def _in_a_row(sizes: Sequence[int], most: int) -> list[list[int]]:
    batches: list[list[int]] = []
    for size in sizes:
        if batches and sum(batches[-1]) + size <= most:
            batches[-1].append(size)
        else:
            batches.append([size])
    return batches


def _cut_up(sizes: Sequence[int], most: int) -> list[list[int]]:
    total = sum(sizes)
    return [[min(most, total - start)] for start in range(0, total, most)]


def _server(sizes: Sequence[int], most: int) -> list[list[int]]:
    waiting, batches = list(sizes), []
    while waiting:
        batch, rest = waiting[:1], waiting[:0]
        for size in waiting[1:]:
            (batch if sum(batch) + size <= most else rest).append(size)
        batches.append(batch)
        waiting = rest
    return batches


def _largest_first(sizes: Sequence[int], most: int) -> list[list[int]]:
    return _server(sorted(sizes, reverse=True), most)


def _one_less(sizes: Sequence[int], most: int) -> list[list[int]]:
    return _server(sizes, most - 1)


def _too_large_left_out(sizes: Sequence[int], most: int) -> list[list[int]]:
    return _server([size for size in sizes if size <= most], most)


@exercise(
    "shared_batches",
    wrong=[
        *(_one_each, _in_a_row, _cut_up, _largest_first, _one_less, _too_large_left_out),
    ],
)
def check_shared_batches(answer: Answer) -> None:
    """Which waiting requests share a batch, given their numbers of texts."""
    hint = "The first that waits is always in; then whatever fits, in the order of coming."
    answer.gives([2, 2, 2], 4, expected=[[2, 2], [2]], hint=hint)
    answer.gives([9, 1], 4, expected=[[9], [1]], hint="Too large for any batch: one of its own.")
    answer.gives([3, 2, 1], 4, expected=[[3, 1], [2]], hint="One that fits may go ahead.")
    answer.gives([], 4, expected=[], hint=hint)
    answer.gives([1, 4, 2, 1, 3], 4, expected=[[1, 2, 1], [4], [3]], hint=hint)


def _bonferroni(chances: Numbers) -> Numbers:
    return [min(1.0, len(chances) * p) for p in chances]


def _by_rank(chances: Numbers) -> Numbers:
    order = sorted(chances)
    return [min(1.0, len(chances) * p / (order.index(p) + 1)) for p in chances]


def _as_they_are(chances: Numbers) -> Numbers:
    return chances


def _neighbours_alone(chances: Numbers) -> Numbers:
    order = sorted(chances)
    raw = [min(1.0, len(chances) * p / rank) for rank, p in enumerate(order, start=1)]
    least = [min(pair) for pair in zip(raw, [*raw[1:], 1.0], strict=True)]
    return [least[order.index(p)] for p in chances]


def _in_rising_order(chances: Numbers) -> Numbers:
    order, least, found = sorted(chances), 1.0, []
    for rank in range(len(order), 0, -1):
        least = min(least, len(order) * order[rank - 1] / rank)
        found.append(least)
    return found[::-1]


@exercise(
    "adjusted_chances",
    wrong=[_bonferroni, _by_rank, _as_they_are, _neighbours_alone, _in_rising_order],
)
def check_adjusted_chances(answer: Answer) -> None:
    """Probabilities of several tests, adjusted for the rate of false discoveries."""
    hint = "From the largest down, none may come out larger than the one after it."
    answer.gives([0.04], expected=[0.04], hint="One test needs no adjustment.")
    answer.gives([0.01, 0.02, 0.9], expected=[0.03, 0.03, 0.9], hint=hint)
    answer.gives([0.04, 0.03], expected=[0.04, 0.04], hint=hint)
    answer.gives([0.02, 0.03, 0.031], expected=[0.031, 0.031, 0.031], hint=hint)
    answer.gives([0.5, 0.001, 0.04, 0.05], expected=[0.5, 0.004, 0.2 / 3, 0.2 / 3], hint=hint)


@exercise(
    "teachers_or_labels",
    wrong=wrong_reports("taught", "labels", [80.0, 84.0, 82.0], 2.0),
)
def check_teachers_or_labels(answer: Answer) -> None:
    """A student of teachers and one of labels on one task, seed by seed, and what that shows."""
    differences = require_paired_report(answer, "taught", "labels", runs=3)
    require_percent(answer, ("taught", "labels"), "Scores")
    require_verdict(answer, differences)
