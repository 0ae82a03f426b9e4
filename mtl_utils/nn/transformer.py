"""The encoder of a Transformer: its layers alone, and with embeddings and positions."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.utils.checkpoint import checkpoint

from mtl_utils.arguments import (
    check_cut,
    check_flag,
    check_module,
    check_probability,
    check_sizes,
    check_tensor,
)
from mtl_utils.data.batch import Inputs
from mtl_utils.nn.dropout import Dropout, TokenDropout
from mtl_utils.nn.encoder import Encoder, EncoderLayers, check_inputs
from mtl_utils.nn.masks import check_mask
from mtl_utils.nn.packing import Packing
from mtl_utils.nn.positions import make_positions
from mtl_utils.nn.rebuilding import note_cut
from mtl_utils.nn.recurrent import check_ids, check_width
from mtl_utils.nn.transformer_layer import TransformerLayer


class TransformerStack(EncoderLayers):
    """The layers of an encoder, without embeddings and without positions.

    Permuting the positions permutes the results: what order the tokens have must be in the vectors.

    Args:
        width: Size of a state, D.
        num_layers: Number of layers.
        num_heads: Number of heads, H; it divides D.
        feedforward_width: Size of the hidden layer at each position; 4 D if ``None``.
        dropout: Probability of dropping a unit or a weight; see :class:`TransformerLayer`.
        causal: Whether no position may look at later ones.
        norm_first: Whether layers normalise what they read (and the stack what it returns) or what
            they return; see :class:`Residual`.
        activation: ``"relu"`` or ``"gelu"``.
        activation_dropout: For the hidden layer another probability than ``dropout``.

    Raises:
        ValueError: If a size is below 1, H does not divide D, a probability is outside [0, 1), or
            there is no such activation.
        TypeError: If a setting is of another type.
    """

    recomputes: bool = False  # see recompute_layers

    def __init__(
        self,
        width: int,
        num_layers: int,
        num_heads: int,
        feedforward_width: int | None = None,
        dropout: float = 0.1,
        *,
        causal: bool = False,
        norm_first: bool = True,
        activation: str = "relu",
        activation_dropout: float | None = None,
    ) -> None:
        super().__init__()
        check_sizes(num_layers=num_layers)
        check_flag("causal", causal)
        self.width, self.causal = width, causal
        self.layers = torch_nn.ModuleList(
            TransformerLayer(
                width,
                num_heads,
                feedforward_width,
                dropout,
                norm_first=norm_first,
                activation=activation,
                activation_dropout=activation_dropout,
            )
            for _ in range(num_layers)
        )
        self.norm = torch_nn.LayerNorm(width) if norm_first else torch_nn.Identity()

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Run all layers.

        Args:
            hidden: ``[B, T, D]``; what it holds at padding does not matter.
            mask: ``[B, T]``, True where there is a token.

        Returns:
            ``[B, T, D]``, zero at padding.

        Raises:
            ValueError: If the shapes do not fit.
            TypeError: If the mask is not boolean.
        """
        self._check(hidden, mask)
        if mask.device.type != "cpu":
            return self._run(_cleared(hidden, mask), mask).masked_fill(~mask.unsqueeze(-1), 0.0)
        if bool(mask.all()):
            return self._run(hidden, None)
        packing = Packing(mask)
        return packing.unpack(self._run(packing.pack(hidden), packing))

    def _run(self, hidden: Tensor, mask: Tensor | Packing | None) -> Tensor:
        again = self.recomputes and self.training and torch.is_grad_enabled()
        for layer in self.layers:
            if again:
                hidden = checkpoint(layer, hidden, mask, self.causal, use_reentrant=False)
            else:
                hidden = layer(hidden, mask, self.causal)
        normed: Tensor = self.norm(hidden)
        return normed

    def cut(self, num_layers: int) -> tuple[TransformerStack, TransformerStack]:
        """Cut between layers.

        Args:
            num_layers: How many layers the lower part has, from 0 to all.

        Returns:
            Copies of the layers below and above. The normalisation of what a stack returns goes
            with the last layer; a part without layers returns what it is given.

        Raises:
            ValueError: If there are not as many layers.
        """
        check_cut(num_layers, len(self.layers))
        lower, upper = copy.deepcopy(self), copy.deepcopy(self)
        without_norm = upper if num_layers == len(self.layers) else lower
        without_norm.norm = torch_nn.Identity().train(self.training)
        lower.layers, upper.layers = lower.layers[:num_layers], upper.layers[num_layers:]
        for part in (lower, upper):  # new lists begin in training mode
            part.layers.training = self.layers.training
        note_cut(self, num_layers, lower, upper)
        return lower, upper

    def attention_weights(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Return what the heads of all layers attend to, for plots; in evaluation mode.

        Args:
            hidden: ``[B, T, D]``.
            mask: ``[B, T]``, True where there is a token.

        Returns:
            ``[B, L, H, T, T]`` for L layers, from whom first.
        """
        self._check(hidden, mask)
        hidden, weights = _cleared(hidden, mask), []
        for layer in self.layers:
            assert isinstance(layer, TransformerLayer)
            weights.append(layer.attention_weights(hidden, mask, self.causal))
            hidden = layer(hidden, mask, self.causal)
        return torch.stack(weights, dim=1)

    def _check(self, hidden: Tensor, mask: Tensor) -> None:
        check_mask(mask)
        check_tensor("hidden", hidden, "[...]", "floating-point")
        if hidden.dim() != 3 or hidden.shape[-1] != self.width or mask.shape != hidden.shape[:2]:
            raise ValueError(
                f"Expected hidden [B, T, {self.width}] and a mask [B, T], got "
                f"{list(hidden.shape)} and {list(mask.shape)}"
            )


class TransformerEncoder(Encoder):
    r"""The encoder of a Transformer (Vaswani et al., 2017).

    .. math:: h_t^{(0)} = \sqrt{D}\, e_{x_t} + p_t + s_t, \qquad
        h^{(l)} = \operatorname{layer}_l(h^{(l - 1)})

    with embeddings e, positions p and, for pairs of texts, segments s (Devlin et al., 2019).
    Embeddings start with variance 1 / D, small enough for an output layer that shares them, and are
    scaled to variance 1 on the way in. With ``causal`` it is what a language model may read.

    Args:
        vocab_size: Number of tokens, V.
        width: Size of embeddings and states, D.
        num_layers: Number of layers.
        num_heads: Number of heads, H; it divides D.
        feedforward_width: Size of the hidden layer at each position; 4 D if ``None``.
        dropout: Probability of dropping a unit or a weight; see :class:`TransformerLayer`.
        max_length: Number of positions.
        causal: Whether no position may look at later ones.
        positions: ``"sinusoidal"`` or ``"learned"``.
        num_segments: Number of segments; inputs without segment ids are segment 0 throughout.
        norm_first: See :class:`Residual`.
        norm_embeddings: Whether to normalise the sum of embeddings, positions and segments, as
            Devlin et al. (2019) do.
        activation: ``"relu"`` or ``"gelu"``.
        activation_dropout: For the hidden layer another probability than ``dropout``.
        embedding: What turns inputs into vectors, instead of one embedding a token: an
            ``nn.Embedding`` that is shared with another part, which is called with the token ids
            and scaled as one's own, or any other module, which is called with the inputs and taken
            as it is.
        token_dropout: Probability of reading a token as unknown while training; see
            :class:`TokenDropout`. Another module as ``embedding`` has its own way.

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
        feedforward_width: int | None = None,
        dropout: float = 0.1,
        *,
        max_length: int = 512,
        causal: bool = False,
        positions: str = "sinusoidal",
        num_segments: int = 2,
        norm_first: bool = True,
        norm_embeddings: bool = False,
        activation: str = "relu",
        activation_dropout: float | None = None,
        embedding: torch_nn.Module | None = None,
        token_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_sizes(vocab_size=vocab_size, width=width, num_segments=num_segments)
        check_probability("dropout", dropout)
        check_flag("norm_embeddings", norm_embeddings)
        self.vocab_size, self.width, self.causal = vocab_size, width, causal
        if embedding is None:
            embedding = token_embedding(vocab_size, width)
        check_module("embedding", embedding)
        check_width(embedding, width)
        self.embedding = embedding
        self.token_dropout = TokenDropout(token_dropout)
        self.positions, self.max_length = make_positions(positions, width, max_length), max_length
        self.segments = torch_nn.Embedding(num_segments, width)
        torch_nn.init.zeros_(self.segments.weight)  # no effect until pairs have been learned from
        self.embedding_norm = torch_nn.LayerNorm(width) if norm_embeddings else torch_nn.Identity()
        self.dropout = Dropout(dropout)
        options: dict[str, Any] = {"norm_first": norm_first, "activation": activation}
        self.stack = TransformerStack(
            width,
            num_layers,
            num_heads,
            feedforward_width,
            dropout,
            causal=causal,
            activation_dropout=activation_dropout,
            **options,
        )

    def forward(self, inputs: Inputs) -> Tensor:
        """Encode a batch; see :meth:`Encoder.forward`.

        Args:
            inputs: B texts of at most T tokens.

        Returns:
            Hidden states ``[B, T, D]``, zero at padding. They do not depend on how much padding
            there is.

        Raises:
            ValueError: If an id is outside the vocabulary or the segments, or T is larger than the
                number of positions.
            TypeError: If they are no :class:`mtl_utils.data.Inputs`.
        """
        return self.stack(self.embed(inputs), inputs.mask)

    def embed(self, inputs: Inputs) -> Tensor:
        """Return what the first layer reads.

        Args:
            inputs: B texts of at most T tokens.

        Returns:
            ``[B, T, D]``.
        """
        check_inputs(inputs)
        check_ids(inputs.input_ids, self.vocab_size)
        if isinstance(self.embedding, torch_nn.Embedding):
            read = self.token_dropout(inputs.input_ids)
            embedded = self.embedding(read) * self.width**0.5
        else:
            embedded = self.embedding(inputs)
        embedded = embedded + self.positions(embedded.shape[1]) + self._segments(inputs)
        return self.dropout(self.embedding_norm(embedded))

    @property
    def num_layers(self) -> int:
        """Number of layers, L."""
        return len(self.stack.layers)

    def cut(self, num_layers: int) -> tuple[TransformerEncoder, TransformerStack]:
        """Cut above some layers; see :meth:`Encoder.cut`.

        Args:
            num_layers: How many layers stay with the embeddings.

        Returns:
            Embeddings and lower layers, and the layers above.

        Raises:
            ValueError: If there are not as many layers.
        """
        lower = copy.deepcopy(self)
        lower.stack, upper = self.stack.cut(num_layers)
        if self._held:
            upper.freeze()
        note_cut(self, num_layers, lower, upper)
        return lower, upper

    def attention_weights(self, inputs: Inputs) -> Tensor:
        """Return what the heads of all layers attend to, for plots; in evaluation mode.

        Args:
            inputs: B texts of at most T tokens.

        Returns:
            ``[B, L, H, T, T]`` for L layers, from whom first.
        """
        return self.stack.attention_weights(self.embed(inputs), inputs.mask)

    def _segments(self, inputs: Inputs) -> Tensor:
        segment_ids, count = inputs.segment_ids, self.segments.num_embeddings
        if segment_ids is None:
            return self.segments.weight[0]
        if segment_ids.device.type == "cpu" and segment_ids.numel():
            low, high = int(segment_ids.min()), int(segment_ids.max())
            if low < 0 or high >= count:
                raise ValueError(
                    f"Segment id {low if low < 0 else high} is outside the {count} segments of "
                    "this encoder; make it with num_segments large enough"
                )
        embedded: Tensor = self.segments(segment_ids)
        return embedded


def token_embedding(vocab_size: int, width: int) -> torch_nn.Embedding:
    """Make embeddings of variance 1 / D, which an output layer can share.

    Args:
        vocab_size: Number of tokens, V.
        width: Size of a vector, D.
    """
    embedding = torch_nn.Embedding(vocab_size, width)
    torch_nn.init.normal_(embedding.weight, std=width**-0.5)
    return embedding


def _cleared(hidden: Tensor, mask: Tensor) -> Tensor:
    """Set ``[B, T, D]`` to zero at padding: a weight of 0 times nan is nan."""
    return hidden.masked_fill(~mask.unsqueeze(-1), 0.0)
