"""What a trainer does with batches: moving them to a device."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from mtl_utils.data.batch import Batch


def to_device(
    batches: Batch | Mapping[str, Batch], device: torch.device
) -> Batch | dict[str, Batch]:
    """Move batches to a device; tasks that shared a batch object still do.

    Args:
        batches: One batch, or one a task.
        device: The device.
    """
    if isinstance(batches, Batch):
        return batches.to(device)
    moved = {id(batch): batch.to(device) for batch in batches.values()}
    return {task: moved[id(batch)] for task, batch in batches.items()}
