"""What labels alone say of a task: entropy and kurtosis of their distribution."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from mtl_utils.arguments import check_several, shown
from mtl_utils.data.batch import MISSING_LABEL


@dataclass(frozen=True)
class LabelDistribution:
    """How often labels of a task occur, in short.

    Attributes:
        entropy: In nats; 0 with one label, the logarithm of their number where all occur alike.
        kurtosis: Of the numbers of times that labels occur, less 3 as of a normal distribution;
            high where few labels have almost everything. nan where all occur alike.
        num_labels: Number of labels that occur.
        num_tokens: Number of times that one occurs.
    """

    entropy: float
    kurtosis: float
    num_labels: int
    num_tokens: int


def label_distribution(labels: Iterable[Any]) -> LabelDistribution:
    r"""Describe the labels of a task, to predict whether it helps as an auxiliary one.

    .. math:: H = -\sum_c p_c \ln p_c, \qquad
        \kappa = \frac{\frac1C \sum_c (n_c - \bar n)^4}
        {\left(\frac1C \sum_c (n_c - \bar n)^2\right)^2} - 3

    where label c of C occurs :math:`n_c` times, a share :math:`p_c`. Martínez Alonso and Plank
    (2017) found that auxiliary tasks with compact and more uniform distributions, of high entropy
    and low kurtosis, are preferable for tagging.

    Args:
        labels: Labels, or for each text a list of them, as a column of a data set has them; names
            or numbers. :data:`~mtl_utils.data.MISSING_LABEL`, ``None`` and what else pandas takes
            for missing are left out.

    Raises:
        ValueError: If there is no label.
        TypeError: If they are no list, or a label is neither a text nor a whole number.
    """
    check_several("labels", labels, "labels, or of lists of them", sized=False, ordered=False)
    counts = Counter(_each(labels))
    if not counts:
        raise ValueError(f"labels must have at least one label, got none in {shown(labels)}")
    total = sum(counts.values())
    entropy = -math.fsum(n / total * math.log(n / total) for n in counts.values())
    return LabelDistribution(max(entropy, 0.0), _kurtosis([*counts.values()]), len(counts), total)


def _each(labels: Any) -> Iterator[str | int]:
    for given in labels:
        label = given.tolist() if isinstance(given, Tensor | np.ndarray) else given
        if isinstance(label, Iterable) and not isinstance(label, str | bytes | Mapping):
            yield from _each(label)
        elif pd.isna(label) or label == MISSING_LABEL:
            continue
        elif isinstance(label, str):
            yield label
        elif hasattr(label, "__index__"):  # numpy's whole numbers too
            yield int(label)
        else:
            raise TypeError(
                f"labels must hold names or whole numbers, got {shown(label)}; put other numbers "
                "into classes first"
            )


def _kurtosis(counts: list[int]) -> float:
    mean = sum(counts) / len(counts)
    variance = math.fsum((n - mean) ** 2 for n in counts) / len(counts)
    if variance == 0:
        return math.nan
    return math.fsum((n - mean) ** 4 for n in counts) / len(counts) / variance**2 - 3
