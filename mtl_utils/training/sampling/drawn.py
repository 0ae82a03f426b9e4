"""Data sets that are drawn, one a step, with probabilities that are known before the training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_utils.data.batch import Batch
from mtl_utils.data.batching import epoch_generator
from mtl_utils.training.sampling.draws import DataSetDraws, places_of, without
from mtl_utils.training.sampling.several import (
    endless,
    merged,
)


class DrawnBatches(DataSetDraws):
    """Every step takes a batch of one data set, drawn with a probability that the epoch decides.

    Inherit from it and define :meth:`shares`, and ``digest`` if the first epoch does not tell one
    from another.

    Which data set a step takes depends on ``seed``, the number of the epoch and its probabilities
    alone, so a run that is resumed goes on as if nothing had happened, and all processes draw
    alike. Each data set goes on where it was when it was last drawn, through all its batches before
    any comes again.

    Args:
        loaders: One a data set; a data set may have labels of several tasks.
        num_batches: Steps that make an epoch; as many as all data sets together have if ``None``.
        seed: What the draws depend on.
        drops_stopped: Whether data sets of which all tasks have been stopped (``task_patience`` of
            :class:`TrainerConfig`) are drawn no more, so that the others have their steps. If not,
            their steps are passed over, and count.

    Raises:
        ValueError: If there is no data set, one is empty, ``num_batches`` is below 1, or the seed
            is negative.
        TypeError: If something is no loader, no flag, or a number no number.
    """

    def shares(self, epoch: int) -> Sequence[float] | NDArray[np.float64]:
        """Return with which probability a step of an epoch takes each data set, ``[K]``.

        Args:
            epoch: The epoch, from 0.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define shares(epoch)")

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
            One batch a task of the data set that was drawn.
        """
        taken = np.zeros(len(self.loaders), dtype=np.int64)
        for earlier in range(epoch):
            taken += self._counts(self._drawn(earlier))
        drawn = self._drawn(epoch)
        taken += self._counts(drawn[:start])
        streams = [
            endless(loader, count, rank, world_size)
            for loader, count in zip(self.loaders, taken.tolist(), strict=True)
        ]
        for place in drawn[start:].tolist():
            yield merged([next(streams[place])])

    def _drawn(self, epoch: int) -> NDArray[np.int64]:
        """Return which data set each step of an epoch takes, as places among the loaders."""
        generator = epoch_generator(self.seed, epoch, "data sets ")
        uniform = torch.rand(self.num_batches, generator=generator, dtype=torch.float64).numpy()
        shares = np.asarray(self.shares(epoch), dtype=np.float64)
        shares = without(shares, [place for place, last in self._last.items() if last <= epoch])
        return places_of(uniform, shares)

    def _counts(self, drawn: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.bincount(drawn, minlength=len(self.loaders))
