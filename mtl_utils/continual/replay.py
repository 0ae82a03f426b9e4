"""Replay: a few old rows, kept and read again beside new ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

import numpy as np

from mtl_utils.arguments import check_several, check_sizes, check_whole, shown
from mtl_utils.data.batching import BatchLoader
from mtl_utils.data.examples import Example
from mtl_utils.data.loading import Loader
from mtl_utils.training.loader import check_named_loader
from mtl_utils.training.sampling import JointBatches

T = TypeVar("T")


class Reservoir(Generic[T]):
    """A sample of fixed size of rows that come one after the other (Vitter, 1985, algorithm R).

    Whenever one looks, every row seen so far is in it with the same probability, whether it came
    first or last, and nobody has to know how many there will be.

    Args:
        capacity: How many rows are kept, at most.
        seed: Of what is drawn.

    Attributes:
        rows: What is kept.
        seen: How many rows came.

    Raises:
        ValueError: If the capacity is below 1, or the seed negative.
        TypeError: If one is no whole number.
    """

    def __init__(self, capacity: int, seed: int = 0) -> None:
        check_sizes(capacity=capacity)
        check_whole("seed", seed, least=0)
        self.capacity = capacity
        self.rows: list[T] = []
        self.seen = 0
        self._generator = np.random.default_rng(seed)

    def add(self, rows: Iterable[T]) -> None:
        """Look at rows, in their order, and keep some.

        Args:
            rows: The rows.

        Raises:
            TypeError: If they are no several.
        """
        if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
            raise TypeError(f"rows must be several rows, got {shown(rows)}")
        for row in rows:
            self.seen += 1
            if len(self.rows) < self.capacity:
                self.rows.append(row)
                continue
            place = int(self._generator.integers(self.seen))
            if place < self.capacity:
                self.rows[place] = row

    def __len__(self) -> int:
        """Return how many rows are kept."""
        return len(self.rows)


def replayed(
    new: Loader,
    old: Sequence[Example],
    *,
    batch_size: int = 8,
    pad_id: int = 0,
    seed: int = 0,
) -> JointBatches:
    """Put a few old rows beside each batch of new ones.

    Args:
        new: Batches of the new task.
        old: Examples with labels of old tasks, such as those of a :class:`Reservoir`. Each epoch of
            the new data reads as many of them as fit beside it, over and over.
        batch_size: How many old rows stand beside each batch.
        pad_id: Id that fills the inputs.
        seed: Of the order of the old rows.

    Returns:
        As many steps as the new data have, each with the losses of new and old tasks.

    Raises:
        ValueError: If there is no old row, or a number is below its least.
        TypeError: If something is not of its kind.
    """
    check_named_loader("new", new)
    check_several("old", old, "examples")
    if not len(old):
        raise ValueError(f"old must have a row at least, got {old!r}")
    loader = BatchLoader(list(old), batch_size=batch_size, pad_id=pad_id, seed=seed)
    return JointBatches([new, loader], new.num_batches)
