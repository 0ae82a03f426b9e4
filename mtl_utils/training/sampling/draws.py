"""One data set a step: what samplers that draw data sets have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mtl_utils.arguments import check_flag, check_seed
from mtl_utils.data.batch import Batch
from mtl_utils.data.loading import Loader
from mtl_utils.training.sampling.several import checked, checked_number, every_row_once, tasks_in


class DataSetDraws:
    """Data sets of which every step takes a batch of one.

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

    def __init__(
        self,
        loaders: Sequence[Loader],
        num_batches: int | None = None,
        seed: int = 0,
        drops_stopped: bool = False,
    ) -> None:
        self.loaders = checked(loaders)
        check_seed("seed", seed)
        check_flag("drops_stopped", drops_stopped)
        self.seed, self.drops_stopped = seed, drops_stopped
        total = sum(loader.num_batches for loader in self.loaders)
        self.num_batches = checked_number(total if num_batches is None else num_batches)
        self._last: dict[int, int] = {}  # by data set that is drawn no more, its last epoch

    def leave_out(self, stopped: Mapping[str, int]) -> None:
        """Draw no more what is trained no more, if that is wanted; a trainer calls it.

        Args:
            stopped: By task that was stopped, the epoch, from 1, that was its last.
        """
        self._last = last_epochs(self.loaders, stopped) if self.drops_stopped else {}

    def once(self) -> Iterator[dict[str, Batch]]:
        """Yield every row of every data set exactly once, one data set after the other.

        This is what validation reads: an epoch has some rows twice, or leaves some out. A data set
        that was given twice is read once.

        Returns:
            One batch a task of the data set at hand.
        """
        return every_row_once(self.loaders)


def places_of(uniform: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Turn numbers between 0 and 1 into places, each as probable as its share.

    Args:
        uniform: ``[S]``, in [0, 1).
        shares: ``[K]``, their sum 1.

    Returns:
        ``[S]``, from 0 to K - 1, none of share 0.
    """
    # The last limit may be a rounding below 1, and no draw may fall beyond it.
    last = int(np.flatnonzero(shares)[-1])
    return np.searchsorted(np.cumsum(shares)[:last], uniform, side="right")


def last_epochs(loaders: Sequence[Loader], stopped: Mapping[str, int]) -> dict[int, int]:
    """Return, by data set of which all tasks have been stopped, the last epoch of any of them.

    Args:
        loaders: The data sets.
        stopped: By task that was stopped, the epoch, from 1, that was its last.
    """
    if not stopped:
        return {}
    found = {}
    for place, loader in enumerate(loaders):
        tasks = tasks_in(loader)
        if tasks and tasks <= set(stopped):
            found[place] = max(stopped[task] for task in tasks)
    return found


def without(shares: NDArray[np.float64], places: Sequence[int]) -> NDArray[np.float64]:
    """Give the shares of some to the others, in proportion; as they are if nothing would be left.

    Args:
        shares: ``[K]``.
        places: Whose shares to give away.
    """
    kept = shares.copy()
    kept[list(places)] = 0.0
    return kept / kept.sum() if kept.sum() > 0 else shares
