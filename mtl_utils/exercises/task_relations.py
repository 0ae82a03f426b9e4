"""Checks of the exercises of chapter 11."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from mtl_utils.exercises.by_hand import require_by_hand
from mtl_utils.exercises.checking import Answer, exercise
from mtl_utils.exercises.paired import (
    require_paired_report,
    require_percent,
    require_verdict,
    wrong_reports,
)

__all__ = [
    "check_learnt_covariance",
    "check_pair_agreement",
    "check_relations_by_hand",
    "check_same_sentences",
]

BY_HAND: dict[str, float | list[float]] = {
    "cosine": 0.8,
    "affinity": [0.28, 0.4375],
    "first_order": [0.32, 2.0],
    "embedding": [1.0, 4.0],
    "transfer": [-3.0, 4.0],
    "value": [4.0, 5.0],
}

_HINTS = {
    "cosine": "Equation 11.2. The gradient of a loss is theta minus its optimum.",
    "affinity": "Take the step for the giver, then the loss of the receiver, after over before.",
    "first_order": "The right side of 11.3: one dot product, and the loss of the receiver.",
    "embedding": "Equation 11.4 squares text by text, and then takes the mean.",
    "transfer": "Equation 11.1: the score of the receiver together, minus its score alone.",
    "value": "Each task counts the mean of what it gets in its group; alone it counts zero.",
}


@exercise(
    "relations_by_hand",
    wrong=[
        {**BY_HAND, "cosine": 8},
        {**BY_HAND, "cosine": -0.8},
        {**BY_HAND, "affinity": [0.4375, 0.28]},
        {**BY_HAND, "affinity": [0.72, 0.5625]},
        {**BY_HAND, "affinity": [0.48, -2.25]},
        {**BY_HAND, "affinity": [-0.36, -3.5625]},
        {**BY_HAND, "affinity": 0.28},
        {**BY_HAND, "first_order": [0.64, 4]},
        {**BY_HAND, "first_order": [2, 0.32]},
        {**BY_HAND, "first_order": [0.28, 0.4375]},
        {**BY_HAND, "embedding": [0, 0]},
        {**BY_HAND, "embedding": [2, 8]},
        {**BY_HAND, "embedding": [1, -2]},
        {**BY_HAND, "transfer": [4, -3]},
        {**BY_HAND, "transfer": [3, -4]},
        {**BY_HAND, "value": [8, 5]},
        {**BY_HAND, "value": [4, 2.5]},
        {**BY_HAND, "value": "4 and 5"},
        {key: BY_HAND[key] for key in ("cosine", "affinity")},
        [0.28, 0.4375],
    ],
)
def check_relations_by_hand(answer: Answer) -> None:
    """Signs of two quadratics, a transfer and the value of two divisions, worked by hand."""
    require_by_hand(answer, BY_HAND, _HINTS)


Table = Sequence[Sequence[float]]


def _off(table: Table) -> list[float]:
    return [x for i, row in enumerate(table) for j, x in enumerate(row) if i != j]


def _ranks(values: Sequence[float]) -> list[int]:
    return [sum(other < value for other in values) for value in values]


def _correlation(first: Sequence[float], second: Sequence[float]) -> float:
    return float(np.corrcoef(first, second)[0, 1])


def _with_diagonal(first: Table, second: Table) -> float:
    whole = [_ranks([x for row in table for x in row]) for table in (first, second)]
    return _correlation(*whole)


def _of_values(first: Table, second: Table) -> float:
    return _correlation(_off(first), _off(second))


def _sorted_once(first: Table, second: Table) -> float:
    return _correlation(*(np.argsort(_off(table)).tolist() for table in (first, second)))


def _by_giver(first: Table, second: Table) -> float:
    rows = range(len(first))
    cut = [[[t[i][j] for j in rows if i != j] for t in (first, second)] for i in rows]
    return fmean(_correlation(*map(_ranks, pair)) for pair in cut)


def _one_way(first: Table, second: Table) -> float:
    cut = [[t[i][j] for i in range(len(t)) for j in range(i)] for t in (first, second)]
    return _correlation(*map(_ranks, cut))


def _turned(first: Table, second: Table) -> float:
    return _correlation(_ranks(_off(first)), _ranks(_off([*zip(*second, strict=True)])))


@exercise(
    "pair_agreement",
    wrong=[_with_diagonal, _of_values, _sorted_once, _by_giver, _one_way, _turned],
)
def check_pair_agreement(answer: Answer) -> None:
    """The rank correlation of two tables, over pairs of different tasks."""
    hint = (
        "Leave the diagonal out, put all other pairs of a table in one order, and correlate "
        "their places in it."
    )
    cases: list[tuple[Table, Table]] = [
        ([[9, 1, 2], [3, 9, 4], [5, 6, 9]], [[0, 10, 20], [30, 0, 40], [50, 600, 0]]),
        ([[9, 1, 2], [3, 9, 4], [5, 6, 9]], [[9, -1, -2], [-3, 9, -4], [-5, -6, 9]]),
        ([[1, 0.5, 0.1], [0.4, 1, -0.2], [0.3, 0.9, 1]], [[0, 4, 7], [5, 0, -3], [1, 2, 0]]),
        (
            [[1, 0.7, 0.2, -0.1], [0.6, 1, 0.3, 0], [0.1, 0.4, 1, 0.5], [-0.3, -0.2, 0.8, 1]],
            [[0, 3, 0.5, -2], [4, 0, -1, 1], [-4, 2, 0, 6], [0.1, -3, 5, 0]],
        ),
    ]
    for first, second in cases:
        ranks = [_ranks(_off(table)) for table in (first, second)]
        n = len(ranks[0])
        apart = sum((a - b) ** 2 for a, b in zip(*ranks, strict=True))
        answer.gives(first, second, expected=1 - 6 * apart / (n * (n**2 - 1)), hint=hint)


@exercise(
    "same_sentences",
    wrong=wrong_reports("beside", "alone", [70.0, 66.0, 68.0], -4.0),
)
def check_same_sentences(answer: Answer) -> None:
    """A task beside a partner that has its sentences and alone, and what that shows."""
    differences = require_paired_report(answer, "beside", "alone", runs=3)
    require_percent(answer, ("beside", "alone"), "Accuracies")
    require_verdict(answer, differences)


def _without_root(weights: Tensor) -> Tensor:
    gram = weights @ weights.T
    return gram / gram.trace()


def _root_of_entries(weights: Tensor) -> Tensor:
    root = (weights @ weights.T).abs().sqrt()
    return root / root.trace()


def _trace_before(weights: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(weights @ weights.T)
    return vectors @ torch.diag((values.clamp(min=0) / values.sum()).sqrt()) @ vectors.T


def _of_columns(weights: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(weights.T @ weights)
    root = vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
    return root / root.trace()


def _without_trace(weights: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(weights @ weights.T)
    return vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T


@exercise(
    "learnt_covariance",
    wrong=[_without_root, _root_of_entries, _trace_before, _of_columns, _without_trace],
)
def check_learnt_covariance(answer: Answer) -> None:
    """The root of the Gram matrix of the tasks, with trace 1."""
    hint = "The root of the matrix, not of its entries, divided by its own trace."
    for weights, expected in (
        ([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.0], [0.0, 0.5]]),
        ([[1.0, 2.0, 0.0], [-1.0, -2.0, 0.0]], [[0.5, -0.5], [-0.5, 0.5]]),
        ([[3.0, 0.0], [0.0, 1.0]], [[0.75, 0.0], [0.0, 0.25]]),
    ):
        answer.gives(torch.tensor(weights), expected=expected, tolerance=1e-3, hint=hint)
