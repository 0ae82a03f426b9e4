"""Checks of the exercises of chapter 06."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_loss_per_text",
    "check_paired_interval",
    "check_size_ratio",
    "check_soft_alignment",
]

Scores = Sequence[float]


def _per_label(losses: Tensor, labels: Tensor) -> Tensor:
    return losses[labels != -100].mean()


def _per_row(losses: Tensor, labels: Tensor) -> Tensor:
    return (losses * (labels != -100)).sum() / len(labels)


def _not_a_number(losses: Tensor, labels: Tensor) -> Tensor:
    known = labels != -100
    return (losses * known).sum() / known.any(1).sum()


def _missing_counted(losses: Tensor, labels: Tensor) -> Tensor:
    return losses.sum() / (labels != -100).any(1).sum().clamp(min=1)


@exercise("loss_per_text", wrong=[_per_label, _per_row, _not_a_number, _missing_counted])
def check_loss_per_text(answer: Answer) -> None:
    """The loss of a task with missing labels, per text that has any."""
    hint = "Sum the losses where there is a label; divide by the texts that have one, or by 1."
    losses = torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0], [64.0, 128.0, 256.0]])
    labels = torch.tensor([[0, 1, -100], [-100, -100, -100], [2, -100, -100]])
    answer.gives(losses, labels, expected=(1 + 2 + 64) / 2, hint=hint)
    answer.gives(losses[:1], labels[:1], expected=3.0, hint=hint)
    answer.gives(losses[1:2], labels[1:2], expected=0.0, hint=hint)


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
    """What each token finds in the other text, with M the identity."""
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


def _number_of_tasks(encoder: int, heads: Sequence[int]) -> float:
    return len(heads)


def _inverted(encoder: int, heads: Sequence[int]) -> float:
    return (encoder + sum(heads)) / (len(heads) * encoder + sum(heads))


def _heads_copied(encoder: int, heads: Sequence[int]) -> float:
    return len(heads) * (encoder + sum(heads)) / (encoder + sum(heads))


@exercise("size_ratio", wrong=[_number_of_tasks, _inverted, _heads_copied])
def check_size_ratio(answer: Answer) -> None:
    """How many times as large separate models are."""
    hint = "Each separate model has an encoder and its own head; the joint one has all heads."
    for encoder, heads in ((100, [10, 20, 30]), (1, [1]), (5, [100, 100])):
        expected = (len(heads) * encoder + sum(heads)) / (encoder + sum(heads))
        answer.gives(encoder, heads, expected=expected, hint=hint)


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


@exercise("paired_interval", wrong=[_two_intervals, _deviation, _population])
def check_paired_interval(answer: Answer) -> None:
    """Mean of differences seed by seed, and half of its interval."""
    hint = "Subtract seed by seed first; then t times the standard deviation over the root of n."
    answer.gives([80.0, 70.0], [78.0, 66.0], 12.706, expected=(3.0, 12.706), hint=hint)
    answer.gives([50.0, 60.0, 70.0], [49.0, 59.0, 69.0], 4.303, expected=(1.0, 0.0), hint=hint)
    expected = (2.0, 3.182 * math.sqrt(2 / 3) / 2)
    answer.gives([1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 1.0, 1.0], 3.182, expected=expected, hint=hint)
