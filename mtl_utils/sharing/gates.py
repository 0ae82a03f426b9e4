"""Gates: how much of which expert a token, or a text, is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_choice, check_tensor, check_whole
from mtl_utils.nn.encoder import EncoderLayers
from mtl_utils.nn.masks import check_mask, cleared

UNITS = ("token", "text")


@dataclass(frozen=True)
class Gating:
    """What a gate says of a batch.

    Args:
        weights: How much of each expert is taken, ``[B, T, E]``; of a gate per text the same
            everywhere, ``[B, 1, E]``. They add up to 1.
        probabilities: What they were before all but the greatest were left out.
    """

    weights: Tensor
    probabilities: Tensor

    def balance(self, counted: Tensor) -> Tensor:
        """Measure how unevenly experts are used; see :func:`load_balance`.

        Args:
            counted: ``[B, T]`` or ``[B, 1]``, True where a place counts.
        """
        return load_balance(self.weights, self.probabilities, counted)


class Gate(torch_nn.Module):
    r"""A distribution over experts (Shazeer et al., 2017).

    .. math:: g(h) = \operatorname{softmax}(\operatorname{top}_k(W h))

    The logits of all but the k greatest are left out of the softmax.

    Args:
        width: Size of what it reads, D.
        num_experts: How many experts there are, E.
        per: ``"token"``, or ``"text"``: one for the mean of the states of a text.
        top_k: How many experts are kept, k; all if ``None``.

    Raises:
        ValueError: If ``per`` is something else, or k is not from 1 to E.
        TypeError: If k is no whole number.
    """

    def __init__(self, width: int, num_experts: int, per: str, top_k: int | None) -> None:
        super().__init__()
        check_choice("per", per, UNITS)
        if top_k is not None:
            check_whole("top_k", top_k, least=1, most=num_experts)
        self.per, self.top_k = per, top_k
        self.linear = torch_nn.Linear(width, num_experts, bias=False)

    def forward(self, hidden: Tensor, mask: Tensor) -> Gating:
        """Weigh the experts.

        Args:
            hidden: ``[B, T, D]``, finite at padding.
            mask: ``[B, T]``, True where there is a token.
        """
        if self.per == "text":
            lengths = mask.sum(dim=1).clamp(min=1).view(-1, 1, 1)
            hidden = cleared(hidden, mask).sum(1, keepdim=True) / lengths
        logits: Tensor = self.linear(hidden)
        probabilities = logits.softmax(dim=-1)
        if self.top_k is None:
            return Gating(probabilities, probabilities)
        kept = logits.topk(self.top_k, dim=-1).indices
        left_out = torch.ones_like(logits, dtype=torch.bool).scatter(-1, kept, False)
        return Gating(logits.masked_fill(left_out, -torch.inf).softmax(dim=-1), probabilities)


def load_balance(weights: Tensor, probabilities: Tensor, counted: Tensor) -> Tensor:
    r"""Measure how unevenly experts are used (Fedus et al., 2022).

    .. math:: E \sum_e f_e P_e, \qquad f_e = \frac1N \sum_n \frac{[g_{n, e} > 0]}{k_n}, \qquad
        P_e = \frac1N \sum_n p_{n, e}

    over the N places that count, where :math:`k_n` is the number of experts that a place was sent
    to. It is 1 where all experts are used alike, and E where one gets everything. Where no expert
    is left out, their weights take the place of the indicator, and it is one plus the square of the
    coefficient of variation that Shazeer et al. (2017) penalise. The gradient comes through
    :math:`P` alone.

    Args:
        weights: What experts are given ``[..., E]``, 0 where one is left out.
        probabilities: What they would be given if none was left out ``[..., E]``.
        counted: ``[...]``, True where a place counts.

    Returns:
        A scalar; exactly 0, with zero gradient, where no place counts.

    Raises:
        ValueError: If the shapes do not fit.
        TypeError: If ``counted`` is not boolean, or the others are no floating-point tensors.
    """
    check_tensor("weights", weights, "[..., E]", "floating-point")
    check_tensor("probabilities", probabilities, "[..., E]", "floating-point")
    check_tensor("counted", counted, "[...]", "boolean")
    if weights.shape != probabilities.shape or weights.shape[:-1] != counted.shape:
        raise ValueError(
            "Expected weights [..., E], probabilities [..., E] and counted [...], got "
            f"{list(weights.shape)}, {list(probabilities.shape)} and {list(counted.shape)}"
        )
    number, aside = counted.sum().clamp(min=1), ~counted.unsqueeze(-1)
    chosen = weights.detach() > 0
    sparse = ~chosen.all(dim=-1, keepdim=True)
    shares = torch.where(sparse, chosen / chosen.sum(-1, keepdim=True), weights.detach())
    of_choices, of_mass = (
        values.masked_fill(aside, 0.0).flatten(0, -2).sum(dim=0) / number
        for values in (shares, probabilities)
    )
    return weights.shape[-1] * (of_choices * of_mass).sum()


def mixtures(
    experts: Sequence[EncoderLayers],
    hidden: Tensor,
    mask: Tensor,
    weights: Mapping[str, Tensor],
    sparse: bool,
) -> dict[str, Tensor]:
    """Mix what experts make of states, in several ways; each expert is run once.

    Where experts look at each position alone, each is given the tokens only that it is to say
    something about.

    Args:
        experts: E of them.
        hidden: What all of them read, ``[B, T, D]``.
        mask: ``[B, T]``, True where there is a token.
        weights: How much of each expert to take, ``[B, T, E]`` or ``[B, 1, E]``, by name.
        sparse: Whether many of these are 0.

    Returns:
        The mixtures ``[B, T, D]`` by name, zero at padding.

    Raises:
        TypeError: If the mask is not boolean.
    """
    check_mask(mask)
    if sparse and all(expert.pointwise for expert in experts):
        return _routed(experts, hidden, mask, weights)
    made = [cleared(expert(hidden, mask), mask) for expert in experts]
    return {name: mixed(made, weight) for name, weight in weights.items()}


def mixed(made: Sequence[Tensor], weights: Tensor) -> Tensor:
    """Mix states.

    Args:
        made: What E experts made, each ``[B, T, D]``, finite at padding.
        weights: ``[B, T, E]`` or ``[B, 1, E]``.

    Returns:
        ``[B, T, D]``.
    """
    shares = weights.split(1, dim=-1)
    mixture = made[0] * shares[0]
    for states, share in zip(made[1:], shares[1:], strict=True):
        mixture = torch.addcmul(mixture, states, share)
    return mixture


def _routed(
    experts: Sequence[EncoderLayers],
    hidden: Tensor,
    mask: Tensor,
    weights: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    places = mask.flatten().nonzero().squeeze(1)
    states = hidden.flatten(0, 1).index_select(0, places)  # [N, D]
    shares = torch.stack([w.expand(*mask.shape, -1)[mask] for w in weights.values()])  # [G, N, E]
    found = [torch.zeros_like(states) for _ in weights]
    for number, expert in enumerate(experts):
        sent = (shares[:, :, number] > 0).any(dim=0).nonzero().squeeze(1)
        read = states.index_select(0, sent)
        made = expert(read, mask.new_ones(len(sent)))
        for place, share in enumerate(shares[:, sent, number]):
            taken = (made * share.unsqueeze(-1)).to(states.dtype)  # under autocast it may differ
            found[place] = found[place].index_add(0, sent, taken)
    empty = hidden.new_zeros(mask.numel(), hidden.shape[-1])
    return {
        name: empty.index_add(0, places, states).unflatten(0, mask.shape)
        for name, states in zip(weights, found, strict=True)
    }
