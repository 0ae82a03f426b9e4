"""What is read batch by batch: an epoch at a time for training, all of it once for measuring."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from mtl_utils.arguments import check_whole
from mtl_utils.data.batch import Batch


class Loader(Protocol):
    """Batches as a pure function of the epoch, so that a position is all there is to resume.

    An epoch is whatever a training wants it to be: it may stop before the last row, and start
    again with those that it has read. What is measured reads every row exactly once instead. So a
    loader whose epoch is anything else than its data once has a method ``once`` that yields them,
    in batches as :meth:`batches` does. Of a loader without that method, epoch 0 is read.

    A checkpoint is of a run on certain data. A loader may have a method ``digest`` that returns
    what tells its batches, in every epoch, from others: a text, or numbers and texts by name. Of a
    loader without it the whole of epoch 0 is read, and of ``once``.

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


def check_loader(value: Any) -> None:
    """Refuse what is no loader.

    Args:
        value: What was given as one.

    Raises:
        TypeError: If it has no ``num_batches`` or no method ``batches``.
    """
    if not (hasattr(value, "num_batches") and callable(getattr(value, "batches", None))):
        raise TypeError(
            "Expected a loader such as BatchLoader(examples, batch_size=16), got "
            f"{type(value).__name__} {value!r:.60}"
        )


def read_once(loader: Loader) -> Iterator[Batch | Mapping[str, Batch]]:
    """Read every row of a data set exactly once, as what is measured must.

    Args:
        loader: The data. Its method ``once`` is called if it has one, else epoch 0 is read.

    Returns:
        Its batches.

    Raises:
        TypeError: When the first batch is read, if it is no loader.
        ValueError: While reading, if epoch 0 has another number of batches than ``num_batches``.
    """
    check_loader(loader)
    own = getattr(loader, "once", None)
    if own is not None:
        yield from own()
    else:
        yield from as_promised(loader.batches(0), loader.num_batches, "Epoch 0 of the data")


def endless(loader: Loader, start: int = 0) -> Iterator[Any]:
    """Read one epoch after another without end, for training that is counted in steps.

    ``for step, batch in zip(range(1000), endless(loader))`` makes a thousand steps.

    Args:
        loader: The data.
        start: The epoch to begin with, at least 0.

    Returns:
        Its batches: a :class:`Batch` each, or for several tasks a mapping of them.

    Raises:
        TypeError: If it is no loader, or the epoch no whole number.
        ValueError: If the epoch is negative or there is no batch to read; while reading, if an
            epoch has another number of batches than ``num_batches``.
    """
    check_loader(loader)
    check_whole("start", start, least=0)
    if loader.num_batches < 1:
        raise ValueError(f"loader must have at least one batch, got {loader.num_batches}")
    return _epochs(loader, start)


def _epochs(loader: Loader, start: int) -> Iterator[Batch | Mapping[str, Batch]]:
    for epoch in itertools.count(start):
        name = f"Epoch {epoch} of the data"
        yield from as_promised(loader.batches(epoch), loader.num_batches, name)


def as_promised(
    batches: Iterable[Batch | Mapping[str, Batch]], number: int, name: str, start: int = 0
) -> Iterator[Batch | Mapping[str, Batch]]:
    """Pass batches on, and see that they are as many as they were said to be.

    Args:
        batches: The batches.
        number: How many there must be.
        name: What the message is to call them.
        start: How many of these came before.

    Raises:
        ValueError: After the last of them, if they were fewer or go on.
    """
    found = start
    for batch in batches:
        if found == number:
            raise ValueError(_broken_promise(name, number, f"more than {number}"))
        found += 1
        yield batch
    if found < number:
        raise ValueError(_broken_promise(name, number, str(found)))


def _broken_promise(name: str, number: int, found: str) -> str:
    return (
        f"{name} must have {number} batches, as its loader's num_batches promises, and had "
        f"{found}. Every epoch of a loader has num_batches batches, whatever its number."
    )
