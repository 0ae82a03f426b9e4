"""Dropout with few random numbers, and of whole tokens."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_probability
from mtl_utils.data.vocabulary import SPECIALS, UNK
from mtl_utils.nn.rebuilding import Rebuildable

LEVELS = 2**16
"""Values of the random number that decides on one unit."""


class Dropout(torch_nn.Dropout):
    r"""Set units to zero at random and scale up the others (Srivastava et al., 2014).

    On a CPU random numbers are what dropout costs, and PyTorch draws one of 32 or 64 bits for each
    unit. Here each gets 16 bits: a unit is dropped where they are among the lowest
    :math:`k = \operatorname{round}(2^{16} p)` of their values. So the probability is
    :math:`k / 2^{16}`, which differs from p by less than :math:`10^{-5}`, and what is kept is
    divided by the probability that it really has of being kept: the mean is exact. On other
    devices, and in code that ``torch.compile`` compiles, this is ``torch.nn.Dropout``.

    Args:
        p: Probability of dropping a unit.
        inplace: Whether to overwrite what is read, where there is a GPU.

    Raises:
        ValueError: If the probability is outside [0, 1).
        TypeError: If it is no number.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        check_probability("p", p)
        super().__init__(p, inplace)

    def forward(self, inputs: Tensor) -> Tensor:
        """Drop units while training.

        Args:
            inputs: Of any shape.

        Returns:
            Of the same shape; ``inputs`` itself while evaluating.
        """
        if not self.training or self.p == 0:
            return inputs
        # The compiler loses track of 64 bits that are read as four times 16: it would raise.
        if inputs.device.type != "cpu" or torch.compiler.is_compiling():
            return super().forward(inputs)
        num_dropped = min(round(self.p * LEVELS), LEVELS - 1)
        kept = random_levels(inputs.shape) >= num_dropped - LEVELS // 2
        # Bytes become floats faster than truth values do.
        scales = kept.view(torch.uint8).to(inputs.dtype).mul_(LEVELS / (LEVELS - num_dropped))
        return inputs * scales


def random_levels(shape: torch.Size) -> Tensor:
    """Draw 16 random bits for each of several units, on the CPU.

    Args:
        shape: How many.

    Returns:
        Integers of that shape, uniform over [-32768, 32767].
    """
    count = math.prod(shape)
    words = torch.empty((count + 3) // 4, dtype=torch.int64)
    return words.random_(-(2**63), None).view(torch.int16)[:count].view(shape)


class TokenDropout(Rebuildable):
    """Read tokens as unknown at random while training (Iyyer et al., 2015).

    What a model does with a name it has never seen is then part of what it learns: it has to use
    the context. The special tokens of the book's vocabularies are spared.

    Args:
        p: Probability for each token.

    Raises:
        ValueError: If the probability is outside [0, 1).
        TypeError: If it is no number.
    """

    def __init__(self, p: float = 0.1) -> None:
        super().__init__()
        check_probability("p", p)
        self.p = p

    def forward(self, input_ids: Tensor) -> Tensor:
        """Make tokens unknown while training.

        Args:
            input_ids: Of any shape.

        Returns:
            Of the same shape; ``input_ids`` itself while evaluating.
        """
        if not self.training or self.p == 0:
            return input_ids
        dropped = torch.rand(input_ids.shape, device=input_ids.device) < self.p
        ordinary = input_ids >= len(SPECIALS)
        return input_ids.masked_fill(dropped & ordinary, SPECIALS.index(UNK))

    def extra_repr(self) -> str:
        """Say how often."""
        return f"p={self.p}"
