"""Masked language modelling: say which tokens stood where others, or a mask, stand now."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.nn import functional

from mtl_utils.arguments import (
    check_kind,
    check_number,
    check_several,
    check_sizes,
    check_text,
    check_whole,
)
from mtl_utils.data.batch import MISSING_LABEL, Batch, has_label
from mtl_utils.data.batching import BatchLoader
from mtl_utils.data.encoded_text import EncodedText
from mtl_utils.data.examples import Example
from mtl_utils.data.loading import Loader
from mtl_utils.objectives.losses import check_targets
from mtl_utils.objectives.scales import DEFAULT_SCALE, Scale, check_scale, scaled_mean
from mtl_utils.tasks.base import Head
from mtl_utils.tasks.masking import MaskedBatches, masked
from mtl_utils.tasks.text_task import Row, TextTask, check_columns

MASKED, KEPT = 0.8, 0.1
"""Of the tokens that are chosen, the share a mask is put over, and the share that is left."""


@dataclass(frozen=True)
class MaskedLanguageModeling(TextTask):
    """Predict tokens that were hidden from their surroundings on both sides (Devlin et al., 2019).

    A share of the tokens is chosen at random; 80% of these are replaced by the mask, 10% by a token
    drawn from the vocabulary, and 10% are left, since a mask never stands in a text that the model
    is used for. All that were chosen are to be predicted, and nothing is computed for others.

    What is hidden is no part of the data, whose examples have every token as its own label:
    :class:`MaskedBatches` hides other tokens in every epoch, and :func:`masked` hides some for
    good. A text of which nothing is hidden is refused, since it would be copied.

    Args:
        name: Under which a batch has its labels, the hidden token where there is one.
        vocab_size: Number of tokens, V.
        mask_id: Id of the mask.
        share: Share of the tokens that is chosen.
        special_ids: Ids that are never chosen and never drawn, such as ``<bos>`` and ``<eos>``.
        scale: What the loss is divided by, see :data:`mtl_utils.objectives.Scale`.
        text: Name of the column of the text.

    Raises:
        ValueError: If ``vocab_size`` is below 1, an id is not below it, ``share`` is not in (0, 1],
            no token is left that could be drawn, or there is no such scale.
        TypeError: If the name is no string, or a number is none.
    """

    name: str
    vocab_size: int
    mask_id: int
    share: float = field(default=0.15, kw_only=True)
    special_ids: tuple[int, ...] = field(default=(), kw_only=True)
    scale: Scale = field(default=DEFAULT_SCALE, kw_only=True)
    text: str = field(default="text", kw_only=True)
    causal = False
    label_field = None

    def __post_init__(self) -> None:
        check_text("name", self.name)
        check_sizes(vocab_size=self.vocab_size)
        check_whole("mask_id", self.mask_id, least=0, most=self.vocab_size - 1)
        check_number("share", self.share, above=0, most=1)
        check_several("special_ids", self.special_ids, "ids", ordered=False)
        for number in self.special_ids:
            check_whole("each of special_ids", number, least=0, most=self.vocab_size - 1)
        object.__setattr__(self, "special_ids", tuple(self.special_ids))
        check_scale(self.scale)
        check_columns(text=self.text)
        if len({*self.special_ids, self.mask_id}) == self.vocab_size:
            raise ValueError(
                f"vocab_size is {self.vocab_size}, and special_ids and mask_id leave no other "
                f"token: {self.special_ids!r:.60}"
            )

    def head(self, width: int) -> MaskedLanguageModelingHead:
        """Make a new output layer.

        Args:
            width: Size of the hidden states, D.

        Raises:
            TypeError: If it is no whole number.
            ValueError: If it is below 1.
        """
        return MaskedLanguageModelingHead(self, width)

    def target(self, row: Row, encoded: EncodedText) -> list[int]:
        """Return the label of a row: every token that may be hidden, before any is.

        Args:
            row: The row.
            encoded: What became of its text.
        """
        never = {*self.special_ids, self.mask_id}
        return [MISSING_LABEL if number in never else number for number in encoded.input_ids]

    def trained_on(self, loader: BatchLoader, seed: int = 0) -> Loader:
        """Return batches in which other tokens are hidden in every epoch.

        Args:
            loader: Batches of examples.
            seed: Of what is hidden.
        """
        return MaskedBatches(loader, self, seed)

    def measured_on(self, examples: Sequence[Example]) -> list[Example]:
        """Return examples with tokens that are hidden for good.

        Args:
            examples: The examples.
        """
        return masked(examples, self)

    def hide(
        self, input_ids: Tensor, mask: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Hide tokens.

        Args:
            input_ids: ``[B, T]``, on the CPU.
            mask: ``[B, T]``, True at tokens that may be chosen, unless they are special.
            generator: Draws which, and what stands there instead.

        Returns:
            Ids ``[B, T]`` to read, and labels ``[B, T]``: the token that stood there where one was
            chosen, -100 elsewhere.
        """
        special = torch.tensor([*self.special_ids, self.mask_id])
        plain = torch.ones(self.vocab_size, dtype=torch.bool)
        plain[special] = False
        candidates = plain.nonzero().flatten()
        shape = input_ids.shape
        chosen = torch.rand(shape, generator=generator) < self.share
        chosen &= mask & ~torch.isin(input_ids, special)
        draws = torch.rand(shape, generator=generator)
        others = candidates[torch.randint(len(candidates), shape, generator=generator)]
        hidden = input_ids.masked_fill(chosen & (draws < MASKED), self.mask_id)
        hidden = torch.where(chosen & (draws >= MASKED + KEPT), others, hidden)
        return hidden, input_ids.masked_fill(~chosen, MISSING_LABEL)

    def metrics(
        self, predictions: Sequence[Sequence[int]], references: Sequence[Sequence[int]]
    ) -> dict[str, float]:
        """Measure hidden tokens.

        Args:
            predictions: The tokens that were predicted, row by row.
            references: As many, those that were hidden.

        Returns:
            ``accuracy``, from 0 to 1.

        Raises:
            ValueError: If numbers differ, or there is nothing to compare.
            TypeError: If rows are not several.
        """
        for name, rows in (("predictions", predictions), ("references", references)):
            check_several(name, rows, "rows")
            for row in rows:
                check_several(f"each of {name}", row, "ids")
        lengths = [len(row) for row in references]
        if [len(row) for row in predictions] != lengths or not sum(lengths):
            raise ValueError(
                f"Expected one prediction for each token of references, and at least one: "
                f"predictions {predictions!r:.60}, references {references!r:.60}"
            )
        pairs = [
            pair
            for rows in zip(predictions, references, strict=True)
            for pair in zip(*rows, strict=True)
        ]
        return {"accuracy": sum(found == wanted for found, wanted in pairs) / len(pairs)}


class MaskedLanguageModelingHead(Head):
    """An output layer over the vocabulary, at the hidden tokens alone.

    Args:
        task: The task.
        width: Size of the hidden states, D.

    Raises:
        TypeError: If the task is of another class, or the width no whole number.
        ValueError: If the width is below 1.
    """

    def __init__(self, task: MaskedLanguageModeling, width: int) -> None:
        check_kind("task", task, MaskedLanguageModeling, "a MaskedLanguageModeling")
        check_sizes(width=width)
        super().__init__(task.name)
        self.mask_id, self.scale, self.vocab_size = task.mask_id, task.scale, task.vocab_size
        self.output = torch_nn.Linear(width, task.vocab_size)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Score every token of the vocabulary where one is hidden.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from, with its labels ``[B, T]``.

        Returns:
            Logits ``[N, V]`` of the N hidden tokens of all rows, in their order.

        Raises:
            ValueError: If there is not one label a token, or nothing was hidden.
        """
        return self.output(hidden[has_label(self._labels(hidden, batch))])

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the cross-entropy, by default the mean per hidden token.

        Args:
            outputs: Logits ``[N, V]``.
            batch: Holds the labels ``[B, T]``.

        Returns:
            A scalar, in nats but for the scale ``"uniform"``, where log V counts as 1.

        Raises:
            ValueError: If the labels do not fit the logits, or one does not exist.
        """
        labels = batch.labels[self.task]
        counted = has_label(labels)
        targets = labels[counted]
        check_targets(outputs, targets)
        total = functional.cross_entropy(outputs, targets.long(), reduction="sum")
        return scaled_mean(total, counted, self.scale, math.log(self.vocab_size))

    def predict(self, hidden: Tensor, batch: Batch) -> list[list[int]]:
        """Return the best token under each mask.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from.

        Returns:
            As many ids a row as it has masks.
        """
        inputs = batch.inputs
        return self._best(hidden, (inputs.input_ids == self.mask_id) & inputs.mask)

    def compare(self, hidden: Tensor, batch: Batch) -> list[tuple[list[int], list[int]] | None]:
        """Predict the tokens that were hidden, and put both side by side.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from, with its labels ``[B, T]``.

        Returns:
            Two sequences of ids a row; ``None`` where nothing was hidden.

        Raises:
            ValueError: If there is not one label a token.
        """
        labels = self._labels(hidden, batch)
        known = has_label(labels)
        expected: list[list[int]] = [
            row[at].tolist() for row, at in zip(labels, known, strict=True)
        ]
        pairs = zip(self._best(hidden, known), expected, strict=True)
        return [pair if pair[1] else None for pair in pairs]

    def _best(self, hidden: Tensor, positions: Tensor) -> list[list[int]]:
        found = self.output(hidden[positions]).argmax(dim=-1)
        lengths: list[int] = positions.sum(dim=1).tolist()
        return [row.tolist() for row in found.split(lengths)]

    def _labels(self, hidden: Tensor, batch: Batch) -> Tensor:
        labels = batch.labels[self.task]
        if labels.shape != hidden.shape[:2]:
            raise ValueError(
                f"Labels of {self.task!r} are one a token: states {list(hidden.shape)} need "
                f"{list(hidden.shape[:2])}, got {list(labels.shape)}"
            )
        counted = has_label(labels)
        same = labels[counted] == batch.inputs.input_ids[counted]
        # By chance all that were chosen are left as they were with a probability of 1e-12.
        if len(same) >= 12 and bool(same.all()):
            raise ValueError(
                f"None of {len(same)} tokens with a label of {self.task!r} is hidden, so they "
                "would be copied. Train on MaskedBatches(BatchLoader(examples, ...), task), and "
                "measure on masked(examples, task)."
            )
        return labels
