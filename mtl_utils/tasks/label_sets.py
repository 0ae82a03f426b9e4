"""Sets of labels: written as a 0 or 1 for each label, and measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional

from mtl_utils.arguments import check_several
from mtl_utils.data.batch import MISSING_LABEL, has_label
from mtl_utils.data.missing import is_missing


def checked_vector(where: str, given: Any, size: int) -> list[int]:
    """Return a 0 or 1 for each label, as integers.

    Args:
        where: What a message is to call it.
        given: As many numbers or truth values; ``None`` or -100 where it is not known.
        size: Number of labels, C.

    Returns:
        C integers, -100 where it is not known.

    Raises:
        TypeError: If they are not several.
        ValueError: If they are not as many, or one is neither 0 nor 1.
    """
    check_several(where, given, f"a 0 or 1 for each of {size} labels")
    vector = [MISSING_LABEL if is_missing(value) else value for value in given]
    if len(vector) != size:
        raise ValueError(
            f"{where} must have a 0 or 1 for each of {size} labels, got {len(vector)}: "
            f"{given!r:.80}"
        )
    for value in vector:
        if isinstance(value, str) or value not in (0, 1, MISSING_LABEL):
            raise ValueError(f"{where} must have a 0 or 1 for each label, got {value!r:.40}")
    return [int(value) for value in vector]


def checked_labels(task: str, names: Sequence[str], labels: Tensor, rows: int) -> Tensor:
    """Return the labels of a batch, after a look at their shape, kind and values.

    Padding makes them longer beside a long text without labels, and shorter where all texts are
    without: what is added or cut there is missing.

    Args:
        task: Name of the task, for the messages.
        names: Names of the labels.
        labels: Expected to be ``[B, C]``: 1, 0, or -100 where it is not known.
        rows: B.

    Returns:
        ``[B, C]``.

    Raises:
        TypeError: If they are no integers.
        ValueError: If they have another shape, or one is neither 0 nor 1.
    """
    size = len(names)
    if labels.is_floating_point():
        raise TypeError(f"Labels of {task!r} must be integers, 0, 1 or -100, got {labels.dtype}")
    on_cpu = labels.device.type == "cpu"  # a GPU is not asked
    fits = labels.dim() == 2 and len(labels) == rows
    if fits and labels.shape[1] != size:
        surplus = labels[:, size:] if labels.shape[1] > size else labels
        fits = not (on_cpu and bool(has_label(surplus).any()))
    if not fits:
        raise ValueError(
            f"Labels of {task!r} must be {[rows, size]}, a 0 or 1 for each label, got "
            f"{list(labels.shape)}"
        )
    missing = (0, size - labels.shape[1])  # negative where there are too many
    labels = functional.pad(labels, missing, value=MISSING_LABEL)
    wrong = has_label(labels) & (labels != 0) & (labels != 1)
    if on_cpu and bool(wrong.any()):
        row, number = wrong.nonzero()[0].tolist()
        raise ValueError(
            f"Labels of {task!r} must be 0 or 1 for each label, or -100 where that is not known; "
            f"got {int(labels[row, number])} for {names[number]!r} in row {row}"
        )
    return labels


def set_scores(pairs: Sequence[tuple[set[int], set[int]]]) -> dict[str, float]:
    """Measure sets of labels against others.

    Args:
        pairs: Those that were predicted and those that were expected, row by row; at least one row.

    Returns:
        ``accuracy``, the share of rows where both are the same; ``micro_f1``; and ``macro_f1``, the
        mean over labels that occur. 0 where no label does.
    """
    right = Counter(number for mine, theirs in pairs for number in mine & theirs)
    times = Counter(number for pair in pairs for side in pair for number in side)
    scores = [2 * right[number] / times[number] for number in times]
    return {
        "accuracy": sum(mine == theirs for mine, theirs in pairs) / len(pairs),
        "micro_f1": 2 * right.total() / times.total() if times else 0.0,
        "macro_f1": sum(scores) / len(scores) if scores else 0.0,
    }
