"""The decoder of a Transformer as a graph that writes one token: what it wrote is in its state."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mtl_utils.deployment.export.writer_graphs import WriterForm, plain
from mtl_utils.nn import MultiHeadAttention, TransformerDecoder


class TransformerWriterForm(WriterForm):
    """The form of a :class:`mtl_utils.nn.TransformerDecoder` of L layers.

    Keys and values of all layers lie side by side, those of the memory ``[1, T, L D]`` and those of
    what was written ``[1, U, L D]``, so that a step reads one token. What was written starts with a
    row of zeros, which is never looked at: a graph cannot give a tensor without rows to every
    runtime.

    Args:
        name: Of the logits.
        decoder: The decoder; left as it is.

    Raises:
        TypeError: If it is another decoder.
    """

    memory, state = ("keys", "values"), ("written_keys", "written_values")
    grows = state

    def __init__(self, name: str, decoder: Any) -> None:
        super().__init__()
        if type(decoder) is not TransformerDecoder:
            raise TypeError(
                f"A decoder of the kind {type(decoder).__name__} cannot be exported; expected a "
                "TransformerDecoder"
            )
        self.decoder: Any = plain(decoder)
        self.writes = (name,)

    def begin(self, hidden: Tensor) -> tuple[Tensor, ...]:
        """Return memory and state before the first token.

        Args:
            hidden: The states of the encoder ``[1, T, M]``.
        """
        attentions = [layer.attention for layer in self.decoder.layers]
        keys = torch.cat([attention.key(hidden) for attention in attentions], dim=-1)
        values = torch.cat([attention.value(hidden) for attention in attentions], dim=-1)
        nothing = keys[:, :1] * 0.0
        return keys, values, nothing, nothing + 0.0

    def forward(self, token: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        """Write a token.

        Args:
            token: The token before, ``[1, 1]``.
            *given: Keys and values of the memory ``[1, T, L D]``, and of what was written
                ``[1, U, L D]``, the row of zeros first.

        Returns:
            Logits ``[1, V]``, weights ``[1, T]`` (the mean over all heads of all layers), and the
            state after the token.
        """
        decoder, written = self.decoder, given[2]
        place = torch.ones_like(written[:, :, 0]).sum(dim=1).long() - 1  # [1]
        hidden = decoder.embedding(token) * decoder.width**0.5 + decoder.positions.table[place]
        hidden = decoder.embedding_norm(hidden)  # [1, 1, D]
        by_layer = zip(*(part.split(decoder.width, dim=-1) for part in given), strict=True)
        looked, after = [], []
        for layer, (keys, values, *past) in zip(decoder.layers, by_layer, strict=True):
            own = layer.self_attention
            read = layer.self_residual.before(hidden)
            past = [
                torch.cat([past[0], own.key(read)], 1),
                torch.cat([past[1], own.value(read)], 1),
            ]
            found, _ = _attended(own, read, past[0][:, 1:], past[1][:, 1:])
            hidden = layer.self_residual(hidden, found)
            found, weights = _attended(layer.attention, layer.residual.before(hidden), keys, values)
            hidden = layer.residual(hidden, found)
            changed = layer.feedforward(layer.feedforward_residual.before(hidden))
            hidden = layer.feedforward_residual(hidden, changed)
            looked.append(weights)
            after.append(past)
        written_keys, written_values = (torch.cat(parts, -1) for parts in zip(*after, strict=True))
        weights = torch.stack(looked).mean(dim=(0, 2))[:, 0]
        logits = decoder.output(decoder.norm(hidden))[:, 0]
        return logits, weights, written_keys, written_values


def _attended(
    attention: MultiHeadAttention, query: Tensor, keys: Tensor, values: Tensor
) -> tuple[Tensor, Tensor]:
    """From a query ``[1, 1, D]`` and what it may look at ``[1, T, D]`` to what it found.

    Returns:
        ``[1, 1, D]``, and where each head looked ``[1, H, 1, T]``.
    """
    asked, keys, values = (
        part.unflatten(-1, (attention.num_heads, attention.head_width)).transpose(1, 2)
        for part in (attention.query(query) * attention.head_width**-0.5, keys, values)
    )
    weights = (asked @ keys.transpose(-1, -2)).softmax(dim=-1)
    found: Tensor = attention.output((weights @ values).transpose(1, 2).flatten(2))
    return found, weights
