"""Checks of the exercises of chapter 04."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_expected_risk",
    "check_joint_loss",
    "check_own_past",
    "check_smoothed_target",
]


def _only_the_others(true_class: int, num_classes: int, smoothing: float) -> list[float]:
    target = [smoothing / (num_classes - 1)] * num_classes
    target[true_class] = 1 - smoothing
    return target


def _too_much(true_class: int, num_classes: int, smoothing: float) -> list[float]:
    target = [smoothing / num_classes] * num_classes
    target[true_class] = 1.0
    return target


def _too_little(true_class: int, num_classes: int, smoothing: float) -> list[float]:
    target = [smoothing / num_classes] * num_classes
    target[true_class] = 1 - smoothing
    return target


@exercise("smoothed_target", wrong=[_only_the_others, _too_much, _too_little])
def check_smoothed_target(answer: Answer) -> None:
    """The target distribution of label smoothing."""
    hint = "Every class gets smoothing / C, the true one as well, and the true one the rest."
    answer.gives(1, 4, 0.2, expected=[0.05, 0.85, 0.05, 0.05], hint=hint)
    answer.gives(0, 2, 0.1, expected=[0.95, 0.05], hint=hint)
    answer.gives(2, 3, 0.0, expected=[0.0, 0.0, 1.0], hint=hint)
    answer.gives(0, 5, 1.0, expected=[0.2] * 5, hint=hint)


def _itself_too(length: int) -> Tensor:
    return torch.ones(length, length).tril().bool()


def _future(length: int) -> Tensor:
    return torch.ones(length, length).triu(1).bool()


def _numbers(length: int) -> Tensor:
    return torch.ones(length, length).tril(-1).flip(0).bool()


def _not_boolean(length: int) -> Tensor:
    return torch.ones(length, length).tril(-1)


@exercise("own_past", wrong=[_itself_too, _future, _numbers, _not_boolean])
def check_own_past(answer: Answer) -> None:
    """The mask of self-attention to earlier states."""
    hint = "Position u looks at positions 0 to u - 1: not at itself, and the first at nothing."
    for length in (3, 1, 4):
        expected = torch.tensor([[v < u for v in range(length)] for u in range(length)])
        answer.gives(length, expected=expected, hint=hint)
    mask = answer(2)
    kind = getattr(mask, "dtype", type(mask).__name__)
    answer.require(kind == torch.bool, f"own_past(2): expected a boolean tensor, got {kind}")


def _unweighted(losses: Mapping[str, float], weights: Mapping[str, float]) -> float:
    return sum(losses.values())


def _mean(losses: Mapping[str, float], weights: Mapping[str, float]) -> float:
    return sum(weights[task] * loss for task, loss in losses.items()) / max(1, len(losses))


def _by_position(losses: Mapping[str, float], weights: Mapping[str, float]) -> float:
    return sum(w * loss for w, loss in zip(weights.values(), losses.values(), strict=False))


def _one_where_missing(losses: Mapping[str, float], weights: Mapping[str, float]) -> float:
    return sum(weights.get(task, 1.0) * loss for task, loss in losses.items())


@exercise("joint_loss", wrong=[_unweighted, _mean, _by_position, _one_where_missing])
def check_joint_loss(answer: Answer) -> None:
    """The weighted sum of the losses at hand."""
    weights = {"tags": 1.0, "translation": 0.5, "language": 0.25}
    hint = "Sum weight times loss over the tasks that have a loss, by name."
    losses = {"translation": 4.0, "tags": 1.0, "language": 8.0}
    answer.gives(losses, weights, expected=5.0, hint=hint)
    answer.gives({"language": 8.0}, weights, expected=2.0, hint=hint)
    answer.gives({"language": 2.0, "tags": 3.0}, weights, expected=3.5, hint=hint)
    forgotten = "A task that was given no weight is a mistake, and a default would hide it."
    answer.refuses({"tags": 3.0}, {"language": 1.0}, error=KeyError, hint=forgotten)


def _not_renormalised(log_probs: Tensor, costs: Tensor, sharpness: float) -> Tensor:
    return ((sharpness * log_probs).exp() * costs).sum()


def _not_sharpened(log_probs: Tensor, costs: Tensor, sharpness: float) -> Tensor:
    return (log_probs.softmax(0) * costs).sum()


def _overflowing(log_probs: Tensor, costs: Tensor, sharpness: float) -> Tensor:
    weights = (sharpness * log_probs).exp()
    return (weights * costs).sum() / weights.sum()


def _best_only(log_probs: Tensor, costs: Tensor, sharpness: float) -> Tensor:
    return costs[log_probs.argmax()]


@exercise("expected_risk", wrong=[_not_renormalised, _not_sharpened, _overflowing, _best_only])
def check_expected_risk(answer: Answer) -> None:
    """The expected cost of candidates."""
    log_probs = torch.tensor([0.5, 0.2, 0.1]).log()
    costs = torch.tensor([0.0, 1.0, 0.5])
    hint = "Multiply log-probabilities by the sharpness, take their softmax, average the costs."
    for sharpness in (1.0, 2.0, 0.5):
        weights = torch.tensor([0.5, 0.2, 0.1]) ** sharpness
        expected = float((weights * costs).sum() / weights.sum())
        answer.gives(log_probs, costs, sharpness, expected=expected, hint=hint)
        far = "exp(-1000) is zero: let softmax see the logarithms."
        answer.gives(log_probs - 1000, costs, sharpness, expected=expected, hint=far)
