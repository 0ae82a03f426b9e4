"""Checks of the exercises of chapter 23."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_adjusted_chances",
    "check_pass_ratio",
    "check_shared_batches",
    "check_teacher_gradient",
]

Numbers = list[float]


def _number_of_tasks(encoder: float, heads: Sequence[float]) -> float:
    return len(heads)


def _without_heads(encoder: float, heads: Sequence[float]) -> float:
    return len(heads) * encoder / (encoder + sum(heads))


def _heads_of_all(encoder: float, heads: Sequence[float]) -> float:
    return len(heads) * (encoder + sum(heads)) / (encoder + sum(heads))


@exercise("pass_ratio", wrong=[_number_of_tasks, _without_heads, _heads_of_all])
def check_pass_ratio(answer: Answer) -> None:
    """How many times as much separate models cost as one of all tasks."""
    hint = "Heads cost the same either way; only the encoder is saved."
    answer.gives(9.0, [1.0], expected=1.0, hint="With one task there is nothing to share.")
    answer.gives(8.0, [1.0, 1.0], expected=1.8, hint=hint)
    answer.gives(8.0, [0.5, 1.5, 2.0], expected=28 / 12, hint=hint)
    answer.gives(0.0, [1.0, 2.0], expected=1.0, hint=hint)


def _softmax(logits: Sequence[float], temperature: float) -> Numbers:
    powers = [math.exp(z / temperature) for z in logits]
    return [power / sum(powers) for power in powers]


def _without_temperature(student: Numbers, teacher: Numbers, temperature: float) -> Numbers:
    pairs = zip(_softmax(student, 1.0), _softmax(teacher, 1.0), strict=True)
    return [p - q for p, q in pairs]


def _without_the_factor(student: Numbers, teacher: Numbers, temperature: float) -> Numbers:
    pairs = zip(_softmax(student, temperature), _softmax(teacher, temperature), strict=True)
    return [(p - q) / temperature for p, q in pairs]


def _turned(student: Numbers, teacher: Numbers, temperature: float) -> Numbers:
    pairs = zip(_softmax(student, temperature), _softmax(teacher, temperature), strict=True)
    return [temperature * (q - p) for p, q in pairs]


@exercise("teacher_gradient", wrong=[_without_temperature, _without_the_factor, _turned])
def check_teacher_gradient(answer: Answer) -> None:
    """The gradient of the loss of a teacher with respect to the logits of one text."""
    hint = "The gradient of a cross-entropy is p - q; the logits are divided by T, the loss has T²."
    for student, teacher, temperature in (
        ([0.0, 0.0], [2.0, 0.0], 1.0),
        ([1.0, -1.0, 0.5], [0.0, 2.0, 0.5], 2.0),
        ([3.0, 1.0], [3.0, 1.0], 5.0),
    ):
        pairs = zip(_softmax(student, temperature), _softmax(teacher, temperature), strict=True)
        expected = [temperature * (p - q) for p, q in pairs]
        answer.gives(student, teacher, temperature, expected=expected, hint=hint)


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


@exercise("shared_batches", wrong=[_one_each, _in_a_row, _cut_up])
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


@exercise("adjusted_chances", wrong=[_bonferroni, _by_rank, _as_they_are, _neighbours_alone])
def check_adjusted_chances(answer: Answer) -> None:
    """Probabilities of several tests, adjusted for the rate of false discoveries."""
    hint = "From the largest down, none may come out larger than the one after it."
    answer.gives([0.04], expected=[0.04], hint="One test needs no adjustment.")
    answer.gives([0.01, 0.02, 0.9], expected=[0.03, 0.03, 0.9], hint=hint)
    answer.gives([0.04, 0.03], expected=[0.04, 0.04], hint=hint)
    answer.gives([0.02, 0.03, 0.031], expected=[0.031, 0.031, 0.031], hint=hint)
    answer.gives([0.5, 0.001, 0.04, 0.05], expected=[0.5, 0.004, 0.2 / 3, 0.2 / 3], hint=hint)
