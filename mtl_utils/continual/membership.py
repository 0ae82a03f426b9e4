"""What remains of a task that was removed: whether its training rows can be told from others."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mtl_utils.arguments import check_kind, check_several
from mtl_utils.data.examples import Example
from mtl_utils.diagnosis.rows import block_losses
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.tasks import Task

Model = TypeVar("Model", bound=MultiTaskModel)


@dataclass(frozen=True)
class Membership:
    """How well the losses of rows tell whether a model was trained on them.

    Args:
        auc: The chance that a row that was trained on has a smaller loss than one that was not; 0.5
            where they cannot be told apart.
        advantage: With the mean loss of the rows that were trained on as the limit below which a
            row is taken for one of them (Yeom et al., 2018): the share of these that is, less the
            share of the others that is taken for one. 0 where nothing is learnt of membership.
    """

    auc: float
    advantage: float


def membership(members: ArrayLike, others: ArrayLike) -> Membership:
    """Measure how well losses tell rows that were trained on from rows that were not.

    Args:
        members: Losses ``[n]`` of rows that the model was trained on.
        others: Losses ``[m]`` of rows of the same kind that it never saw.

    Raises:
        ValueError: If there are none, or one is no finite number.
        TypeError: If they are no numbers.
    """
    known, unknown = _losses("members", members), _losses("others", others)
    signs = np.sign(unknown[:, None] - known[None, :])
    limit = known.mean()
    return Membership(
        auc=float((signs.mean() + 1) / 2),
        advantage=float((known <= limit).mean() - (unknown <= limit).mean()),
    )


def row_losses(
    model: MultiTaskModel, rows: Sequence[Example], task: str, pad_id: int = 0
) -> NDArray[np.float64]:
    """Return the loss of each row, without dropout.

    Args:
        model: The model.
        rows: Examples with a label of the task.
        task: Name of the task.
        pad_id: Id that fills the inputs.

    Returns:
        ``[n]``; rows without a label of the task are left out.

    Raises:
        ValueError: If no row has a label of it.
        KeyError: If there is no such task.
        TypeError: If something is not of its kind.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    model.head(task)
    check_several("rows", rows, "examples")
    for row in rows:
        check_kind("each of rows", row, Example, "an Example")
    known = [row for row in rows if task in row.labels]
    chosen = tuple(replace(row, labels={task: row.labels[task]}, lost={}) for row in known)
    found = block_losses(model, (chosen,), pad_id, None) if chosen else {}
    if task not in found:
        raise ValueError(f"rows must have a label of {task!r} somewhere, got {len(rows)} without")
    return found[task]


def with_fresh_head(model: Model, task: Task, part: Any = None) -> Model:
    """Return a frozen copy of a model with a new head for one task, which alone can be trained.

    It asks what is left in shared features after a task was removed: train the head on rows that
    the model has never seen, then compare :func:`row_losses` of rows that the removed task was
    trained on with those of others.

    Args:
        model: The model, which stays as it is.
        task: The task; where the model still has one of that name, its head is replaced.
        part: What the way of sharing is to have for it; see
            :meth:`mtl_utils.models.MultiTaskModel.add_task`.

    Raises:
        ValueError: As when a task is added.
        KeyError: As when a task is added.
        TypeError: If ``model`` is no multi-task model, or ``task`` no task.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    copied = copy.deepcopy(model)
    name = getattr(task, "name", None)
    if name in copied.tasks and len(copied.tasks) > 1:
        copied.remove_task(name)
    elif name in copied.tasks:
        head = task.head(copied.sharing.width)
        parameter = next(copied.parameters())
        copied.heads[name] = head.to(parameter.device, parameter.dtype)
        copied.requires_grad_(False)
        copied.heads[name].requires_grad_(True)
        return copied
    copied.add_task(task, part)
    copied.requires_grad_(False)
    copied.heads[task.name].requires_grad_(True)
    return copied


def _losses(name: str, given: ArrayLike) -> NDArray[np.float64]:
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be numbers, one a row, got {given!r:.60}") from error
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite numbers, one a row, got {given!r:.60}")
    return values
