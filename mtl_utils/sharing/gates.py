"""Gates: how much of which expert a token, or a text, is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_choice, check_flag, check_tensor, check_whole
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
        chances: How likely each expert was to be kept by a noisy gate, likewise; ``None`` of one
            without noise.
    """

    weights: Tensor
    probabilities: Tensor
    chances: Tensor | None = None

    def balance(self, counted: Tensor) -> Tensor:
        """Measure how unevenly experts are used.

        Of a noisy gate it is the squared variation of importance and of load, see
        :func:`squared_variation`; otherwise see :func:`load_balance`.

        Args:
            counted: ``[B, T]`` or ``[B, 1]``, True where a place counts.
        """
        if self.chances is not None:
            pair = (self.weights, self.chances)
            importance, load = (squared_variation(values, counted) for values in pair)
            return importance + load
        return load_balance(self.weights, self.probabilities, counted)


class Gate(torch_nn.Module):
    r"""A distribution over experts (Shazeer et al., 2017).

    .. math:: g(h) = \operatorname{softmax}(\operatorname{top}_k(W h))

    The logits of all but the k greatest are left out of the softmax. A noisy gate adds

    .. math:: \epsilon \odot \operatorname{softplus}(W' h), \qquad \epsilon \sim N(0, I)

    to them before, in training mode: experts that are nearly as good are tried too. :math:`W'`
    starts at 0.

    Args:
        width: Size of what it reads, D.
        num_experts: How many experts there are, E.
        per: ``"token"``, or ``"text"``: one for the mean of the states of a text.
        top_k: How many experts are kept, k; all if ``None``.
        noisy: Whether there is noise.

    Raises:
        ValueError: If ``per`` is something else, k is not from 1 to E, or there is to be noise and
            no k.
        TypeError: If k is no whole number, or ``noisy`` no flag.
    """

    def __init__(
        self, width: int, num_experts: int, per: str, top_k: int | None, noisy: bool = False
    ) -> None:
        super().__init__()
        check_choice("per", per, UNITS)
        if top_k is not None:
            check_whole("top_k", top_k, least=1, most=num_experts)
        check_noisy(noisy, top_k)
        self.per, self.top_k = per, top_k
        self.linear = torch_nn.Linear(width, num_experts, bias=False)
        self.noise: torch_nn.Linear | None = None
        if noisy:
            self.noise = torch_nn.Linear(width, num_experts, bias=False)
            torch_nn.init.zeros_(self.noise.weight)

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
        if self.noise is None:
            return Gating(_top(logits, self.top_k), probabilities)
        spread = torch_nn.functional.softplus(self.noise(hidden))
        drawn = logits + torch.randn_like(logits) * spread if self.training else logits
        chances = chances_of_being_kept(logits, spread, drawn, self.top_k)
        return Gating(_top(drawn, self.top_k), probabilities, chances)


def check_noisy(noisy: bool, top_k: int | None) -> None:
    """Refuse noise where no expert is left out.

    Args:
        noisy: Whether there is to be noise.
        top_k: How many experts are kept.

    Raises:
        ValueError: If there is to be noise and all are.
        TypeError: If ``noisy`` is no flag.
    """
    check_flag("noisy", noisy)
    if noisy and top_k is None:
        raise ValueError(f"noisy={noisy} needs top_k, the number of experts that are kept")


def _top(logits: Tensor, number: int) -> Tensor:
    """Return the softmax over the greatest of E logits, 0 for the others."""
    kept = logits.topk(number, dim=-1).indices
    left_out = torch.zeros_like(logits).scatter(-1, kept, 1.0) == 0
    return logits.masked_fill(left_out, -torch.inf).softmax(dim=-1)


def chances_of_being_kept(logits: Tensor, spread: Tensor, drawn: Tensor, number: int) -> Tensor:
    r"""Return how likely each expert is among the k kept, were its own noise drawn again.

    .. math:: P_e = \Phi\left(\frac{(W h)_e - \operatorname{kth}_{j \ne e}(H_j)}
        {\operatorname{softplus}(W' h)_e}\right)

    with the k-th greatest of the logits with noise of the other experts, H (Shazeer et al., 2017,
    appendix A). Unlike the choice itself it has a gradient.

    Args:
        logits: Without noise ``[..., E]``.
        spread: Standard deviation of the noise ``[..., E]``.
        drawn: With noise ``[..., E]``.
        number: How many are kept, k.

    Returns:
        ``[..., E]``; 1 where all experts are kept.
    """
    if number == logits.shape[-1]:
        return torch.ones_like(logits)
    greatest = drawn.topk(number + 1, dim=-1).values
    last_kept, first_left = greatest[..., -2:-1], greatest[..., -1:]
    # To stay, one that is kept must beat the next; to get in, one that is not the last that is.
    to_beat = torch.where(drawn >= last_kept, first_left, last_kept)
    return torch.special.ndtr((logits - to_beat) / spread)


def squared_variation(values: Tensor, counted: Tensor) -> Tensor:
    r"""Measure how unevenly something is spread over experts (Shazeer et al., 2017).

    .. math:: \operatorname{CV}^2 = \frac{\operatorname{Var}_e(s_e)}{\bar s^2}, \qquad
        s_e = \sum_n v_{n, e}

    over the places n that count. Of weights, s is the importance of an expert, of chances to be
    kept its load. It is 0 where all are alike, and E - 1 where one has everything.

    Args:
        values: At least 0, ``[..., E]``.
        counted: ``[...]``, True where a place counts.

    Returns:
        A scalar; exactly 0, with zero gradient, where no place counts.
    """
    sums = values.masked_fill(~counted.unsqueeze(-1), 0.0).flatten(0, -2).sum(dim=0)
    mean = sums.mean()
    safe = torch.where(mean > 0, mean, torch.ones_like(mean))
    return (sums / safe - mean / safe).square().mean()


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
        made = expert(read.unsqueeze(0), mask.new_ones(1, len(sent))).squeeze(0)  # as one text
        for place, share in enumerate(shares[:, sent, number]):
            taken = (made * share.unsqueeze(-1)).to(states.dtype)  # under autocast it may differ
            found[place] = found[place].index_add(0, sent, taken)
    empty = hidden.new_zeros(mask.numel(), hidden.shape[-1])
    return {
        name: empty.index_add(0, places, states).unflatten(0, mask.shape)
        for name, states in zip(weights, found, strict=True)
    }
