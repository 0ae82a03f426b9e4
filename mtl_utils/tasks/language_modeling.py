"""Language modelling: predict the next token from causal states."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Literal

from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_kind, check_several, check_sizes, check_text, shown
from mtl_utils.data.batch import MISSING_LABEL, Batch
from mtl_utils.data.encoded_text import EncodedText
from mtl_utils.data.vocabulary import checked_ids
from mtl_utils.objectives.losses import check_smoothing
from mtl_utils.objectives.projection import computes_as, projected_loss
from mtl_utils.objectives.scales import DEFAULT_SCALE, Scale, check_scale, scaled_loss
from mtl_utils.tasks.base import Head
from mtl_utils.tasks.text_task import Row, TextTask, check_columns


@dataclass(frozen=True)
class LanguageModeling(TextTask):
    """Predict each next token of the input.

    The encoder must be causal: a state that has read the whole sentence knows the answer.

    Args:
        name: Under which a batch has its labels.
        vocab_size: Number of tokens, V.
        smoothing: Label smoothing while training.
        per: ``"sequence"`` makes the loss the negative log-likelihood of a whole sequence, which
            has no smoothed target; its scale is then ``"text"``. ``"token"`` leaves that to
            ``scale``.
        scale: What the loss is divided by, see :data:`mtl_utils.objectives.Scale`; a text is a
            sequence, and C is V.

    Raises:
        ValueError: If ``per`` is something else, a loss per sequence is to be smoothed or to have
            another scale, ``vocab_size`` is below 1, ``smoothing`` is outside [0, 1], or there is
            no such scale.
        TypeError: If the name is no string, or a number is none.
    """

    name: str
    vocab_size: int
    smoothing: float = 0.0
    per: Literal["token", "sequence"] = "token"
    causal = True
    scale: Scale = field(default=DEFAULT_SCALE, kw_only=True)
    text: str = field(default="text", kw_only=True)
    label_field = None

    def __post_init__(self) -> None:
        check_text("name", self.name)
        check_sizes(vocab_size=self.vocab_size)
        check_smoothing(self.smoothing)
        if self.per not in ("token", "sequence"):
            raise ValueError(f'per must be "token" or "sequence", got {self.per!r}')
        if self.per == "sequence" and self.smoothing:
            raise ValueError(
                f"A loss per sequence is not smoothed; got smoothing={self.smoothing}. Use "
                'per="token", or smoothing=0.'
            )
        check_scale(self.scale)
        check_columns(text=self.text)
        if self.per == "sequence" and self.scale != "text":
            raise ValueError(
                f'scale={self.scale!r} and per="sequence", which is the scale "text", contradict '
                "one another; leave per out"
            )

    def label(self, input_ids: Sequence[int]) -> list[int]:
        """Return the label of an input: at each position the token that follows it.

        Args:
            input_ids: The input, from ``<bos>`` to ``<eos>``.

        Returns:
            As many ids; nothing follows the last.

        Raises:
            TypeError: If an id is no whole number, or they are not several.
        """
        if type(input_ids) is not list or not set(map(type, input_ids)) <= {int}:
            input_ids = checked_ids(input_ids, "input_ids")
        return [*input_ids[1:], MISSING_LABEL]

    def target(self, row: Row, encoded: EncodedText) -> list[int]:
        """Return the label of a row: at each position the token that follows it.

        Args:
            row: The row.
            encoded: What became of its text.
        """
        return self.label(encoded.input_ids)

    def head(self, width: int) -> LanguageModelingHead:
        """Make a new output layer.

        Args:
            width: Size of the causal states, D.

        Raises:
            TypeError: If it is no whole number.
            ValueError: If it is below 1.
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
            TypeError: If a prediction is no number, or rows are not several.
        """
        for name, rows in (("predictions", predictions), ("references", references)):
            check_several(name, rows, "rows")
            for row in rows:
                check_several(f"each of {name}", row, "numbers")
        for row in predictions:
            _check_numbers(row)
        lengths = [max(0, len(ids) - 1) for ids in references]
        if [len(row) for row in predictions] != lengths or not sum(lengths):
            raise ValueError(
                f"Expected one log-probability for each token after the first, {sum(lengths)} in "
                f"all and at least one; got {sum(map(len, predictions))} in {len(predictions)} "
                f"rows: predictions {predictions!r:.60}, references {references!r:.60}"
            )
        loss = -sum(map(sum, predictions)) / sum(lengths)
        try:
            return {"perplexity": math.exp(loss)}
        except OverflowError:  # a loss above about 709 nats
            return {"perplexity": math.inf}


def _check_numbers(row: Any) -> None:
    """Refuse what is no row of numbers."""
    plain = row.tolist() if hasattr(row, "tolist") else row
    if set(map(type, plain)) <= {float, int}:
        return
    for value in plain:
        number = value.item() if hasattr(value, "item") else value
        if isinstance(number, bool) or not isinstance(number, Real):
            raise TypeError(f"predictions must be log-probabilities, numbers, got {shown(value)}")


class LanguageModelingHead(Head):
    """An output layer over the vocabulary.

    Args:
        task: The task.
        width: Size of the causal states, D.

    Raises:
        TypeError: If the task is of another class, or the width no whole number.
        ValueError: If the width is below 1.
    """

    def __init__(self, task: LanguageModeling, width: int) -> None:
        check_kind("task", task, LanguageModeling, "a LanguageModeling")
        check_sizes(width=width)
        super().__init__(task.name)
        self.smoothing, self.per, self.scale = task.smoothing, task.per, task.scale
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
        """Return the loss on the scale of the task, smoothed only while training.

        Args:
            outputs: Logits ``[B, T, V]``.
            batch: Holds the next tokens ``[B, T]``.
        """
        smoothing = self.smoothing if self.training else 0.0
        return scaled_loss(outputs, batch.labels[self.task], self.scale, smoothing)

    def loss_of_states(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Return the same loss without holding all logits; see :meth:`Head.loss_of_states`.

        Args:
            hidden: Causal states ``[B, T, D]``.
            batch: Holds the next tokens ``[B, T]``.
        """
        if not computes_as(self, LanguageModelingHead, "forward", "loss"):
            return super().loss_of_states(hidden, batch)
        smoothing = self.smoothing if self.training else 0.0
        labels = batch.labels[self.task]
        return projected_loss(hidden, self.output, labels, self.scale, smoothing)

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

    def compare(self, hidden: Tensor, batch: Batch) -> list[tuple[list[float], list[int]] | None]:
        """Put the log-probability of each token after the first beside the tokens.

        Args:
            hidden: Causal states ``[B, T, D]``.
            batch: What they were computed from.

        Returns:
            Two sequences a row; ``None`` where a row has no next token with a label.
        """
        found = self.predict(hidden, batch)
        known = (batch.labels[self.task] != MISSING_LABEL).any(dim=1).tolist()
        inputs = zip(batch.inputs.input_ids, batch.inputs.mask, strict=True)
        rows = zip(known, found, (row[mask].tolist() for row, mask in inputs), strict=True)
        return [(scores, ids) if counted else None for counted, scores, ids in rows]
