"""A decoder that looks back twice: at the source, and at what it has written itself."""

# Annotations are evaluated here: the pages of the API show those of a NamedTuple as they are.
from typing import NamedTuple

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_module, check_probability, check_sizes
from mtl_utils.nn.attention import AdditiveAttention
from mtl_utils.nn.decoder import run_lstm
from mtl_utils.nn.masks import check_mask
from mtl_utils.nn.rebuilding import Rebuildable
from mtl_utils.nn.recurrent import check_ids, check_width, remember_by_default


class SelfAttentiveState(NamedTuple):
    """All that a decoder needs to go on; the first dimension of every tensor is the row.

    Args:
        lstm: Hidden and cell state ``[B, 2, D]``.
        memory: What is attended to, ``[B, T, D]``; T may be 0.
        keys: The memory as the attention compares it, ``[B, T, D]``.
        mask: ``[B, T]``, True where the memory has a token.
        written: The states of all steps so far, ``[B, U, D]``.
        written_keys: The same as the self-attention compares them.
    """

    lstm: Tensor
    memory: Tensor
    keys: Tensor
    mask: Tensor
    written: Tensor
    written_keys: Tensor


class SelfAttended(NamedTuple):
    """What a decoder computes from target tokens.

    Args:
        hidden: ``[B, U, D]``, for an output layer to read.
        source_weights: Attention to the memory ``[B, U, T]``.
        own_weights: Attention to the states before, ``[B, U, U']``, U' being the number of steps
            so far, earlier calls included; zero from the state's own position on.
        state: The state after the last token.
    """

    hidden: Tensor
    source_weights: Tensor
    own_weights: Tensor
    state: SelfAttentiveState


class SelfAttentiveDecoder(Rebuildable):
    r"""An LSTM, attention over the encoder and over its own past, and a linear layer over both.

    .. math:: s_u = \operatorname{LSTM}(s_{u-1}, e_{u-1}), \quad
        c_u = \operatorname{attend}(s_u, h_{1..T}), \quad
        p_u = \operatorname{attend}(s_u, s_{1..u-1}), \quad
        d_u = W [s_u; c_u; p_u] + b.

    Both attentions are additive (Bahdanau et al., 2015); attending to one's own earlier states goes
    back to Cheng et al. (2016). Without a source (:meth:`start_alone`) the context is zero and what
    is left is a language model, causal by construction. Its output layers are not here: each
    task that writes has its own.

    Args:
        vocab_size: Number of tokens, V.
        width: Size of all states, D, those of the encoder included.
        dropout: Probability of dropping a unit of the embeddings and before the linear layer.
        embedding: Token embeddings to share with an encoder; new ones if ``None``.

    Raises:
        ValueError: If a size is below 1, ``dropout`` is outside [0, 1), or the vectors of
            ``embedding`` have another size than D.
        TypeError: If a setting is of another type.
    """

    def __init__(
        self,
        vocab_size: int,
        width: int,
        dropout: float = 0.1,
        *,
        embedding: torch_nn.Embedding | None = None,
    ) -> None:
        super().__init__()
        check_sizes(vocab_size=vocab_size, width=width)
        check_probability("dropout", dropout)
        self.vocab_size, self.width = vocab_size, width
        self.embedding = torch_nn.Embedding(vocab_size, width) if embedding is None else embedding
        check_module("embedding", self.embedding)
        check_width(self.embedding, width)
        self.dropout = torch_nn.Dropout(dropout)
        self.bridge = torch_nn.Linear(width, 2 * width)
        self.lstm = torch_nn.LSTM(width, width, batch_first=True)
        self.attention = AdditiveAttention(width, width, width)
        self.self_attention = AdditiveAttention(width, width, width)
        self.combine = torch_nn.Linear(3 * width, width)
        remember_by_default(self.lstm)

    def start(self, memory: Tensor, mask: Tensor) -> SelfAttentiveState:
        """Return the state before the first token of a text that has a source.

        Args:
            memory: The encoder's states ``[B, T, D]``.
            mask: ``[B, T]``, True where there is a token.

        Raises:
            TypeError: If the mask is not boolean.
        """
        check_mask(mask)
        # Whatever an encoder leaves at padding, 0 times it must be 0.
        memory = memory.masked_fill(~mask.unsqueeze(-1), 0.0)
        mean = memory.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)  # [B, D]
        started = torch.tanh(self.bridge(mean)).view(len(memory), 2, self.width)
        nothing = memory[:, :0]  # [B, 0, D]
        return SelfAttentiveState(
            started, memory, self.attention.keys(memory), mask, nothing, nothing
        )

    def start_alone(self, num_rows: int) -> SelfAttentiveState:
        """Return the state before the first token of texts without a source.

        Args:
            num_rows: Number of texts, B.
        """
        nothing = self.bridge.weight.new_zeros(num_rows, 0, self.width)
        return self.start(
            nothing, torch.zeros(num_rows, 0, dtype=torch.bool, device=nothing.device)
        )

    def positions_left(self, state: SelfAttentiveState) -> None:
        """Return ``None``: there is no limit to the tokens that can be read.

        Args:
            state: From :meth:`start`, or what the call before returned.
        """

    def prepared(self, state: SelfAttentiveState, max_length: int) -> None:
        """Return ``None``: there is no faster step.

        Args:
            state: From :meth:`start`, or what the call before returned.
            max_length: How many tokens are to be read at most.
        """

    def decode(self, input_ids: Tensor, state: SelfAttentiveState) -> SelfAttended:
        """Read target tokens.

        Args:
            input_ids: Target tokens ``[B, U]``, the first of all ``<bos>``.
            state: From :meth:`start` or :meth:`start_alone`, or what the call before returned.

        Returns:
            Hidden states, attention weights and the state after the last token.

        Raises:
            ValueError: If an id is outside the vocabulary.
        """
        check_ids(input_ids, self.vocab_size)
        embedded = self.dropout(self.embedding(input_ids))  # [B, U, D]
        read, lstm = run_lstm(self.lstm, embedded, state.lstm)  # [B, U, D]
        context, source_weights = self.attention(read, state.memory, state.mask, state.keys)
        written = torch.cat([state.written.to(read.dtype), read], dim=1)  # [B, U', D]
        keys = self.self_attention.keys(read)
        keys = torch.cat([state.written_keys.to(keys.dtype), keys], dim=1)
        earlier = self._earlier(state.written.shape[1], read)
        past, own_weights = self.self_attention(read, written, earlier, keys)  # [B, U, D]
        together = torch.cat([read, context.to(read.dtype), past.to(read.dtype)], dim=-1)
        hidden = self.combine(self.dropout(together))  # [B, U, D]
        after = state._replace(lstm=lstm, written=written, written_keys=keys)
        return SelfAttended(hidden, source_weights, own_weights, after)

    def forward(
        self, input_ids: Tensor, state: SelfAttentiveState
    ) -> tuple[Tensor, SelfAttentiveState]:
        """Return what an output layer reads to score the next token after every prefix.

        Args:
            input_ids: Target tokens ``[B, U]``, the first of all ``<bos>``.
            state: From :meth:`start` or :meth:`start_alone`, or what the call before returned.

        Returns:
            Hidden states ``[B, U, D]``, those at position u from tokens up to u alone; and the
            state after the last token.
        """
        decoded = self.decode(input_ids, state)
        return decoded.hidden, decoded.state

    @staticmethod
    def _earlier(num_before: int, read: Tensor) -> Tensor:
        """Return ``[B, U, U']``, True at the steps before each of the U newest."""
        batch_size, length, _ = read.shape
        steps = torch.arange(num_before + length, device=read.device)
        return (steps < steps[num_before:].unsqueeze(1)).expand(batch_size, -1, -1)
