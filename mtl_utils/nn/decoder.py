"""A decoder: a language model of the target that attends to the source."""

# Annotations are evaluated here: the pages of the API show those of a NamedTuple as they are.
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import (
    check_flag,
    check_probability,
    check_sizes,
    check_tensor,
    check_whole,
)
from mtl_utils.data.batch import MISSING_LABEL
from mtl_utils.nn.attention import AdditiveAttention, UniformAttention
from mtl_utils.nn.dropout import Dropout
from mtl_utils.nn.masks import check_mask
from mtl_utils.nn.rebuilding import Rebuildable
from mtl_utils.nn.recurrent import check_ids, remember_by_default
from mtl_utils.nn.recurrent_precision import run_lstm_layers


class DecoderState(NamedTuple):
    """All that a decoder needs to go on; the first dimension of every tensor is the row.

    Args:
        lower: Hidden and cell state of the lower LSTM ``[B, 2, D]``.
        upper: The same of the upper LSTM.
        memory: What is attended to, ``[B, T, M]``.
        keys: The memory as the attention compares it, ``[B, T, D]``.
        mask: ``[B, T]``, True where the memory has a token.
    """

    lower: Tensor
    upper: Tensor
    memory: Tensor
    keys: Tensor
    mask: Tensor


class Decoded(NamedTuple):
    """What a decoder computes before its output layer.

    Args:
        hidden: ``[B, U, E]``.
        weights: Attention ``[B, U, T]``.
        state: The state after the last token.
    """

    hidden: Tensor
    weights: Tensor
    state: Any


class Decoder(Rebuildable):
    """Writes a target while attending to a source; owns its embeddings and its output layer.

    What it knows of the tokens so far is in a state: a tensor whose first dimension is the row, or
    a tuple of states, so that a search can pick rows (:func:`mtl_utils.nn.select_rows`).

    Attributes:
        output: From hidden states to logits ``[..., V]``.
    """

    output: torch_nn.Module

    def start(self, memory: Tensor, mask: Tensor) -> Any:
        """Return the state before the first token.

        Args:
            memory: The encoder's states ``[B, T, M]``; what they hold at padding does not matter.
            mask: ``[B, T]``, True where there is a token.
        """
        raise NotImplementedError

    def positions_left(self, state: Any) -> int | None:
        """Return how many more tokens can be read; ``None`` if there is no limit.

        Args:
            state: From :meth:`start`, or what the call before returned.
        """
        return None

    def prepared(self, state: Any, max_length: int) -> Callable[..., tuple[Tensor, Any]] | None:
        """Return a faster step for one greedy search, if there is one.

        Args:
            state: The state before the first token; the step starts from it and needs none.
            max_length: How many tokens are to be read at most.

        Returns:
            ``step(input_ids [B, 1], None)``, which computes what the decoder would.
        """
        return None

    def decode(self, input_ids: Tensor, state: Any) -> Decoded:
        """Read target tokens; everything but the output layer.

        Args:
            input_ids: Target tokens ``[B, U]``, the first of all ``<bos>``.
            state: From :meth:`start`, or what the call before returned.

        Returns:
            Hidden states, attention weights and the state after the last token.
        """
        raise NotImplementedError

    def read(self, input_ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Read target tokens; everything but the output layer, and nothing to look at.

        Args:
            input_ids: Target tokens ``[B, U]``, the first of all ``<bos>``.
            state: From :meth:`start`, or what the call before returned.

        Returns:
            Hidden states ``[B, U, E]``, and the state after the last token.
        """
        decoded = self.decode(input_ids, state)
        return decoded.hidden, decoded.state

    def forward(self, input_ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Score the next token after every prefix.

        Args:
            input_ids: Target tokens ``[B, U]``, the first of all ``<bos>``.
            state: From :meth:`start`, or what the call before returned.

        Returns:
            Logits ``[B, U, V]``, those at position u from tokens up to u alone; and the state after
            the last token.

        Raises:
            ValueError: If an id is outside the vocabulary, or the text is longer than there are
                positions.
        """
        hidden, state = self.read(input_ids, state)
        return self.output(hidden), state


class AttentionDecoder(Decoder):
    r"""Two LSTM layers with additive attention between them.

    The lower layer reads the target so far, its state asks the attention for a context, the upper
    layer reads both:

    .. math:: s_u = \operatorname{LSTM}(s_{u-1}, e_{u-1}), \quad
        c_u = \operatorname{attend}(s_u, h), \quad
        r_u = \operatorname{LSTM}(r_{u-1}, [s_u; c_u]), \quad
        z_u = E\, W [r_u; c_u; e_{u-1}] + b.

    The order is that of Wu et al. (2016) and of the conditional unit of Sennrich et al. (2017).
    Nothing in it feeds a context back into the lower layer, so that in training all positions are
    computed at once. The states start from the mean of the memory (Sennrich et al., 2017), which
    any encoder can give. The output layer is the embedding matrix transposed (Press & Wolf, 2017).

    Args:
        vocab_size: Number of target tokens, V.
        width: Size of the LSTM states, D.
        memory_width: Size of the encoder's states, M.
        embedding_width: Size of target embeddings, E; D if ``None``.
        dropout: Probability of dropping a unit of embeddings, between layers and before the output.
        attention: Whether to attend; if not, the context is the mean of the memory throughout.

    Raises:
        ValueError: If a size is below 1 or ``dropout`` is outside [0, 1).
        TypeError: If a setting is of another type.
    """

    def __init__(
        self,
        vocab_size: int,
        width: int,
        memory_width: int,
        embedding_width: int | None = None,
        dropout: float = 0.1,
        attention: bool = True,
    ) -> None:
        super().__init__()
        check_flag("attention", attention)
        embedding_width = width if embedding_width is None else embedding_width
        check_sizes(
            vocab_size=vocab_size,
            width=width,
            memory_width=memory_width,
            embedding_width=embedding_width,
        )
        check_probability("dropout", dropout)
        self.vocab_size, self.width = vocab_size, width
        self.embedding_scale = embedding_width**0.5
        self.embedding = torch_nn.Embedding(vocab_size, embedding_width)
        self.dropout = Dropout(dropout)
        self.bridge = torch_nn.Linear(memory_width, 4 * width)
        self.lower = torch_nn.LSTM(embedding_width, width, batch_first=True)
        self.attention: AdditiveAttention | UniformAttention = UniformAttention()
        if attention:
            self.attention = AdditiveAttention(width, memory_width, width)
        self.upper = torch_nn.LSTM(width + memory_width, width, batch_first=True)
        self.readout = torch_nn.Linear(width + memory_width + embedding_width, embedding_width)
        self.output = torch_nn.Linear(embedding_width, vocab_size)
        self.output.weight = self.embedding.weight
        # Small on the way out, unit variance on the way in (see embedding_scale).
        torch_nn.init.normal_(self.embedding.weight, std=embedding_width**-0.5)
        torch_nn.init.zeros_(self.output.bias)
        remember_by_default(self.lower)
        remember_by_default(self.upper)

    def start(self, memory: Tensor, mask: Tensor) -> DecoderState:
        """Return the state before the first token.

        Args:
            memory: The encoder's states ``[B, T, M]``.
            mask: ``[B, T]``, True where there is a token.

        Raises:
            TypeError: If the mask is not boolean.
        """
        check_mask(mask)
        # Whatever an encoder leaves at padding, 0 times it must be 0.
        memory = memory.masked_fill(~mask.unsqueeze(-1), 0.0)
        mean = memory.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)  # [B, M]
        started = torch.tanh(self.bridge(mean)).view(len(memory), 2, 2, self.width)
        return DecoderState(started[:, 0], started[:, 1], memory, self.attention.keys(memory), mask)

    def decode(self, input_ids: Tensor, state: DecoderState) -> Decoded:
        """Read target tokens; everything but the output layer.

        Args:
            input_ids: Target tokens ``[B, U]``, the first of all ``<bos>``.
            state: From :meth:`start`, or what the call before returned.

        Returns:
            Hidden states, attention weights and the state after the last token.

        Raises:
            ValueError: If an id is outside the vocabulary.
        """
        check_ids(input_ids, self.vocab_size)
        embedded = self.dropout(self.embedding(input_ids) * self.embedding_scale)  # [B, U, E]
        read, lower = run_lstm(self.lower, embedded, state.lower)  # [B, U, D]
        context, weights = self.attention(read, state.memory, state.mask, state.keys)
        context = context.to(read.dtype)
        both = self.dropout(torch.cat([read, context], dim=-1))  # [B, U, D + M]
        written, upper = run_lstm(self.upper, both, state.upper)  # [B, U, D]
        everything = self.dropout(torch.cat([written, context, embedded], dim=-1))
        hidden = self.readout(everything)  # [B, U, E]
        return Decoded(hidden, weights, state._replace(lower=lower, upper=upper))


def run_lstm(lstm: torch_nn.LSTM, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Run an LSTM of one layer, from a state and to one.

    Args:
        lstm: Of one layer and one direction.
        inputs: ``[B, U, E]``.
        state: Hidden and cell state ``[B, 2, D]``.

    Returns:
        Outputs ``[B, U, D]`` and the state after them.
    """
    hidden, cell = (part.unsqueeze(0).contiguous() for part in state.unbind(dim=1))
    outputs, (hidden, cell) = run_lstm_layers(lstm, inputs, (hidden, cell))
    return outputs, torch.stack([hidden[0], cell[0]], dim=1)


def shift_right(labels: Tensor, bos_id: int, pad_id: int) -> Tensor:
    """Return what a decoder reads while it learns to write target sentences (teacher forcing).

    Args:
        labels: Target sentences ``[B, U]``, ``MISSING_LABEL`` after their ends.
        bos_id: Id of ``<bos>``.
        pad_id: Id of ``<pad>``.

    Returns:
        ``[B, U]``: ``<bos>``, then all but the last; ``<pad>`` where a label is missing.

    Raises:
        ValueError: If the labels are not ``[B, U]``, or an id is negative.
        TypeError: If labels are no tensor of integers, or an id is no whole number.
    """
    check_tensor("labels", labels, "[B, U]", "integer")
    check_whole("bos_id", bos_id, least=0)
    check_whole("pad_id", pad_id, least=0)
    shifted = labels.roll(1, dims=1)
    shifted[:, 0] = bos_id
    return shifted.masked_fill(shifted == MISSING_LABEL, pad_id)
