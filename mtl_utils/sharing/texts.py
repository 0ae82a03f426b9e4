"""Which texts of a batch belong to a task, and means over them: for penalties on states."""

from __future__ import annotations

from torch import Tensor

from mtl_utils.data.batch import Batch, has_label


def texts_of(task: str, batch: Batch) -> Tensor:
    """Tell which rows have a label of a task, and a token.

    Args:
        task: Name of the task.
        batch: A batch with its labels.

    Returns:
        ``[B]``.
    """
    labelled = has_label(batch.labels[task])
    if labelled.dim() > 1:  # a label a token, or a text to write
        labelled = labelled.flatten(1).any(dim=1)
    return labelled & batch.inputs.mask.any(dim=1)


def mean_over(values: Tensor, counted: Tensor) -> Tensor:
    """Average the values that count; exactly 0, with zero gradient, where none does.

    Args:
        values: Of any shape.
        counted: Of the same shape, True where a value counts.
    """
    return values.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)
