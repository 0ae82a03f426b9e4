"""Several data sets as one: read on and on, merged into steps, and read once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mtl_utils.arguments import check_sizes, shown
from mtl_utils.data.batch import Batch
from mtl_utils.data.loading import Loader, read_once
from mtl_utils.training.loader import check_named_loader
from mtl_utils.training.sampling.told_loader import ToldLoader


def endless(
    loader: Loader, first: int, rank: int, world_size: int
) -> Iterator[Batch | Mapping[str, Batch]]:
    """Yield the batches of a loader from a position on, epoch after epoch.

    Args:
        loader: The loader.
        first: Batches that were read before, from the first epoch on.
        rank: Number of this process.
        world_size: Number of processes.
    """
    epoch, start = divmod(first, loader.num_batches)
    while True:
        yield from loader.batches(epoch, start, rank, world_size)
        epoch, start = epoch + 1, 0


def every_row_once(loaders: Sequence[Loader]) -> Iterator[dict[str, Batch]]:
    """Yield every row of every data set exactly once; one that was given twice is read once.

    Args:
        loaders: The data sets, or samplers of such.
    """
    for loader in {id(loader): loader for loader in _data_sets(loaders)}.values():
        for batches in read_once(loader):
            yield merged([batches])


def _data_sets(loaders: Sequence[Loader]) -> Iterator[Loader]:
    """Yield the data sets, those within nested samplers too."""
    for loader in loaders:
        within = getattr(loader, "loaders", None)
        if within is None:
            yield loader
        else:
            yield from _data_sets(within)


def merged(given: Sequence[Batch | Mapping[str, Batch]]) -> dict[str, Batch]:
    """Put the batches of a step together, one a task.

    Args:
        given: What each data set gives.

    Raises:
        ValueError: If two have labels of the same task.
    """
    found: dict[str, Batch] = {}
    for batches in given:
        by_task = dict.fromkeys(batches.labels, batches) if isinstance(batches, Batch) else batches
        twice = sorted(set(by_task) & set(found))
        if twice:
            raise ValueError(
                f"Two data sets have labels of {twice[0]!r}. Give the task two names, or put the "
                "examples into one data set."
            )
        found |= by_task
    return found


def tasks_in(loader: Loader) -> frozenset[str]:
    """Name the tasks that a data set has labels of; one without examples is read to its end.

    Args:
        loader: The data set.
    """
    examples = getattr(loader, "examples", None)
    if examples is not None:
        return frozenset(task for example in examples for task in example.labels)
    return frozenset(task for batches in read_once(loader) for task in merged([batches]))


def checked(loaders: Sequence[Loader]) -> list[Loader]:
    """Return loaders of data sets, each with a batch.

    Args:
        loaders: What was given as such.

    Raises:
        TypeError: If they are no list of loaders.
        ValueError: If there is none, one is empty, or one has to be told of what was learnt.
    """
    if not isinstance(loaders, Sequence) or isinstance(loaders, str):
        raise TypeError(f"Expected a list of loaders, one a data set, got {shown(loaders)}")
    for place, loader in enumerate(loaders):
        check_named_loader(f"loaders[{place}]", loader)
        if isinstance(loader, ToldLoader):
            raise ValueError(
                f"loaders[{place}] is {type(loader).__name__}, which has to be told of every step, "
                "and nobody tells what is within another. Give it to the trainer itself."
            )
    if not loaders or min(loader.num_batches for loader in loaders) < 1:
        raise ValueError(
            "Expected loaders of at least one data set and none without batches, got "
            f"{[loader.num_batches for loader in loaders]} batches"
        )
    return list(loaders)


def checked_number(num_batches: int) -> int:
    """Return a number of steps of an epoch.

    Args:
        num_batches: What was given as such.

    Raises:
        TypeError: If it is no whole number.
        ValueError: If it is below 1.
    """
    check_sizes(num_batches=num_batches)
    return num_batches
