"""Layers of encoders in the form that is exported: no step of theirs depends on the data.

A tracer follows one branch of each condition and says nothing of the other. Our layers ask, for
speed, whether there is padding; what is exported never asks.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.nn import EncoderLayers, FeedForwardLayers, MultiHeadAttention
from mtl_utils.nn.pretrained_layers import PretrainedLayers
from mtl_utils.nn.recurrent_layers import LSTMLayers
from mtl_utils.nn.transformer import TransformerStack
from mtl_utils.nn.transformer_layer import TransformerLayer

_FAR = -1e9  # finite: a row of padding gives no nan


def layers_form(layers: EncoderLayers) -> torch_nn.Module:
    """Return what is exported of some layers of an encoder.

    Args:
        layers: The layers; their weights are copied or shared, and not changed.

    Returns:
        A module from states ``[B, T, D]`` and a mask ``[B, T]`` to states, zero at padding.

    Raises:
        TypeError: If layers of their kind have no such form.
    """
    kind, own = type(layers), cast(Any, layers)  # a class of one's own may do something else
    if kind is LSTMLayers:
        return RecurrentForm(own.lstm)
    if kind is TransformerStack:
        return AttendingForm(own)
    if kind is FeedForwardLayers:
        return _PointwiseForm(own)
    if kind is PretrainedLayers:
        return _PretrainedForm(own)
    raise TypeError(
        f"Layers of the kind {kind.__name__} cannot be exported. Expected those that an encoder "
        "of the package is cut into, or FeedForwardLayers."
    )


def places_of(mask: Tensor) -> Tensor:
    """Return the position of each token ``[B, T]``, without asking how many there are.

    Args:
        mask: ``[B, T]``.
    """
    return torch.ones_like(mask, dtype=torch.long).cumsum(dim=1) - 1


class RecurrentForm(torch_nn.Module):
    """Each direction as an LSTM of its own, which reads rows from the left with padding last.

    Args:
        lstm: The layers; none where it has ``num_layers`` 0.
    """

    pointwise = False

    def __init__(self, lstm: Any) -> None:
        super().__init__()
        endings = ("", "_reverse") if getattr(lstm, "bidirectional", False) else ("",)
        self.layers = torch_nn.ModuleList(
            torch_nn.ModuleList(_one_way(lstm, f"_l{layer}{ending}") for ending in endings)
            for layer in range(lstm.num_layers)
        )

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Run all layers.

        Args:
            hidden: ``[B, T, D]``.
            mask: ``[B, T]``.
        """
        padding = ~mask.unsqueeze(-1)
        lengths, places = mask.long().sum(dim=1, keepdim=True), places_of(mask)
        turned = torch.where(places < lengths, lengths - 1 - places, places).unsqueeze(-1)
        for directions in self.layers:
            assert isinstance(directions, torch_nn.ModuleList)
            states = [directions[0](hidden)[0]]
            if len(directions) == 2:
                read = directions[1](hidden.gather(1, turned.expand_as(hidden)))[0]
                states.append(read.gather(1, turned.expand_as(read)))
            hidden = torch.cat(states, dim=-1)
        return hidden.masked_fill(padding, 0.0)


def _one_way(lstm: torch_nn.LSTM, ending: str) -> torch_nn.LSTM:
    """Copy one direction of one layer."""
    weight = getattr(lstm, f"weight_ih{ending}")
    with torch.random.fork_rng(devices=[]):  # first weights are drawn, and overwritten below
        single = torch_nn.LSTM(weight.shape[1], lstm.hidden_size, batch_first=True)
    with torch.no_grad():
        for name, parameter in single.named_parameters():
            parameter.copy_(getattr(lstm, name.removesuffix("_l0") + ending))
    return single


class AttendingForm(torch_nn.Module):
    """Layers of a Transformer, their attention spelled out.

    Args:
        stack: The layers.
    """

    pointwise = False

    def __init__(self, stack: TransformerStack) -> None:
        super().__init__()
        self.layers, self.norm, self.causal = stack.layers, stack.norm, stack.causal

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Run all layers.

        Args:
            hidden: ``[B, T, D]``.
            mask: ``[B, T]``.
        """
        places, padding = places_of(mask), ~mask.unsqueeze(-1)
        hidden = hidden.masked_fill(padding, 0.0)
        allowed = mask.unsqueeze(1)  # [B, 1, T]; [B, T, T], rows of queries, where causal
        if self.causal:
            allowed = allowed & (places.unsqueeze(2) >= places.unsqueeze(1))
        far = far_from(allowed, hidden.dtype)
        for layer in self.layers:
            assert isinstance(layer, TransformerLayer)
            hidden = _layer(layer, hidden, far)
        normed: Tensor = self.norm(hidden)
        return normed.masked_fill(padding, 0.0)


def far_from(allowed: Tensor, dtype: torch.dtype) -> Tensor:
    """Return what is added to scores, far below 0 where a query may not look.

    Args:
        allowed: ``[B, T, T']``, or ``[B, 1, T']`` where it is the same for all queries.
        dtype: That of the scores.

    Returns:
        With a dimension for the heads, ``[B, 1, T, T']`` or ``[B, 1, 1, T']``.
    """
    return (~allowed).to(dtype).unsqueeze(1) * _FAR


def attended(attention: MultiHeadAttention, query: Tensor, memory: Tensor, far: Tensor) -> Tensor:
    """Attend, step by step.

    Args:
        attention: The heads.
        query: ``[B, T, D]``.
        memory: ``[B, T', M]``.
        far: From :func:`far_from`.

    Returns:
        ``[B, T, D]``.
    """
    asked, keys, values = (
        part.unflatten(-1, (attention.num_heads, attention.head_width)).transpose(1, 2)
        for part in (attention.query(query), attention.key(memory), attention.value(memory))
    )
    scores = (asked * attention.head_width**-0.5) @ keys.transpose(-1, -2) + far
    found: Tensor = attention.output((scores.softmax(dim=-1) @ values).transpose(1, 2).flatten(2))
    return found


def _layer(layer: TransformerLayer, hidden: Tensor, far: Tensor) -> Tensor:
    read = layer.attention_residual.before(hidden)
    hidden = layer.attention_residual(hidden, attended(layer.attention, read, read, far))
    changed = layer.feedforward(layer.feedforward_residual.before(hidden))
    done: Tensor = layer.feedforward_residual(hidden, changed)
    return done


class _PointwiseForm(torch_nn.Module):
    # Gates that keep a few experts send these the tokens that are theirs, where experts are
    # pointwise; in a graph each expert reads all, and those that are not kept weigh nothing.
    pointwise = False

    def __init__(self, layers: FeedForwardLayers) -> None:
        super().__init__()
        self.network, self.shortcut = layers.network, layers.shortcut

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        padding = ~mask.unsqueeze(-1)
        hidden = hidden.masked_fill(padding, 0.0)
        changed: Tensor = self.network(hidden)
        return (changed + hidden if self.shortcut else changed).masked_fill(padding, 0.0)


class _PretrainedForm(torch_nn.Module):
    """The layers themselves: their model is given a mask, and has no branch of ours."""

    pointwise = False

    def __init__(self, layers: PretrainedLayers) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        states: Tensor = self.layers(hidden, mask)
        return states
