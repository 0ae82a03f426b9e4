"""Checks of the exercises of chapter 05."""

from __future__ import annotations

import torch
from torch import Tensor

from mtl_utils.exercises.checking import Answer, exercise
from mtl_utils.nn import SinusoidalPositions, TransformerStack

__all__ = [
    "check_merge_parts",
    "check_shift_position",
    "check_split_heads",
    "check_stack_size",
]


def _not_transposed(states: Tensor, num_heads: int) -> Tensor:
    return states.view(len(states), num_heads, states.shape[1], -1)


def _interleaved(states: Tensor, num_heads: int) -> Tensor:
    return states.unflatten(-1, (-1, num_heads)).permute(0, 3, 1, 2)


def _positions_first(states: Tensor, num_heads: int) -> Tensor:
    return states.unflatten(-1, (num_heads, -1))


@exercise("split_heads", wrong=[_not_transposed, _interleaved, _positions_first])
def check_split_heads(answer: Answer) -> None:
    """States divided among heads."""
    states = torch.arange(2 * 3 * 4.0).view(2, 3, 4)
    hint = "Cut the last dimension into H parts, then move that new dimension before T."
    for num_heads in (1, 2, 4):
        expected = torch.stack(states.chunk(num_heads, dim=-1), dim=1)
        answer.gives(states, num_heads, expected=expected, hint=hint)


def _backwards(position: Tensor, k: int) -> Tensor:
    return _turned(position, -k, len(position))


def _one_speed(position: Tensor, k: int) -> Tensor:
    sine, cosine = position[0::2], position[1::2]
    angle = torch.tensor(float(k))
    both = [sine * angle.cos() + cosine * angle.sin(), cosine * angle.cos() - sine * angle.sin()]
    return torch.stack(both, dim=-1).flatten()


def _half_the_width(position: Tensor, k: int) -> Tensor:
    return _turned(position, k, len(position) // 2)


def _turned(position: Tensor, k: int, width: int) -> Tensor:
    angle = k * 10000 ** (-torch.arange(0, len(position), 2) / width)
    sine, cosine = position[0::2], position[1::2]
    both = [sine * angle.cos() + cosine * angle.sin(), cosine * angle.cos() - sine * angle.sin()]
    return torch.stack(both, dim=-1).flatten()


@exercise("shift_position", wrong=[_backwards, _one_speed, _half_the_width])
def check_shift_position(answer: Answer) -> None:
    """The sinusoids of a later position, from those of an earlier one."""
    table = SinusoidalPositions(8, 60)(60)
    hint = "Turn each pair (sine, cosine) by k times its own angle."
    for start, k in ((0, 1), (5, 3), (20, 39), (7, 0)):
        answer.gives(table[start], k, expected=table[start + k], hint=hint)


def _without_biases(width: int, num_layers: int, feedforward_width: int) -> int:
    return num_layers * (4 * width**2 + 2 * width * feedforward_width + 4 * width) + 2 * width


def _without_the_last(width: int, num_layers: int, feedforward_width: int) -> int:
    return _size(width, num_layers, feedforward_width) - 2 * width


def _with_one_norm(width: int, num_layers: int, feedforward_width: int) -> int:
    return _size(width, num_layers, feedforward_width) - num_layers * 2 * width


def _size(width: int, num_layers: int, feedforward_width: int) -> int:
    stack = TransformerStack(width, num_layers, 1, feedforward_width)
    return sum(parameter.numel() for parameter in stack.parameters())


@exercise("stack_size", wrong=[_without_biases, _without_the_last, _with_one_norm])
def check_stack_size(answer: Answer) -> None:
    """The number of parameters of an encoder without embeddings."""
    hint = "A linear layer from m to n has m n + n; a normalisation has a gain and a shift."
    for sizes in ((4, 1, 8), (6, 3, 10), (64, 2, 256)):
        answer.gives(*sizes, expected=_size(*sizes), hint=hint)


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
        answer.gives(*parts, expected=scores.softmax(0) @ values, hint=hint)
