"""The decoder of a Transformer: it attends to what it has written, and to a source."""

# Annotations are evaluated here: the pages of the API show those of a NamedTuple as they are.
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_flag, check_module, check_probability, check_sizes
from mtl_utils.nn.decoder import Decoded, Decoder
from mtl_utils.nn.dropout import Dropout
from mtl_utils.nn.masks import check_mask
from mtl_utils.nn.multi_head_attention import KeyValues, MultiHeadAttention
from mtl_utils.nn.positions import make_positions
from mtl_utils.nn.prepared_decoder import PreparedDecoder
from mtl_utils.nn.recurrent import check_ids, check_width
from mtl_utils.nn.transformer import token_embedding
from mtl_utils.nn.transformer_layer import (
    FeedForward,
    Residual,
    feedforward_dropout,
    feedforward_size,
)


class LayerState(NamedTuple):
    """What a layer of the decoder keeps, so that nothing is computed twice.

    Args:
        written: Keys and values of the tokens so far, ``[B, H, U, D / H]``.
        memory: Keys and values of the memory, ``[B, H, T, D / H]``.
    """

    written: KeyValues
    memory: KeyValues


class TransformerState(NamedTuple):
    """All that a decoder needs to go on; the first dimension of every tensor is the row.

    Args:
        layers: What each layer keeps.
        mask: ``[B, T]``, True where the memory has a token.
    """

    layers: tuple[LayerState, ...]
    mask: Tensor


class DecoderWeights(NamedTuple):
    """What the heads of all layers attend to, from whom first.

    Args:
        source: The memory, ``[B, L, H, U, T]``.
        own: What was written, ``[B, L, H, U, U']``, earlier calls included.
    """

    source: Tensor
    own: Tensor


class TransformerDecoderLayer(torch_nn.Module):
    """A layer of the decoder: causal self-attention, attention to a memory, a network.

    Args:
        width: Size of a state, D.
        num_heads: Number of heads, H; it divides D.
        memory_width: Size of the encoder's states, M; D if ``None``.
        feedforward_width: Size of the hidden layer of the network; 4 D if ``None``.
        dropout: As in :class:`TransformerLayer`.
        norm_first: See :class:`Residual`.
        activation: ``"relu"`` or ``"gelu"``.
        activation_dropout: For the hidden layer another probability than ``dropout``.

    Raises:
        ValueError: If a size is below 1, H does not divide D, a probability is outside [0, 1), or
            there is no such activation.
        TypeError: If a setting is of another type.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        memory_width: int | None = None,
        feedforward_width: int | None = None,
        dropout: float = 0.1,
        *,
        norm_first: bool = True,
        activation: str = "relu",
        activation_dropout: float | None = None,
    ) -> None:
        super().__init__()
        inside = feedforward_dropout(dropout, activation_dropout)
        hidden_width = feedforward_size(width, feedforward_width)
        self.self_attention = MultiHeadAttention(width, num_heads, dropout)
        self.self_residual = Residual(width, dropout, norm_first)
        self.attention = MultiHeadAttention(width, num_heads, dropout, memory_width)
        self.residual = Residual(width, dropout, norm_first)
        self.feedforward = FeedForward(width, hidden_width, inside, activation)
        self.feedforward_residual = Residual(width, dropout, norm_first)

    def start(self, memory: Tensor) -> LayerState:
        """Return what the layer keeps before the first token.

        Args:
            memory: ``[B, T, M]``, finite at padding too.
        """
        nothing = memory.new_zeros(
            len(memory), self.attention.num_heads, 0, self.attention.head_width
        )
        return LayerState(KeyValues(nothing, nothing), self.attention.read(memory).compact())

    def forward(
        self, hidden: Tensor, state: LayerState, mask: Tensor | None
    ) -> tuple[Tensor, LayerState]:
        """Let each target position look back, then at the memory, then think for itself.

        Args:
            hidden: ``[B, U, D]``.
            state: From :meth:`start`, or what the call before returned.
            mask: ``[B, T]``, True where the memory has a token; everywhere if ``None``.

        Returns:
            ``[B, U, D]``, and the state after the last token.
        """
        read = self.self_residual.before(hidden)
        written = state.written.followed_by(self.self_attention.read(read))
        past = self.self_attention.attend(read, written, causal=True)
        hidden = self.self_residual(hidden, past)
        asked = self.residual.before(hidden)
        hidden = self.residual(hidden, self.attention.attend(asked, state.memory, mask))
        changed = self.feedforward(self.feedforward_residual.before(hidden))
        return self.feedforward_residual(hidden, changed), LayerState(written, state.memory)

    def attention_weights(
        self, hidden: Tensor, state: LayerState, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return what the heads attend to; see :meth:`MultiHeadAttention.weights`.

        Args:
            hidden: ``[B, U, D]``.
            state: From :meth:`start`, or what the call before returned.
            mask: ``[B, T]``, True where the memory has a token; everywhere if ``None``.

        Returns:
            To the memory ``[B, H, U, T]``, and to what was written ``[B, H, U, U']``.
        """
        read = self.self_residual.before(hidden)
        written = state.written.followed_by(self.self_attention.read(read))
        own = self.self_attention.weights(read, written, causal=True)
        past = self.self_attention.attend(read, written, causal=True)
        asked = self.residual.before(self.self_residual(hidden, past))
        return self.attention.weights(asked, state.memory, mask), own


class TransformerDecoder(Decoder):
    r"""The decoder of a Transformer (Vaswani et al., 2017).

    Each layer attends to the target so far and then to the memory. In training all positions are
    computed at once. While writing, keys and values of what was written and of the memory are kept
    in the state, so that a step reads one token. The output layer is the embedding matrix
    transposed (Press & Wolf, 2017): embeddings start with variance 1 / D and are scaled to variance
    1 on the way in. The last normalisation starts with a gain of :math:`D^{-1/4}`: the state still
    resembles the token just read, and with a gain of 1 an untrained decoder would favour that
    token, the more so the wider it is.

    Args:
        vocab_size: Number of target tokens, V.
        width: Size of embeddings and states, D.
        num_layers: Number of layers, L.
        num_heads: Number of heads, H; it divides D.
        memory_width: Size of the encoder's states, M; D if ``None``.
        feedforward_width: Size of the hidden layer at each position; 4 D if ``None``.
        dropout: Probability of dropping a unit or a weight; see :class:`TransformerLayer`.
        max_length: Number of positions.
        positions: ``"sinusoidal"`` or ``"learned"``.
        norm_first: See :class:`Residual`.
        norm_embeddings: Whether to normalise the sum of embeddings and positions.
        activation: ``"relu"`` or ``"gelu"``.
        activation_dropout: For the hidden layer another probability than ``dropout``.
        embedding: Token embeddings to share with an encoder; new ones if ``None``. They should
            have variance 1 / D, as those of :class:`TransformerEncoder` do.
        output: Whether to have an output layer. Without one, calling it returns hidden states, as
            :class:`mtl_utils.sharing.SharedDecoder` reads them, and the last normalisation starts
            with a gain of 1.

    Raises:
        ValueError: If a size is below 1, H does not divide D, a probability is outside [0, 1), the
            vectors of ``embedding`` have another size than D, or there is no such activation or
            kind of positions.
        TypeError: If a setting is of another type.
    """

    def __init__(
        self,
        vocab_size: int,
        width: int,
        num_layers: int,
        num_heads: int,
        memory_width: int | None = None,
        feedforward_width: int | None = None,
        dropout: float = 0.1,
        *,
        max_length: int = 512,
        positions: str = "sinusoidal",
        norm_first: bool = True,
        norm_embeddings: bool = False,
        activation: str = "relu",
        activation_dropout: float | None = None,
        embedding: torch_nn.Embedding | None = None,
        output: bool = True,
    ) -> None:
        super().__init__()
        check_sizes(vocab_size=vocab_size, width=width, num_layers=num_layers)
        check_probability("dropout", dropout)
        check_flag("norm_embeddings", norm_embeddings)
        check_flag("output", output)
        self.vocab_size, self.width = vocab_size, width
        self.memory_width = width if memory_width is None else memory_width
        self.embedding = token_embedding(vocab_size, width) if embedding is None else embedding
        check_module("embedding", self.embedding)
        check_width(self.embedding, width)
        self.positions = make_positions(positions, width, max_length)
        self.embedding_norm = torch_nn.LayerNorm(width) if norm_embeddings else torch_nn.Identity()
        self.dropout = Dropout(dropout)
        self.layers = torch_nn.ModuleList(
            TransformerDecoderLayer(
                width,
                num_heads,
                memory_width,
                feedforward_width,
                dropout,
                norm_first=norm_first,
                activation=activation,
                activation_dropout=activation_dropout,
            )
            for _ in range(num_layers)
        )
        self.norm = torch_nn.LayerNorm(width) if norm_first else torch_nn.Identity()
        self.output = self._make_output() if output else torch_nn.Identity()

    def _make_output(self) -> torch_nn.Linear:
        layer = torch_nn.Linear(self.width, self.vocab_size)
        layer.weight = self.embedding.weight
        torch_nn.init.zeros_(layer.bias)
        last = self.norm
        if not isinstance(last, torch_nn.LayerNorm):
            last = self.decoder_layers[-1].feedforward_residual.norm
        torch_nn.init.constant_(last.weight, self.width**-0.25)
        return layer

    def start(self, memory: Tensor, mask: Tensor) -> TransformerState:
        """Return the state before the first token.

        Args:
            memory: The encoder's states ``[B, T, M]``; what they hold at padding does not matter.
            mask: ``[B, T]``, True where there is a token.

        Raises:
            ValueError: If the shapes do not fit.
            TypeError: If the mask is not boolean.
        """
        check_mask(mask)
        if memory.shape[-1] != self.memory_width or mask.shape != memory.shape[:2]:
            raise ValueError(
                f"Expected a memory [B, T, {self.memory_width}] and a mask [B, T], got "
                f"{list(memory.shape)} and {list(mask.shape)}"
            )
        memory = memory.masked_fill(~mask.unsqueeze(-1), 0.0)  # a weight of 0 times nan is nan
        return TransformerState(tuple(layer.start(memory) for layer in self.decoder_layers), mask)

    def start_alone(self, num_rows: int) -> TransformerState:
        """Return the state before the first token of texts without a source.

        The decoder is then a language model: attention to the memory gives zeros.

        Args:
            num_rows: Number of texts, B.
        """
        nothing = self.embedding.weight.new_zeros(num_rows, 0, self.memory_width)
        return self.start(nothing, torch.ones(num_rows, 0, dtype=torch.bool, device=nothing.device))

    def positions_left(self, state: TransformerState) -> int:
        """Return how many more tokens can be read.

        Args:
            state: From :meth:`start`, or what the call before returned.
        """
        return self.positions.max_length - _num_written(state)

    def prepared(
        self, state: TransformerState, max_length: int
    ) -> Callable[..., tuple[Tensor, Any]] | None:
        """Return a faster step for one greedy search; see :meth:`Decoder.prepared`.

        Args:
            state: The state before the first token.
            max_length: How many tokens are to be read at most.

        Returns:
            The step, on a CPU and in evaluation mode, where no part of the decoder was replaced.
        """
        if not PreparedDecoder.fits(self, state):
            return None
        return PreparedDecoder(self, state, max_length)

    def decode(self, input_ids: Tensor, state: TransformerState) -> Decoded:
        """Read target tokens; everything but the output layer, and what is attended to.

        Args:
            input_ids: Target tokens ``[B, U]``, the first of all ``<bos>``.
            state: From :meth:`start`, or what the call before returned.

        Returns:
            Hidden states, attention to the memory (the mean over all heads of all layers) and the
            state after the last token.

        Raises:
            ValueError: If an id is outside the vocabulary, or the text is longer than there are
                positions.
        """
        hidden, after = self.read(input_ids, state)
        weights = self.attention_weights(input_ids, state).source
        return Decoded(hidden, weights.mean(dim=(1, 2)), after)

    def read(self, input_ids: Tensor, state: TransformerState) -> tuple[Tensor, TransformerState]:
        """Read target tokens; everything but the output layer.

        Args:
            input_ids: Target tokens ``[B, U]``, the first of all ``<bos>``.
            state: From :meth:`start`, or what the call before returned.

        Returns:
            Hidden states ``[B, U, D]``, and the state after the last token.
        """
        hidden, mask, layers = self._embed(input_ids, state), _needed(state.mask), []
        for layer, before in zip(self.decoder_layers, state.layers, strict=True):
            hidden, after = layer(hidden, before, mask)
            layers.append(after)
        return self.norm(hidden), TransformerState(tuple(layers), state.mask)

    def attention_weights(self, input_ids: Tensor, state: TransformerState) -> DecoderWeights:
        """Return what the heads of all layers attend to, for plots; in evaluation mode.

        Args:
            input_ids: Target tokens ``[B, U]``, the first of all ``<bos>``.
            state: From :meth:`start`, or what the call before returned.
        """
        hidden, mask, weights = self._embed(input_ids, state), _needed(state.mask), []
        for layer, before in zip(self.decoder_layers, state.layers, strict=True):
            weights.append(layer.attention_weights(hidden, before, mask))
            hidden, _ = layer(hidden, before, mask)
        source, own = (torch.stack(parts, dim=1) for parts in zip(*weights, strict=True))
        return DecoderWeights(source, own)

    def _embed(self, input_ids: Tensor, state: TransformerState) -> Tensor:
        check_ids(input_ids, self.vocab_size)
        positions = self.positions(input_ids.shape[1], _num_written(state))
        embedded = self.embedding(input_ids) * self.width**0.5 + positions
        return self.dropout(self.embedding_norm(embedded))

    @property
    def decoder_layers(self) -> list[TransformerDecoderLayer]:
        """The layers, from the bottom up."""
        return [layer for layer in self.layers if isinstance(layer, TransformerDecoderLayer)]


def _num_written(state: TransformerState) -> int:
    return state.layers[0].written.keys.shape[2]


def _needed(mask: Tensor) -> Tensor | None:
    """Return the mask, or ``None`` where it is known to hide nothing."""
    return None if mask.device.type == "cpu" and bool(mask.all()) else mask
