"""Attention: a weighted average of a memory, with weights that depend on a query."""

from __future__ import annotations

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.utils.checkpoint import checkpoint

from mtl_utils.arguments import check_broadcast, check_fits, check_sizes, check_tensor
from mtl_utils.nn.masks import check_attended, check_mask

LARGEST_INTERMEDIATE = 2**26
"""Elements of ``[B, U, T, A]`` held at a time; longer texts are attended to piece by piece."""


class AdditiveAttention(torch_nn.Module):
    r"""Score a query against each position with a small network (Bahdanau et al., 2015).

    .. math:: a(s, h_t) = v^\top \tanh(W_s s + W_h h_t), \qquad
        \alpha_t = \operatorname{softmax}_t a(s, h_t), \qquad c = \sum_t \alpha_t h_t

    Args:
        query_width: Size of a query.
        memory_width: Size of a position of the memory, D.
        width: Size of the hidden layer, A.

    Raises:
        ValueError: If a size is below 1.
        TypeError: If a setting is of another type.
    """

    def __init__(self, query_width: int, memory_width: int, width: int) -> None:
        super().__init__()
        check_sizes(query_width=query_width, memory_width=memory_width, width=width)
        self.from_query = torch_nn.Linear(query_width, width)
        self.from_memory = torch_nn.Linear(memory_width, width, bias=False)
        self.score = torch_nn.Linear(width, 1, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        r"""Return :math:`W_h h_t`, which is the same for every query.

        Args:
            memory: ``[B, T, D]``.

        Returns:
            ``[B, T, A]``.
        """
        return self.from_memory(memory)

    def forward(
        self, query: Tensor, memory: Tensor, mask: Tensor, keys: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Attend.

        Args:
            query: ``[B, U, query_width]``, U queries a row.
            memory: ``[B, T, D]``.
            mask: ``[B, T]``, True where there is something to attend to; or ``[B, U, T]``, where
                that differs from query to query.
            keys: What :meth:`keys` gives for the memory; computed if ``None``.

        Returns:
            Contexts ``[B, U, D]`` and weights ``[B, U, T]``, which sum to one over T; both are zero
            for a query with nothing to attend to.

        Raises:
            TypeError: If the mask is not boolean.
            ValueError: If the shapes do not fit.
        """
        check_tensor("query", query, "[B, U, query_width]", "floating-point")
        check_tensor("memory", memory, "[B, T, D]", "floating-point")
        check_fits("query", query, 2, self.from_query.in_features)
        check_fits("memory", memory, 2, self.from_memory.in_features)
        check_attended(mask, memory)
        projected = self.from_query(query)  # [B, U, A]
        keys = self.keys(memory) if keys is None else keys
        a_query = keys.shape[0] * keys.shape[1] * keys.shape[2]
        pieces = projected.split(max(1, LARGEST_INTERMEDIATE // max(1, a_query)), dim=1)
        if len(pieces) == 1:
            scores = self._scores(projected, keys)
        else:  # the intermediate values are computed again in the backward pass, not kept
            scored = [checkpoint(self._scores, p, keys, use_reentrant=False) for p in pieces]
            scores = torch.cat(scored, dim=1)
        weights = masked_softmax(scores, mask if mask.dim() == 3 else mask.unsqueeze(1))
        return weights @ memory.to(weights.dtype), weights  # [B, U, D], [B, U, T]

    def _scores(self, projected: Tensor, keys: Tensor) -> Tensor:
        together = (projected.unsqueeze(2) + keys.unsqueeze(1)).tanh_()  # [B, U, T, A]
        return self.score(together).squeeze(-1)  # [B, U, T]


class UniformAttention(torch_nn.Module):
    """Give every position of the memory the same weight, whatever the query.

    The context is the mean of the memory: one vector for the whole sentence, as in the encoder and
    decoder of Cho et al. (2014), and the baseline that shows what attention is worth.
    """

    def keys(self, memory: Tensor) -> Tensor:
        """Return keys of no width: nothing is compared.

        Args:
            memory: ``[B, T, D]``.

        Returns:
            ``[B, T, 0]``.
        """
        return memory[..., :0]

    def forward(
        self, query: Tensor, memory: Tensor, mask: Tensor, keys: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Average the memory; see :meth:`AdditiveAttention.forward`.

        Args:
            query: ``[B, U, query_width]``, of which only U matters.
            memory: ``[B, T, D]``.
            mask: ``[B, T]``, True where there is something to attend to.
            keys: Not needed.

        Returns:
            Contexts ``[B, U, D]`` and weights ``[B, U, T]``.

        Raises:
            TypeError: If the mask is not boolean.
        """
        check_mask(mask)
        scores = memory.new_zeros(len(memory), query.shape[1], memory.shape[1])
        weights = masked_softmax(scores, mask.unsqueeze(1))
        return weights @ memory, weights


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last dimension that gives no weight outside a mask.

    Args:
        scores: ``[..., T]``.
        mask: Broadcastable to it, True where a position counts.

    Returns:
        Weights ``[..., T]``; zero everywhere where no position counts.

    Raises:
        TypeError: If the mask is not boolean.
        ValueError: If the shapes do not fit.
    """
    check_tensor("scores", scores, "[..., T]", "floating-point")
    check_mask(mask)
    check_broadcast("mask", mask, scores)
    lowest = torch.finfo(scores.dtype).min  # finite, so that an empty row gives no nan
    weights = scores.masked_fill(~mask, lowest).softmax(dim=-1)
    return weights.masked_fill(~mask, 0.0)
