"""Regression: a number for a text or for a pair of texts, such as how alike two sentences are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import (
    check_choice,
    check_kind,
    check_number,
    check_probability,
    check_several,
    check_sizes,
    check_text,
    shown,
)
from mtl_utils.data.batch import Batch, Inputs, has_label
from mtl_utils.data.encoded_text import EncodedText
from mtl_utils.data.missing import is_missing
from mtl_utils.objectives.scales import DEFAULT_SCALE, Scale, check_scale, scaled_mean
from mtl_utils.tasks.base import Head
from mtl_utils.tasks.correlation import pearson, spearman
from mtl_utils.tasks.pooling import PAIR_POOLINGS, TEXT_POOLINGS, Pooling
from mtl_utils.tasks.text_task import Row, TextTask, check_columns, column_names


@dataclass(frozen=True)
class Regression(TextTask):
    r"""Give each text, or each pair of texts, a number.

    The loss is the squared error in units of the spread, so that it is on the scale of other tasks
    whatever the values are measured in:

    .. math:: L = \frac{1}{N} \sum_i \left( z_i - \frac{y_i - \mu}{\sigma} \right)^2

    With :math:`\mu` and :math:`\sigma` of the training data it is 1 where the mean is predicted for
    every text; :meth:`standardised` takes them from there. What is predicted is
    :math:`\mu + \sigma z`, in the units of the data.

    Args:
        name: Under which a batch has its labels, one number a row.
        texts: Columns of a row that hold the text, or the two texts of a pair.
        value: Column of a row that holds the number.
        pooling: Which state speaks for the text: ``"first"`` or ``"mean"``; for a pair
            ``"first"``, ``"compare"`` or ``"align"``. See :class:`Classification` and
            :class:`PairClassification`.
        dropout: Probability of dropping a unit of what was pooled.
        bounds: Least and greatest value there can be. Predictions are moved within them, the loss
            is not.
        mean: :math:`\mu`, what an untrained head predicts.
        spread: :math:`\sigma`, the standard deviation, greater than 0.
        scale: What the loss is divided by, see :data:`mtl_utils.objectives.Scale`. There is one
            number a text, and the loss is 1 at the mean, so all are the same here.

    Raises:
        ValueError: If there is no such pooling, there are more than two texts, bounds are not in
            order, or a number is outside its range or not finite.
        TypeError: If a name is no string, or a number is none.
    """

    name: str
    texts: tuple[str, ...] = field(default=("text",), kw_only=True)
    value: str = field(default="value", kw_only=True)
    pooling: str = field(default="first", kw_only=True)
    dropout: float = field(default=0.0, kw_only=True)
    bounds: tuple[float, float] | None = field(default=None, kw_only=True)
    mean: float = field(default=0.0, kw_only=True)
    spread: float = field(default=1.0, kw_only=True)
    scale: Scale = field(default=DEFAULT_SCALE, kw_only=True)
    causal = False
    input_fields = ("texts",)
    label_field = "value"

    def __post_init__(self) -> None:
        check_text("name", self.name)
        object.__setattr__(self, "texts", column_names("texts", self.texts, least=1))
        check_columns(value=self.value)
        check_choice("pooling", self.pooling, self.poolings)
        check_probability("dropout", self.dropout)
        check_number("mean", self.mean)
        check_number("spread", self.spread, above=0)
        check_scale(self.scale)
        if self.bounds is not None:
            _check_bounds(self.bounds)
            object.__setattr__(self, "bounds", tuple(self.bounds))

    @property
    def poolings(self) -> Mapping[str, Pooling]:
        """The poolings there are, of texts or of pairs."""
        return PAIR_POOLINGS if len(self.texts) > 1 else TEXT_POOLINGS

    def standardised(self, values: Sequence[float | None]) -> Regression:
        """Return a copy with the mean and the spread of values, those of the training data.

        Args:
            values: Numbers; where one is missing (``None`` or not a number) it is left out.

        Raises:
            ValueError: If there are no two different ones, or one is not finite.
            TypeError: If one is no number, or they are not several.
        """
        numbers = _numbers("values", values)
        known = numbers[~np.isnan(numbers)]
        if not np.isfinite(known).all() or len(np.unique(known)) < 2:
            raise ValueError(
                f"values must be finite numbers, at least two of them different, so that they have "
                f"a spread; got {values!r:.80}"
            )
        return replace(self, mean=float(known.mean()), spread=float(known.std()))

    def target(self, row: Row, encoded: EncodedText) -> float | None:
        """Return the number of a row.

        Args:
            row: A row, by column.
            encoded: What the encoder reads of it, which does not matter here.

        Returns:
            The number; ``None`` where it is missing.

        Raises:
            TypeError: If the cell is no number.
            ValueError: If the number is not finite, or outside the bounds.
        """
        given = self.reference(row)
        if given is None:
            return None
        low, high = self.bounds or (None, None)
        check_number(f"The column {self.value!r} of {self.name!r}", given, least=low, most=high)
        return float(given)

    def named(self, predictions: Sequence[float]) -> list[float]:
        """Return predictions as they are: numbers need no names.

        Args:
            predictions: What :meth:`RegressionHead.predict` returned.

        Raises:
            TypeError: If one is no number, or they are not several.
        """
        return [float(number) for number in _numbers("predictions", predictions, missing=False)]

    def head(self, width: int) -> RegressionHead:
        """Make a new output layer.

        Args:
            width: Size of the hidden states, D.

        Raises:
            TypeError: If it is no whole number.
            ValueError: If it is below 1.
        """
        return RegressionHead(self, width)

    def metrics(
        self, predictions: Sequence[float], references: Sequence[float | None]
    ) -> dict[str, float]:
        """Measure numbers.

        Args:
            predictions: One number a row.
            references: As many. Where one is missing (``None`` or not a number), the prediction is
                not looked at.

        Returns:
            ``pearson``, the linear correlation; ``spearman``, that of the ranks, equal numbers
            sharing the mean of theirs; and ``mse``, the mean squared error, in squared units of the
            data. A correlation with what is constant is 0, and not a number where a prediction is
            not finite.

        Raises:
            ValueError: If numbers differ, or there is nothing to compare.
            TypeError: If something is no number, or they are not several.
        """
        found = _numbers("predictions", predictions, missing=False)
        expected = _numbers("references", references)
        if len(found) != len(expected):
            raise ValueError(
                f"Expected as many predictions as references, got {len(found)} for "
                f"{len(expected)}: predictions {predictions!r:.60}, references {references!r:.60}"
            )
        known = ~np.isnan(expected)
        if not known.any():
            raise ValueError(
                f"No row has a value of {self.name!r}; there is nothing to measure: references "
                f"{references!r:.60}, predictions {predictions!r:.60}"
            )
        found, expected = found[known], expected[known]
        with np.errstate(over="ignore", invalid="ignore"):  # what is lost is no number, silently
            error = float(np.square(found - expected).mean())
        return {
            "pearson": pearson(found, expected),
            "spearman": spearman(found, expected),
            "mse": error,
        }


class RegressionHead(Head):
    """A linear layer with one output over what was pooled.

    The mean and the spread are kept with the weights, which mean nothing without them.

    Args:
        task: The task.
        width: Size of the hidden states, D.

    Attributes:
        mean: What is predicted where the output is 0, a scalar.
        spread: By how much a prediction changes with the output, a scalar.

    Raises:
        TypeError: If the task is of another class, or the width no whole number.
        ValueError: If the width is below 1.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, task: Regression, width: int) -> None:
        check_kind("task", task, Regression, "a Regression")
        check_sizes(width=width)
        super().__init__(task.name)
        self.bounds, self.scale = task.bounds, task.scale
        self.pooling = task.poolings[task.pooling]
        self.pool = self.pooling.made(width)
        self.dropout = torch_nn.Dropout(task.dropout)
        self.output = torch_nn.Linear(self.pooling.factor * width, 1)
        self.register_buffer("mean", torch.tensor(float(task.mean)))
        self.register_buffer("spread", torch.tensor(float(task.spread)))

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Return a number for each row, in units of the spread from the mean.

        Args:
            hidden: Hidden states ``[B, T, D]``; what they hold at padding does not matter.
            batch: What they were computed from.

        Returns:
            ``[B]``.

        Raises:
            ValueError: If the task is one of pairs and the inputs have no segment ids.
        """
        return self.output(self.dropout(self.pool(hidden, batch.inputs))).squeeze(-1)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the mean squared error per row that has a label, in units of the spread.

        Args:
            outputs: What :meth:`forward` returned, ``[B]``.
            batch: Holds the labels ``[B]``.

        Returns:
            A scalar.

        Raises:
            ValueError: If there is not one label a row.
            TypeError: If the labels are integers, of which -100 would be no value.
        """
        labels = self._labels(outputs, batch)
        known = has_label(labels)
        precise = torch.promote_types(outputs.dtype, torch.float32)
        wanted = (labels.to(precise) - self.mean) / self.spread
        # Not a number times 0 is none: what is missing is replaced before anything is computed.
        errors = outputs.to(precise) - torch.where(known, wanted, 0.0)
        return scaled_mean(errors.square().masked_fill(~known, 0.0).sum(), known, self.scale)

    def predict(self, hidden: Tensor, batch: Batch) -> list[float]:
        """Return a number for each row, in the units of the data.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from.

        Returns:
            One number a row, within the bounds if the task has any.

        Raises:
            ValueError: If the task is one of pairs and the inputs have no segment ids.
        """
        pooled = self.pool(hidden, batch.inputs)
        outputs = self.output(pooled).squeeze(-1)
        precise = torch.promote_types(outputs.dtype, torch.float32)
        values = self.mean + self.spread * outputs.to(precise)
        if self.bounds is not None:
            values = values.clamp(*self.bounds)
        found: list[float] = values.tolist()
        return found

    def reads(self, inputs: Inputs) -> bool:
        """Tell whether inputs have segment ids, if the task is one of pairs.

        Args:
            inputs: What the encoder reads.
        """
        return inputs.segment_ids is not None or not self.pooling.of_pairs

    def compare(self, hidden: Tensor, batch: Batch) -> list[tuple[float, float] | None]:
        """Predict, and put the number of each row beside the one it has.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from, with its labels ``[B]``.

        Returns:
            Two numbers a row; ``None`` where a row has no label.

        Raises:
            ValueError: As :meth:`predict`, or if there is not one label a row.
            TypeError: As :meth:`loss`.
        """
        labels: list[float] = self._labels(hidden[:, 0, 0], batch).tolist()
        pairs = zip(self.predict(hidden, batch), labels, strict=True)
        return [None if math.isnan(pair[1]) else pair for pair in pairs]

    def _labels(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the labels, after a look at their shape and kind."""
        labels = batch.labels[self.task]
        if labels.shape != outputs.shape:
            raise ValueError(
                f"Labels of {self.task!r} are one a row: expected {list(outputs.shape)}, got "
                f"{list(labels.shape)}"
            )
        if not labels.is_floating_point():
            raise TypeError(
                f"Labels of {self.task!r} must be numbers with a point, nan where one is missing, "
                f"got {labels.dtype}; give an Example float(value), and a tensor .float()"
            )
        return labels


def _check_bounds(bounds: Any) -> None:
    check_several("bounds", bounds, "two numbers")
    if len(bounds) != 2:
        raise ValueError(f"bounds must be the least and the greatest value, got {bounds!r:.60}")
    for bound in bounds:
        check_number("Each of the bounds", bound)
    if not bounds[0] < bounds[1]:
        raise ValueError(f"bounds must be the least and the greatest value, got {bounds!r:.60}")


def _numbers(name: str, values: Any, *, missing: bool = True) -> NDArray[np.float64]:
    """Return numbers, nan where one is missing."""
    check_several(name, values, "numbers")
    plain = values.tolist() if hasattr(values, "tolist") else values
    numbers = []
    for value in plain:
        number = value.item() if hasattr(value, "item") else value
        absent = missing and is_missing(number)
        if not absent and (isinstance(number, bool) or not isinstance(number, Real)):
            raise TypeError(f"{name} must be numbers, got {shown(value)}")
        numbers.append(math.nan if absent else float(number))
    return np.array(numbers, np.float64)
