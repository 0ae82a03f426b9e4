"""Encoders in the form that is exported: the same weights, and no step that depends on the data.

A tracer follows one branch of each condition and says nothing of the other. Our encoders ask, for
speed, whether there is padding; what is exported never asks.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.data.batch import Inputs
from mtl_utils.nn import (
    BiLSTMEncoder,
    Encoder,
    LSTMEncoder,
    PretrainedEncoder,
    ProjectedEncoder,
    TransformerEncoder,
)
from mtl_utils.nn.transformer_layer import TransformerLayer

_FAR = -1e9  # finite: a row of padding gives no nan


def encoder_form(encoder: Encoder) -> torch_nn.Module:
    """Return what is exported of an encoder.

    Args:
        encoder: The encoder; its weights are copied or shared, and not changed.

    Returns:
        A module from inputs to states ``[B, T, D]``, zero at padding.

    Raises:
        TypeError: If an encoder of its kind has no such form.
    """
    kind, own = type(encoder), cast(Any, encoder)  # a class of one's own may do something else
    if kind in (LSTMEncoder, BiLSTMEncoder):
        return _LSTMForm(_table(own, own.embedding), _LSTMLayersForm(own.lstm))
    if kind is ProjectedEncoder and type(own.encoder) in (LSTMEncoder, BiLSTMEncoder):
        table = _table(own.encoder, own.encoder.embedding)
        return _ProjectedForm(own, table, _LSTMLayersForm(own.encoder.lstm))
    if kind is TransformerEncoder:
        return _TransformerForm(own, _table(own, own.embedding))
    if kind is PretrainedEncoder and not own.by_length:
        return _PretrainedForm(own)
    why = " whose states change with padding" if kind is PretrainedEncoder else ""
    raise TypeError(
        f"An encoder of the kind {kind.__name__}{why} cannot be exported. Expected a "
        "BiLSTMEncoder, LSTMEncoder, ProjectedEncoder, TransformerEncoder or PretrainedEncoder."
    )


def _table(encoder: Any, embedding: torch_nn.Module) -> torch_nn.Embedding:
    if type(embedding) is torch_nn.Embedding:
        return embedding
    raise TypeError(
        f"A {type(encoder).__name__} with an embedding of the kind {type(embedding).__name__} "
        "cannot be exported; expected an nn.Embedding, one vector a token"
    )


def _places(mask: Tensor) -> Tensor:
    """Return the position of each token ``[B, T]``, without asking how many there are."""
    return torch.ones_like(mask, dtype=torch.long).cumsum(dim=1) - 1


class _LSTMLayersForm(torch_nn.Module):
    """Each direction as an LSTM of its own, which reads rows from the left with padding last."""

    def __init__(self, lstm: Any) -> None:
        super().__init__()
        endings = ("", "_reverse") if getattr(lstm, "bidirectional", False) else ("",)
        self.layers = torch_nn.ModuleList(
            torch_nn.ModuleList(_one_way(lstm, f"_l{layer}{ending}") for ending in endings)
            for layer in range(lstm.num_layers)
        )

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        padding = ~mask.unsqueeze(-1)
        lengths, places = mask.long().sum(dim=1, keepdim=True), _places(mask)
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


class _LSTMForm(torch_nn.Module):
    def __init__(self, table: torch_nn.Embedding, layers: _LSTMLayersForm) -> None:
        super().__init__()
        self.table, self.layers = table, layers

    def forward(self, inputs: Inputs) -> Tensor:
        states: Tensor = self.layers(self.table(inputs.input_ids), inputs.mask)
        return states


class _ProjectedForm(torch_nn.Module):
    def __init__(
        self, encoder: ProjectedEncoder, table: torch_nn.Embedding, layers: _LSTMLayersForm
    ) -> None:
        super().__init__()
        self.table, self.layers = table, layers
        self.projection, self.shortcut = encoder.projection, encoder.shortcut

    def forward(self, inputs: Inputs) -> Tensor:
        embedded: Tensor = self.table(inputs.input_ids)
        projected: Tensor = self.projection(self.layers(embedded, inputs.mask))
        return projected + embedded if self.shortcut else projected


class _TransformerForm(torch_nn.Module):
    def __init__(self, encoder: TransformerEncoder, table: torch_nn.Embedding) -> None:
        super().__init__()
        self.table, self.positions = table, encoder.positions
        self.segments, self.embedding_norm = encoder.segments, encoder.embedding_norm
        self.layers, self.norm = encoder.stack.layers, encoder.stack.norm
        self.scale, self.causal = encoder.width**0.5, encoder.causal

    def forward(self, inputs: Inputs) -> Tensor:
        ids, mask = inputs.input_ids, inputs.mask
        assert inputs.segment_ids is not None
        places = _places(mask)
        hidden = self.table(ids) * self.scale + self.positions.table[places[0]]
        hidden = self.embedding_norm(hidden + self.segments(inputs.segment_ids))
        allowed = mask.unsqueeze(1).expand(-1, ids.shape[1], -1)  # [B, T, T], rows of queries
        if self.causal:
            allowed = allowed & (places.unsqueeze(2) >= places.unsqueeze(1))
        far = (~allowed).to(hidden.dtype).unsqueeze(1) * _FAR  # [B, 1, T, T]
        for layer in self.layers:
            assert isinstance(layer, TransformerLayer)
            hidden = _layer(layer, hidden, far)
        normed: Tensor = self.norm(hidden)
        return normed.masked_fill(~mask.unsqueeze(-1), 0.0)


def _layer(layer: TransformerLayer, hidden: Tensor, far: Tensor) -> Tensor:
    """Run a layer, its attention spelled out."""
    attention = layer.attention
    read = layer.attention_residual.before(hidden)
    query, key, value = (
        linear(read).unflatten(-1, (attention.num_heads, attention.head_width)).transpose(1, 2)
        for linear in (attention.query, attention.key, attention.value)
    )
    scores = (query * attention.head_width**-0.5) @ key.transpose(-1, -2) + far
    context = (scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)
    hidden = layer.attention_residual(hidden, attention.output(context))
    changed = layer.feedforward(layer.feedforward_residual.before(hidden))
    done: Tensor = layer.feedforward_residual(hidden, changed)
    return done


class _PretrainedForm(torch_nn.Module):
    """The encoder itself: its model is given a mask, and has no branch of ours."""

    def __init__(self, encoder: PretrainedEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, inputs: Inputs) -> Tensor:
        states: Tensor = self.encoder(inputs)
        return states
