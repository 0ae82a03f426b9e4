"""What a trainer reads: batches whose order depends on their position alone."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import torch

from mtl_utils.data.batch import Batch


class Loader(Protocol):
    """Batches as a pure function of the epoch, so that a position is all there is to resume.

    Attributes:
        num_batches: Batches an epoch, the same in every epoch.
    """

    @property
    def num_batches(self) -> int:
        """Batches an epoch, the same in every epoch."""
        ...

    def batches(
        self, epoch: int, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[Batch | Mapping[str, Batch]]:
        """Yield the batches of an epoch: one for all tasks, or one a task.

        Args:
            epoch: The epoch, from 0; another epoch may have another order.
            start: Batches to leave out at the beginning.
            rank: Which process reads.
            world_size: Number of processes. Each gets its rows of every batch, at least one; a row
                of filler has only missing labels. A task is in the batch of all processes or none.
        """
        ...


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
