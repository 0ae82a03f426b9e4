"""Tagging: one label for each token, such as its part of speech or its place in an entity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from typing import Literal

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_flag, check_kind, check_probability, check_sizes, check_text
from mtl_utils.data.batch import MISSING_LABEL, Batch
from mtl_utils.data.class_labels import labels_by_name
from mtl_utils.nn.crf import LinearChainCRF, chain_marginals
from mtl_utils.nn.tag_search import viterbi
from mtl_utils.objectives.losses import check_smoothing, check_targets
from mtl_utils.objectives.scales import (
    DEFAULT_SCALE,
    Scale,
    check_scale,
    scaled_loss,
    scaled_mean,
)
from mtl_utils.tasks.entity_labels import as_iob2, iob2_constraints
from mtl_utils.tasks.label_names import check_labels, label_ids, label_names
from mtl_utils.tasks.label_weights import check_weights
from mtl_utils.tasks.output_layer import checked_additions, output_layer
from mtl_utils.tasks.schemes import repair_iob2
from mtl_utils.tasks.spans import OUTSIDE, check_iob2, check_rows
from mtl_utils.tasks.tag_scores import accuracy, report_entities
from mtl_utils.tasks.text_task import WordTask, check_columns
from mtl_utils.tasks.word_head import WordHead, at_tokens, word_starts
from mtl_utils.tasks.words import compact


@dataclass(frozen=True)
class Tagging(WordTask):
    """Give each token a label.

    Where the labels are IOB2 tags (``O``, ``B-PER``, ``I-PER``, ...), entities are measured, and
    predictions keep to the scheme: an ``I-`` tag never comes without the tag that it continues.
    Other spellings of these tags are recognised: ``b-per``, ``B_PER``, and ``B`` and ``I`` without
    a type. Any other labels are measured by accuracy alone and not constrained; what looks like
    entity tags of another scheme is refused.

    Args:
        name: Under which a batch has its labels, one a token.
        labels: Names of the labels; the id of one is its position.
        crf: Whether to score whole sequences (:class:`mtl_utils.nn.LinearChainCRF`) instead of each
            token by itself. The constraint is for predictions alone, so that noisy labels can be
            trained on.
        constrained: Whether predictions keep to IOB2, if the labels do.
        smoothing: Label smoothing while training, without a CRF.
        dropout: Probability of dropping a unit of the hidden states.
        scheme: ``"auto"`` recognises IOB2 tags, ``"iob2"`` insists on them, and ``"plain"`` says
            that the labels are no entity tags, whatever they look like.
        invalid: What :meth:`metrics` does with references that break IOB2, whose entities a strict
            reading would lose: ``"refuse"``, or ``"convert"`` (:func:`repair_iob2`) and count.
        scale: What the loss is divided by, see :data:`mtl_utils.objectives.Scale`; with a CRF it
            is the negative log-likelihood of all sequences, and ``"uniform"`` is as without.
        class_weights: Weights of labels in the loss, by name, without a CRF; see
            :class:`Classification`.
        added: How many of the last labels came later (:func:`mtl_utils.continual.add_labels`).
        tokens: Name of the column of words.
        tags: Name of the column of labels, one a word.

    Raises:
        ValueError: If there are no labels, one occurs twice, an ``I-`` tag has no ``B-`` tag, some
            labels are IOB2 tags and some are not, they are entity tags of another scheme, a CRF is
            to be trained with smoothing or weights, or a setting is outside its range.
        KeyError: If a weight is of no label.
        TypeError: If the name or a label is no string, the labels have no order, or a setting is of
            another type.
    """

    name: str
    labels: tuple[str, ...]
    crf: bool = False
    constrained: bool = True
    smoothing: float = 0.0
    dropout: float = 0.0
    scheme: Literal["auto", "iob2", "plain"] = "auto"
    invalid: Literal["refuse", "convert"] = "refuse"
    causal = False
    scale: Scale = field(default=DEFAULT_SCALE, kw_only=True)
    class_weights: Mapping[str, float] | None = field(default=None, kw_only=True, hash=False)
    added: tuple[int, ...] = field(default=(), kw_only=True)
    tokens: str = field(default="tokens", kw_only=True)
    tags: str = field(default="tags", kw_only=True)

    def __post_init__(self) -> None:
        check_text("name", self.name)
        check_labels(self.labels)
        check_flag("crf", self.crf)
        check_flag("constrained", self.constrained)
        object.__setattr__(self, "labels", tuple(self.labels))
        check_smoothing(self.smoothing)
        check_probability("dropout", self.dropout)
        if self.crf and self.smoothing:
            raise ValueError(
                f"A CRF has no smoothed target; got smoothing={self.smoothing}. Use dropout, or "
                "crf=False."
            )
        check_weights("class_weights", self.class_weights, self.labels)
        object.__setattr__(self, "added", checked_additions(self.added, self.labels))
        if self.class_weights is not None:
            if self.crf:
                raise ValueError(
                    "A CRF scores whole sequences, in which no label has a weight of its own; got "
                    f"class_weights={self.class_weights!r:.80}. Leave them out, or use crf=False."
                )
            object.__setattr__(self, "class_weights", dict(self.class_weights))
        check_scale(self.scale)
        check_columns(tokens=self.tokens, tags=self.tags)
        if self.invalid not in ("refuse", "convert"):
            raise ValueError(f'invalid must be "refuse" or "convert", got {self.invalid!r}')
        self.iob2_tags  # noqa: B018  refuses labels of other schemes now, not when they are used

    @cached_property
    def iob2_tags(self) -> tuple[str, ...] | None:
        """The labels as IOB2 tags, in the order of their ids; ``None`` if they are none."""
        return as_iob2(self.labels, self.scheme)

    @property
    def has_entities(self) -> bool:
        """Whether the labels are IOB2 tags."""
        return self.iob2_tags is not None

    @property
    def entity_types(self) -> tuple[str, ...]:
        """Types of entities, in the order of their ``B-`` tags; tags without one are "entity"."""
        return tuple(tag[2:] for tag in self.iob2_tags or () if tag.startswith("B-"))

    def ids_of(self, tags: Sequence[str | int | None]) -> list[int]:
        """Turn the tags of a sentence into ids.

        Args:
            tags: Labels, each its name or its id; ``None`` where a word has none, which becomes
                :data:`~mtl_utils.data.MISSING_LABEL`.

        Raises:
            KeyError: If a name is not among the labels.
            ValueError: If an id is not that of a label.
            TypeError: If something is neither a name nor an id.
        """
        return label_ids(self.name, self.labels, tags, missing=True, name="tags")

    def names(self, ids: Sequence[str | int]) -> list[str]:
        """Turn ids into names.

        Args:
            ids: Labels, each its id or already its name.

        Raises:
            ValueError: If an id is not that of a label.
            KeyError: If a name is not among the labels.
            TypeError: If something is neither a name nor an id, or they are not several.
        """
        return label_names(self.name, self.labels, ids)

    def head(self, width: int) -> TaggingHead:
        """Make a new output layer.

        Args:
            width: Size of the hidden states, D.

        Raises:
            TypeError: If it is no whole number.
            ValueError: If it is below 1.
        """
        return TaggingHead(self, width)

    def metrics(
        self,
        predictions: Sequence[Sequence[int | str]],
        references: Sequence[Sequence[int | str | None]],
    ) -> dict[str, float]:
        """Measure tokens and, where the labels are IOB2 tags, entities.

        Entities are counted by seqeval in strict mode: one is found if its type, its first and its
        last token are right. A score without anything to count is 0.

        Args:
            predictions: Labels row by row, as ids or as names. Where one is missing (``None`` or
                -100), as for words that were cut off, it is a wrong label, and no entity.
            references: As many, as ids or as names. Where one is missing (``None`` or -100), the
                prediction is not looked at.

        Returns:
            ``accuracy`` of tokens and, for IOB2 tags, ``precision``, ``recall`` and ``f1`` of all
            entities together (micro average) and ``f1_<type>`` of each type; from 0 to 1. With
            ``invalid="convert"`` also ``converted``: how many tags of the references were.

        Raises:
            ValueError: If numbers or lengths differ, there is nothing to compare, an id is not
                that of a label, or a reference breaks IOB2 and ``invalid`` is ``"refuse"``.
            KeyError: If a name is not that of a label.
            TypeError: If something is neither a name nor an id, or rows are not several.
        """
        predictions = labels_by_name("predictions", predictions)
        references = labels_by_name("references", references)
        check_rows(predictions, references)
        found: list[list[int]] = []
        expected: list[list[int]] = []
        for row, wanted in zip(predictions, references, strict=True):
            ids = self._ids(wanted, "references")
            counted = [label != MISSING_LABEL for label in ids]
            found.append(self._ids(list(compress(row, counted)), "predictions"))
            expected.append(list(compress(ids, counted)))
        count = sum(map(len, expected))
        if count == 0:
            raise ValueError(f"No token has a label of {self.name!r}; there is nothing to measure")
        if self.iob2_tags is None:
            return {"accuracy": accuracy(found, expected)}
        tags = self.iob2_tags
        wanted_tags = [[tags[i] for i in row] for row in expected]
        wanted_tags, converted = self._within_scheme(wanted_tags)
        written = [["" if i == MISSING_LABEL else tags[i] for i in row] for row in found]
        measured = {"accuracy": accuracy(written, wanted_tags)}
        entities = [[tag or OUTSIDE for tag in row] for row in written]
        return measured | self._entity_metrics(entities, wanted_tags) | converted

    def _ids(self, tags: Sequence[int | str | None], name: str) -> list[int]:
        return label_ids(self.name, self.labels, tags, missing=True, name=name)

    def _within_scheme(self, rows: list[list[str]]) -> tuple[list[list[str]], dict[str, float]]:
        """Return references that keep to IOB2, and the metric that counts what was converted."""
        if self.invalid == "convert":
            repaired, count = repair_iob2(rows)
            return [[tag for tag in row if tag] for row in repaired], {"converted": float(count)}
        check_iob2(rows, f"The references of {self.name!r}")
        return rows, {}

    def _entity_metrics(
        self, found: list[list[str]], expected: list[list[str]]
    ) -> dict[str, float]:
        report = report_entities(found, expected)
        total = report.get("micro avg", {})
        names = {"precision": "precision", "recall": "recall", "f1": "f1-score"}
        metrics = {name: float(total.get(key, 0.0)) for name, key in names.items()}
        for kind in self.entity_types:
            metrics[f"f1_{kind}"] = float(report.get(kind, {}).get("f1-score", 0.0))
        return metrics


class TaggingHead(WordHead):
    """An output layer over the labels, with a CRF above it or not.

    Tokens without a label, such as the later pieces of a word, are no part of the sequence that a
    CRF scores: those with one are moved together, and a label and the next follow one another
    whatever stands between them. Nothing is summed over the labels that are missing.

    Args:
        task: The task.
        width: Size of the hidden states, D.

    Raises:
        TypeError: If the task is of another class, or the width no whole number.
        ValueError: If the width is below 1.
    """

    start: Tensor
    transitions: Tensor

    def __init__(self, task: Tagging, width: int) -> None:
        check_kind("task", task, Tagging, "a Tagging")
        check_sizes(width=width)
        super().__init__(task.name, task.labels, task.class_weights)
        self.smoothing, self.scale = task.smoothing, task.scale
        self.dropout = torch_nn.Dropout(task.dropout)
        size = len(task.labels)
        self.output = output_layer(width, size, task.added)
        masks: tuple[Tensor | None, Tensor | None] = (None, None)
        if task.constrained and task.iob2_tags is not None:
            masks = iob2_constraints(task.iob2_tags)
        self.constrained = masks[0] is not None
        self.crf = LinearChainCRF(size, *masks) if task.crf else None
        if self.crf is None:
            # [C, C] is large where there are many labels, so it is there only if it is needed.
            for name, mask in zip(("start", "transitions"), masks, strict=True):
                if mask is not None:
                    scores = torch.zeros(mask.shape).masked_fill(~mask, -torch.inf)
                    self.register_buffer(name, scores, persistent=False)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Score every label of every token.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from.

        Returns:
            Emissions ``[B, T, C]``.
        """
        return self.output(self.dropout(hidden))

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the loss on the scale of the task: the mean per token that has a label, or text.

        Without a CRF it is the cross-entropy, smoothed only while training. With one it is the
        negative log-likelihood of all sequences together, divided by the same number, so that both
        kinds are on the same scale: with no transitions to speak of they are equal. The scale
        ``"uniform"`` divides by log C in both: where every sequence of T tags is as probable as
        every other of the C^T, a tag costs log C.

        Args:
            outputs: Emissions ``[B, T, C]``.
            batch: Holds the labels ``[B, T]``.

        Returns:
            A scalar, in nats but for ``"uniform"``.

        Raises:
            ValueError: If the labels do not fit the emissions, or one does not exist.
        """
        labels = batch.labels[self.task]
        self._check_fit(outputs, batch)
        if self.crf is None:
            smoothing = self.smoothing if self.training else 0.0
            return scaled_loss(outputs, labels, self.scale, smoothing, weights=self.class_weights)
        counted = check_targets(outputs, labels)
        emissions, mask = compact(outputs, counted)
        tags, _ = compact(labels, counted)
        total = self.crf.log_likelihood(emissions, tags, mask).sum()
        return scaled_mean(-total, counted, self.scale, math.log(len(self.labels)))

    def negative_log_likelihood(self, outputs: Tensor, batch: Batch, sharpness: Tensor) -> Tensor:
        """Return how unlikely the labels are if scores are multiplied by a number.

        Args:
            outputs: Emissions ``[B, T, C]``.
            batch: Holds the labels ``[B, T]``.
            sharpness: The inverse of a temperature, a scalar.

        Returns:
            A scalar in nats, the sum over labels, with a CRF over whole sequences of them.
        """
        if self.crf is None:
            return super().negative_log_likelihood(outputs, batch, sharpness)
        labels = batch.labels[self.task]
        counted = check_targets(outputs, labels)
        emissions, mask = compact(outputs.to(sharpness.dtype), counted)
        tags, _ = compact(labels, counted)
        return -self.crf.log_likelihood(emissions, tags, mask, sharpness).sum()

    def probabilities(self, hidden: Tensor, batch: Batch) -> list[list[list[float] | None]]:
        """Say how likely each label of each word is.

        With a CRF these are the marginals: the sum over all sequences of labels that have it there.
        So they are where predictions keep to IOB2, over the sequences that do: a label that cannot
        be predicted has the probability 0.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from.

        Returns:
            For each token of a row C numbers that sum to 1, and ``None`` where no word begins; see
            :meth:`Head.predict`.
        """
        emissions, mask = compact(self.output(hidden), word_starts(batch))
        if self.crf is not None:
            temperature = 1.0 if self.temperature is None else float(self.temperature)
            found = self.crf.marginals(emissions, mask, constrained=True, temperature=temperature)
        elif self.constrained:
            end = torch.zeros_like(self.start)
            emissions = self.tempered(emissions)
            found = chain_marginals(emissions, mask, self.start, self.transitions, end)
        else:
            found = self.tempered(emissions).softmax(dim=-1)
        lengths = mask.sum(dim=1).tolist()
        rows = [row[:length] for row, length in zip(found.tolist(), lengths, strict=True)]
        return at_tokens(rows, batch, None)

    def decode(self, hidden: Tensor, positions: Tensor) -> list[list[int]]:
        """Return the best labels of some tokens, taken as a sequence of their own.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            positions: ``[B, T]``, True at the tokens to label, such as
                :func:`mtl_utils.tasks.word_positions` returns.

        Returns:
            One id for each of these tokens, row by row.
        """
        if self.crf is None and not self.constrained:
            # Chosen before they are moved together, since a copy of all scores is large.
            best, mask = compact(self.output(hidden).argmax(dim=2), positions)
            lengths = mask.sum(dim=1).tolist()
            return [row[:n] for row, n in zip(best.tolist(), lengths, strict=True)]
        emissions, mask = compact(self.output(hidden), positions)
        if self.crf is not None:
            return self.crf.decode(emissions, mask)
        end = torch.zeros_like(self.start)
        return viterbi(emissions, mask, self.start, self.transitions, end)
