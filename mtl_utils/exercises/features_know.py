"""Checks of the exercises of chapter 19."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
    "check_features_by_hand",
    "check_online_bits",
    "check_uniform_attention",
    "check_without_directions",
]

BY_HAND: dict[str, float | list[float]] = {
    "selectivity": 14.0,
    "bits": 7.0,
    "compression": 8 / 7,
    "alike": 0.75,
    "contributions": [4.0, 8.0],
    "fall": 1.5 * math.log(2),
    "erased": [1.0, -1.0],
}

_HINTS = {
    "selectivity": "Two accuracies of the same words, in percent; then points.",
    "bits": "Two labels uniformly; for the others smooth first, then take minus log2.",
    "compression": "All labels sent uniformly, over the length that you have found.",
    "alike": "Take the mean of each column out. With one unit each, 19.4 is a squared correlation.",
    "contributions": "The gradient of a product is the other factor. Where is it half way?",
    "fall": "How many nats less after one word, how many after two? Then the mean.",
    "erased": "Divide the direction by its length first; what is left has no product with it.",
}


@exercise(
    "features_by_hand",
    wrong=[
        {**BY_HAND, "selectivity": -14},
        {**BY_HAND, "selectivity": 0.14},
        {**BY_HAND, "selectivity": 7},
        {**BY_HAND, "bits": 3},
        {**BY_HAND, "bits": 6},
        {**BY_HAND, "bits": 7 * math.log(2)},
        {**BY_HAND, "compression": 7 / 8},
        {**BY_HAND, "alike": 0.9},
        {**BY_HAND, "alike": math.sqrt(0.75)},
        {**BY_HAND, "contributions": [8, 12]},
        {**BY_HAND, "contributions": [2, 4]},
        {**BY_HAND, "contributions": [8, 4]},
        {**BY_HAND, "contributions": 12},
        {**BY_HAND, "fall": -1.5 * math.log(2)},
        {**BY_HAND, "fall": 2 * math.log(2)},
        {**BY_HAND, "fall": 1.5},
        {**BY_HAND, "fall": 0.5},
        {**BY_HAND, "erased": [-13, -15]},
        {**BY_HAND, "erased": [2, 2]},
        {**BY_HAND, "erased": [1, 1]},
        {**BY_HAND, "erased": "1, -1"},
        {key: BY_HAND[key] for key in ("bits", "compression")},
        7,
    ],
)
def check_features_by_hand(answer: Answer) -> None:
    """Selectivity, a code, alignment, contributions, a deletion and an erasure, by hand."""
    require_by_hand(answer, BY_HAND, _HINTS)


Portions = Sequence[Sequence[float]]


def _bits(first: int, labels: int, portions: Portions) -> float:
    bits, sent = first * math.log2(labels), first
    for portion in portions:
        bits -= sum(math.log2((sent * p + 1) / (sent + labels)) for p in portion)
        sent += len(portion)
    return bits


def _in_nats(first: int, labels: int, portions: Portions) -> float:
    return _bits(first, labels, portions) * math.log(2)


def _without_first(first: int, labels: int, portions: Portions) -> float:
    return _bits(first, labels, portions) - first * math.log2(labels)


def _not_smoothed(first: int, labels: int, portions: Portions) -> float:
    likely = [max(p, 1e-12) for portion in portions for p in portion]
    return first * math.log2(labels) - sum(math.log2(p) for p in likely)


def _as_if_first_were_all(first: int, labels: int, portions: Portions) -> float:
    smoothed = ((first * p + 1) / (first + labels) for portion in portions for p in portion)
    return first * math.log2(labels) - sum(math.log2(p) for p in smoothed)


def _label_by_label(first: int, labels: int, portions: Portions) -> float:
    return _bits(first, labels, [[p] for portion in portions for p in portion])


def _counted_ahead(first: int, labels: int, portions: Portions) -> float:
    bits, sent = first * math.log2(labels), first
    for portion in portions:
        sent += len(portion)
        bits -= sum(math.log2((sent * p + 1) / (sent + labels)) for p in portion)
    return bits


def _mean_instead(first: int, labels: int, portions: Portions) -> float:
    return _bits(first, labels, portions) / (first + sum(map(len, portions)))


@exercise(
    "online_bits",
    wrong=[
        *(_in_nats, _without_first, _not_smoothed, _as_if_first_were_all),
        *(_label_by_label, _counted_ahead, _mean_instead),
    ],
)
def check_online_bits(answer: Answer) -> None:
    """How many bits an online code of several portions takes."""
    hint = "The probe of a portion was fitted to all labels of the portions before it, no others."
    cases: list[tuple[int, int, list[list[float]], float]] = [
        (2, 4, [[1.0, 0.25]], 4 + 1 + 2),
        (1, 3, [], math.log2(3)),
        (2, 2, [[1.0, 0.0], [0.5, 1.0]], 2 + math.log2(4 / 3) + 2 + 1 + math.log2(6 / 5)),
        (4, 4, [[0.75], [0.2, 0.8, 0.5]], 8 + 1 + math.log2(9**3 / (2 * 5 * 3.5))),
    ]
    for first, labels, portions, expected in cases:
        answer.gives(first, labels, portions, expected=expected, hint=hint)


def _one_after_the_other(states: Tensor, directions: Tensor) -> Tensor:
    for direction in directions:
        unit = direction / direction.norm()
        states = states - torch.outer(states @ unit, unit)
    return states


def _all_at_once(states: Tensor, directions: Tensor) -> Tensor:
    units = directions / directions.norm(dim=1, keepdim=True)
    return states - states @ units.T @ units


def _not_of_length_one(states: Tensor, directions: Tensor) -> Tensor:
    return states - states @ directions.T @ directions


def _first_alone(states: Tensor, directions: Tensor) -> Tensor:
    return _one_after_the_other(states, directions[:1])


def _kept_instead(states: Tensor, directions: Tensor) -> Tensor:
    basis, _ = torch.linalg.qr(directions.T)
    return states @ basis @ basis.T


@exercise(
    "without_directions",
    wrong=[_one_after_the_other, _all_at_once, _not_of_length_one, _first_alone, _kept_instead],
)
def check_without_directions(answer: Answer) -> None:
    """States without their part in what several directions span."""
    hint = "What remains has no product with any of the directions, also where they lean together."
    for rows, rank, width in ((1, 1, 2), (4, 2, 3), (6, 3, 8)):
        generator = torch.Generator().manual_seed(rows)
        states = torch.randn(rows, width, generator=generator, dtype=torch.float64)
        directions = 2 * torch.randn(rank, width, generator=generator, dtype=torch.float64)
        parts = torch.linalg.lstsq(directions.T, states.T).solution
        expected = states - parts.T @ directions
        answer.gives(states, directions, expected=expected, hint=hint)


@exercise(
    "uniform_attention",
    wrong=wrong_reports("free", "uniform", [88.0, 91.0, 85.0], 4.0),
)
def check_uniform_attention(answer: Answer) -> None:
    """Topics of models that choose what to attend to and of models that cannot."""
    differences = require_paired_report(answer, "free", "uniform", runs=3)
    require_percent(answer, ("free", "uniform"), "Accuracies")
    require_verdict(answer, differences)
