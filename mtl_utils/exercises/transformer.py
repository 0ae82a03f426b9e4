"""Checks of the exercises of chapter 05."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtl_utils.exercises.checking import Answer, exercise
from mtl_utils.exercises.paired import require_paired_report
from mtl_utils.nn import SinusoidalPositions

__all__ = [
    "check_attention_by_hand",
    "check_merge_parts",
    "check_previous_position",
    "check_warmup_helps",
]

BY_HAND = {"weights": [0.75, 0.25, 0.0], "found": [6.0, 1.0], "undivided": [0.9, 0.1, 0.0]}
HINTS = {
    "weights": "Divide by the root of 4; padding has weight 0; the rest, as 3 to 1, sums to one.",
    "found": "The average of the values, with the weights.",
    "undivided": "As before, with the dot products as they are.",
}


@exercise(
    "attention_by_hand",
    wrong=[
        BY_HAND | {"weights": BY_HAND["undivided"], "found": [7.2, 0.4]},
        BY_HAND | {"weights": [0.02, 0.007, 0.973]},
        BY_HAND | {"weights": [0.75, 0.25]},
        BY_HAND | {"weights": [3, 1, 0]},
        BY_HAND | {"found": [[6.0, 0.0], [0.0, 1.0]]},
        BY_HAND | {"undivided": [0.75, 0.25, 0.0]},
        BY_HAND | {"undivided": [float("nan")] * 3},
        BY_HAND | {"undivided": "0.9"},
        list(BY_HAND.values()),
    ],
)
def check_attention_by_hand(answer: Answer) -> None:
    """Weights and what they find, worked by hand, scaled and not."""
    given = answer.value
    if not isinstance(given, Mapping) or set(BY_HAND) - set(given):
        answer.fail(f"Expected a dictionary with the keys {list(BY_HAND)}.")
    for key, expected in BY_HAND.items():
        found = _numbers(answer, key, Answer(given[key]).value, (len(expected),))
        for place, (ours, right) in enumerate(zip(found, expected, strict=True)):
            if not abs(ours - right) <= 0.006:
                answer.fail(f"Number {place + 1} of {key!r} is not {ours:g}.", HINTS[key])


def _numbers(answer: Answer, key: str, value: Any, shape: tuple[int, ...]) -> Any:
    """Read numbers from a list, tensor or array of a shape."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().double().numpy()
    try:
        found = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        answer.fail(f"{key!r} must be numbers of the shape {list(shape)}.")
    if found.shape != shape:
        answer.fail(f"{key!r} has the shape {list(found.shape)}, expected {list(shape)}.")
    if not np.isfinite(found).all():
        answer.fail(f"{key!r} holds a number that is not finite.")
    return found


def _mean(found_a: Tensor, log_sum_a: Tensor, found_b: Tensor, log_sum_b: Tensor) -> Tensor:
    return (found_a + found_b) / 2


def _by_logarithms(
    found_a: Tensor, log_sum_a: Tensor, found_b: Tensor, log_sum_b: Tensor
) -> Tensor:
    return (log_sum_a * found_a + log_sum_b * found_b) / (log_sum_a + log_sum_b)


def _overflowing(found_a: Tensor, log_sum_a: Tensor, found_b: Tensor, log_sum_b: Tensor) -> Tensor:
    a, b = log_sum_a.exp(), log_sum_b.exp()
    return (a * found_a + b * found_b) / (a + b)


@exercise("merge_parts", wrong=[_mean, _by_logarithms, _overflowing])
def check_merge_parts(answer: Answer) -> None:
    """Attention to a whole memory, from attention to its two parts."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(5, 3, generator=generator)
    for cut, size in ((2, 1.0), (4, 1.0), (1, 300.0)):
        scores = size * torch.randn(5, generator=generator)
        parts = [
            part
            for s, v in zip(scores.split([cut, 5 - cut]), values.split([cut, 5 - cut]), strict=True)
            for part in (s.softmax(0) @ v, s.logsumexp(0))
        ]
        hint = "Weigh each part by its share of the sum; subtract before you take exp."
        answer.gives(*parts, expected=(scores.softmax(0) @ values).tolist(), hint=hint)


def _looking_back(sign: int, factor: float) -> Tensor:
    """A matrix by which the score of u for t is greatest at t = u - sign."""
    angles = sign * 10000 ** (-torch.arange(0, 32, 2) / 32)
    turns = [
        torch.stack([torch.stack([a.cos(), a.sin()]), torch.stack([-a.sin(), a.cos()])])
        for a in angles
    ]
    return factor * torch.block_diag(*turns)


@exercise(
    "previous_position",
    wrong=[
        _looking_back(-1, 50.0),
        _looking_back(1, 1.0),
        50 * torch.eye(32),
        torch.zeros(32, 32),
        torch.full((32, 32), torch.nan),
        torch.eye(16),
        50.0,
        "back",
    ],
)
def check_previous_position(answer: Answer) -> None:
    """A matrix between sinusoids by which each position looks at the one before it."""
    matrix = _numbers(answer, "A", answer.value, (32, 32))
    table = SinusoidalPositions(32, 50)(50).double().numpy()
    scores = torch.as_tensor(table @ matrix @ table.T / math.sqrt(32))
    weights = scores.softmax(-1)
    for position in range(1, 50):
        place, weight = int(weights[position].argmax()), float(weights[position, position - 1])
        if place != position - 1:
            hint = "Turn one of the two back by one position, as in equation 5.6."
            where = f"Position {position} looks most at {place}, not at {position - 1}."
            answer.fail(where, hint)
        if weight < 0.9:
            hint = "The direction is right. What made the lookup table sharper?"
            answer.fail(f"Position {position} gives {weight:.2f} to the one before it.", hint)


WARM, COLD = [106.4, 104.2, 106.5], [79.8, 104.1, 105.9]


def _reported(mean: float, half_width: float) -> dict[str, Any]:
    return {"warmup": WARM, "none": COLD, "mean": mean, "half_width": half_width}


@exercise(
    "warmup_helps",
    wrong=[
        _reported(-9.1, 37.65),
        _reported(9.1, 15.16),
        _reported(9.1, 8.75),
        {"warmup": WARM[:2], "none": COLD[:2], "mean": 13.35, "half_width": 168.4},
        {"warmup": [1.064, 1.042, 1.065], "none": [0.798, 1.041, 1.059], "mean": 0.091},
        {
            "warmup": [1.064, 1.042, 1.065],
            "none": [0.798, 1.041, 1.059],
            "mean": 0.091,
            "half_width": 0.377,
        },
        9.1,
    ],
)
def check_warmup_helps(answer: Answer) -> None:
    """Losses with warm-up and without, three seeds each, and the interval of the difference."""
    require_paired_report(answer, "warmup", "none", runs=3)
    losses = [float(value) for key in ("warmup", "none") for value in answer.value[key]]
    hint = "A loss of one nat is 100 hundredths."
    answer.require(min(losses) > 5, f"A loss of {min(losses):g} is not in hundredths.", hint)
