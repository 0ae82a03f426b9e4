"""Checks of the exercises of chapter 19."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_alike",
    "check_code_bits",
    "check_path_attribution",
    "check_without_direction",
]

Gradient = Callable[[Tensor], Tensor]


def _draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _gradient_at_the_end(gradient: Gradient, start: Tensor, end: Tensor, steps: int) -> Tensor:
    return (end - start) * gradient(end)


def _without_difference(gradient: Gradient, start: Tensor, end: Tensor, steps: int) -> Tensor:
    points = [start + (step + 0.5) / steps * (end - start) for step in range(steps)]
    return torch.stack([gradient(point) for point in points]).mean(0)


def _left_ends(gradient: Gradient, start: Tensor, end: Tensor, steps: int) -> Tensor:
    points = [start + step / steps * (end - start) for step in range(steps)]
    return (end - start) * torch.stack([gradient(point) for point in points]).mean(0)


@exercise("path_attribution", wrong=[_gradient_at_the_end, _without_difference, _left_ends])
def check_path_attribution(answer: Answer) -> None:
    """Integrated gradients of a function whose gradient is given, by midpoints."""
    hint = "Average the gradient at the middles of the steps, and multiply by the way that is gone."
    for steps in (1, 2, 5):
        start, end = _draw(4, seed=steps), _draw(4, seed=steps + 1)
        middles = [start + (2 * n + 1) / (2 * steps) * (end - start) for n in range(steps)]
        expected = sum(((end - start) * 3 * x**2 / steps for x in middles), torch.zeros(4))
        answer.gives(lambda x: 3 * x**2, start, end, steps, expected=expected, hint=hint)


def _not_centred(x: Tensor, y: Tensor) -> Tensor:
    return (y.T @ x).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm())


def _without_square(x: Tensor, y: Tensor) -> Tensor:
    x, y = x - x.mean(0), y - y.mean(0)
    return (y.T @ x).norm() / ((x.T @ x).norm() * (y.T @ y).norm()) ** 0.5


def _centred_by_rows(x: Tensor, y: Tensor) -> Tensor:
    return _not_centred(x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True))


@exercise("alike", wrong=[_not_centred, _without_square, _centred_by_rows])
def check_alike(answer: Answer) -> None:
    """Linear CKA of two representations of the same words."""
    hint = "Take the mean of each column out, then 19.4 with Frobenius norms."
    for rows, seed in ((6, 0), (9, 1)):
        x, y = _draw(rows, 3, seed=seed) + 2, _draw(rows, 4, seed=seed + 5)
        h = torch.eye(rows, dtype=torch.float64) - 1 / rows
        k, m = h @ x @ x.T @ h, h @ y @ y.T @ h
        expected = (k * m).sum() / ((k * k).sum() * (m * m).sum()).sqrt()
        answer.gives(x, y, expected=float(expected), hint=hint)


def _in_nats(first: int, labels: int, likely: Sequence[float]) -> float:
    return first * math.log(labels) - sum(math.log(p) for p in likely)


def _without_first(first: int, labels: int, likely: Sequence[float]) -> float:
    return -sum(math.log2(p) for p in likely)


def _mean_instead(first: int, labels: int, likely: Sequence[float]) -> float:
    bits = [math.log2(labels)] * first + [-math.log2(p) for p in likely]
    return sum(bits) / len(bits)


@exercise("code_bits", wrong=[_in_nats, _without_first, _mean_instead])
def check_code_bits(answer: Answer) -> None:
    """How many bits an online code takes."""
    hint = "The first labels cost log2 of the number of labels each, the others minus log2 of p."
    for first, labels, likely in ((2, 4, (0.5, 0.25)), (1, 3, (0.9,)), (3, 2, (1.0, 0.125, 0.5))):
        expected = first * math.log2(labels) - math.log2(math.prod(likely))
        answer.gives(first, labels, likely, expected=expected, hint=hint)


def _only_length(states: Tensor, direction: Tensor) -> Tensor:
    return states - states @ direction[:, None] * direction


def _direction_alone(states: Tensor, direction: Tensor) -> Tensor:
    return states - direction / direction.norm()


def _kept_instead(states: Tensor, direction: Tensor) -> Tensor:
    unit = direction / direction.norm()
    return torch.outer(states @ unit, unit)


@exercise("without_direction", wrong=[_only_length, _direction_alone, _kept_instead])
def check_without_direction(answer: Answer) -> None:
    """States without their part along one direction."""
    hint = "Divide the direction by its length; what remains has no product with it."
    for rows, width in ((1, 2), (4, 3), (5, 6)):
        states, direction = _draw(rows, width), 2 * _draw(width, seed=9)
        expected = states @ (
            torch.eye(width, dtype=torch.float64)
            - torch.outer(direction, direction) / direction.square().sum()
        )
        answer.gives(states, direction, expected=expected, hint=hint)
