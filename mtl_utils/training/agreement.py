"""The batches of an epoch as all processes read them, without the tasks that nobody has a label of.

A task whose labels are all missing is left out of its step. So "missing" means the same whichever
way it is said: the task costs nothing, and its parameters have no gradient instead of a gradient of
zero, by which momentum and weight decay would go on moving them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from accelerate.utils import gather_object  # type: ignore[import-untyped]
from torch import Tensor, distributed

from mtl_utils.data.batch import Batch
from mtl_utils.data.loading import Loader, as_promised
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.objectives.across import number_of_processes
from mtl_utils.training.own_device import own_device
from mtl_utils.training.processes import Batches

#: What a process has to say of its next batch.
_ENDED, _READ, _FAILED = range(3)


def training_batches(
    loader: Loader,
    model: MultiTaskModel,
    accelerator: Accelerator,
    epoch: int,
    start: int,
    without: Collection[str] = (),
) -> Iterator[Batches]:
    """Read an epoch, with the tasks that have a label in some process; perhaps none.

    Several processes read the same tasks at each step, in the order of the model's.

    Args:
        loader: The training data.
        model: Its heads tell which labels count.
        accelerator: Knows the processes; each must read in step with the others.
        epoch: The epoch, from 0.
        start: Batches of it that are done.
        without: Tasks to leave out, labels or not.

    Raises:
        KeyError: If a task is unknown.
        ValueError: If an epoch has another number of batches than it should, or the processes have
            batches of different tasks.
        RuntimeError: If another process failed to read; it would be waited for in vain.
    """
    rank, world_size = accelerator.process_index, accelerator.num_processes
    batches = as_promised(
        loader.batches(epoch, start, rank, world_size),
        loader.num_batches,
        f"Epoch {epoch + 1} of the training data",
        start,
    )
    if world_size == 1:
        for each in batches:
            counted = [task for task in counted_tasks(each, model) if task not in without]
            yield _only(each, counted)
        return
    names = list(model.tasks)
    while True:
        step = _Read(batches, model)
        table = accelerator.gather(step.message(names).to(accelerator.device)).tolist()
        _raise_failures([row[0] for row in table], step.failure, accelerator)
        if step.batches is None:
            return
        _check_tasks(table, names)
        counted = [
            task
            for place, task in enumerate(names)
            if task not in without and any(row[1 + len(names) + place] for row in table)
        ]
        yield _only(step.batches, counted, reorder=True)


def windows(batches: Iterable[Batches], size: int) -> Iterator[list[Batches]]:
    """Put together what makes one step.

    Nothing is read ahead: of what is not yielded yet, a loader has been asked for nothing.

    Args:
        batches: The batches of an epoch.
        size: How many make a step; the last step may have fewer.
    """
    window: list[Batches] = []
    for each in batches:
        window.append(each)
        if len(window) == size:
            yield window
            window = []
    if window:
        yield window


def tasks_of(batches: Batches) -> list[str]:
    """Name the tasks that there are labels of.

    Args:
        batches: One batch, or one a task.
    """
    return list(batches.labels if isinstance(batches, Batch) else batches)


def same_number(num_batches: int, accelerator: Accelerator) -> None:
    """Refuse loaders that promise different numbers of batches.

    Args:
        num_batches: What the loader of this process promises.
        accelerator: Knows the processes.

    Raises:
        ValueError: In all processes, if they differ.
    """
    if accelerator.num_processes == 1:
        return
    numbers = gather_object([num_batches])
    if len(set(numbers)) > 1:
        raise ValueError(
            f"num_batches of the training data differs between the processes: {numbers}. A loader "
            "has as many batches in every process; each reads its rows of every batch."
        )


def counted_tasks(batches: Batches, model: MultiTaskModel) -> list[str]:
    """Name the tasks that have at least one label.

    Args:
        batches: One batch, or one a task.
        model: Its heads tell which labels count.

    Raises:
        KeyError: If a task is unknown.
    """
    by_task = _by_task(batches)
    return [task for task, batch in by_task.items() if bool(model.head(task).count(batch) > 0)]


def counted_anywhere(batches: Batches, model: MultiTaskModel) -> Batches:
    """Keep the tasks that have at least one label in some process of the group; perhaps none.

    Args:
        batches: One batch, or one a task; the same tasks in all processes, which must all call it.
        model: Its heads tell which labels count.

    Raises:
        KeyError: If a task is unknown.
    """
    here = counted_tasks(batches, model)
    if number_of_processes() == 1:
        return _only(batches, here)
    flags = torch.tensor([task in here for task in model.tasks], dtype=torch.int32)
    flags = flags.to(own_device() or "cpu")
    distributed.all_reduce(flags)
    counted = [task for task, flag in zip(model.tasks, flags.tolist(), strict=True) if flag]
    return _only(batches, counted, reorder=True)


class _Read:
    """The next batch of a process, or why there is none."""

    def __init__(self, batches: Iterator[Batches], model: MultiTaskModel) -> None:
        self.batches: Batches | None = None
        self.counted: list[str] = []
        self.failure: Exception | None = None
        try:
            self.batches = next(batches, None)
            if self.batches is not None:
                self.counted = counted_tasks(self.batches, model)
        except Exception as error:
            self.failure = error

    def message(self, names: list[str]) -> Tensor:
        """Return ``[1, 1 + 2K]``: the state, then which tasks are there, then which count."""
        state = _ENDED if self.batches is None else _READ
        given = {} if self.batches is None else _by_task(self.batches)
        flags = [task in tasks for tasks in (given, self.counted) for task in names]
        return torch.tensor([[_FAILED if self.failure else state, *flags]])


def _raise_failures(states: list[int], failure: Exception | None, accelerator: Accelerator) -> None:
    """Fail in all processes if one did; as_promised lets none end before the others."""
    if _FAILED not in states:
        return
    texts = gather_object([None if failure is None else f"{type(failure).__name__}: {failure}"])
    if failure is not None:
        raise failure
    failed = states.index(_FAILED)
    raise RuntimeError(f"Process {failed} failed to read its batch: {texts[failed]}")


def _check_tasks(table: list[list[int]], names: list[str]) -> None:
    given = [[task for task, there in zip(names, row[1:], strict=False) if there] for row in table]
    for rank, tasks in enumerate(given):
        if tasks != given[0]:
            raise ValueError(
                f"At the same step process 0 has a batch of the tasks {given[0]} and process "
                f"{rank} one of {tasks}. A loader gives a task to all processes or to none; where "
                "a process has no row of it, a row of filler has only missing labels."
            )


def _by_task(batches: Batches) -> dict[str, Batch]:
    if isinstance(batches, Batch):
        return dict.fromkeys(batches.labels, batches)
    return dict(batches)


def _only(batches: Batches, tasks: list[str], reorder: bool = False) -> Batches:
    """Keep some tasks; what has no others stays as it is, unless the order is to be theirs."""
    given = tasks_of(batches)
    if given == tasks or (not reorder and set(given) == set(tasks)):
        return batches
    if isinstance(batches, Batch):
        return Batch(batches.inputs, {task: batches.labels[task] for task in tasks})
    return {task: batches[task] for task in tasks}
