"""Checks of the exercises of chapter 06."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from mtl_utils.exercises.checking import Answer, as_number, exercise
from mtl_utils.exercises.paired import (
    example_report,
    require_paired_report,
    require_percent,
    require_verdict,
)

__all__ = [
    "check_losses_by_hand",
    "check_paired_interval",
    "check_soft_alignment",
    "check_tags_in_company",
]

Scores = Sequence[float]
BY_HAND = {"classification": 0.8, "tags": 0.9, "inference": 1.05, "total": 3.8, "per_label": 0.3}
HINTS = {
    "classification": "Add what the labels cost; divide by the texts that have one.",
    "tags": "Add over all words of all texts; divide by the texts that have any tag.",
    "inference": "Add what the labels cost; divide by the texts that have one.",
    "total": "Each loss times its weight, added up; the last weight is 2.",
    "per_label": "The same sum as for the tags, divided by the tags that there are.",
}


@exercise(
    "losses_by_hand",
    wrong=[
        {**BY_HAND, "classification": 1.6 / 3, "tags": 0.6, "inference": 0.7},
        {**BY_HAND, "classification": 1.6},
        {**BY_HAND, "tags": 0.3},
        {**BY_HAND, "inference": 0.7},
        {**BY_HAND, "total": 2.75},
        {**BY_HAND, "total": 3.2},
        {**BY_HAND, "per_label": 0.9},
        {**BY_HAND, "per_label": 0.2},
        {**BY_HAND, "per_label": "0.3"},
        {key: value for key, value in BY_HAND.items() if key != "total"},
        list(BY_HAND.values()),
        3.8,
    ],
)
def check_losses_by_hand(answer: Answer) -> None:
    """The losses of three tasks on three pairs, some labels missing, and their weighted sum."""
    given = answer.value
    if not isinstance(given, Mapping) or set(given) != set(BY_HAND):
        answer.fail(f"Expected a dictionary with the keys {list(BY_HAND)}.")
    for key, expected in BY_HAND.items():
        value = as_number(Answer(given[key]).value)
        if not abs(value - expected) <= 2e-3:
            answer.fail(f"{key!r} is not {value:g}.", HINTS[key])


def _own_text(first: Tensor, second: Tensor) -> Tensor:
    return (first @ first.T / math.sqrt(first.shape[1])).softmax(1) @ first


def _unscaled(first: Tensor, second: Tensor) -> Tensor:
    return (first @ second.T).softmax(1) @ second


def _wrong_axis(first: Tensor, second: Tensor) -> Tensor:
    return (first @ second.T / math.sqrt(first.shape[1])).softmax(0) @ second


def _hardest(first: Tensor, second: Tensor) -> Tensor:
    return second[(first @ second.T).argmax(1)]


@exercise("soft_alignment", wrong=[_own_text, _unscaled, _wrong_axis, _hardest])
def check_soft_alignment(answer: Answer) -> None:
    """What each token finds in the other text, with A the identity."""
    hint = (
        "Scores are dot products over the root of D; each token's softmax is over the other text."
    )
    one_of_two = torch.tensor([[2.0, 0.0]]), torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    share = 1 / (1 + math.exp(-4 / math.sqrt(2)))
    expected = torch.tensor([[2 * share, 2 * (1 - share)]])
    answer.gives(*one_of_two, expected=expected, hint=hint)
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(n, 4, generator=generator) for n in (3, 2))
    scores = torch.einsum("id,jd->ij", first, second) / 2
    weights = scores.exp() / scores.exp().sum(1, keepdim=True)
    answer.gives(first, second, expected=weights @ second, hint=hint)


def _two_intervals(first: Scores, second: Scores, t: float) -> tuple[float, float]:
    sides = [torch.tensor(scores, dtype=torch.float64) for scores in (first, second)]
    mean = (sides[0].mean() - sides[1].mean()).item()
    spread = sum(side.var() / len(side) for side in sides)
    return mean, t * math.sqrt(spread)


def _deviation(first: Scores, second: Scores, t: float) -> tuple[float, float]:
    apart = torch.tensor(first, dtype=torch.float64) - torch.tensor(second, dtype=torch.float64)
    return apart.mean().item(), t * apart.std().item()


def _population(first: Scores, second: Scores, t: float) -> tuple[float, float]:
    apart = torch.tensor(first, dtype=torch.float64) - torch.tensor(second, dtype=torch.float64)
    return apart.mean().item(), t * apart.std(correction=0).item() / math.sqrt(len(apart))


def _without_sign(first: Scores, second: Scores, t: float) -> tuple[float, float]:
    apart = torch.tensor(first, dtype=torch.float64) - torch.tensor(second, dtype=torch.float64)
    return abs(apart.mean().item()), t * apart.std().item() / math.sqrt(len(apart))


def _second_first(first: Scores, second: Scores, t: float) -> tuple[float, float]:
    apart = torch.tensor(second, dtype=torch.float64) - torch.tensor(first, dtype=torch.float64)
    return apart.mean().item(), t * apart.std().item() / math.sqrt(len(apart))


@exercise(
    "paired_interval",
    wrong=[_two_intervals, _deviation, _population, _without_sign, _second_first],
)
def check_paired_interval(answer: Answer) -> None:
    """Mean of differences seed by seed, and half of its interval."""
    hint = "Subtract seed by seed first; then t times the standard deviation over the root of n."
    answer.gives([80.0, 70.0], [78.0, 66.0], 12.706, expected=(3.0, 12.706), hint=hint)
    answer.gives([50.0, 60.0, 70.0], [49.0, 59.0, 69.0], 4.303, expected=(1.0, 0.0), hint=hint)
    expected = (2.0, 3.182 * math.sqrt(2 / 3) / 2)
    answer.gives([1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 1.0, 1.0], 3.182, expected=expected, hint=hint)
    expected = (-4.0, 4.303 * math.sqrt(4 / 3))  # a loss keeps its sign
    answer.gives([90.0, 89.0, 91.0], [94.0, 95.0, 93.0], 4.303, expected=expected, hint=hint)


_report = partial(example_report, "together", "alone", [60.0, 62.0, 61.0])


@exercise(
    "tags_in_company",
    wrong=[
        _report(2.0, True),
        _report(-2.0, True),
        _report(-2.0, False) | {"mean": 2.0},
        _report(2.0, False) | {"half_width": 1.0},
        _report(2.0, False) | {"half_width": 0.577},
        _report(2.0, False) | {"shown": "no"},
        _report(20.0, False) | {"together": [60.0] * 3, "alone": [50.0] * 3},
        _report(2.0, False) | {"together": [60.0, 61.0], "alone": [50.0, 52.0]},
        _report(0.02, False) | {"together": [0.60, 0.62, 0.61], "alone": [0.59, 0.60, 0.58]},
        {key: value for key, value in _report(2.0, False).items() if key != "shown"},
        2.0,
    ],
)
def check_tags_in_company(answer: Answer) -> None:
    """F1 of entities with two other tasks in the sum and without, three seeds each."""
    differences = require_paired_report(answer, "together", "alone", runs=3)
    require_percent(answer, ("together", "alone"), "F1")
    require_verdict(answer, differences)
