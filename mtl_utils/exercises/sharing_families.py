"""Checks of the exercises of chapter 08."""

from __future__ import annotations

import torch
from torch import Tensor

from mtl_utils.exercises.checking import Answer, exercise
from mtl_utils.sharing import orthogonality_penalty, squared_distance

__all__ = [
    "check_implicit_step",
    "check_shrink_singular_values",
    "check_spring_gradient",
    "check_states_overlap",
]


def _copies(num_tasks: int, seed: int = 0) -> Tensor:
    return torch.randn(num_tasks, 4, generator=torch.Generator().manual_seed(seed))


def _without_the_two(copies: Tensor, strength: float) -> Tensor:
    return strength * (copies - copies.mean(dim=0))


def _from_the_others(copies: Tensor, strength: float) -> Tensor:
    return 2 * strength * (len(copies) * copies - copies.sum(dim=0))


def _towards_zero(copies: Tensor, strength: float) -> Tensor:
    return 2 * strength * copies


@exercise("spring_gradient", wrong=[_without_the_two, _from_the_others, _towards_zero])
def check_spring_gradient(answer: Answer) -> None:
    """The gradient of the penalty on the distance from the mean."""
    hint = "A spring from each tower to the mean of all: twice the strength times the difference."
    for num_tasks, strength in ((2, 1.0), (3, 0.5), (4, 0.0)):
        copies = _copies(num_tasks).requires_grad_()
        (expected,) = torch.autograd.grad(strength * squared_distance(copies), copies)
        answer.gives(copies.detach(), strength, expected=expected, hint=hint)


def _with_padding(shared: Tensor, private: Tensor, mask: Tensor) -> Tensor:
    return (shared.transpose(1, 2) @ private).square().sum(dim=(1, 2))


def _between_tokens(shared: Tensor, private: Tensor, mask: Tensor) -> Tensor:
    shared, private = shared * mask.unsqueeze(-1), private * mask.unsqueeze(-1)
    return (shared[..., :2] @ private.transpose(1, 2)).square().sum(dim=(1, 2))


def _not_squared(shared: Tensor, private: Tensor, mask: Tensor) -> Tensor:
    return ((shared * mask.unsqueeze(-1)).transpose(1, 2) @ private).sum(dim=(1, 2))


@exercise("states_overlap", wrong=[_with_padding, _between_tokens, _not_squared])
def check_states_overlap(answer: Answer) -> None:
    """How much private states repeat shared ones."""
    generator = torch.Generator().manual_seed(0)
    shared, private = (torch.randn(2, 4, width, generator=generator) for width in (3, 2))
    hint = "Clear the padding; multiply over tokens, so that units meet units; sum the squares."
    for lengths in ((4, 4), (4, 2), (1, 3)):
        mask = torch.arange(4) < torch.tensor(lengths)[:, None]
        expected = orthogonality_penalty(shared, private, mask)
        answer.gives(shared, private, mask, expected=expected, hint=hint)


def _explicit(copies: Tensor, rate: float, strength: float) -> Tensor:
    return copies - 2 * rate * strength * (copies - copies.mean(dim=0))


def _mean_moves(copies: Tensor, rate: float, strength: float) -> Tensor:
    return copies / (1 + 2 * rate * strength)


def _half(copies: Tensor, rate: float, strength: float) -> Tensor:
    mean = copies.mean(dim=0)
    return mean + (copies - mean) / (1 + rate * strength)


@exercise("implicit_step", wrong=[_explicit, _mean_moves, _half])
def check_implicit_step(answer: Answer) -> None:
    """A step of the springs that is stable at any strength."""
    hint = "The mean stays where it is; put arrived = mean + c (copies - mean) in and solve for c."
    for num_tasks, rate, strength in ((2, 0.1, 1.0), (3, 0.5, 100.0), (2, 0.1, 0.0)):
        copies = _copies(num_tasks, seed=1)
        # Solved as a linear system: (I + 2 η λ (I - 1/K)) arrived = copies.
        spring = torch.eye(num_tasks) - 1 / num_tasks
        system = torch.eye(num_tasks) + 2 * rate * strength * spring
        expected = torch.linalg.solve(system, copies)
        answer.gives(copies, rate, strength, expected=expected, hint=hint)


def _below_zero(W: Tensor, threshold: float) -> Tensor:
    U, values, V = torch.linalg.svd(W, full_matrices=False)
    return U @ torch.diag(values - threshold) @ V


def _entries(W: Tensor, threshold: float) -> Tensor:
    return W.sign() * (W.abs() - threshold).clamp(min=0)


def _cut_off(W: Tensor, threshold: float) -> Tensor:
    U, values, V = torch.linalg.svd(W, full_matrices=False)
    return U @ torch.diag(values * (values > threshold)) @ V


@exercise("shrink_singular_values", wrong=[_below_zero, _entries, _cut_off])
def check_shrink_singular_values(answer: Answer) -> None:
    """The matrix that trades closeness for a small trace norm."""
    hint = "Lower each singular value by the threshold, no further than 0, and multiply again."
    left = torch.linalg.qr(_copies(2)[:, :2])[0]
    right = torch.linalg.qr(_copies(4, seed=2)[:, :2])[0].T
    for threshold, kept in ((0.5, (2.5, 0.5)), (2.0, (1.0, 0.0)), (0.0, (3.0, 1.0))):
        W = left @ torch.diag(torch.tensor([3.0, 1.0])) @ right
        expected = left @ torch.diag(torch.tensor(kept)) @ right
        answer.gives(W, threshold, expected=expected, hint=hint)
