"""Pooling: from the states of tokens to one vector a text, or a pair of texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_flag, check_kind, check_sizes, check_tensor, shown
from mtl_utils.data.batch import Inputs
from mtl_utils.nn.alignment import AlignedComparison

Pool = Callable[[Tensor, Inputs], Tensor]
"""From hidden states ``[B, T, D]`` and inputs to one vector a row."""


@dataclass(frozen=True)
class Pooling:
    """A way to pool.

    Args:
        pool: From hidden states ``[B, T, D]`` and inputs to one vector a row; or a class of modules
            that do so with parameters of their own, made with the width D, one for each head.
        factor: How many times D long the vector is.
        of_pairs: Whether inputs need segment ids.

    Raises:
        TypeError: If ``pool`` cannot be called, ``factor`` is no whole number or ``of_pairs`` no
            boolean.
        ValueError: If ``factor`` is below 1.
    """

    pool: Pool | type[torch_nn.Module]
    factor: int = 1
    of_pairs: bool = False

    def __post_init__(self) -> None:
        if not callable(self.pool):
            raise TypeError(f"pool must be a function of states and inputs, got {shown(self.pool)}")
        check_sizes(factor=self.factor)
        check_flag("of_pairs", self.of_pairs)

    def made(self, width: int) -> Pool:
        """Return what pools, for one head.

        Args:
            width: Size of the hidden states, D.

        Raises:
            TypeError: If it is no whole number.
            ValueError: If it is below 1.
        """
        check_sizes(width=width)
        return self.pool(width) if isinstance(self.pool, type) else self.pool


def first_state(hidden: Tensor, inputs: Inputs) -> Tensor:
    """Return the state of each row's first token (Devlin et al., 2019).

    Args:
        hidden: Hidden states ``[B, T, D]``.
        inputs: What they were computed from.

    Returns:
        ``[B, D]``, zero for a row without tokens.

    Raises:
        TypeError: If the states are no floating-point tensor, or the inputs none.
        ValueError: If the states are not one a token.
    """
    _check_states(hidden, inputs)
    return hidden[:, 0].masked_fill(~inputs.mask[:, :1], 0.0)


def mean_state(hidden: Tensor, inputs: Inputs) -> Tensor:
    """Return the mean state of each row's tokens: special tokens, and both texts of a pair.

    Args:
        hidden: Hidden states ``[B, T, D]``.
        inputs: What they were computed from.

    Returns:
        ``[B, D]``, zero for a row without tokens.

    Raises:
        TypeError: If the states are no floating-point tensor, or the inputs none.
        ValueError: If the states are not one a token.
    """
    _check_states(hidden, inputs)
    return _mean(hidden, inputs.mask)


def first_state_of_pair(hidden: Tensor, inputs: Inputs) -> Tensor:
    """Return the state of each pair's first token, which has seen both texts.

    Args:
        hidden: Hidden states ``[B, T, D]``.
        inputs: What they were computed from, with segment ids.

    Returns:
        ``[B, D]``, zero for a row without tokens.

    Raises:
        ValueError: If the inputs have no segment ids.
    """
    _segments(inputs)
    return first_state(hidden, inputs)


def compared_means(hidden: Tensor, inputs: Inputs) -> Tensor:
    r"""Compare the mean states of the two texts of each pair.

    .. math:: [u;\, v;\, |u - v|;\, u \odot v]

    with u the mean over segment 0 and v the mean over segment 1 (Mou et al., 2016; Conneau et al.,
    2017), special tokens included.

    Args:
        hidden: Hidden states ``[B, T, D]``.
        inputs: What they were computed from, with segment ids.

    Returns:
        ``[B, 4 D]``. The mean of a segment without tokens is zero.

    Raises:
        ValueError: If the inputs have no segment ids, or the states are not one a token.
        TypeError: If the states are no floating-point tensor, or the inputs none.
    """
    _check_states(hidden, inputs)
    segments = _segments(inputs)
    first, second = (_mean(hidden, inputs.mask & (segments == segment)) for segment in (0, 1))
    return torch.cat([first, second, (first - second).abs(), first * second], dim=-1)


class AlignedTexts(torch_nn.Module):
    """Compare the texts of each pair token by token; see :class:`mtl_utils.nn.AlignedComparison`.

    Args:
        width: Size of the hidden states, D.

    Raises:
        TypeError: If it is no whole number.
        ValueError: If it is below 1.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.comparison = AlignedComparison(width)

    def forward(self, hidden: Tensor, inputs: Inputs) -> Tensor:
        """Pool.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            inputs: What they were computed from, with segment ids.

        Returns:
            ``[B, 4 D]``, zero for a row without tokens.

        Raises:
            ValueError: If the inputs have no segment ids, or the states are not one a token.
            TypeError: If the states are no floating-point tensor, or the inputs none.
        """
        _check_states(hidden, inputs)
        segments = _segments(inputs)
        first, second = (inputs.mask & (segments == segment) for segment in (0, 1))
        compared: Tensor = self.comparison(hidden, first, second)
        return compared


TEXT_POOLINGS = {"first": Pooling(first_state), "mean": Pooling(mean_state)}
PAIR_POOLINGS = {
    "first": Pooling(first_state_of_pair, of_pairs=True),
    "compare": Pooling(compared_means, 4, of_pairs=True),
    "align": Pooling(AlignedTexts, 4, of_pairs=True),
}


def _check_states(hidden: Tensor, inputs: Inputs) -> None:
    check_kind("inputs", inputs, Inputs, "Inputs")
    check_tensor("hidden", hidden, "[B, T, D]", "floating-point")
    if hidden.shape[:2] != inputs.mask.shape:
        raise ValueError(
            f"hidden must have one state a token, [B, T, D] for the mask {list(inputs.mask.shape)} "
            f"of the inputs, got one of shape {list(hidden.shape)}"
        )


def _mean(hidden: Tensor, kept: Tensor) -> Tensor:
    """Return the mean over the positions kept; what the others hold, even nan, is not read."""
    total = hidden.masked_fill(~kept.unsqueeze(-1), 0.0).sum(dim=1)  # [B, D]
    return total / kept.sum(dim=1, keepdim=True).clamp(min=1)


def _segments(inputs: Inputs) -> Tensor:
    if inputs.segment_ids is None:
        raise ValueError(
            "The inputs have no segment ids, which tell the two texts of a pair apart. Make pairs "
            "with data.encode_pair, or give each Example its segment_ids: 0 in the first text, 1 "
            "in the second. Where texts are single, predict the other tasks alone."
        )
    return inputs.segment_ids
