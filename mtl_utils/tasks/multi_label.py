"""Several labels a text: any number of them, or none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.nn import functional

from mtl_utils.arguments import (
    check_choice,
    check_flag,
    check_kind,
    check_number,
    check_probability,
    check_several,
    check_sizes,
    check_text,
)
from mtl_utils.data.batch import Batch, has_label
from mtl_utils.data.class_labels import labels_by_name
from mtl_utils.data.encoded_text import EncodedText
from mtl_utils.data.missing import is_missing
from mtl_utils.objectives.scales import DEFAULT_SCALE, Scale, check_scale, scaled_mean
from mtl_utils.tasks.label_names import check_labels, label_ids, numbers_by_name
from mtl_utils.tasks.label_sets import checked_labels, checked_vector, set_scores
from mtl_utils.tasks.label_weights import check_weights, weight_tensor
from mtl_utils.tasks.labelled_head import LabelledHead
from mtl_utils.tasks.output_layer import checked_additions, output_layer
from mtl_utils.tasks.pooling import TEXT_POOLINGS
from mtl_utils.tasks.text_task import Row, TextTask, check_columns


@dataclass(frozen=True)
class MultiLabel(TextTask):
    r"""Give each text any number of labels, each of them or not by itself.

    The loss is the binary cross-entropy, the mean over labels and texts (Tsoumakas & Katakis,
    2007). Where every label is as probable as not it is :math:`\log 2`, whatever their number.

    Args:
        name: Under which a batch has its labels, for each row a 0 or 1 a label.
        labels: Names of the labels; the id of one is its position.
        text: Column of a row that holds the text.
        labels_column: Column of a row that holds the labels it has: a list of names or of ids. An
            empty list says that it has none, ``None`` that this is not known.
        vector: Whether the column holds a 0 or 1 for each label instead, in their order, ``None``
            where it is not known. A list of 0 and 1 is never taken for that by itself; one of truth
            values is.
        pooling: Which state speaks for the text: ``"first"`` or ``"mean"``; see
            :class:`Classification`.
        dropout: Probability of dropping a unit of what was pooled.
        threshold: A label is predicted that is at least as probable as that.
        positive_weights: By how much texts that have a label weigh more than those that do not, by
            name; 1 for a label that is left out. The mean is over as many as without weights.
        added: How many of the last labels were added later, each time; what
            :func:`mtl_utils.continual.add_labels` writes here.
        scale: What the loss is divided by, see :data:`mtl_utils.objectives.Scale`; for
            ``"uniform"`` the value of one label is :math:`\log 2`.

    Raises:
        ValueError: If there are no labels, one occurs twice, there is no such pooling or scale, or
            a number is outside its range.
        KeyError: If a weight is of no label.
        TypeError: If a name is no string, the labels have no order, or a number is none.
    """

    name: str
    labels: tuple[str, ...]
    text: str = field(default="text", kw_only=True)
    labels_column: str = field(default="labels", kw_only=True)
    vector: bool = field(default=False, kw_only=True)
    pooling: str = field(default="first", kw_only=True)
    dropout: float = field(default=0.0, kw_only=True)
    threshold: float = field(default=0.5, kw_only=True)
    positive_weights: Mapping[str, float] | None = field(default=None, kw_only=True, hash=False)
    added: tuple[int, ...] = field(default=(), kw_only=True)
    scale: Scale = field(default=DEFAULT_SCALE, kw_only=True)
    causal = False
    label_field = "labels_column"
    writes_tokens = False

    def __post_init__(self) -> None:
        check_text("name", self.name)
        check_labels(self.labels)
        object.__setattr__(self, "labels", tuple(self.labels))
        check_columns(text=self.text, labels_column=self.labels_column)
        check_flag("vector", self.vector)
        check_choice("pooling", self.pooling, TEXT_POOLINGS)
        check_probability("dropout", self.dropout)
        check_number("threshold", self.threshold, above=0, below=1)
        check_weights("positive_weights", self.positive_weights, self.labels)
        object.__setattr__(self, "added", checked_additions(self.added, self.labels))
        if self.positive_weights is not None:
            object.__setattr__(self, "positive_weights", dict(self.positive_weights))
        check_scale(self.scale)

    def label(self, given: Sequence[str | int]) -> list[int]:
        """Turn the labels of a text into a 0 or 1 for each there is.

        Args:
            given: Those that it has, each its name or its id.

        Returns:
            C numbers.

        Raises:
            KeyError: If a name is not among the labels.
            ValueError: If an id is not that of a label, or a label is given twice.
            TypeError: If something is neither a name nor an id, or they are not several.
        """
        ids = self._ids(given, "labels")
        vector = [0] * len(self.labels)
        for number in ids:
            vector[number] = 1
        return vector

    def reference(self, row: Row) -> Any:
        """Return the labels of a row; see :meth:`TextTask.reference`.

        Args:
            row: A row, by column.

        Returns:
            The cell; where all labels are whole numbers, the names that such numbers are written
            as, unless the cell has a 0 or 1 for each label.

        Raises:
            TypeError: If the row is no mapping.
        """
        cell = super().reference(row)
        return cell if self.vector else numbers_by_name(self.labels, cell)

    def target(self, row: Row, encoded: EncodedText) -> list[int] | None:
        """Return a 0 or 1 for each label, as the row says.

        Args:
            row: A row, by column.
            encoded: What the encoder reads of it, which does not matter here.

        Returns:
            C numbers, -100 where one is not known; ``None`` where nothing is.

        Raises:
            KeyError: If a name is not among the labels.
            ValueError: If an id is not that of a label, a label is given twice, or there is not one
                0 or 1 for each label where these are expected.
            TypeError: If the cell holds something else.
        """
        given = self.reference(row)
        if given is None:
            return None
        given = given.tolist() if hasattr(given, "tolist") else given
        truths = isinstance(given, list | tuple) and {*map(type, given)} == {bool}
        if not self.vector and not truths:
            return self.label(given)
        where = f"The column {self.labels_column!r} of {self.name!r}"
        return checked_vector(where, given, len(self.labels))

    def named(self, predictions: Sequence[Sequence[str | int]]) -> list[list[str]]:
        """Turn predictions into names.

        Args:
            predictions: What :meth:`MultiLabelHead.predict` returned: the ids of each row's labels.

        Returns:
            Names, row by row.

        Raises:
            KeyError: If a name is not among the labels.
            ValueError: If an id is not that of a label, or a label is given twice.
            TypeError: If something is neither a name nor an id, or rows are not several.
        """
        check_several("predictions", predictions, "the labels of each row")
        rows = [self._ids(row, "predictions") for row in predictions]
        return [[self.labels[number] for number in row] for row in rows]

    def head(self, width: int) -> MultiLabelHead:
        """Make a new output layer.

        Args:
            width: Size of the hidden states, D.

        Raises:
            TypeError: If it is no whole number.
            ValueError: If it is below 1.
        """
        return MultiLabelHead(self, width)

    def metrics(
        self,
        predictions: Sequence[Sequence[str | int]],
        references: Sequence[Sequence[str | int] | None],
    ) -> dict[str, float]:
        """Measure sets of labels.

        Args:
            predictions: The labels of each row, as names or as ids.
            references: As many; ``None`` where they are not known, and the prediction is not looked
                at.

        Returns:
            ``accuracy``, the share of rows whose labels are all right; ``micro_f1`` of all labels
            together; and ``macro_f1``, the mean of the F1 of each label that occurs among
            predictions or references. From 0 to 1; 0 where no label occurs at all.

        Raises:
            ValueError: If numbers differ, there is nothing to compare, an id is not that of a
                label, or a label is given twice.
            KeyError: If a name is not that of a label.
            TypeError: If something is neither a name nor an id, or rows are not several.
        """
        found = [
            {*self._ids(row, "predictions")} for row in labels_by_name("predictions", predictions)
        ]
        expected = [
            None if is_missing(row) else {*self._ids(row, "references")}
            for row in labels_by_name("references", references)
        ]
        if len(found) != len(expected):
            raise ValueError(
                f"Expected as many predictions as references, got {len(found)} for "
                f"{len(expected)}: predictions {predictions!r:.60}, references {references!r:.60}"
            )
        pairs = [pair for pair in zip(found, expected, strict=True) if pair[1] is not None]
        if not pairs:
            raise ValueError(
                f"No row has known labels of {self.name!r}; there is nothing to measure: "
                f"references {references!r:.60}, predictions {predictions!r:.60}"
            )
        return set_scores([(mine, theirs or set()) for mine, theirs in pairs])

    def _ids(self, given: Any, name: str) -> list[int]:
        ids = label_ids(self.name, self.labels, given, name=name)
        if len(set(ids)) == len(ids):
            return ids
        twice = next(number for number in ids if ids.count(number) > 1)
        raise ValueError(
            f"The label {self.labels[twice]!r} of {self.name!r} is twice in {name}: {given!r:.80}. "
            "If these are a 0 or 1 for each label, say vector=True."
        )


class MultiLabelHead(LabelledHead):
    """A linear layer over what was pooled, with an output for each label.

    Args:
        task: The task.
        width: Size of the hidden states, D.

    Raises:
        TypeError: If the task is of another class, or the width no whole number.
        ValueError: If the width is below 1.
    """

    positive_weights: Tensor | None

    def __init__(self, task: MultiLabel, width: int) -> None:
        check_kind("task", task, MultiLabel, "a MultiLabel")
        check_sizes(width=width)
        super().__init__(task.name, task.labels)
        self.threshold, self.scale = task.threshold, task.scale
        self.pooling = TEXT_POOLINGS[task.pooling]
        self.pool = self.pooling.made(width)
        self.dropout = torch_nn.Dropout(task.dropout)
        size = self.pooling.factor * width
        self.output = output_layer(size, len(task.labels), task.added)
        weights = weight_tensor(task.positive_weights, task.labels)
        self.register_buffer("positive_weights", weights, persistent=False)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Score every label of each row.

        Args:
            hidden: Hidden states ``[B, T, D]``; what they hold at padding does not matter.
            batch: What they were computed from.

        Returns:
            Logits ``[B, C]``; where one is 0, the label is as probable as not.
        """
        return self.output(self.dropout(self.pool(hidden, batch.inputs)))

    def negative_log_likelihood(self, outputs: Tensor, batch: Batch, sharpness: Tensor) -> Tensor:
        """Return how unlikely the labels are if scores are multiplied by a number.

        Args:
            outputs: Logits ``[B, C]``.
            batch: Holds the labels ``[B, C]``.
            sharpness: The inverse of a temperature, a scalar.

        Returns:
            A scalar in nats, the sum over labels and texts, without weights.
        """
        labels = self._labels(outputs.shape, batch)
        known = has_label(labels)
        scores = outputs.to(sharpness.dtype) * sharpness.to(outputs.device)
        targets = labels[known].to(scores.dtype)
        return functional.binary_cross_entropy_with_logits(scores[known], targets, reduction="sum")

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the binary cross-entropy, by default the mean over labels and texts.

        Args:
            outputs: Logits ``[B, C]``.
            batch: Holds the labels ``[B, C]``: 1, 0, or -100 where one is missing.

        Returns:
            A scalar, in nats but for the scale ``"uniform"``.

        Raises:
            ValueError: If the labels do not fit the logits, or one is neither 0 nor 1.
            TypeError: If labels are no integers.
        """
        labels = self._labels(outputs.shape, batch)
        known = has_label(labels)
        losses = functional.binary_cross_entropy_with_logits(
            outputs,
            labels.masked_fill(~known, 0).to(outputs.dtype),
            pos_weight=self.positive_weights,
            reduction="none",
        )
        return scaled_mean(losses.masked_fill(~known, 0.0).sum(), known, self.scale, math.log(2))

    def predict(self, hidden: Tensor, batch: Batch) -> list[list[int]]:
        """Return the labels of each row.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from.

        Returns:
            Ids in rising order, none or several a row.
        """
        likely = self._probabilities(hidden, batch) >= self.threshold
        return [row.nonzero().flatten().tolist() for row in likely.cpu()]

    def probabilities(self, hidden: Tensor, batch: Batch) -> list[list[float]]:
        """Say how likely each label is, whatever the others.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from.

        Returns:
            C numbers a row, each from 0 to 1.
        """
        found: list[list[float]] = self._probabilities(hidden, batch).tolist()
        return found

    def compare(self, hidden: Tensor, batch: Batch) -> list[tuple[list[int], list[int]] | None]:
        """Predict, and put the labels of each row beside those that it has.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from, with its labels ``[B, C]``.

        Returns:
            Two lists of ids a row, of labels that are known to be there or not; ``None`` where
            nothing is known.

        Raises:
            ValueError: As :meth:`loss`.
            TypeError: Likewise.
        """
        labels = self._labels(torch.Size((len(hidden), len(self.labels))), batch).cpu()
        known = has_label(labels)
        pairs = []
        for found, row, counted in zip(self.predict(hidden, batch), labels, known, strict=True):
            mine = [number for number in found if counted[number]]
            expected: list[int] = (row == 1).nonzero().flatten().tolist()
            pairs.append((mine, expected) if bool(counted.any()) else None)
        return pairs

    def _probabilities(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Return probabilities ``[B, C]``."""
        logits = self.output(self.pool(hidden, batch.inputs))
        return self.tempered(logits).sigmoid()

    def _labels(self, shape: torch.Size, batch: Batch) -> Tensor:
        """Return labels ``[B, C]``, after a look at their shape, kind and values."""
        return checked_labels(self.task, self.labels, batch.labels[self.task], shape[0])
