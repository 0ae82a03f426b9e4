"""Batches of a loader in which one task reads something else than the rows as they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from mtl_utils.arguments import check_kind
from mtl_utils.data.batch import Batch
from mtl_utils.data.batching import BatchLoader, shard
from mtl_utils.data.content import Plain


class RemadeBatches(ABC):
    """Batches that are made anew for one task, from those of a loader.

    Where batches have labels of other tasks, these get a batch of their own with the rows as they
    are.

    Args:
        loader: The batches.
        name: Of the task.

    Raises:
        TypeError: If the loader is no :class:`mtl_utils.data.BatchLoader`.
    """

    def __init__(self, loader: BatchLoader, name: str) -> None:
        check_kind("loader", loader, BatchLoader, "a BatchLoader")
        self.loader, self._name = loader, name

    @property
    def num_batches(self) -> int:
        """Batches an epoch."""
        return self.loader.num_batches

    def digest(self) -> dict[str, Plain]:
        """Return what tells these batches from others: how they are made, and the rows."""
        of_loader = {f"loader: {name}": value for name, value in self.loader.digest().items()}
        return {"kind": type(self).__qualname__, **self._settings(), **of_loader}

    def batches(
        self, epoch: int = 0, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[Batch | Mapping[str, Batch]]:
        """Yield the batches of an epoch; see :meth:`mtl_utils.data.BatchLoader.batches`.

        Args:
            epoch: Number of the epoch.
            start: How many batches to leave out, because they are done already.
            rank: Number of this process.
            world_size: Number of processes.

        Returns:
            A batch with the labels of the task, or by task where there are others.

        Raises:
            ValueError: If the epoch, ``start`` or ``rank`` is out of range.
            TypeError: If something is no whole number.
        """
        self.loader.batches(epoch, start, rank, world_size)  # checked now, not when they are read
        return self._batches(epoch, start, rank, world_size)

    def once(self) -> Iterator[Batch | Mapping[str, Batch]]:
        """Yield every row once, the same way every time."""
        return self.batches()

    def _batches(
        self, epoch: int, start: int, rank: int, world_size: int
    ) -> Iterator[Batch | Mapping[str, Batch]]:
        share = _whole if world_size == 1 else partial(shard, rank=rank, world_size=world_size)
        for number, whole in enumerate(self.loader.batches(epoch, start), start):
            made, rows = self._remade(whole, epoch, number, share)
            others = dict.fromkeys((task for task in rows.labels if task != self._name), rows)
            yield {**others, self._name: made} if others else made

    @abstractmethod
    def _settings(self) -> dict[str, Plain]:
        """Return what tells these batches from others of the same rows."""

    @abstractmethod
    def _remade(
        self, whole: Batch, epoch: int, number: int, share: Callable[[Batch], Batch]
    ) -> tuple[Batch, Batch]:
        """Return the batch of the task, and the rows of the others, those of this process.

        Args:
            whole: A batch of all processes.
            epoch: Number of the epoch.
            number: Number of the batch.
            share: Picks the rows of this process.
        """


def _whole(batch: Batch) -> Batch:
    return batch
