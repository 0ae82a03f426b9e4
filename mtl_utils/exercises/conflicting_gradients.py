"""Checks of the exercises of chapter 13."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mtl_utils.exercises.by_hand import require_by_hand
from mtl_utils.exercises.checking import Answer, exercise
from mtl_utils.exercises.paired import (
    example_report,
    require_paired_report,
    require_percent,
    require_verdict,
    wrong_reports,
)

__all__ = [
    "check_equal_projections",
    "check_keeps_positive",
    "check_louder_topics",
    "check_two_arrows",
]

BY_HAND: dict[str, Any] = {
    "plain": [-1.5, 0.5],
    "pcgrad": [1.0, 3.0],
    "surgery": [-0.5, -0.1],
    "mgda": [0.3, 0.7],
}
_HINTS = {
    "plain": "Equation 13.1: minus the step size times each gradient's product with the sum.",
    "pcgrad": "Each gradient loses its part along the other as that was given, then add the two.",
    "surgery": "As for the sum, with the direction of PCGrad in its place.",
    "mgda": "Equation 13.8; the difference of the two gradients is (7, -1).",
}


@exercise(
    "two_arrows",
    wrong=[
        BY_HAND | {"plain": [1.5, -0.5]},
        BY_HAND | {"plain": [-15.0, 5.0]},
        BY_HAND | {"plain": [-0.75, 0.25]},
        BY_HAND | {"plain": [-0.3, -0.1]},
        BY_HAND | {"pcgrad": [1.0, 2.0]},
        BY_HAND | {"pcgrad": [0.5, 1.5]},
        BY_HAND | {"pcgrad": [-1.0, 3.0]},
        BY_HAND | {"pcgrad": [[1.0, 2.0], [0.0, 1.0]]},
        BY_HAND | {"surgery": [-0.5, 0.1]},
        BY_HAND | {"surgery": [0.5, 0.1]},
        BY_HAND | {"mgda": [0.7, 0.3]},
        BY_HAND | {"mgda": [0.5, 0.5]},
        BY_HAND | {"mgda": [0.1, 0.7]},
        BY_HAND | {"mgda": 0.3},
        BY_HAND | {"mgda": ["0.3", "0.7"]},
        {key: value for key, value in BY_HAND.items() if key != "surgery"},
        [-1.5, 0.5],
    ],
)
def check_two_arrows(answer: Answer) -> None:
    """What a step does to two losses, PCGrad's direction and MGDA's weights, by hand."""
    require_by_hand(answer, BY_HAND, _HINTS)


def _jacobian(tasks: int, parameters: int, seed: int = 0) -> Tensor:
    return torch.randn(tasks, parameters, generator=torch.Generator().manual_seed(seed))


def _by_votes(jacobian: Tensor) -> Tensor:
    return (jacobian > 0).float().mean(0)


def _half_too_many(jacobian: Tensor) -> Tensor:
    return jacobian.sum(0) / jacobian.abs().sum(0)


def _over_parameters(jacobian: Tensor) -> Tensor:
    return (1 + jacobian.sum(1) / jacobian.abs().sum(1)) / 2


@exercise("keeps_positive", wrong=[_by_votes, _half_too_many, _over_parameters])
def check_keeps_positive(answer: Answer) -> None:
    """With which probability GradDrop keeps the positive parts, parameter by parameter."""
    hint = "Tasks vote with the size of their gradients: what is positive over all there is."
    given = torch.tensor([[3.0, 1.0, -2.0], [-1.0, 2.0, -2.0]])
    answer.gives(given, expected=[0.75, 1.0, 0.0], hint=hint)
    for tasks, parameters in ((3, 4), (4, 4), (2, 6)):
        jacobian = _jacobian(tasks, parameters)
        up = [sum(max(float(g), 0.0) for g in column) for column in jacobian.T]
        down = [sum(max(-float(g), 0.0) for g in column) for column in jacobian.T]
        expected = [u / (u + d) for u, d in zip(up, down, strict=True)]
        answer.gives(jacobian, expected=expected, hint=hint)


def _own_length(first: Tensor, second: Tensor) -> Tensor:
    return torch.stack([first.norm(), second.norm()]) / (first.norm() + second.norm())


def _no_sum_of_one(first: Tensor, second: Tensor) -> Tensor:
    return torch.stack([1 / first.norm(), 1 / second.norm()])


def _equal_weights(first: Tensor, second: Tensor) -> list[float]:
    return [0.5, 0.5]


@exercise("equal_projections", wrong=[_own_length, _no_sum_of_one, _equal_weights])
def check_equal_projections(answer: Answer) -> None:
    """The two weights of IMTL-G."""
    hint = "On the bisector both weighted gradients are equally long; then make w sum to 1."
    answer.gives(
        torch.tensor([3.0, 0.0]), torch.tensor([0.0, 1.0]), expected=[0.25, 0.75], hint=hint
    )
    for parameters in (2, 5):
        first, second = _jacobian(2, parameters, 3)
        first = 4 * first
        # From the condition itself, w first + (1 - w) second with equal projections: linear in w.
        apart = first / math.hypot(*first.tolist()) - second / math.hypot(*second.tolist())
        weight = float(-(second @ apart) / ((first - second) @ apart))
        answer.gives(first, second, expected=[weight, 1 - weight], tolerance=1e-4, hint=hint)


_report = partial(example_report, "nash", "sum", [22.0, 28.0, 28.5])


@exercise(
    "louder_topics",
    wrong=[
        *wrong_reports("nash", "sum", [22.0, 28.0, 28.5], 4.0),
        _report(8.0, True),
        _report(-4.0, False) | {"mean": 4.0},
        _report(4.0, False) | {"half_width": 4.303 * math.sqrt(8 / 9)},
    ],
)
def check_louder_topics(answer: Answer) -> None:
    """Events by a bargain and by the sum, beside a topic whose loss is ten times as loud."""
    differences = require_paired_report(answer, "nash", "sum", runs=3)
    require_percent(answer, ("nash", "sum"), "Accuracy")
    require_verdict(answer, differences)
