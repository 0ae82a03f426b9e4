"""Tagging: one label for each token, such as its part of speech or its place in an entity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, compress
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.data.batch import MISSING_LABEL, Batch
from mtl_utils.data.tokenization import Pieces
from mtl_utils.nn.crf import LinearChainCRF
from mtl_utils.nn.tag_search import viterbi
from mtl_utils.objectives.losses import check_targets, label_smoothing_loss
from mtl_utils.tasks.base import Head
from mtl_utils.tasks.label_names import check_labels, label_ids, label_names
from mtl_utils.tasks.spans import OUTSIDE, check_rows, split_tag, to_spans


@dataclass(frozen=True)
class Tagging:
    """Give each token a label.

    Where the labels are IOB2 tags (``O``, ``B-PER``, ``I-PER``, ...), entities are measured, and
    predictions keep to the scheme: an ``I-`` tag never comes without the tag that it continues.
    Any other labels are measured by accuracy alone and not constrained.

    Args:
        name: Under which a batch has its labels, one a token.
        labels: Names of the labels; the id of one is its position.
        crf: Whether to score whole sequences (:class:`mtl_utils.nn.LinearChainCRF`) instead of each
            token by itself. The constraint is for predictions alone, so that noisy labels can be
            trained on.
        constrained: Whether predictions keep to IOB2, if the labels do.
        smoothing: Label smoothing while training, without a CRF.
        dropout: Probability of dropping a unit of the hidden states.

    Raises:
        ValueError: If there are no labels, one occurs twice, an ``I-`` tag has no ``B-`` tag, some
            labels are IOB2 tags and some are not, or a CRF is to be trained with smoothing.
    """

    name: str
    labels: tuple[str, ...]
    crf: bool = False
    constrained: bool = True
    smoothing: float = 0.0
    dropout: float = 0.0
    causal = False

    def __post_init__(self) -> None:
        check_labels(self.labels)
        object.__setattr__(self, "labels", tuple(self.labels))
        if self.crf and self.smoothing:
            raise ValueError(
                f"A CRF has no smoothed target; got smoothing={self.smoothing}. Use dropout, or "
                "crf=False."
            )
        if self.has_entities:
            iob2_constraints(self.labels)

    @property
    def has_entities(self) -> bool:
        """Whether the labels are IOB2 tags."""
        marked = [label for label in self.labels if label.startswith(("B-", "I-"))]
        if not marked or OUTSIDE not in self.labels:
            return False
        others = set(self.labels) - {*marked, OUTSIDE}
        if others:
            raise ValueError(
                f"Expected IOB2 tags or none, got {marked[0]!r} beside {sorted(others)[0]!r}. "
                "Convert the labels to IOB2 first."
            )
        return True

    @property
    def entity_types(self) -> tuple[str, ...]:
        """Types of entities, in the order of their ``B-`` tags."""
        if not self.has_entities:
            return ()
        return tuple(label[2:] for label in self.labels if label.startswith("B-"))

    def label(self, tags: Sequence[str | int]) -> list[int]:
        """Turn the tags of a sentence into ids.

        Args:
            tags: Labels, each its name or its id.

        Raises:
            KeyError: If a name is not among the labels.
            ValueError: If an id is not that of a label.
        """
        return label_ids(self.name, self.labels, tags)

    def tags(self, ids: Sequence[str | int]) -> list[str]:
        """Turn ids into names.

        Args:
            ids: Labels, each its id or already its name.

        Raises:
            ValueError: If an id is not that of a label.
            KeyError: If a name is not among the labels.
        """
        return label_names(self.name, self.labels, ids)

    def head(self, width: int) -> TaggingHead:
        """Make a new output layer.

        Args:
            width: Size of the hidden states, D.
        """
        return TaggingHead(self, width)

    def metrics(
        self,
        predictions: Sequence[Sequence[int | str]],
        references: Sequence[Sequence[int | str]],
    ) -> dict[str, float]:
        """Measure tokens and, where the labels are IOB2 tags, entities.

        Entities are counted by seqeval in strict mode: one is found if its type, its first and its
        last token are right. A score without anything to count is 0.

        Args:
            predictions: Labels row by row, as ids or as names.
            references: As many, as ids or as names. Where one is missing (-100), the prediction is
                not looked at.

        Returns:
            ``accuracy`` of tokens and, for IOB2 tags, ``precision``, ``recall`` and ``f1`` of all
            entities together (micro average) and ``f1_<type>`` of each type; from 0 to 1.

        Raises:
            ValueError: If numbers or lengths differ, there is nothing to compare, or an id is not
                that of a label.
            KeyError: If a name is not that of a label.
        """
        check_rows(predictions, references)
        found: list[list[str]] = []
        expected: list[list[str]] = []
        for row, wanted in zip(predictions, references, strict=True):
            counted = [label != MISSING_LABEL for label in wanted]
            found.append(self.tags(list(compress(row, counted))))
            expected.append(self.tags(list(compress(wanted, counted))))
        count = sum(map(len, expected))
        if count == 0:
            raise ValueError(f"No token has a label of {self.name!r}; there is nothing to measure")
        pairs = zip(chain(*found), chain(*expected), strict=True)
        accuracy = {"accuracy": sum(left == right for left, right in pairs) / count}
        return accuracy | (self._entity_metrics(found, expected) if self.has_entities else {})

    def _entity_metrics(
        self, found: list[list[str]], expected: list[list[str]]
    ) -> dict[str, float]:
        report = _report(found, expected)
        total = report.get("micro avg", {})
        names = {"precision": "precision", "recall": "recall", "f1": "f1-score"}
        metrics = {name: float(total.get(key, 0.0)) for name, key in names.items()}
        for kind in self.entity_types:
            metrics[f"f1_{kind}"] = float(report.get(kind, {}).get("f1-score", 0.0))
        return metrics


def _report(found: list[list[str]], expected: list[list[str]]) -> dict[str, dict[str, Any]]:
    if not any(map(to_spans, (*found, *expected))):
        return {}  # seqeval fails without any entity
    # It brings scikit-learn and SciPy, a second of waiting for all who measure no entities.
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    return classification_report(
        expected, found, mode="strict", scheme=IOB2, output_dict=True, zero_division=0
    )


class TaggingHead(Head):
    """An output layer over the labels, with a CRF above it or not.

    Tokens without a label, such as the later pieces of a word, are no part of the sequence that a
    CRF scores: those with one are moved together, and a label and the next follow one another
    whatever stands between them. Nothing is summed over the labels that are missing.

    Args:
        task: The task.
        width: Size of the hidden states, D.
    """

    start: Tensor
    transitions: Tensor

    def __init__(self, task: Tagging, width: int) -> None:
        super().__init__(task.name)
        self.smoothing = task.smoothing
        self.dropout = torch_nn.Dropout(task.dropout)
        size = len(task.labels)
        self.output = torch_nn.Linear(width, size)
        self.constrained = task.constrained and task.has_entities
        allowed_start = torch.ones(size, dtype=torch.bool)
        allowed = torch.ones(size, size, dtype=torch.bool)
        if self.constrained:
            allowed_start, allowed = iob2_constraints(task.labels)
        self.crf = LinearChainCRF(size, allowed_start, allowed) if task.crf else None
        for name, mask in (("start", allowed_start), ("transitions", allowed)):
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
        """Return the mean loss per token that has a label.

        Without a CRF it is the cross-entropy, smoothed only while training. With one it is the
        negative log-likelihood of all sequences together, divided by the number of their labels,
        so that both kinds are on the same scale: with no transitions to speak of they are equal.

        Args:
            outputs: Emissions ``[B, T, C]``.
            batch: Holds the labels ``[B, T]``.

        Returns:
            A scalar in nats.

        Raises:
            ValueError: If the labels do not fit the emissions, or one does not exist.
        """
        labels = batch.labels[self.task]
        if self.crf is None:
            return label_smoothing_loss(outputs, labels, self.smoothing if self.training else 0.0)
        counted = check_targets(outputs, labels)
        emissions, mask = compact(outputs, counted)
        tags, _ = compact(labels, counted)
        total = self.crf.log_likelihood(emissions, tags, mask).sum()
        return -total / counted.sum().clamp(min=1)

    def predict(self, hidden: Tensor, batch: Batch) -> list[list[int]]:
        """Return the best label of each token of the input.

        Every token takes part in the sequence. Where only some do in training, as the first pieces
        of words, use :meth:`decode`.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from.

        Returns:
            One id a token, row by row; none for a row without tokens.
        """
        return self.decode(hidden, batch.inputs.mask)

    def compare(self, hidden: Tensor, batch: Batch) -> list[tuple[list[int], list[int]] | None]:
        """Label the tokens that have a label, and put both side by side.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from, with its labels ``[B, T]``.

        Returns:
            Two sequences of ids a row, of its labelled tokens alone; ``None`` where there is none.
        """
        labels = batch.labels[self.task]
        known = labels != MISSING_LABEL
        expected: list[list[int]] = [
            row[at].tolist() for row, at in zip(labels, known, strict=True)
        ]
        pairs = zip(self.decode(hidden, known), expected, strict=True)
        return [pair if pair[1] else None for pair in pairs]

    def decode(self, hidden: Tensor, positions: Tensor) -> list[list[int]]:
        """Return the best labels of some tokens, taken as a sequence of their own.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            positions: ``[B, T]``, True at the tokens to label, such as :func:`word_positions`.

        Returns:
            One id for each of these tokens, row by row.
        """
        emissions, mask = compact(self.output(hidden), positions)
        if self.crf is not None:
            return self.crf.decode(emissions, mask)
        if self.constrained:
            end = torch.zeros_like(self.start)
            return viterbi(emissions, mask, self.start, self.transitions, end)
        rows = emissions.argmax(dim=2).tolist()
        return [row[:n] for row, n in zip(rows, mask.sum(dim=1).tolist(), strict=True)]


def compact(values: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Move what is kept of each row together, to the left.

    Args:
        values: ``[B, T]`` or ``[B, T, C]``.
        kept: ``[B, T]``, True at what is kept.

    Returns:
        Values ``[B, U]`` or ``[B, U, C]`` in their order, U being the most that is kept of a row,
        and their mask ``[B, U]``. What the mask leaves out has no meaning.
    """
    lengths = kept.sum(dim=1)  # [B]
    longest = int(lengths.max()) if lengths.numel() else 0
    order = (~kept).to(torch.uint8).argsort(dim=1, stable=True)[:, :longest]  # [B, U]
    mask = torch.arange(longest, device=kept.device) < lengths.unsqueeze(1)
    if values.dim() == 3:
        order = order.unsqueeze(2).expand(-1, -1, values.shape[2])
    return values.gather(1, order), mask


def word_positions(sentences: Sequence[Pieces], length: int | None = None) -> Tensor:
    """Say where the words of sentences begin.

    Args:
        sentences: The pieces of each sentence.
        length: T, where the inputs hold more than the pieces, such as ``<eos>``; the longest
            sentence if ``None``.

    Returns:
        ``[B, T]``, True at the first piece of each word: what :meth:`TaggingHead.decode` is to
        label.

    Raises:
        ValueError: If a sentence is longer than ``length``.
    """
    longest = max((len(pieces.ids) for pieces in sentences), default=0)
    if length is not None and longest > length:
        raise ValueError(f"A sentence has {longest} pieces, but length is {length}")
    positions = torch.zeros(len(sentences), longest if length is None else length).bool()
    for row, pieces in enumerate(sentences):
        positions[row, pieces.first_pieces] = True
    return positions


def iob2_constraints(labels: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Say which IOB2 tags may come first, and which may follow which.

    Args:
        labels: The tags, in the order of their ids.

    Returns:
        Boolean ``[C]``, False for ``I-`` tags, and boolean ``[C, C]`` (from, to), False where an
        ``I-`` tag follows anything but a ``B-`` or ``I-`` tag of its type. Any tag may come last.

    Raises:
        ValueError: If a label is none of IOB2, or an ``I-`` tag has no ``B-`` tag of its type.
    """
    split = [split_tag(label) for label in labels]
    for prefix, kind in split:
        if prefix == "I" and ("B", kind) not in split:
            raise ValueError(
                f"I-{kind} can never occur, since there is no B-{kind}: {list(labels)}"
            )
    start = torch.tensor([prefix != "I" for prefix, _ in split])
    following = [[to != "I" or kind == before for to, kind in split] for _, before in split]
    return start, torch.tensor(following)
