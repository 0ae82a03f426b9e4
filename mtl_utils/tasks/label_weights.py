"""Weights of labels in a loss, by name: what is rare may count more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from mtl_utils.arguments import check_names, check_number
from mtl_utils.data.batch import MISSING_LABEL
from mtl_utils.data.class_labels import labels_by_name
from mtl_utils.data.missing import is_missing
from mtl_utils.tasks.label_names import check_labels, label_ids, numbers_by_name


def balanced_weights(labels: Sequence[str], column: Iterable[Any]) -> dict[str, float]:
    r"""Return weights that make every label as loud as every other (King & Zeng, 2001).

    .. math:: w_c = \frac{N}{C\, n_c}

    with :math:`n_c` times that a label occurs, N labels in all and C different ones.

    Args:
        labels: Names of the labels, in the order of their ids.
        column: Labels of the training data, as names or as ids, as a task takes those of a row, or
            for tags a sequence of them for each text; where one is missing (``None`` or -100), it
            is not counted.

    Returns:
        A weight by name, for labels that occur; the mean over all that occurs is 1.

    Raises:
        ValueError: If none occurs, or an id is not that of a label.
        KeyError: If a name is not among the labels.
        TypeError: If something is neither a name nor an id, or the labels have no order.
    """
    check_labels(labels)
    rows = [row for row in labels_by_name("column", column) if not is_missing(row)]
    several = [not isinstance(row, str) and hasattr(row, "__iter__") for row in rows]
    if any(several) and not all(several):
        raise TypeError(f"column has labels and sequences of labels: {rows!r:.80}")
    flat = list(chain.from_iterable(rows)) if any(several) else rows
    flat = numbers_by_name(labels, flat)
    ids = label_ids("column", labels, flat, missing=True, name="column")
    counts = Counter(number for number in ids if number != MISSING_LABEL)
    if not counts:
        raise ValueError(f"column has no label to count: {column!r:.80}")
    total = counts.total() / len(counts)
    return {labels[number]: total / count for number, count in sorted(counts.items())}


def check_weights(name: str, weights: Any, labels: Sequence[str]) -> None:
    """Refuse what are no weights of labels.

    Args:
        name: What the message is to call them.
        weights: A weight by name of a label; ``None`` for none.
        labels: Names of the labels.

    Raises:
        TypeError: If they are no mapping from names to numbers.
        KeyError: If a name is not among the labels.
        ValueError: If a weight is not greater than 0.
    """
    if weights is None:
        return
    if isinstance(weights, str):
        raise TypeError(
            f"{name} must be a mapping, weights by label, got {weights!r}. Balanced ones are made "
            f"of the training data: {name}=balanced_weights(labels, column)."
        )
    check_names(name, weights, "weights by label")
    for label, weight in weights.items():
        if label not in labels:
            raise KeyError(f"{name} has {label!r}, which is no label: {tuple(labels)!r:.400}")
        check_number(f"{name} of {label!r}", weight, above=0)


def weight_tensor(weights: Mapping[str, float] | None, labels: Sequence[str]) -> Tensor | None:
    """Return weights in the order of the labels.

    Args:
        weights: By name; a label that is left out has the weight 1. ``None`` for none.
        labels: Names of the labels, in the order of their ids.

    Returns:
        ``[C]``, or ``None`` where all are 1.
    """
    if weights is None:
        return None
    return torch.tensor([float(weights.get(label, 1.0)) for label in labels])
