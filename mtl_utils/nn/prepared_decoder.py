"""The decoder of a Transformer made ready to write one token a row after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.nn import functional

from mtl_utils.nn.multi_head_attention import KeyValues, MultiHeadAttention
from mtl_utils.nn.recurrent import check_ids
from mtl_utils.nn.transformer_layer import ACTIVATIONS

if TYPE_CHECKING:  # the decoder makes what is defined here
    from mtl_utils.nn.transformer_decoder import (
        LayerState,
        TransformerDecoder,
        TransformerDecoderLayer,
        TransformerState,
    )

Change = Callable[[Tensor], Tensor]


class PreparedDecoder:
    """A step of greedy search: what the decoder computes, in fewer and faster operations.

    While a text is written, a step multiplies a few rows with every matrix, and much of its time
    goes into reading these in the wrong order, and into small operations around them. Here the
    matrices lie in the order in which they are read, those of queries, keys and values side by
    side; keys and values have room for all that may be written; and padding of the memory is a
    number that is added to scores. It is made for one search, since it does not see weights change.

    Args:
        decoder: In evaluation mode, on the CPU.
        state: The state before the first token that is to be written.
        max_length: How many tokens are to be read at most.
    """

    def __init__(
        self, decoder: TransformerDecoder, state: TransformerState, max_length: int
    ) -> None:
        self.decoder = decoder
        self.num_written = state.layers[0].written.keys.shape[2]
        room = self.num_written + max_length
        hidden_keys = _scores_of_padding(state.mask, decoder.embedding.weight.dtype)
        self.layers = [
            _PreparedLayer(layer, before, room, hidden_keys)
            for layer, before in zip(decoder.decoder_layers, state.layers, strict=True)
        ]
        self.norm = _norm(decoder.norm)
        self.embedding_norm = _norm(decoder.embedding_norm)
        output = decoder.output
        self.output = _Product.of(output) if isinstance(output, torch_nn.Linear) else None

    @staticmethod
    def fits(decoder: TransformerDecoder, state: TransformerState) -> bool:
        """Tell whether the decoder is one that can be prepared, and every row has a memory.

        Whoever changed a part of it, hooked into it or has it compute in another precision gets
        what that part computes.

        Args:
            decoder: The decoder.
            state: The state before the first token that is to be written.
        """
        weights = list(decoder.parameters())
        first = weights[0]
        return (
            not torch.is_grad_enabled()
            and first.device.type == "cpu"
            and not torch.is_autocast_enabled("cpu")
            and first.dtype in (torch.float32, torch.float64)
            and all(weight.dtype == first.dtype for weight in weights)
            and all(_is_plain(module) for module in decoder.modules())
            and state.mask.shape[1] > 0
            and bool(state.mask.any(dim=1).all())
        )

    def __call__(self, input_ids: Tensor, state: None) -> tuple[Tensor, None]:
        """Score the next token.

        Args:
            input_ids: The tokens just written ``[B, 1]``.
            state: None is needed: the prepared decoder goes on from where it is.

        Returns:
            What the decoder returns: logits ``[B, 1, V]``, or hidden states.
        """
        decoder = self.decoder
        check_ids(input_ids, decoder.vocab_size)
        embedded = functional.embedding(input_ids[:, 0], decoder.embedding.weight)  # [B, D]
        positions = decoder.positions(1, self.num_written)
        hidden = self.embedding_norm(embedded * decoder.width**0.5 + positions)
        for layer in self.layers:
            hidden = layer(hidden, self.num_written)
        self.num_written += 1
        hidden = self.norm(hidden)
        return (hidden if self.output is None else self.output(hidden)).unsqueeze(1), None


class _PreparedLayer:
    """A layer of the decoder, whose keys and values are filled in place."""

    def __init__(
        self,
        layer: TransformerDecoderLayer,
        state: LayerState,
        room: int,
        hidden_keys: Tensor | None,
    ) -> None:
        own, source = layer.self_attention, layer.attention
        self.num_heads, self.head_width = own.num_heads, own.head_width
        self.own, self.own_output = _Product.of_self_attention(own), _Product.of(own.output)
        self.query, self.source_output = _Product.of_query(source), _Product.of(source.output)
        self.inner = _Product.of(layer.feedforward.inner)
        self.outer = _Product.of(layer.feedforward.outer)
        self.activation = ACTIVATIONS[layer.feedforward.activation]
        residuals = (layer.self_residual, layer.residual, layer.feedforward_residual)
        self.norms = [_norm(residual.norm) for residual in residuals]
        self.norm_first = layer.self_residual.norm_first
        self.written = KeyValues(*(_with_room(tensor, room) for tensor in state.written))
        self.memory = KeyValues(*(tensor.flatten(0, 1) for tensor in state.memory))
        self.hidden_keys = hidden_keys
        if hidden_keys is not None:
            rows = hidden_keys.repeat_interleave(self.num_heads, dim=0)  # [B * H, T]
            self.hidden_keys = rows.unsqueeze(1)

    def __call__(self, hidden: Tensor, num_written: int) -> Tensor:
        """From ``[B, D]`` to ``[B, D]``."""
        own, source, last = self.norms
        hidden = self._added(hidden, own, lambda read: self._look_back(read, num_written))
        hidden = self._added(hidden, source, self._look_at_memory)
        return self._added(hidden, last, self._think)

    def _added(self, hidden: Tensor, norm: Change, change: Change) -> Tensor:
        if self.norm_first:
            return hidden + change(norm(hidden))
        return norm(hidden + change(hidden))

    def _look_back(self, read: Tensor, num_written: int) -> Tensor:
        query, key, value = self.own(read).view(len(read), 3, self.num_heads, -1).unbind(1)
        self.written.keys[:, :, num_written] = key
        self.written.values[:, :, num_written] = value
        keys, values = (t.flatten(0, 1)[:, : num_written + 1] for t in self.written)
        scores = torch.bmm(self._rows(query), keys.transpose(1, 2))
        return self.own_output(torch.bmm(scores.softmax(dim=-1), values).view(read.shape))

    def _look_at_memory(self, read: Tensor) -> Tensor:
        query = self._rows(self.query(read))
        keys, values = self.memory
        if self.hidden_keys is None:
            scores = torch.bmm(query, keys.transpose(1, 2))
        else:
            scores = torch.baddbmm(self.hidden_keys, query, keys.transpose(1, 2))
        return self.source_output(torch.bmm(scores.softmax(dim=-1), values).view(read.shape))

    def _think(self, read: Tensor) -> Tensor:
        return self.outer(self.activation(self.inner(read)))

    def _rows(self, query: Tensor) -> Tensor:
        """From ``[B, H, D / H]`` or ``[B, D]`` to ``[B * H, 1, D / H]``."""
        return query.reshape(-1, 1, self.head_width)


class _Product(NamedTuple):
    """A linear layer whose matrix lies as the product of few rows reads it.

    Args:
        matrix: ``[D, E]``, contiguous.
        bias: ``[E]``.
    """

    matrix: Tensor
    bias: Tensor

    def __call__(self, rows: Tensor) -> Tensor:
        """From ``[B, D]`` to ``[B, E]``."""
        return torch.addmm(self.bias, rows, self.matrix)

    @classmethod
    def of(cls, linear: torch_nn.Linear) -> _Product:
        return cls(linear.weight.t().contiguous(), linear.bias)

    @classmethod
    def of_query(cls, attention: MultiHeadAttention) -> _Product:
        """Queries, scaled so that their products with keys are the scores."""
        scale, query = attention.head_width**-0.5, attention.query
        return cls((query.weight.t() * scale).contiguous(), query.bias * scale)

    @classmethod
    def of_self_attention(cls, attention: MultiHeadAttention) -> _Product:
        """Queries, keys and values side by side."""
        parts = [cls.of_query(attention), cls.of(attention.key), cls.of(attention.value)]
        return cls(torch.cat([p.matrix for p in parts], dim=1), torch.cat([p.bias for p in parts]))


def _with_room(tensor: Tensor, room: int) -> Tensor:
    """From ``[B, H, U, d]`` to ``[B, H, room, d]``, of which only the first U mean something."""
    roomy = tensor.new_empty(*tensor.shape[:2], room, tensor.shape[3])
    roomy[:, :, : tensor.shape[2]] = tensor
    return roomy


def _scores_of_padding(mask: Tensor, dtype: torch.dtype) -> Tensor | None:
    """Return what is added to scores ``[B, T]``; nothing where there is no padding."""
    if bool(mask.all()):
        return None
    nothing = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return nothing.masked_fill(~mask, torch.finfo(dtype).min)


def _norm(norm: torch_nn.Module) -> Change:
    if not isinstance(norm, torch_nn.LayerNorm):
        return lambda hidden: hidden
    weight, bias, eps = norm.weight, norm.bias, norm.eps
    shape = tuple(norm.normalized_shape)
    return lambda hidden: functional.layer_norm(hidden, shape, weight, bias, eps)


def _is_plain(module: torch_nn.Module) -> bool:
    """Tell whether a module computes what its class says, and drops nothing."""
    name = type(module).__module__
    known = name.startswith(("mtl_utils.nn.", "torch.nn.modules."))
    hooked = module._forward_hooks or module._forward_pre_hooks
    with_bias = not isinstance(module, torch_nn.Linear) or module.bias is not None
    return known and with_bias and not hooked and not module.training
