"""A batch of each data set in every step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mtl_utils.data.batch import Batch
from mtl_utils.data.content import Plain, parts_content
from mtl_utils.data.loading import Loader
from mtl_utils.training.sampling.several import (
    checked,
    checked_number,
    endless,
    every_row_once,
    merged,
)


class JointBatches:
    """Every step takes a batch of each data set (Σ over tasks in one update).

    A data set that is through starts again, in its next order, while others go on: beside one of
    100 batches a data set of one batch is read 100 times an epoch. :attr:`passes` says how often.

    Args:
        loaders: One a data set. A data set may have labels of several tasks, but no task may be in
            two.
        num_batches: Steps that make an epoch; those of the longest data set if ``None``.

    Raises:
        ValueError: If there is no data set, one is empty, or ``num_batches`` is below 1.
        TypeError: If something is no loader, or a number no whole one.
    """

    def __init__(self, loaders: Sequence[Loader], num_batches: int | None = None) -> None:
        self.loaders = checked(loaders)
        longest = max(loader.num_batches for loader in self.loaders)
        self.num_batches = checked_number(longest if num_batches is None else num_batches)

    def digest(self) -> dict[str, Plain]:
        """Return what tells these batches from others: the settings, and what each part says."""
        return {
            "kind": type(self).__qualname__,
            "num_batches": self.num_batches,
            **parts_content(self.loaders),
        }

    @property
    def passes(self) -> tuple[float, ...]:
        """How often an epoch reads each data set, such as 0.5 or 100, in their order."""
        return tuple(self.num_batches / loader.num_batches for loader in self.loaders)

    def batches(
        self, epoch: int = 0, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[dict[str, Batch]]:
        """Yield the steps of an epoch; see :meth:`Loader.batches`.

        Args:
            epoch: Number of the epoch.
            start: How many steps to leave out, because they are done already.
            rank: Number of this process.
            world_size: Number of processes.

        Returns:
            One batch a task; tasks of the same data set have the same batch object.

        Raises:
            ValueError: If two data sets have labels of the same task.
        """
        first = epoch * self.num_batches + start
        streams = [endless(loader, first, rank, world_size) for loader in self.loaders]
        for _ in range(start, self.num_batches):
            yield merged([next(stream) for stream in streams])

    def once(self) -> Iterator[dict[str, Batch]]:
        """Yield every row of every data set exactly once, one data set after the other.

        This is what validation reads: an epoch has some rows twice, or leaves some out. A data set
        that was given twice is read once.

        Returns:
            One batch a task of the data set at hand.
        """
        return every_row_once(self.loaders)
