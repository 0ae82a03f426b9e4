"""Comparing two texts token by token: each with what of the other text is most like it."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_sizes, check_tensor
from mtl_utils.nn.attention import masked_softmax
from mtl_utils.nn.masks import check_mask


class AlignedComparison(torch_nn.Module):
    r"""Align the tokens of two texts softly, and compare what was aligned (Parikh et al., 2016).

    .. math:: e_{ij} = \frac{(M h_i)^\top (M h_j)}{\sqrt{D}}, \qquad
        \tilde h_i = \sum_j \operatorname{softmax}_j(e_{ij})\, h_j, \qquad
        v_i = \max(0,\, W [h_i;\, \tilde h_i;\, |h_i - \tilde h_i|;\, h_i \odot \tilde h_i] + b)

    where j are the tokens of the *other* text than that of i. Mean and maximum of v over each text
    speak for the pair, as in the model of Chen et al. (2017). A single vector for each text has to
    say everything that the other might ask about; here a name looks for the same name. M begins as
    the identity, so that from the first step on most of the weight is on like tokens; with one
    drawn at random it is spread out at first.

    Args:
        width: Size of a state, D.

    Raises:
        TypeError: If it is no whole number.
        ValueError: If it is below 1.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        check_sizes(width=width)
        self.width = width
        self.match = torch_nn.Linear(width, width, bias=False)
        torch_nn.init.eye_(self.match.weight)
        self.contrast = torch_nn.Linear(4 * width, width)

    def forward(self, hidden: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """Compare the texts of each pair.

        Args:
            hidden: States of both texts ``[B, T, D]``; what they hold elsewhere does not matter.
            first: Where the tokens of the first text are, ``[B, T]``.
            second: Where those of the second are.

        Returns:
            ``[B, 4 D]``: means over the first and the second text, then their maxima. Those of a
            text without tokens are zero; a token without another text is compared with zero.

        Raises:
            TypeError: If the states are no floating-point tensor, or a mask is not boolean.
            ValueError: If shapes do not fit.
        """
        self._check(hidden, first, second)
        hidden = hidden.masked_fill(~(first | second).unsqueeze(-1), 0.0)
        aligned = self.alignment(hidden, first, second) @ hidden
        compared = torch.cat([hidden, aligned, (hidden - aligned).abs(), hidden * aligned], dim=-1)
        contrast = self.contrast(compared).relu()
        texts = [contrast.masked_fill(~mask.unsqueeze(-1), 0.0) for mask in (first, second)]
        sizes = [mask.sum(dim=1, keepdim=True).clamp(min=1) for mask in (first, second)]
        means = [text.sum(dim=1) / size for text, size in zip(texts, sizes, strict=True)]
        return torch.cat([*means, *(text.amax(dim=1) for text in texts)], dim=-1)

    def alignment(self, hidden: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """Return how much of each token of the other text each token is compared with.

        Args:
            hidden: As :meth:`forward` takes them, finite everywhere.
            first: Likewise.
            second: Likewise.

        Returns:
            ``[B, T, T]``; rows sum to 1, those of tokens without another text and of padding to 0.

        Raises:
            TypeError: As :meth:`forward`.
            ValueError: As :meth:`forward`.
        """
        self._check(hidden, first, second)
        matched = self.match(hidden)
        scores = matched @ matched.transpose(1, 2) / math.sqrt(self.width)
        other = first.unsqueeze(2) & second.unsqueeze(1)
        return masked_softmax(scores, other | other.transpose(1, 2))

    def _check(self, hidden: Tensor, first: Tensor, second: Tensor) -> None:
        check_tensor("hidden", hidden, "[B, T, D]", "floating-point")
        for name, mask in (("first", first), ("second", second)):
            check_mask(mask, name)
            if mask.shape != hidden.shape[:2] or hidden.shape[2] != self.width:
                raise ValueError(
                    f"Expected hidden [B, T, {self.width}] and {name} [B, T], got "
                    f"{list(hidden.shape)} and {list(mask.shape)}"
                )
