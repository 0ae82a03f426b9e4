"""Checks of the exercises of chapter 22."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtl_utils.exercises.by_hand import require_by_hand
from mtl_utils.exercises.checking import Answer, exercise
from mtl_utils.exercises.paired import (
    example_report,
    require_direction,
    require_paired_report,
    require_percent,
    require_verdict,
    wrong_reports,
)

__all__ = [
    "check_half_volume",
    "check_ring_table",
    "check_scaling_by_hand",
    "check_step_factors",
]

BY_HAND: dict[str, Any] = {
    "losses": [1.5, 2.0],
    "factors": [2.25, 0.75, 0.0],
    "megabytes": [160.0, 72.0],
    "alive": [88.0, 528.0],
    "sent": 1.75,
}

_HINTS = {
    "losses": "A mean times its count is a sum. Sums add up over processes, means do not.",
    "factors": "An average over all processes divides by their number. What makes that good?",
    "megabytes": "Four numbers of four bytes a weight; then what is dealt out, and what is whole.",
    "alive": "All boundaries stay, and on the way back the inside of one layer at a time.",
    "sent": "How often does a process of a ring send every weight?",
}


@exercise(
    "scaling_by_hand",
    wrong=[
        {**BY_HAND, "losses": [2, 1.5]},
        {**BY_HAND, "losses": [6, 2]},
        {**BY_HAND, "losses": [1.5, 1.33]},
        {**BY_HAND, "losses": 1.5},
        {**BY_HAND, "factors": [0.75, 0.25, 0]},
        {**BY_HAND, "factors": [1.5, 0.5, 0]},
        {**BY_HAND, "factors": [0.44, 1.33, 0]},
        {**BY_HAND, "factors": [2.25, 0.75]},
        {**BY_HAND, "megabytes": [160, 40]},
        {**BY_HAND, "megabytes": [40, 72]},
        {**BY_HAND, "megabytes": [160, 48]},
        {**BY_HAND, "megabytes": [160, 104]},
        {**BY_HAND, "alive": [528, 88]},
        {**BY_HAND, "alive": [48, 528]},
        {**BY_HAND, "alive": [44, 528]},
        {**BY_HAND, "sent": 0.875},
        {**BY_HAND, "sent": 14},
        {**BY_HAND, "sent": 2},
        {**BY_HAND, "sent": "7/4"},
        {key: BY_HAND[key] for key in ("losses", "factors")},
        [1.5, 2.0],
    ],
)
def check_scaling_by_hand(answer: Answer) -> None:
    """Means and factors of processes, bytes of shards and layers, and a ring, worked by hand."""
    require_by_hand(answer, BY_HAND, _HINTS)


Counts = Mapping[str, Sequence[int]]
Factors = dict[str, list[float]]


def _of_processes(counts: Counts) -> Factors:
    return {
        task: [len(numbers) * c / sum(numbers) for c in numbers]
        for task, numbers in counts.items()
        if sum(numbers)
    }


def _without_number(counts: Counts) -> Factors:
    return {t: [f / len(fs) for f in fs] for t, fs in _of_processes(counts).items()}


def _number_of_those_that_count(counts: Counts) -> Factors:
    there = {t: sum(1 for c in numbers if c) for t, numbers in counts.items()}
    return {t: [there[t] * f / len(fs) for f in fs] for t, fs in _of_processes(counts).items()}


def _turned_over(counts: Counts) -> Factors:
    return {
        t: [1 / f if f else 0.0 for f in factors] for t, factors in _of_processes(counts).items()
    }


def _absent_as_zeros(counts: Counts) -> Factors:
    return {t: _of_processes(counts).get(t, [0.0] * len(n)) for t, n in counts.items()}


def _absent_as_ones(counts: Counts) -> Factors:
    return {t: _of_processes(counts).get(t, [1.0] * len(n)) for t, n in counts.items()}


def _absent_somewhere_left_out(counts: Counts) -> Factors:
    return {t: factors for t, factors in _of_processes(counts).items() if all(factors)}


def _over_all_tasks(counts: Counts) -> Factors:
    total = sum(sum(numbers) for numbers in counts.values())
    return {t: [len(n) * c / total for c in n] for t, n in counts.items() if sum(n)}


@exercise(
    "step_factors",
    wrong=[
        *(_without_number, _number_of_those_that_count, _turned_over, _absent_as_zeros),
        *(_absent_as_ones, _absent_somewhere_left_out, _over_all_tasks),
    ],
)
def check_step_factors(answer: Answer) -> None:
    """By what each process multiplies its losses, and which tasks take no part in a step."""
    hint = "Task by task: an average over R processes divides by R, which the factors make good."
    absent = "A task without a label in any process takes no part; one without a label here does."
    for counts, told in (
        ({"topic": [4, 4]}, hint),
        ({"topic": [16, 16], "entities": [6, 2]}, hint),
        ({"entities": [3, 0], "topic": [1, 1]}, absent),
        ({"entities": [0, 0], "topic": [5, 3]}, absent),
        ({"a": [1, 2, 0, 5], "b": [0, 0, 0, 0], "c": [0, 0, 7, 0]}, absent),
    ):
        answer.gives(counts, expected=_of_processes(counts), hint=told)


Table = list[list[float]]


def _ring(rows: Sequence[Sequence[float]], steps: int) -> Table:
    table = [list(row) for row in rows]
    n = len(table)
    for step in range(steps):
        sent = [table[r][(r - step) % n] for r in range(n)]
        for r in range(n):
            table[(r + 1) % n][(r - step) % n] += sent[r]
    return table


def _part_after_part(rows: Sequence[Sequence[float]], steps: int) -> Table:
    table = [list(row) for row in rows]
    n = len(table)
    for step in range(steps):
        sent = [table[r][(r + step) % n] for r in range(n)]
        for r in range(n):
            table[(r + 1) % n][(r + step) % n] += sent[r]
    return table


def _other_way_round(rows: Sequence[Sequence[float]], steps: int) -> Table:
    table = [list(row) for row in rows]
    n = len(table)
    for step in range(steps):
        sent = [table[r][(r - step) % n] for r in range(n)]
        for r in range(n):
            table[(r - 1) % n][(r - step) % n] += sent[r]
    return table


def _always_its_own_part(rows: Sequence[Sequence[float]], steps: int) -> Table:
    table = [list(row) for row in rows]
    n = len(table)
    for _ in range(steps):
        sent = [table[r][r] for r in range(n)]
        for r in range(n):
            table[(r + 1) % n][r] += sent[r]
    return table


def _put_in_place(rows: Sequence[Sequence[float]], steps: int) -> Table:
    table = [list(row) for row in rows]
    n = len(table)
    for step in range(steps):
        sent = [table[r][(r - step) % n] for r in range(n)]
        for r in range(n):
            table[(r + 1) % n][(r - step) % n] = sent[r]
    return table


def _sums_everywhere(rows: Sequence[Sequence[float]], steps: int) -> Table:
    return [[sum(part) for part in zip(*rows, strict=True)] for _ in rows]


def _a_step_too_many(rows: Sequence[Sequence[float]], steps: int) -> Table:
    return _ring(rows, steps + 1)


@exercise(
    "ring_table",
    wrong=[
        *(_part_after_part, _other_way_round, _always_its_own_part, _put_in_place),
        *(_sums_everywhere, _a_step_too_many),
    ],
)
def check_ring_table(answer: Answer) -> None:
    """What the processes of a ring hold after some steps of adding up."""
    hint = "In every step but the first a process hands on the part that it has just added to."
    three = [[1, 2, 3], [10, 20, 30], [100, 200, 300]]
    four = [[1, 5, 2, 7], [20, 10, 40, 30], [300, 100, 200, 500], [4000, 1000, 3000, 2000]]
    answer.gives(three, 0, expected=three, hint="Before the first step nothing was sent.")
    for rows, steps in (([[1, 2], [10, 20]], 1), (three, 1), (three, 2), (four, 2), (four, 3)):
        answer.gives([list(row) for row in rows], steps, expected=_ring(rows, steps), hint=hint)


@exercise(
    "half_volume",
    wrong=[
        *wrong_reports("halved", "weighed", [40.0, 44.0, 42.0], -4.0),
        example_report("halved", "weighed", [44.0, 48.0, 46.0], 4.0, False),  # volumes swapped
    ],
)
def check_half_volume(answer: Answer) -> None:
    """Entities with half of their gradient and with the whole, and what that shows."""
    differences = require_paired_report(answer, "halved", "weighed", runs=3)
    require_percent(answer, ("halved", "weighed"), "F1")
    require_direction(answer, differences, "halved", "weighed", greater=False)
    require_verdict(answer, differences)
