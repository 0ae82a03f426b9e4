"""Language modelling: predict the next token from causal states."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_sizes
from mtl_utils.data.batch import MISSING_LABEL, Batch
from mtl_utils.objectives.losses import check_smoothing, label_smoothing_loss, num_counted
from mtl_utils.objectives.sequence import sequence_loss
from mtl_utils.tasks.base import Head


@dataclass(frozen=True)
class LanguageModeling:
    """Predict each next token of the input.

    The encoder must be causal: a state that has read the whole sentence knows the answer.

    Args:
        name: Under which a batch has its labels.
        vocab_size: Number of tokens, V.
        smoothing: Label smoothing while training.
        per: What the loss is a mean over: ``"token"``, or ``"sequence"``, with the negative
            log-likelihood of a whole sequence, which has no smoothed target.

    Raises:
        ValueError: If ``per`` is something else, a loss per sequence is to be smoothed,
            ``vocab_size`` is below 1, or ``smoothing`` is outside [0, 1].
    """

    name: str
    vocab_size: int
    smoothing: float = 0.0
    per: Literal["token", "sequence"] = "token"
    causal = True

    def __post_init__(self) -> None:
        check_sizes(vocab_size=self.vocab_size)
        check_smoothing(self.smoothing)
        if self.per not in ("token", "sequence"):
            raise ValueError(f'per must be "token" or "sequence", got {self.per!r}')
        if self.per == "sequence" and self.smoothing:
            raise ValueError(
                f"A loss per sequence is not smoothed; got smoothing={self.smoothing}. Use "
                'per="token", or smoothing=0.'
            )

    def label(self, input_ids: Sequence[int]) -> list[int]:
        """Return the label of an input: at each position the token that follows it.

        Args:
            input_ids: The input, from ``<bos>`` to ``<eos>``.

        Returns:
            As many ids; nothing follows the last.
        """
        return [*input_ids[1:], MISSING_LABEL]

    def head(self, width: int) -> LanguageModelingHead:
        """Make a new output layer.

        Args:
            width: Size of the causal states, D.
        """
        return LanguageModelingHead(self, width)

    def metrics(
        self, predictions: Sequence[Sequence[float]], references: Sequence[Sequence[int]]
    ) -> dict[str, float]:
        """Compute perplexity.

        Args:
            predictions: Log-probability of each next token, row by row.
            references: The inputs, whose tokens after the first were predicted.

        Returns:
            ``perplexity``.

        Raises:
            ValueError: If nothing was predicted, or lengths differ.
        """
        lengths = [max(0, len(ids) - 1) for ids in references]
        if [len(row) for row in predictions] != lengths or not sum(lengths):
            raise ValueError(
                f"Expected one log-probability for each token after the first, {sum(lengths)} in "
                f"all and at least one; got {sum(map(len, predictions))} in {len(predictions)} rows"
            )
        loss = -sum(map(sum, predictions)) / sum(lengths)
        try:
            return {"perplexity": math.exp(loss)}
        except OverflowError:  # a loss above about 709 nats
            return {"perplexity": math.inf}


class LanguageModelingHead(Head):
    """An output layer over the vocabulary.

    Args:
        task: The task.
        width: Size of the causal states, D.
    """

    def __init__(self, task: LanguageModeling, width: int) -> None:
        super().__init__(task.name)
        self.smoothing, self.per = task.smoothing, task.per
        self.output = torch_nn.Linear(width, task.vocab_size)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Score the next token at every position.

        Args:
            hidden: Causal states ``[B, T, D]``.
            batch: What they were computed from.

        Returns:
            Logits ``[B, T, V]``.
        """
        return self.output(hidden)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the mean loss per token, smoothed only while training, or per sequence.

        Args:
            outputs: Logits ``[B, T, V]``.
            batch: Holds the next tokens ``[B, T]``.
        """
        if self.per == "sequence":
            return sequence_loss(outputs, batch.labels[self.task])
        smoothing = self.smoothing if self.training else 0.0
        return label_smoothing_loss(outputs, batch.labels[self.task], smoothing)

    def count(self, batch: Batch) -> Tensor:
        """Return how many tokens, or sequences, the mean of :meth:`loss` is over.

        Args:
            batch: The batch.

        Returns:
            A scalar.
        """
        labels = batch.labels[self.task]
        if self.per == "sequence":
            return (labels != MISSING_LABEL).any(dim=1).sum()
        return num_counted(labels)

    def predict(self, hidden: Tensor, batch: Batch) -> list[list[float]]:
        """Return the log-probability of each token after the first.

        Args:
            hidden: Causal states ``[B, T, D]``.
            batch: What they were computed from.

        Returns:
            One number in nats for each token of a row after its first.
        """
        scores = self.output(hidden).log_softmax(dim=-1)[:, :-1]  # [B, T - 1, V]
        following = batch.inputs.input_ids[:, 1:].unsqueeze(-1)
        rows = scores.gather(-1, following).squeeze(-1).tolist()
        lengths = batch.inputs.mask.sum(dim=1).tolist()
        return [row[: max(0, length - 1)] for row, length in zip(rows, lengths, strict=True)]
