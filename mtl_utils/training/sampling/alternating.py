"""Data sets in fixed turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mtl_utils.arguments import check_several, check_whole
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


class AlternatingBatches:
    """Every step takes a batch of one data set, in turn (Collobert & Weston, 2008, at random).

    The turns do not depend on the sizes: of data sets of 300 and 3 batches, an epoch of 303 steps
    reads 152 and 151 batches, the first for half a pass and the second fifty times over.
    :attr:`passes` says how often; ``turns`` in proportion to the numbers of batches make it once.

    Args:
        loaders: One a data set; a data set may have labels of several tasks.
        turns: How many steps in a row each data set gets; one each if ``None``.
        num_batches: Steps that make an epoch; as many as all data sets together have if ``None``.

    Raises:
        ValueError: If there is no data set, one is empty, there is not one number of turns a data
            set, of at least 1, or ``num_batches`` is below 1.
        TypeError: If something is no loader, or a number no whole one.
    """

    def __init__(
        self,
        loaders: Sequence[Loader],
        turns: Sequence[int] | None = None,
        num_batches: int | None = None,
    ) -> None:
        self.loaders = checked(loaders)
        if turns is not None:
            check_several("turns", turns, "numbers of turns")
        turns = [1] * len(self.loaders) if turns is None else list(turns)
        for place, count in enumerate(turns):
            check_whole(f"turns[{place}]", count)
        if len(turns) != len(self.loaders) or min(turns) < 1:
            raise ValueError(
                f"Expected turns, a number of at least 1, for each of {len(self.loaders)} data "
                f"sets, got {turns}"
            )
        self.cycle = [place for place, count in enumerate(turns) for _ in range(count)]
        total = sum(loader.num_batches for loader in self.loaders)
        self.num_batches = checked_number(total if num_batches is None else num_batches)

    def digest(self) -> dict[str, Plain]:
        """Return what tells these batches from others: the settings, and what each part says."""
        return {
            "kind": type(self).__qualname__,
            "num_batches": self.num_batches,
            "turns": str([self.cycle.count(place) for place in range(len(self.loaders))]),
            **parts_content(self.loaders),
        }

    @property
    def passes(self) -> tuple[float, ...]:
        """How often an epoch reads each data set, such as 0.5 or 100, in their order.

        It is the mean over epochs: one may have a turn more of a data set than the next.
        """
        length = len(self.cycle)
        return tuple(
            self.num_batches * self.cycle.count(place) / length / loader.num_batches
            for place, loader in enumerate(self.loaders)
        )

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
            One batch a task of the data set whose turn it is.
        """
        first = epoch * self.num_batches + start
        rounds, place = divmod(first, len(self.cycle))
        streams = []
        for index, loader in enumerate(self.loaders):
            taken = rounds * self.cycle.count(index) + self.cycle[:place].count(index)
            streams.append(endless(loader, taken, rank, world_size))
        for step in range(first, first + self.num_batches - start):
            yield merged([next(streams[self.cycle[step % len(self.cycle)]])])

    def once(self) -> Iterator[dict[str, Batch]]:
        """Yield every row of every data set exactly once, one data set after the other.

        This is what validation reads: an epoch has some rows twice, or leaves some out. A data set
        that was given twice is read once.

        Returns:
            One batch a task of the data set at hand.
        """
        return every_row_once(self.loaders)
