"""What a trainer does with batches: moving them to a device, telling data sets apart."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import torch

from mtl_utils.data.batch import Batch
from mtl_utils.data.loading import Loader


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


def checksum(loader: Loader) -> int:
    """Return a number that other data, or the same in another order, would hardly have.

    Args:
        loader: The data; the first batch is read, or that of each data set.
    """
    parts: Sequence[Loader] = getattr(loader, "loaders", ())
    if parts:  # one step may not show every data set
        numbers = [loader.num_batches, *map(checksum, parts), *getattr(loader, "cycle", ())]
        return zlib.crc32(repr(numbers).encode())
    first = next(iter(loader.batches(0)))
    number = 0
    for task, batch in [("", first)] if isinstance(first, Batch) else first.items():
        number = zlib.crc32(task.encode(), number)
        characters = batch.inputs.character_ids
        given = [batch.inputs.input_ids, *([] if characters is None else [characters])]
        for tensor in (*given, *batch.labels.values()):
            number = zlib.crc32(tensor.cpu().numpy().tobytes(), number)
    return number
