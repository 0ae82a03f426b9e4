"""What a trainer does with batches: moving them to a device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from mtl_utils.arguments import shown
from mtl_utils.data.batch import Batch
from mtl_utils.data.loading import check_loader


def check_named_loader(name: str, value: Any) -> None:
    """Refuse what is no loader, by the name of the argument.

    Args:
        name: What the message is to call it.
        value: What was given as one.

    Raises:
        TypeError: If it is none.
    """
    try:
        check_loader(value)
    except TypeError as error:
        raise TypeError(f"{name} is {shown(value)}. {error}") from error


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
