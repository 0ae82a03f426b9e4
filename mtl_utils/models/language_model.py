"""A neural language model: a left-to-right LSTM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.nn import functional

from mtl_utils.arguments import (
    check_flag,
    check_probability,
    check_sizes,
    check_tensor,
    check_whole,
    shown,
)
from mtl_utils.data.vocabulary import Vocabulary
from mtl_utils.models.given import about, check_token_ids, check_vocabulary
from mtl_utils.nn import decoding
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.nn.recurrent import check_ids, remember_by_default
from mtl_utils.nn.recurrent_precision import run_lstm_layers
from mtl_utils.saving import SavableModule
from mtl_utils.training.stream_model import StreamModel

State = tuple[Tensor, Tensor]
"""Hidden and cell state of an LSTM, each ``[num_layers, B, D]``."""


class LSTMLanguageModel(SavableModule, StreamModel):
    """Predict the next token from an LSTM's summary of all tokens before it.

    The LSTM reads from left to right only (Mikolov et al., 2010; Sundermeyer et al., 2012), with
    dropout on what goes into and out of each layer but not along time (Zaremba et al., 2014).
    With ``tie_weights`` the output layer is the embedding matrix transposed (Press & Wolf, 2017;
    Inan et al., 2017).

    Tied embeddings start with standard deviation ``1 / sqrt(width)``: at unit variance, which free
    input embeddings have, the output layer would be confident before it has learnt anything. On
    the way in they are multiplied by ``sqrt(width)`` (Vaswani et al., 2017), so that the LSTM reads
    inputs of unit variance and the first predictions are close to uniform in both cases.

    Args:
        vocab_size: Number of tokens, V.
        width: Size of embeddings and states, D.
        num_layers: Number of LSTM layers.
        dropout: Probability of dropping a unit while training.
        tie_weights: Whether input and output embeddings are the same parameters.
        padding_id: Targets equal to this id are not counted in the loss; ``None`` counts all.
        vocabulary: The tokens, V in all, to be saved with the model, which itself knows ids alone.

    Raises:
        ValueError: If a size is below 1, ``dropout`` is outside [0, 1), ``padding_id`` is not an
            id, or the vocabulary has another size.
        TypeError: If an argument is not of its kind.
    """

    _used_as = "model.sample(input_ids, 40)"

    def __init__(
        self,
        vocab_size: int,
        width: int,
        num_layers: int = 1,
        dropout: float = 0.1,
        tie_weights: bool = True,
        padding_id: int | None = None,
        *,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        super().__init__()
        check_sizes(vocab_size=vocab_size, width=width, num_layers=num_layers)
        check_probability("dropout", dropout)
        check_flag("tie_weights", tie_weights)
        if padding_id is not None:
            check_whole("padding_id", padding_id)
        if padding_id is not None and not 0 <= padding_id < vocab_size:
            raise ValueError(f"padding_id must be an id below {vocab_size}, got {padding_id}")
        if vocabulary is not None:
            check_vocabulary("vocabulary", vocabulary)
            if len(vocabulary) != vocab_size:
                raise ValueError(
                    f"The vocabulary has {len(vocabulary)} tokens, and vocab_size is {vocab_size}: "
                    f"{shown(vocabulary)}"
                )
        self.vocab_size, self.vocabulary = vocab_size, vocabulary
        self.width = width
        self.padding_id = padding_id
        self.input_scale = width**0.5 if tie_weights else 1.0
        self.embedding = torch_nn.Embedding(vocab_size, width)
        self.lstm = torch_nn.LSTM(
            width,
            width,
            num_layers,
            batch_first=True,
            dropout=dropout if num_layers > 1 else 0.0,
        )
        self.dropout = torch_nn.Dropout(dropout)
        self.output = torch_nn.Linear(width, vocab_size)
        if tie_weights:
            self.output.weight = self.embedding.weight
        self._initialise()

    def _initialise(self) -> None:
        torch_nn.init.normal_(self.embedding.weight)
        torch_nn.init.normal_(self.output.weight, std=self.width**-0.5)  # both, where tied
        torch_nn.init.zeros_(self.output.bias)
        remember_by_default(self.lstm)

    def forward(self, input_ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Score the next token after every prefix.

        Args:
            input_ids: Token ids ``[B, T]``.
            state: The state after the tokens before, ``None`` at the start.

        Returns:
            Logits ``[B, T, V]``, those at position t from tokens up to t alone; and the state after
            the last token.

        Raises:
            ValueError: If ``input_ids`` is not ``[B, T]``, or an id is outside the vocabulary (seen
                on the CPU).
            TypeError: If an argument is not of its kind.
        """
        check_token_ids("input_ids", input_ids)
        if state is not None:
            _check_state(state)
        check_ids(input_ids, self.vocab_size)
        embedded = self.dropout(self.embedding(input_ids) * self.input_scale)  # [B, T, D]
        hidden, state = run_lstm_layers(self.lstm, embedded, state)  # [B, T, D]
        return self.output(self.dropout(hidden)), state

    def loss(
        self, input_ids: Tensor, targets: Tensor, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Return the mean negative log-likelihood of the targets.

        Args:
            input_ids: Token ids ``[B, T]``.
            targets: The token that follows each of them ``[B, T]``; -100, and ``padding_id`` if
                there is one, are not counted.
            state: See :meth:`forward`.

        Returns:
            Nats per counted target (a scalar; exactly 0 where none is counted), and the state.

        Raises:
            ValueError: If the shapes of ``input_ids`` and ``targets`` differ, or an id is outside
                the vocabulary (seen on the CPU).
            TypeError: If an argument is not of its kind.
        """
        check_token_ids("input_ids", input_ids)
        check_tensor("targets", targets, "[B, T]", "integer")
        if input_ids.shape != targets.shape:
            raise ValueError(
                f"input_ids {list(input_ids.shape)} and targets {list(targets.shape)} must have "
                "the same shape: the targets are the ids one position later"
            )
        if self.padding_id is not None:
            targets = targets.masked_fill(targets == self.padding_id, -100)
        if targets.device.type == "cpu":  # elsewhere asking would make the program wait
            with about("targets"):
                check_ids(targets.masked_fill(targets == -100, 0), self.vocab_size)
        logits, state = self(input_ids, state)
        total = functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="sum"
        )
        return total / (targets != -100).sum().clamp(min=1), state

    def _facts(self, data: Mapping[str, str]) -> list[str]:
        known = "its vocabulary inside" if self.vocabulary else "without its vocabulary"
        return [
            f"LSTMLanguageModel: {self.lstm.num_layers} layers of width {self.width} over "
            f"{self.vocab_size} tokens, {known}."
        ]

    @torch.no_grad()
    def sample(
        self,
        input_ids: Tensor,
        max_new_tokens: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop_id: int | None = None,
        forbidden_ids: Sequence[int] = (),
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Continue prompts without dropout; see :func:`mtl_utils.nn.sample` for the arguments.

        Args:
            input_ids: Prompts ``[B, T]``, at least one token each.
            max_new_tokens: Upper bound on the number of tokens drawn per row.
            temperature: See :func:`mtl_utils.nn.filter_logits`.
            top_k: See :func:`mtl_utils.nn.filter_logits`.
            top_p: See :func:`mtl_utils.nn.filter_logits`.
            stop_id: A row is finished once it has drawn this id.
            forbidden_ids: Ids that are never drawn.
            generator: Source of randomness; torch's own if ``None``.

        Returns:
            Prompts and continuations ``[B, T + N]``.

        Raises:
            TypeError: If an argument is not of its kind.
            ValueError: If a setting is outside its range.
        """
        with evaluation_mode(self):
            return decoding.sample(
                self,
                input_ids,
                max_new_tokens,
                temperature=temperature,
                top_k=top_k,
                top_p=top_p,
                stop_id=stop_id,
                forbidden_ids=forbidden_ids,
                generator=generator,
            )


def _check_state(state: State) -> None:
    two = isinstance(state, tuple | list) and len(state) == 2
    if not two or not all(isinstance(part, Tensor) for part in state):
        raise TypeError(
            "state must be the two tensors [num_layers, B, D] that forward returned, got "
            f"{shown(state)}"
        )
