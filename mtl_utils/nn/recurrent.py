"""Encoders that read with an LSTM: in one direction, or in both."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import (
    check_cut,
    check_flag,
    check_module,
    check_probability,
    check_sizes,
)
from mtl_utils.data.batch import Inputs
from mtl_utils.nn.encoder import Encoder, check_inputs
from mtl_utils.nn.rebuilding import note_cut
from mtl_utils.nn.recurrent_layers import LSTMLayers, NoLayers, copy_layers, read_padded


class LSTMEncoder(Encoder):
    """Read from left to right (Hochreiter & Schmidhuber, 1997).

    A state holds what was read so far and nothing of what follows, so a language model may read it.

    Args:
        vocab_size: Number of tokens, V.
        width: Size of embeddings and hidden states, D.
        num_layers: Number of LSTM layers.
        dropout: Probability of dropping a unit of the embeddings, and between layers.
        embedding: What turns inputs into vectors ``[B, T, D]``, instead of one embedding a token:
            a :class:`WordCharacterEmbedding`, any other module that is called with the inputs, or
            an ``nn.Embedding``, which is called with the token ids.

    Raises:
        ValueError: If a size is below 1, ``dropout`` is outside [0, 1), or the vectors of
            ``embedding`` have another size than D.
        TypeError: If a setting is of another type.
    """

    causal = True
    num_directions = 1

    def __init__(
        self,
        vocab_size: int,
        width: int,
        num_layers: int = 1,
        dropout: float = 0.1,
        *,
        embedding: torch_nn.Module | None = None,
    ) -> None:
        super().__init__()
        check_sizes(vocab_size=vocab_size, width=width, num_layers=num_layers)
        if width % self.num_directions:
            raise ValueError(
                f"width must be even, half of it for each direction of reading; got {width}"
            )
        check_probability("dropout", dropout)
        self.vocab_size = vocab_size
        self.width = width
        if embedding is None:
            embedding = torch_nn.Embedding(vocab_size, width)
        check_module("embedding", embedding)
        check_width(embedding, width)
        self.embedding = embedding
        self.dropout = torch_nn.Dropout(dropout)
        self.lstm: torch_nn.LSTM | NoLayers = torch_nn.LSTM(
            width,
            width // self.num_directions,
            num_layers,
            batch_first=True,
            dropout=dropout if num_layers > 1 else 0.0,
            bidirectional=self.num_directions == 2,
        )
        remember_by_default(self.lstm)

    def forward(self, inputs: Inputs) -> Tensor:
        """Encode a batch; see :meth:`Encoder.forward`.

        Args:
            inputs: B texts of at most T tokens.

        Returns:
            Hidden states ``[B, T, D]``, zero at padding. They do not depend on how much padding
            there is.

        Raises:
            ValueError: If a token id is outside the vocabulary.
            TypeError: If they are no :class:`mtl_utils.data.Inputs`.
        """
        return self.read(self.embed(inputs), inputs.mask)

    def embed(self, inputs: Inputs) -> Tensor:
        """Look tokens up, and drop some of what is found while training.

        Args:
            inputs: B texts of at most T tokens.

        Returns:
            Vectors ``[B, T, D]``.

        Raises:
            ValueError: If a token id is outside the vocabulary.
            TypeError: If they are no :class:`mtl_utils.data.Inputs`.
        """
        check_inputs(inputs)
        check_ids(inputs.input_ids, self.vocab_size)
        of_tokens = isinstance(self.embedding, torch_nn.Embedding)
        embedded: Tensor = self.embedding(inputs.input_ids if of_tokens else inputs)
        return self.dropout(embedded)

    def read(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """Run the LSTM over embedded texts.

        Args:
            embedded: Vectors ``[B, T, D]``.
            mask: ``[B, T]``, True where there is a token.

        Returns:
            Hidden states ``[B, T, D]``, zero at padding.
        """
        return read_padded(self.lstm, embedded, mask)

    @property
    def num_layers(self) -> int:
        """Number of layers, L."""
        return self.lstm.num_layers

    def cut(self, num_layers: int) -> tuple[LSTMEncoder, LSTMLayers]:
        """Cut above some layers; see :meth:`Encoder.cut`.

        Args:
            num_layers: How many layers stay with the embeddings.

        Returns:
            Embeddings and lower layers, and the layers above, which drop units of what they read
            as this encoder does between layers.

        Raises:
            ValueError: If there are not as many layers.
        """
        whole = self.lstm
        check_cut(num_layers, whole.num_layers)
        lower = copy.deepcopy(self)
        lower.lstm = copy_layers(whole, 0, num_layers)
        between = 0 < num_layers < whole.num_layers
        upper = LSTMLayers(
            copy_layers(whole, num_layers, whole.num_layers),
            self.width,
            self.causal,
            whole.dropout if between else 0.0,
        )
        upper.train(whole.training)
        if self._held:
            upper.freeze()
        note_cut(self, num_layers, lower, upper)
        return lower, upper


class BiLSTMEncoder(LSTMEncoder):
    """Read in both directions (Schuster & Paliwal, 1997; Graves & Schmidhuber, 2005).

    Half of each hidden state comes from an LSTM that reads from the left, half from one that reads
    from the right, so that it knows the whole sentence. A language model must not read it: the next
    token is in it.

    Args:
        vocab_size: Number of tokens, V.
        width: Size of embeddings and hidden states, D; even.
        num_layers: Number of layers, each with both directions.
        dropout: Probability of dropping a unit of the embeddings, and between layers.
        embedding: What turns inputs into vectors; see :class:`LSTMEncoder`.

    Raises:
        ValueError: If a size is below 1, ``width`` is odd, ``dropout`` is outside [0, 1), or the
            vectors of ``embedding`` have another size than D.
        TypeError: If a setting is of another type.
    """

    causal = False
    num_directions = 2


class ProjectedEncoder(Encoder):
    r"""A recurrent encoder, a linear layer over its states, and a shortcut around both.

    .. math:: h_t = W [\overrightarrow{h}_t; \overleftarrow{h}_t] + b + e_t

    The linear layer mixes the directions. The shortcut (He et al., 2016) leaves to the LSTM what
    the context adds to a token, while what the token is reaches every task by itself.

    Args:
        encoder: The encoder, of width D.
        shortcut: Whether to add the embedding of the token.

    Raises:
        TypeError: If a setting is of another type.
    """

    def __init__(self, encoder: LSTMEncoder, shortcut: bool = True) -> None:
        super().__init__()
        check_flag("shortcut", shortcut)
        if not isinstance(encoder, LSTMEncoder):
            raise TypeError(
                "encoder must be an nn.LSTMEncoder or nn.BiLSTMEncoder, got "
                f"{type(encoder).__name__} {encoder!r:.60}"
            )
        self.encoder, self.shortcut = encoder, shortcut
        self.width, self.causal = encoder.width, encoder.causal
        self.projection = torch_nn.Linear(encoder.width, encoder.width)

    def forward(self, inputs: Inputs) -> Tensor:
        """Encode a batch; see :meth:`Encoder.forward`.

        Args:
            inputs: B texts of at most T tokens.

        Returns:
            Hidden states ``[B, T, D]``.

        Raises:
            ValueError: If a token id is outside the vocabulary.
        """
        embedded = self.encoder.embed(inputs)
        projected: Tensor = self.projection(self.encoder.read(embedded, inputs.mask))
        return projected + embedded if self.shortcut else projected


def remember_by_default(lstm: torch_nn.LSTM) -> None:
    """Set the biases of the forget gates to 1 (Jozefowicz et al., 2015).

    Args:
        lstm: Changed in place.
    """
    width = lstm.hidden_size
    for name, bias in lstm.named_parameters():
        if name.startswith("bias_ih"):  # gates stand in the order input, forget, cell, output
            with torch.no_grad():
                bias[width : 2 * width] = 1.0


def check_width(embedding: torch_nn.Module, width: int) -> None:
    """Refuse an embedding that says its vectors have another size.

    Args:
        embedding: Has ``embedding_dim`` or ``width``, or neither.
        width: The size that its vectors should have, D.

    Raises:
        ValueError: If they have another.
    """
    given = getattr(embedding, "embedding_dim", getattr(embedding, "width", width))
    if given != width:
        raise ValueError(
            f"The embedding {embedding!r:.60} gives vectors of size {given}, but width is {width}; "
            "make them equal"
        )


def check_ids(input_ids: Tensor, vocab_size: int) -> None:
    """Refuse ids without an embedding, where asking costs nothing (on the CPU, not compiled).

    Args:
        input_ids: Token ids of any shape.
        vocab_size: Number of tokens, V.

    Raises:
        ValueError: If an id is negative or not below V.
    """
    if input_ids.device.type != "cpu" or input_ids.numel() == 0 or torch.compiler.is_compiling():
        return
    low, high = int(input_ids.min()), int(input_ids.max())
    if low < 0 or high >= vocab_size:
        raise ValueError(
            f"Token id {low if low < 0 else high} is outside the vocabulary of {vocab_size} "
            "tokens. Was the text encoded with the tokenizer of this model?"
        )
