"""Checks of the exercises of chapter 10."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

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
    "check_chance_of_first",
    "check_collapse_costs",
    "check_gates_by_hand",
    "check_join_additions",
]

Pair = tuple[Tensor, Tensor]

BY_HAND: dict[str, float | list[float]] = {
    "sparse": [2 / 3, 1 / 3, 0.0, 0.0],
    "mixture": 4.0,
    "penalty": 0.25,
    "in_use": 2 * math.sqrt(2),
    "added": [6.0, 14.0, 4.0],
}

_HINTS = {
    "sparse": "Equation 10.4: what is left out never enters the softmax.",
    "mixture": "The weighted mean of what the experts make, with the weights of the sparse gate.",
    "penalty": (
        "Equation 10.5: shares of the choices add up to 1, the mean weights are those that none "
        "was left out of, and each of the two tasks adds the penalty."
    ),
    "in_use": "The shares of the choices again, their entropy in nats, and its exponential.",
    "added": "From right to left: A first, then B, then the factor of equation 10.9.",
}


@exercise(
    "gates_by_hand",
    wrong=[
        {**BY_HAND, "sparse": [1 / 2, 1 / 4, 0, 0]},
        {**BY_HAND, "sparse": [1 / 2, 1 / 4, 1 / 8, 1 / 8]},
        {**BY_HAND, "sparse": [2 / 3, 1 / 3]},
        {**BY_HAND, "mixture": 7},
        {**BY_HAND, "mixture": 3},
        {**BY_HAND, "mixture": "4"},
        {**BY_HAND, "penalty": 0.125},
        {**BY_HAND, "penalty": 0.0625},
        {**BY_HAND, "penalty": 0.5},
        {**BY_HAND, "penalty": 0.3},
        {**BY_HAND, "in_use": 3},
        {**BY_HAND, "in_use": 1.5 * math.log(2)},
        {**BY_HAND, "in_use": 8 / 3},
        {**BY_HAND, "added": [12, 28, 8]},
        {**BY_HAND, "added": [3, 7, 2]},
        {**BY_HAND, "added": [6, 14]},
        {key: BY_HAND[key] for key in ("sparse", "mixture")},
        [2 / 3, 1 / 3, 0, 0],
    ],
)
def check_gates_by_hand(answer: Answer) -> None:
    """A sparse gate, its penalty, the experts in use and a low-rank addition, worked by hand."""
    require_by_hand(answer, BY_HAND, _HINTS)


def _one_noise(first: float, second: float, spread: float) -> float:
    return NormalDist().cdf((first - second) / spread)


def _twice_the_spread(first: float, second: float, spread: float) -> float:
    return NormalDist().cdf((first - second) / (2 * spread))


def _softmax(first: float, second: float, spread: float) -> float:
    return 1 / (1 + math.exp((second - first) / spread))


def _other_way(first: float, second: float, spread: float) -> float:
    return NormalDist().cdf((second - first) / (spread * math.sqrt(2)))


def _without_noise(first: float, second: float, spread: float) -> float:
    return 0.5 if first == second else float(first > second)


@exercise(
    "chance_of_first",
    wrong=[_one_noise, _twice_the_spread, _softmax, _other_way, _without_noise],
)
def check_chance_of_first(answer: Answer) -> None:
    """How likely the first of two logits is the greater once noise was added to both."""
    hint = "The difference of two independent normal numbers is normal. What is its variance?"
    answer.gives(1.3, 1.3, 0.7, expected=0.5, hint=hint)
    for first, second, spread in ((1.0, 0.0, 1.0), (0.0, 2.0, 0.5), (3.0, 0.0, 30.0)):
        # erf, whose argument has a root of two of its own
        expected = 0.5 * (1 + math.erf((first - second) / (2 * spread)))
        answer.gives(first, second, spread, expected=expected, hint=hint)


@exercise(
    "collapse_costs",
    wrong=wrong_reports("balanced", "alone", [45.0, 38.0, 42.0], 4.0),
)
def check_collapse_costs(answer: Answer) -> None:
    """Events of gates that are balanced and of gates that are left alone, and what that shows."""
    differences = require_paired_report(answer, "balanced", "alone", runs=3)
    require_percent(answer, ("balanced", "alone"), "Accuracies")
    require_verdict(answer, differences)


def _drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _means(weights: Sequence[float], additions: Sequence[Pair]) -> Pair:
    inner = sum(w * a for w, (a, _) in zip(weights, additions, strict=True))
    outer = sum(w * b for w, (_, b) in zip(weights, additions, strict=True))
    return inner, outer  # type: ignore[return-value]


def _both_weighted(weights: Sequence[float], additions: Sequence[Pair]) -> Pair:
    inner = torch.cat([w * a for w, (a, _) in zip(weights, additions, strict=True)])
    return inner, torch.cat([w * b for w, (_, b) in zip(weights, additions, strict=True)], 1)


def _unweighted(weights: Sequence[float], additions: Sequence[Pair]) -> Pair:
    return torch.cat([a for a, _ in additions]), torch.cat([b for _, b in additions], 1)


def _in_another_order(weights: Sequence[float], additions: Sequence[Pair]) -> Pair:
    inner = torch.cat([a for a, _ in reversed(additions)])
    return inner, torch.cat([w * b for w, (_, b) in zip(weights, additions, strict=True)], 1)


def _no_matrices(weights: Sequence[float], additions: Sequence[Pair]) -> tuple[str, str]:
    return "A", "B"


@exercise(
    "join_additions",
    wrong=[_means, _both_weighted, _unweighted, _in_another_order, _no_matrices],
)
def check_join_additions(answer: Answer) -> None:
    """One pair of factors whose product is the weighted sum of several products."""
    hint = "Stack the A above each other and the B side by side; ranks add up."
    for ranks in ((2, 1), (1, 3, 2)):
        additions = [(_drawn(r, 5, seed=r), _drawn(4, r, seed=10 + r)) for r in ranks]
        weights = [0.5, -2.0, 3.0][: len(ranks)]
        found = answer(weights, additions)
        expected = torch.zeros(4, 5)
        for weight, (inner, outer) in zip(weights, additions, strict=True):
            for rank in range(len(inner)):
                expected += weight * torch.outer(outer[:, rank], inner[rank])
        _check_product(answer, found, expected, sum(ranks), hint)


def _check_product(answer: Answer, found: Any, expected: Tensor, rank: int, hint: str) -> None:
    pair = isinstance(found, list | tuple) and len(found) == 2
    answer.require(pair, f"expected a pair (A, B), got {type(found).__name__}.", hint)
    try:
        inner, outer = (torch.as_tensor(part) for part in found)
    except (TypeError, ValueError):
        answer.fail("A and B must be matrices of numbers.", hint)
    shapes = f"A {list(inner.shape)} and B {list(outer.shape)}"
    fits = inner.shape == (rank, 5) and outer.shape == (4, rank)
    answer.require(fits, f"expected A [{rank}, 5] and B [4, {rank}], got {shapes}.", hint)
    close = torch.allclose(outer.float() @ inner.float(), expected, rtol=1e-4, atol=1e-4)
    answer.require(close, "B A is not the weighted sum of the products.", hint)
