"""Checks of the exercises of chapter 10."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import torch
from torch import Tensor

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_chance_of_first",
    "check_experts_in_use",
    "check_join_additions",
    "check_read_mixed_rows",
]

Pair = tuple[Tensor, Tensor]


def _drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _shares(choices: Sequence[int]) -> list[float]:
    return [list(choices).count(expert) / len(choices) for expert in set(choices)]


def _entropy(choices: Sequence[int]) -> float:
    return -sum(share * math.log(share) for share in _shares(choices))


def _two_to_the_nats(choices: Sequence[int]) -> float:
    return float(2 ** _entropy(choices))


def _ever_chosen(choices: Sequence[int]) -> int:
    return len(set(choices))


def _of_squares(choices: Sequence[int]) -> float:
    return 1 / sum(share**2 for share in _shares(choices))


@exercise("experts_in_use", wrong=[_entropy, _two_to_the_nats, _ever_chosen, _of_squares])
def check_experts_in_use(answer: Answer) -> None:
    """The exponential of the entropy of the shares of the choices."""
    hint = "An expert that is never chosen adds nothing: p log p goes to 0. Logarithms are natural."
    answer.gives([0, 1, 2, 3], expected=4.0, hint=hint)
    answer.gives([5, 5, 5], expected=1.0, hint=hint)
    # 1/2, 1/4, 1/4: by Shannon's rule 1.5 bits
    answer.gives([7, 7, 2, 4], expected=2.0**1.5, hint=hint)
    # 3/4 and 1/4: the weighted geometric mean of one over the shares
    answer.gives([1, 1, 1, 0], expected=(4 / 3) ** 0.75 * 4**0.25, hint=hint)


def _one_noise(first: float, second: float, spread: float) -> float:
    return NormalDist().cdf((first - second) / spread)


def _twice_the_spread(first: float, second: float, spread: float) -> float:
    return NormalDist().cdf((first - second) / (2 * spread))


def _softmax(first: float, second: float, spread: float) -> float:
    return 1 / (1 + math.exp((second - first) / spread))


@exercise("chance_of_first", wrong=[_one_noise, _twice_the_spread, _softmax])
def check_chance_of_first(answer: Answer) -> None:
    """How likely the first of two logits is the greater once noise was added to both."""
    hint = "The difference of two independent normal numbers is normal. What is its variance?"
    answer.gives(1.3, 1.3, 0.7, expected=0.5, hint=hint)
    for first, second, spread in ((1.0, 0.0, 1.0), (0.0, 2.0, 0.5), (3.0, 0.0, 30.0)):
        # erf, whose argument has a root of two of its own
        expected = 0.5 * (1 + math.erf((first - second) / (2 * spread)))
        answer.gives(first, second, spread, expected=expected, hint=hint)


def _means(weights: Sequence[float], additions: Sequence[Pair]) -> Pair:
    inner = sum(w * a for w, (a, _) in zip(weights, additions, strict=True))
    outer = sum(w * b for w, (_, b) in zip(weights, additions, strict=True))
    return inner, outer  # type: ignore[return-value]


def _both_weighted(weights: Sequence[float], additions: Sequence[Pair]) -> Pair:
    inner = torch.cat([w * a for w, (a, _) in zip(weights, additions, strict=True)])
    return inner, torch.cat([w * b for w, (_, b) in zip(weights, additions, strict=True)], 1)


def _unweighted(weights: Sequence[float], additions: Sequence[Pair]) -> Pair:
    return torch.cat([a for a, _ in additions]), torch.cat([b for _, b in additions], 1)


@exercise("join_additions", wrong=[_means, _both_weighted, _unweighted])
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
    inner, outer = (torch.as_tensor(part) for part in found)
    shapes = f"A {list(inner.shape)} and B {list(outer.shape)}"
    fits = inner.shape == (rank, 5) and outer.shape == (4, rank)
    answer.require(fits, f"expected A [{rank}, 5] and B [4, {rank}], got {shapes}.", hint)
    close = torch.allclose(outer.float() @ inner.float(), expected, rtol=1e-4, atol=1e-4)
    answer.require(close, "B A is not the weighted sum of the products.", hint)


def _first_for_all(
    hidden: Tensor, inner: Tensor, outer: Tensor, which: Sequence[int], scale: float
) -> Tensor:
    return scale * hidden @ inner[which[0]].T @ outer[which[0]].T


def _by_place(
    hidden: Tensor, inner: Tensor, outer: Tensor, which: Sequence[int], scale: float
) -> Tensor:
    places = [row % len(inner) for row in range(len(which))]
    rows = [h @ inner[k].T @ outer[k].T for h, k in zip(hidden, places, strict=True)]
    return scale * torch.stack(rows)


def _without_scale(
    hidden: Tensor, inner: Tensor, outer: Tensor, which: Sequence[int], scale: float
) -> Tensor:
    return torch.stack([h @ inner[k].T @ outer[k].T for h, k in zip(hidden, which, strict=True)])


@exercise("read_mixed_rows", wrong=[_first_for_all, _by_place, _without_scale])
def check_read_mixed_rows(answer: Answer) -> None:
    """What low-rank additions add to rows of a batch that belong to different tasks."""
    hint = "Pick the factors of each row's task first; then one product over all rows."
    inner, outer = _drawn(3, 2, 6), _drawn(3, 5, 2, seed=1)  # [K, R, n] and [K, m, R]
    for which, scale in (([2, 0, 0, 1], 2.0), ([1, 1], 0.5)):
        hidden = _drawn(len(which), 4, 6, seed=len(which))
        expected = torch.zeros(len(which), 4, 5)
        for row, task in enumerate(which):
            for token in range(4):
                expected[row, token] = scale * outer[task] @ (inner[task] @ hidden[row, token])
        answer.gives(hidden, inner, outer, which, scale, expected=expected, hint=hint)
