"""Classification: one label for a whole text, or for a pair of texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_kind, check_probability, check_sizes, check_text
from mtl_utils.data.batch import MISSING_LABEL, Batch, Inputs
from mtl_utils.data.class_labels import labels_by_name
from mtl_utils.data.encoded_text import EncodedText
from mtl_utils.objectives.losses import check_smoothing
from mtl_utils.objectives.scales import DEFAULT_SCALE, Scale, check_scale, scaled_loss
from mtl_utils.tasks.label_names import (
    check_labels,
    label_ids,
    label_names,
    numbers_by_name,
)
from mtl_utils.tasks.label_weights import check_weights
from mtl_utils.tasks.labelled_head import LabelledHead
from mtl_utils.tasks.output_layer import checked_additions, output_layer
from mtl_utils.tasks.pooling import PAIR_POOLINGS, TEXT_POOLINGS, Pooling
from mtl_utils.tasks.text_task import Row, TextTask, check_columns, column_names


@dataclass(frozen=True)
class Classification(TextTask):
    """Give each text a label.

    ``"first"`` reads the state of the first token, which every token can write to where the encoder
    lets each position look at all others (Devlin et al., 2019); after a causal encoder that token
    has seen nothing else. ``"mean"`` reads the mean over all tokens of the row: special tokens too,
    and both texts of a pair.

    Args:
        name: Under which a batch has its labels, one a row.
        labels: Names of the labels; the id of one is its position.
        pooling: Which state speaks for the text: ``"first"`` or ``"mean"``.
        smoothing: Label smoothing while training.
        dropout: Probability of dropping a unit of what was pooled.
        scale: What the loss is divided by, see :data:`mtl_utils.objectives.Scale`. With one label a
            text ``"token"`` and ``"text"`` are the same.
        class_weights: Weights of labels in the loss, by name; 1 for a label that is left out. The
            mean is divided by the sum of the weights, as in :class:`torch.nn.CrossEntropyLoss`.
            :func:`balanced_weights` makes them of the training data.
        added: How many of the last labels were added later, each time; what
            :func:`mtl_utils.continual.add_labels` writes here.
        text: Name of the column of texts.
        label: Name of the column of labels.

    Raises:
        ValueError: If there are no labels, one occurs twice, there is no such pooling or
            scale, a probability is outside its range, or a column has no name.
        KeyError: If a weight is of no label.
        TypeError: If the name or a label is no string, the labels have no order, or a probability
            or weight is no number.
    """

    name: str
    labels: tuple[str, ...]
    pooling: str = "first"
    smoothing: float = 0.0
    dropout: float = 0.0
    causal = False
    scale: Scale = field(default=DEFAULT_SCALE, kw_only=True)
    class_weights: Mapping[str, float] | None = field(default=None, kw_only=True, hash=False)
    added: tuple[int, ...] = field(default=(), kw_only=True)
    text: str = field(default="text", kw_only=True)
    label: str = field(default="label", kw_only=True)
    poolings: ClassVar[Mapping[str, Pooling]] = TEXT_POOLINGS

    def __post_init__(self) -> None:
        check_text("name", self.name)
        check_labels(self.labels)
        object.__setattr__(self, "labels", tuple(self.labels))
        if not isinstance(self.pooling, str) or self.pooling not in self.poolings:
            raise ValueError(
                f"{type(self).__name__} has the poolings {list(self.poolings)}, got "
                f"{self.pooling!r}"
            )
        check_smoothing(self.smoothing)
        check_probability("dropout", self.dropout)
        check_scale(self.scale)
        check_weights("class_weights", self.class_weights, self.labels)
        object.__setattr__(self, "added", checked_additions(self.added, self.labels))
        if self.class_weights is not None:
            object.__setattr__(self, "class_weights", dict(self.class_weights))
        check_columns(text=self.text, label=self.label)

    def reference(self, row: Row) -> Any:
        """Return the label of a row; see :meth:`TextTask.reference`.

        Args:
            row: The row.

        Returns:
            The cell; where all labels are whole numbers, the name that such a number is written as.

        Raises:
            TypeError: If the row is no mapping.
        """
        return numbers_by_name(self.labels, super().reference(row))

    def target(self, row: Row, encoded: EncodedText) -> int | None:
        """Return the id of the label of a row; see :meth:`TextTask.target`.

        Args:
            row: The row.
            encoded: What became of its text.

        Raises:
            KeyError: If the name is not among the labels.
            ValueError: If the id is not that of a label.
            TypeError: If it is neither a name nor an id.
        """
        label = self.reference(row)
        if label is None:
            return None
        where = f"the column {self.label!r}"
        return label_ids(self.name, self.labels, [label], missing=True, name=where)[0]

    def named(self, predictions: Sequence[str | int]) -> list[str]:
        """Return predicted ids as names.

        Args:
            predictions: One id a row.
        """
        return self.names(predictions)

    def id_of(self, name: str | int | None) -> int:
        """Turn a label into its id.

        Args:
            name: Its name, or already its id; ``None`` where it is missing, which becomes
                :data:`~mtl_utils.data.MISSING_LABEL`.

        Raises:
            KeyError: If the name is not among the labels.
            ValueError: If the id is not that of a label.
            TypeError: If it is neither a name nor an id.
        """
        return label_ids(self.name, self.labels, [name], missing=True, name="name")[0]

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

    def head(self, width: int) -> ClassificationHead:
        """Make a new output layer.

        Args:
            width: Size of the hidden states, D.

        Raises:
            TypeError: If it is no whole number.
            ValueError: If it is below 1.
        """
        return ClassificationHead(self, width)

    def metrics(
        self, predictions: Sequence[int | str], references: Sequence[int | str | None]
    ) -> dict[str, float]:
        """Measure labels.

        Args:
            predictions: One label a row, as ids or as names.
            references: As many, as ids or as names. Where one is missing (``None`` or -100),
                the prediction is not looked at.

        Returns:
            ``accuracy``, and ``macro_f1``: the mean of the F1 of each label that occurs among
            predictions or references, every label weighing the same; from 0 to 1.

        Raises:
            ValueError: If numbers differ, there is nothing to compare, or an id is not that of a
                label.
            KeyError: If a name is not that of a label.
            TypeError: If something is neither a name nor an id, or they are not several.
        """
        predictions = labels_by_name("predictions", predictions)
        references = labels_by_name("references", references)
        if len(predictions) != len(references):
            raise ValueError(
                f"Expected as many predictions as references, got {len(predictions)} for "
                f"{len(references)}: predictions {predictions!r:.60}, references {references!r:.60}"
            )
        ids = label_ids(self.name, self.labels, references, missing=True, name="references")
        pairs = zip(predictions, ids, strict=True)
        counted = [(found, expected) for found, expected in pairs if expected != MISSING_LABEL]
        if not counted:
            raise ValueError(f"No row has a label of {self.name!r}; there is nothing to measure")
        found, expected = (
            label_names(self.name, self.labels, side, name="predictions")
            for side in zip(*counted, strict=True)
        )
        right = Counter(a for a, b in zip(found, expected, strict=True) if a == b)
        times = Counter(found) + Counter(expected)  # as often as predicted and as expected
        scores = [2 * right[label] / times[label] for label in times]
        return {
            "accuracy": right.total() / len(counted),
            "macro_f1": sum(scores) / len(scores),
        }


@dataclass(frozen=True)
class PairClassification(Classification):
    """Give each pair of texts a label, such as whether the first entails the second.

    ``"first"`` reads the state of the first token, after an encoder that reads both texts together
    and lets each position look at all others (Devlin et al., 2019). ``"compare"`` is for encoders
    without such a token, a BiLSTM for example: it compares the mean states of the two texts (Mou et
    al., 2016; Conneau et al., 2017; see :func:`mtl_utils.tasks.compared_means`). ``"align"``
    compares the texts token by token, with layers of its own (Parikh et al., 2016; see
    :class:`mtl_utils.nn.AlignedComparison`); where it matters which name stands where, it learns
    from far fewer pairs. All need inputs with segment ids, 0 in the first text and 1 in the second,
    as :func:`mtl_utils.data.encode_pair` makes them.

    Args:
        name: Under which a batch has its labels, one a row.
        labels: Names of the labels; the id of one is its position.
        pooling: What speaks for the pair: ``"first"``, ``"compare"`` or ``"align"``.
        smoothing: Label smoothing while training.
        dropout: Probability of dropping a unit of what was pooled.
        scale: What the loss is divided by, see :data:`mtl_utils.objectives.Scale`. With one label a
            text ``"token"`` and ``"text"`` are the same.
        class_weights: Weights of labels in the loss, by name; see :class:`Classification`.
        added: How many of the last labels were added later, each time; what
            :func:`mtl_utils.continual.add_labels` writes here.
        texts: Names of the columns of the first and of the second texts.
        label: Name of the column of labels.

    Raises:
        ValueError: As :class:`Classification`.
        KeyError: As :class:`Classification`.
        TypeError: As :class:`Classification`.
    """

    text: str = field(default="", init=False, repr=False, compare=False, kw_only=True)
    texts: tuple[str, str] = field(default=("premise", "hypothesis"), kw_only=True)
    input_fields = ("texts",)
    poolings: ClassVar[Mapping[str, Pooling]] = PAIR_POOLINGS

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", column_names("texts", self.texts))
        object.__setattr__(self, "text", self.texts[0])
        super().__post_init__()


class ClassificationHead(LabelledHead):
    """A linear layer over what was pooled.

    Args:
        task: The task, of texts or of pairs.
        width: Size of the hidden states, D.

    Raises:
        TypeError: If the task is of another class, or the width no whole number.
        ValueError: If the width is below 1.
    """

    def __init__(self, task: Classification, width: int) -> None:
        check_kind("task", task, Classification, "a Classification")
        check_sizes(width=width)
        super().__init__(task.name, task.labels, task.class_weights)
        self.smoothing, self.scale = task.smoothing, task.scale
        self.pooling = task.poolings[task.pooling]
        self.pool = self.pooling.made(width)
        self.dropout = torch_nn.Dropout(task.dropout)
        size = self.pooling.factor * width
        self.output = output_layer(size, len(task.labels), task.added)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Score every label of each row.

        Args:
            hidden: Hidden states ``[B, T, D]``; what they hold at padding does not matter.
            batch: What they were computed from.

        Returns:
            Logits ``[B, C]``.

        Raises:
            ValueError: If the task is one of pairs and the inputs have no segment ids.
        """
        return self.output(self.dropout(self.pool(hidden, batch.inputs)))

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the mean cross-entropy per row that has a label, smoothed only while training.

        With the scale ``"uniform"`` it is divided by log C.

        Args:
            outputs: Logits ``[B, C]``.
            batch: Holds the labels ``[B]``.

        Returns:
            A scalar, in nats but for ``"uniform"``.

        Raises:
            ValueError: If the labels do not fit the logits, or one does not exist.
        """
        smoothing = self.smoothing if self.training else 0.0
        labels = batch.labels[self.task]
        return scaled_loss(outputs, labels, self.scale, smoothing, weights=self.class_weights)

    def predict(self, hidden: Tensor, batch: Batch) -> list[int]:
        """Return the best label of each row.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from.

        Returns:
            One id a row.

        Raises:
            ValueError: If the task is one of pairs and the inputs have no segment ids.
        """
        pooled = self.pool(hidden, batch.inputs)
        found: list[int] = self.output(pooled).argmax(dim=-1).tolist()
        return found

    def probabilities(self, hidden: Tensor, batch: Batch) -> list[list[float]]:
        """Say how likely each label of each row is.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from.

        Returns:
            C numbers a row, which sum to 1.

        Raises:
            ValueError: If the task is one of pairs and the inputs have no segment ids.
        """
        logits = self.output(self.pool(hidden, batch.inputs))
        found: list[list[float]] = self.tempered(logits).softmax(dim=-1).tolist()
        return found

    def reads(self, inputs: Inputs) -> bool:
        """Tell whether inputs have segment ids, if the task is one of pairs.

        Args:
            inputs: What the encoder reads.
        """
        return inputs.segment_ids is not None or not self.pooling.of_pairs

    def compare(self, hidden: Tensor, batch: Batch) -> list[tuple[int, int] | None]:
        """Predict, and put the best label of each row beside the one it has.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from, with its labels ``[B]``.

        Returns:
            Two ids a row; ``None`` where a row has no label.

        Raises:
            ValueError: As :meth:`predict`, or if there is not one label a row.
        """
        given = batch.labels[self.task]
        if given.shape != hidden.shape[:1]:
            raise ValueError(
                f"Labels of {self.task!r} are one a row: expected {list(hidden.shape[:1])}, got "
                f"{list(given.shape)}"
            )
        labels: list[int] = given.tolist()
        pairs = zip(self.predict(hidden, batch), labels, strict=True)
        return [None if pair[1] == MISSING_LABEL else pair for pair in pairs]
