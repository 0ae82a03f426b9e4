"""Positions: what tells a Transformer in which order its tokens stand."""

from __future__ import annotations

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_choice, check_sizes


class SinusoidalPositions(torch_nn.Module):
    r"""Waves of geometrically growing length (Vaswani et al., 2017, section 3.5).

    .. math:: P_{t, 2i} = \sin(t / 10000^{2i/D}), \qquad P_{t, 2i+1} = \cos(t / 10000^{2i/D})

    A shift by k positions is a rotation of each pair, the same at every position. Nothing is
    learned, and nothing of it is saved.

    Args:
        width: Size of a vector, D.
        max_length: Number of positions.

    Raises:
        ValueError: If a size is below 1.
        TypeError: If a size is no whole number.
    """

    table: Tensor

    def __init__(self, width: int, max_length: int) -> None:
        super().__init__()
        check_sizes(width=width, max_length=max_length)
        self.width, self.max_length = width, max_length
        # Registered before it is filled, as parameters are: a size that somebody else wrote down
        # can be refused in between.
        self.register_buffer("table", torch.empty(max_length, width), persistent=False)
        self.table = sinusoids(max_length, width)

    def forward(self, length: int, start: int = 0) -> Tensor:
        """Return the vectors of consecutive positions.

        Args:
            length: How many, T.
            start: The first of them.

        Returns:
            ``[T, D]``.

        Raises:
            ValueError: If there are not that many positions.
        """
        check_length(start + length, self.max_length)
        return self.table[start : start + length]


class LearnedPositions(torch_nn.Module):
    """A vector to be learned for each position (Gehring et al., 2017; Devlin et al., 2019).

    They start as large as sinusoids are: with variance 1/2.

    Args:
        width: Size of a vector, D.
        max_length: Number of positions.

    Raises:
        ValueError: If a size is below 1.
        TypeError: If a size is no whole number.
    """

    def __init__(self, width: int, max_length: int) -> None:
        super().__init__()
        check_sizes(width=width, max_length=max_length)
        self.width, self.max_length = width, max_length
        self.table = torch_nn.Parameter(torch.empty(max_length, width))
        torch_nn.init.normal_(self.table, std=0.5**0.5)

    def forward(self, length: int, start: int = 0) -> Tensor:
        """Return the vectors of consecutive positions; see :meth:`SinusoidalPositions.forward`.

        Args:
            length: How many, T.
            start: The first of them.

        Returns:
            ``[T, D]``.

        Raises:
            ValueError: If there are not that many positions.
        """
        check_length(start + length, self.max_length)
        return self.table[start : start + length]


Positions = SinusoidalPositions | LearnedPositions
KINDS: dict[str, type[SinusoidalPositions] | type[LearnedPositions]] = {
    "sinusoidal": SinusoidalPositions,
    "learned": LearnedPositions,
}


def make_positions(kind: str, width: int, max_length: int) -> Positions:
    """Make positions of a kind.

    Args:
        kind: ``"sinusoidal"`` or ``"learned"``.
        width: Size of a vector, D.
        max_length: Number of positions.

    Raises:
        ValueError: If there is no such kind, or a size is below 1.
    """
    check_choice("positions", kind, KINDS)
    return KINDS[kind](width, max_length)


def sinusoids(length: int, width: int) -> Tensor:
    """Return the sinusoids of the first positions; see :class:`SinusoidalPositions`.

    Args:
        length: Number of positions, T.
        width: Size of a vector, D.

    Returns:
        ``[T, D]``, of torch's default type.
    """
    # In double precision: the angle of a late position has few digits left after the point.
    steps = torch.arange(length, dtype=torch.float64).unsqueeze(1)  # [T, 1]
    pairs = torch.arange((width + 1) // 2, dtype=torch.float64)  # [D / 2]
    angles = steps * 10000 ** (-2 * pairs / width)  # [T, D / 2]
    both = torch.stack([angles.sin(), angles.cos()], dim=-1)  # [T, D / 2, 2]
    return both.flatten(1)[:, :width].to(torch.get_default_dtype())


def check_length(needed: int, max_length: int) -> None:
    """Refuse a text that is longer than there are positions.

    Args:
        needed: Its length in tokens.
        max_length: Number of positions.

    Raises:
        ValueError: If it is longer.
    """
    if needed > max_length:
        raise ValueError(
            f"A text of {needed} tokens is longer than the {max_length} positions of this model. "
            f"Shorten it, or make the model with max_length={needed} or more."
        )
