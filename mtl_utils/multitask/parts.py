"""What a multi-task model is given and gives: checked parts, losses, labels that were cut off."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from mtl_utils.arguments import check_several, shown
from mtl_utils.data.batch import MISSING_LABEL, Batch, check_batch
from mtl_utils.data.examples import Example
from mtl_utils.data.loading import check_loader
from mtl_utils.nn.rebuilding import note_change
from mtl_utils.saving.blueprint import is_task
from mtl_utils.sharing.base import Sharing
from mtl_utils.tasks.base import Head, Task, check_loss, check_task


def described(model: Any) -> list[str]:
    """Say what a multi-task model is, as its card does.

    Args:
        model: The model.
    """
    shared = sum(parameter.numel() for parameter in model.shared_parameters())
    total = sum(parameter.numel() for parameter in model.parameters())
    number = f"{len(model.tasks)} task{'s' * (len(model.tasks) != 1)}"
    return [
        f"{type(model).__name__}: {number} over {type(model.sharing).__name__}, {total:,} "
        f"parameters, of which tasks share {shared:,}."
    ]


def note_tasks(model: Any) -> None:
    """Note that a model has other tasks than it was made with.

    Attributes that are its task of a name become the one of that name that it has by now.

    Args:
        model: The model.
    """
    for name, value in list(vars(model).items()):
        if is_task(value) and value.name in model.tasks:
            setattr(model, name, model.tasks[value.name])
    note_change(model, tasks=list(model.tasks.values()))


def changes_with_tasks(model: Any, task: str) -> bool:
    """Tell whether the way of sharing has parts for each task, none for this one, and may change.

    A model that makes its way of sharing itself would make it as it was when it is read again.

    Args:
        model: The model.
        task: Name of the task.
    """
    names = model.sharing.task_names
    return "sharing" in model.recipe.arguments and names is not None and task not in names


def remove_parts(model: Any, task: str) -> None:
    """Take away what a task alone has of the way of sharing; warn where it cannot be told.

    Args:
        model: The model.
        task: Name of the task.
    """
    names = model.sharing.task_names
    if "sharing" not in model.recipe.arguments or names is None or task not in names:
        return
    try:
        model.sharing.remove_task(task)
    except ValueError as error:
        warnings.warn(f"Parts of {task!r} stay in the model. {error}", UserWarning, stacklevel=3)


def grouped(batches: Batch | Mapping[str, Batch], model: Any) -> list[tuple[Batch, list[str]]]:
    """Return each batch once, with the tasks that are to be computed on it.

    Args:
        batches: One batch for all tasks that it has labels for, or one batch a task.
        model: The model, whose tasks they are.

    Raises:
        KeyError: If a task is unknown, or a batch lacks the labels of its task.
        TypeError: If something is no batch.
    """
    if isinstance(batches, Batch):
        batches = dict.fromkeys(batches.labels, batches)
    elif not isinstance(batches, Mapping):
        check_batch("batches", batches)
    for task, batch in batches.items():
        check_batch(f"batches[{task!r}]", batch)
    groups: dict[int, tuple[Batch, list[str]]] = {}
    for task, batch in batches.items():
        model.head(task)
        if task not in batch.labels:
            raise KeyError(f"The batch of {task!r} has labels of {list(batch.labels)} only")
        groups.setdefault(id(batch), (batch, []))[1].append(task)
    return list(groups.values())


def loss_of(head: Head, hidden: Tensor, batch: Batch) -> Tensor:
    """Return the loss of a task; what it says of its labels is said with its name.

    Args:
        head: The head of the task.
        hidden: What it reads.
        batch: What that was computed from, with labels.

    Raises:
        ValueError: If the loss is no scalar, or the labels do not fit.
        TypeError: If the loss is no tensor.
    """
    try:
        loss = head.loss_of_states(hidden, batch)
    except ValueError as error:
        if repr(head.task) in str(error):
            raise
        raise ValueError(f"In the loss of {head.task!r}: {error}") from error
    check_loss(loss, head)
    return loss


def with_lost(rows: list[Any], lost: Tensor | None) -> list[Any]:
    """Put the labels of what was cut off after those of what was read, with no prediction.

    Args:
        rows: Prediction and label of each row, or ``None``.
        lost: Labels ``[B, U]`` of what was cut off.
    """
    if lost is None:
        return rows
    together = []
    for pair, labels in zip(rows, lost.tolist(), strict=True):
        known = [label for label in labels if label != MISSING_LABEL]
        found, expected = pair or ([], [])
        missed = [MISSING_LABEL] * len(known)
        together.append(([*found, *missed], [*expected, *known]) if known else pair)
    return together


def named_scores(task: str, scores: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics of a task under its name.

    Args:
        task: Name of the task.
        scores: Its metrics by name.
    """
    return {f"{task}_{name}": value for name, value in scores.items()}


def together(measured: Mapping[str, float], found: Mapping[str, float]) -> dict[str, float]:
    """Return metrics of some tasks and of others.

    Args:
        measured: Metrics by name.
        found: Others.

    Raises:
        ValueError: If two have the same name, as ``f1`` of a task ``a_b`` and ``b_f1`` of ``a``.
    """
    twice = [name for name in found if name in measured]
    if twice:
        raise ValueError(
            f"Two metrics are called {twice[0]!r}, of different tasks, and one would hide the "
            "other. Give one of the tasks another name, or measure them one by one."
        )
    return {**measured, **found}


def check_examples(examples: Any) -> None:
    """Refuse what are neither examples nor a loader; of many the first is looked at.

    Args:
        examples: What was given.

    Raises:
        TypeError: If it is something else.
    """
    if isinstance(examples, str):
        raise TypeError(f"examples must be a list of examples, got {shown(examples)}")
    if not isinstance(examples, Sequence):
        try:
            check_loader(examples)
        except TypeError as error:
            raise TypeError(f"examples is {shown(examples)}. {error}") from error
    elif len(examples) and not isinstance(examples[0], Example):
        raise TypeError(f"examples must be a list of examples, got {shown(examples[0])} in it")


def checked_parts(sharing: Any, tasks: Any) -> list[Task]:
    """Return the tasks; refuse what is no way of sharing, and what is no task.

    Args:
        sharing: The way of sharing.
        tasks: The tasks.

    Raises:
        TypeError: If one of them is something else.
    """
    if not isinstance(sharing, Sharing):
        raise TypeError(
            f"Expected a way of sharing such as HardSharing(encoder), got {shown(sharing)}"
        )
    check_several("tasks", tasks, "tasks", sized=False)
    given = list(tasks)
    for place, task in enumerate(given):
        try:
            check_task(task)
        except TypeError as error:
            raise TypeError(f"tasks[{place}] is {shown(task)}: {error}") from error
    return given


def refuse_decoder(name: str, reads_decoder: bool, decodes: bool) -> None:
    """Refuse a head that is given other states than it reads.

    Args:
        name: Name of the task.
        reads_decoder: Whether its head reads the states of a decoder.
        decodes: Whether the way of sharing gives it those.

    Raises:
        ValueError: If one is so and the other not.
    """
    if reads_decoder == decodes:
        return
    made = "an output layer over a decoder" if reads_decoder else "made to read the encoder"
    given = "gives it the states of a decoder" if decodes else "has no decoder for it"
    raise ValueError(
        f"The head of {name!r} is {made}, and the way of sharing {given}. "
        "Translation(own_decoder=False) and SharedDecoder go together."
    )
