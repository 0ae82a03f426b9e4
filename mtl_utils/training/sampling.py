"""Which tasks a step trains: one batch of each data set, or one data set at a time.

One at a time they come in fixed turns (:class:`AlternatingBatches`) or are drawn
(:class:`SampledBatches`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_utils.arguments import (
    check_choice,
    check_number,
    check_seed,
    check_several,
    check_sizes,
    check_whole,
    shown,
)
from mtl_utils.data.batch import Batch
from mtl_utils.data.batching import epoch_generator
from mtl_utils.data.content import Plain, parts_content
from mtl_utils.data.loading import Loader, read_once
from mtl_utils.training.loader import check_named_loader

#: What the names of ways to draw stand for: temperatures, of which the last makes all sizes equal.
_TEMPERATURES = {"size": 1.0, "sqrt": 2.0, "uniform": float("inf")}


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
        self.loaders = _checked(loaders)
        longest = max(loader.num_batches for loader in self.loaders)
        self.num_batches = _checked_number(longest if num_batches is None else num_batches)

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
        streams = [_endless(loader, first, rank, world_size) for loader in self.loaders]
        for _ in range(start, self.num_batches):
            yield _merged([next(stream) for stream in streams])

    def once(self) -> Iterator[dict[str, Batch]]:
        """Yield every row of every data set exactly once, one data set after the other.

        This is what validation reads: an epoch has some rows twice, or leaves some out. A data set
        that was given twice is read once.

        Returns:
            One batch a task of the data set at hand.
        """
        return _once(self.loaders)


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
        self.loaders = _checked(loaders)
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
        self.num_batches = _checked_number(total if num_batches is None else num_batches)

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
            streams.append(_endless(loader, taken, rank, world_size))
        for step in range(first, first + self.num_batches - start):
            yield _merged([next(streams[self.cycle[step % len(self.cycle)]])])

    def once(self) -> Iterator[dict[str, Batch]]:
        """Yield every row of every data set exactly once, one data set after the other.

        This is what validation reads: an epoch has some rows twice, or leaves some out. A data set
        that was given twice is read once.

        Returns:
            One batch a task of the data set at hand.
        """
        return _once(self.loaders)


class SampledBatches:
    """Every step takes a batch of one data set, drawn anew with a probability by its size.

    A data set of nₖ batches is drawn with the probability pₖ = nₖ^(1/T) / Σⱼ nⱼ^(1/T), where T is
    the temperature (Devlin et al., 2019; Arivazhagan et al., 2019). At T = 1 every row of every
    data set is read equally often; at T = 2 the sizes count by their square roots (Stickland &
    Murray, 2019); a high T draws all data sets alike. Batches are counted, not rows:
    if all have as many rows, that is the same. :attr:`probabilities` and :attr:`passes` say what
    became of the sizes. For turns that are fixed instead of drawn see :class:`AlternatingBatches`.

    Which data set a step takes depends on ``seed`` and the number of the epoch alone, so a run that
    is resumed goes on as if nothing had happened, and all processes draw alike. Each data set goes
    on where it was when it was last drawn, through all its batches before any comes again.

    Args:
        loaders: One a data set; a data set may have labels of several tasks.
        by: ``"size"`` (T = 1), ``"sqrt"`` (T = 2), ``"uniform"`` (all alike) or a temperature T
            greater than 0.
        num_batches: Steps that make an epoch; as many as all data sets together have if ``None``.
            With ``by="size"`` an epoch then reads each data set once, in the mean over epochs.
        seed: What the draws depend on.

    Raises:
        ValueError: If there is no data set, one is empty, ``by`` is no such name or not greater
            than 0, ``num_batches`` is below 1, or the seed is negative.
        TypeError: If something is no loader, or a number no number.
    """

    def __init__(
        self,
        loaders: Sequence[Loader],
        by: str | float = "size",
        num_batches: int | None = None,
        seed: int = 0,
    ) -> None:
        self.loaders = _checked(loaders)
        if isinstance(by, str):
            check_choice("by", by, tuple(_TEMPERATURES))
            self.temperature = _TEMPERATURES[by]
        else:
            check_number("by", by, above=0)
            self.temperature = float(by)
        check_seed("seed", seed)
        self.seed = seed
        total = sum(loader.num_batches for loader in self.loaders)
        self.num_batches = _checked_number(total if num_batches is None else num_batches)

    @property
    def probabilities(self) -> tuple[float, ...]:
        """With which probability a step takes each data set, in their order."""
        return tuple(self._shares().tolist())

    @property
    def passes(self) -> tuple[float, ...]:
        """How often an epoch reads each data set, such as 0.5 or 100, in the mean over epochs."""
        return tuple(
            self.num_batches * probability / loader.num_batches
            for probability, loader in zip(self.probabilities, self.loaders, strict=True)
        )

    def digest(self) -> dict[str, Plain]:
        """Return what tells these batches from others: the settings, and what each part says."""
        return {
            "kind": type(self).__qualname__,
            "num_batches": self.num_batches,
            "temperature": str(self.temperature),
            "seed": self.seed,
            **parts_content(self.loaders),
        }

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
            _endless(loader, count, rank, world_size)
            for loader, count in zip(self.loaders, taken.tolist(), strict=True)
        ]
        for place in drawn[start:].tolist():
            yield _merged([next(streams[place])])

    def once(self) -> Iterator[dict[str, Batch]]:
        """Yield every row of every data set exactly once, one data set after the other.

        This is what validation reads: an epoch has some rows twice, or leaves some out. A data set
        that was given twice is read once.

        Returns:
            One batch a task of the data set at hand.
        """
        return _once(self.loaders)

    def _shares(self) -> NDArray[np.float64]:
        logs = np.log([loader.num_batches for loader in self.loaders]) / self.temperature
        shares: NDArray[np.float64] = np.exp(
            logs - logs.max()
        )  # no overflow at temperatures near 0
        return shares / shares.sum()

    def _drawn(self, epoch: int) -> NDArray[np.int64]:
        """Return which data set each step of an epoch takes, as places among the loaders."""
        generator = epoch_generator(self.seed, epoch, "data sets ")
        uniform = torch.rand(self.num_batches, generator=generator, dtype=torch.float64).numpy()
        # The last limit may be a rounding below 1, and no draw may fall beyond it.
        limits = np.cumsum(self._shares())[:-1]
        return np.searchsorted(limits, uniform, side="right")

    def _counts(self, drawn: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.bincount(drawn, minlength=len(self.loaders))


def _endless(
    loader: Loader, first: int, rank: int, world_size: int
) -> Iterator[Batch | Mapping[str, Batch]]:
    """Yield the batches of a loader from a position on, epoch after epoch."""
    epoch, start = divmod(first, loader.num_batches)
    while True:
        yield from loader.batches(epoch, start, rank, world_size)
        epoch, start = epoch + 1, 0


def _once(loaders: Sequence[Loader]) -> Iterator[dict[str, Batch]]:
    for loader in {id(loader): loader for loader in _data_sets(loaders)}.values():
        for batches in read_once(loader):
            yield _merged([batches])


def _data_sets(loaders: Sequence[Loader]) -> Iterator[Loader]:
    """Yield the data sets, those within nested samplers too."""
    for loader in loaders:
        if isinstance(loader, JointBatches | AlternatingBatches | SampledBatches):
            yield from _data_sets(loader.loaders)
        else:
            yield loader


def _merged(given: Sequence[Batch | Mapping[str, Batch]]) -> dict[str, Batch]:
    merged: dict[str, Batch] = {}
    for batches in given:
        by_task = dict.fromkeys(batches.labels, batches) if isinstance(batches, Batch) else batches
        twice = sorted(set(by_task) & set(merged))
        if twice:
            raise ValueError(
                f"Two data sets have labels of {twice[0]!r}. Give the task two names, or put the "
                "examples into one data set."
            )
        merged |= by_task
    return merged


def _checked(loaders: Sequence[Loader]) -> list[Loader]:
    if not isinstance(loaders, Sequence) or isinstance(loaders, str):
        raise TypeError(f"Expected a list of loaders, one a data set, got {shown(loaders)}")
    for place, loader in enumerate(loaders):
        check_named_loader(f"loaders[{place}]", loader)
    if not loaders or min(loader.num_batches for loader in loaders) < 1:
        raise ValueError(
            "Expected loaders of at least one data set and none without batches, got "
            f"{[loader.num_batches for loader in loaders]} batches"
        )
    return list(loaders)


def _checked_number(num_batches: int) -> int:
    check_sizes(num_batches=num_batches)
    return num_batches
