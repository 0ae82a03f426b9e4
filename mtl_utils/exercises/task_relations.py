"""Checks of the exercises of chapter 11."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import permutations

import torch
from torch import Tensor

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_affinity_of_quadratics",
    "check_count_divisions",
    "check_learnt_covariance",
    "check_two_groups",
]


def _halved(theta: Tensor, giver: Tensor, receiver: Tensor, rate: float) -> Tensor:
    after = theta - rate / 2 * (theta - giver)
    return 1 - (after - receiver).square().sum() / (theta - receiver).square().sum()


def _to_first_order(theta: Tensor, giver: Tensor, receiver: Tensor, rate: float) -> Tensor:
    loss = (theta - receiver).square().sum() / 2
    return rate * (theta - giver) @ (theta - receiver) / loss


def _what_is_left(theta: Tensor, giver: Tensor, receiver: Tensor, rate: float) -> Tensor:
    after = theta - rate * (theta - giver)
    return (after - receiver).square().sum() / (theta - receiver).square().sum()


@exercise("affinity_of_quadratics", wrong=[_halved, _to_first_order, _what_is_left])
def check_affinity_of_quadratics(answer: Answer) -> None:
    """The share of the receiver's loss that a step for the giver takes away."""
    hint = "The gradient of the giver's loss is theta - giver; compare losses after and before."
    here, there = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 0.0])
    answer.gives(here, there, there, 1.0, expected=1.0, hint=hint)
    answer.gives(here, there, there, 0.5, expected=0.75, hint=hint)
    answer.gives(here, torch.tensor([4.0, 0.0]), there, 0.5, expected=-1.25, hint=hint)
    answer.gives(here, torch.tensor([2.0, 1.0]), there, 0.5, expected=-0.0625, hint=hint)


def _subsets(num_tasks: int) -> int:
    return 2**num_tasks


def _two_at_most(num_tasks: int) -> int:
    return int(2 ** (num_tasks - 1)) if num_tasks else 1


@exercise("count_divisions", wrong=[_subsets, _two_at_most, math.factorial])
def check_count_divisions(answer: Answer) -> None:
    """The number of divisions of a set, after Bell."""
    hint = "Choose who shares the group of the first task, then divide the rest."
    for tasks, count in {1: 1, 2: 2, 3: 5, 4: 15, 5: 52, 10: 115_975}.items():
        answer.gives(tasks, expected=count, hint=hint)


def _without_root(weights: Tensor) -> Tensor:
    gram = weights @ weights.T
    return gram / gram.trace()


def _root_of_entries(weights: Tensor) -> Tensor:
    root = (weights @ weights.T).abs().sqrt()
    return root / root.trace()


def _trace_before(weights: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(weights @ weights.T)
    return vectors @ torch.diag((values.clamp(min=0) / values.sum()).sqrt()) @ vectors.T


@exercise("learnt_covariance", wrong=[_without_root, _root_of_entries, _trace_before])
def check_learnt_covariance(answer: Answer) -> None:
    """The root of the Gram matrix of the tasks, with trace 1."""
    hint = "The root of the matrix, not of its entries, divided by its own trace."
    for weights, expected in (
        ([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.0], [0.0, 0.5]]),
        ([[1.0, 2.0, 0.0], [-1.0, -2.0, 0.0]], [[0.5, -0.5], [-0.5, 0.5]]),
        ([[3.0, 0.0], [0.0, 1.0]], [[0.75, 0.0], [0.0, 0.25]]),
    ):
        answer.gives(torch.tensor(weights), expected=expected, tolerance=1e-3, hint=hint)


Table = Mapping[str, Mapping[str, float]]


def _value(table: Table, group: frozenset[str], mean: bool = True) -> float:
    total = math.fsum(table[i][j] for i, j in permutations(sorted(group), 2))
    return total / (len(group) - 1) if mean and len(group) > 1 else total


def _divided(table: Table, mean: bool = True, whole: bool = True) -> list[set[str]]:
    names = sorted(table)
    tried = []
    for pick in range(2 ** len(names)):
        one = frozenset(name for place, name in enumerate(names) if pick >> place & 1)
        parts = [one, frozenset(names) - one]
        if whole or all(parts):
            tried.append((sum(_value(table, part, mean) for part in parts), parts))
    return [set(part) for part in max(tried, key=lambda each: each[0])[1]]


def _of_sums(table: Table) -> list[set[str]]:
    return _divided(table, mean=False)


def _never_empty(table: Table) -> list[set[str]]:
    return _divided(table, whole=False)


def _one_way(table: Table) -> list[set[str]]:
    return _divided({i: {j: table[i][j] if i < j else 0.0 for j in table[i]} for i in table})


_HINT = "Each task counts the mean, not the sum, of what its partners give it."


@exercise("two_groups", wrong=[_of_sums, _never_empty, _one_way])
def check_two_groups(answer: Answer) -> None:
    """The division into two groups of the greatest value."""
    near = {"a": {"b": 2.0, "c": 1.0}, "b": {"a": 2.0, "c": 1.0}, "c": {"a": -0.5, "b": -0.5}}
    _divides(answer, near, [["a", "b"], ["c"]])
    friends = {i: {j: 1.0 for j in "abc" if j != i} for i in "abc"}
    _divides(answer, friends, [[], ["a", "b", "c"]])
    _divides(answer, {"a": {"b": 3.0}, "b": {"a": -4.0}}, [["a"], ["b"]])


def _divides(answer: Answer, table: Table, expected: list[list[str]]) -> None:
    """Require two groups, of which either may come first."""
    found = answer(table)
    try:
        groups = sorted(sorted(group) for group in found)
    except TypeError:
        answer.fail(f"two_groups: expected two sets of names, got {found!r:.80}", _HINT)
    answer.require(
        groups == expected, f"two_groups({table}): expected {expected}, got {groups}", _HINT
    )
