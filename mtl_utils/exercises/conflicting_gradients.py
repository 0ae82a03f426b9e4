"""Checks of the exercises of chapter 13."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_equal_projections",
    "check_first_order_changes",
    "check_keeps_positive",
    "check_nash_residual",
]


def _jacobian(tasks: int, parameters: int, seed: int = 0) -> Tensor:
    return torch.randn(tasks, parameters, generator=torch.Generator().manual_seed(seed))


def _without_sign(jacobian: Tensor, direction: Tensor, step: float) -> Tensor:
    return step * jacobian @ direction


def _cosines_instead(jacobian: Tensor, direction: Tensor, step: float) -> Tensor:
    return -step * torch.cosine_similarity(jacobian, direction[None], dim=1)


def _without_step(jacobian: Tensor, direction: Tensor, step: float) -> Tensor:
    return -jacobian @ direction


@exercise("first_order_changes", wrong=[_without_sign, _cosines_instead, _without_step])
def check_first_order_changes(answer: Answer) -> None:
    """By how much a step against a direction changes each loss, to first order."""
    hint = "A step is θ - step · d, and a loss changes by its gradient times the change of θ."
    for tasks, parameters, step in ((2, 3, 0.1), (3, 5, 0.5), (1, 2, 0.01)):
        jacobian, direction = _jacobian(tasks, parameters), _jacobian(1, parameters, 1)[0]
        expected = [-step * float((row * direction).sum()) for row in jacobian]
        answer.gives(jacobian, direction, step, expected=expected, hint=hint)


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


def _signed(gram: Tensor, weights: Tensor) -> Tensor:
    return (weights * (gram @ weights) - 1).max()


def _of_the_mean(gram: Tensor, weights: Tensor) -> Tensor:
    return (weights * (gram @ weights) - 1).abs().mean()


def _of_inverses(gram: Tensor, weights: Tensor) -> Tensor:
    return (gram @ weights - 1).abs().max()


@exercise("nash_residual", wrong=[_signed, _of_the_mean, _of_inverses])
def check_nash_residual(answer: Answer) -> None:
    """How far weights are from the bargain, at worst."""
    hint = "For every task w_k (G w)_k should be 1. Take the greatest distance from it."
    gram = torch.tensor([[9.0, -1.5], [-1.5, 1.0]])
    root = math.sqrt(2)
    answer.gives(gram, torch.tensor([root / 3, root]), expected=0.0, hint=hint)
    answer.gives(gram, torch.tensor([0.1, 0.2]), expected=0.99, hint=hint)
    for tasks in (2, 4):
        jacobian, weights = _jacobian(tasks, 6), _jacobian(1, tasks, 2)[0].abs() / 3
        made = jacobian @ jacobian.T
        rows = [sum(float(g) * float(w) for g, w in zip(row, weights, strict=True)) for row in made]
        off = [abs(float(w) * row - 1) for w, row in zip(weights, rows, strict=True)]
        answer.gives(made, weights, expected=max(off), hint=hint)
