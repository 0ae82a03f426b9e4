"""Which number of a model is to be explained: the score of a label, of a text or of a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mtl_utils.arguments import check_choice, check_kind, check_several, check_text, check_whole
from mtl_utils.data.batch import Batch
from mtl_utils.multitask import MultiTaskModel

#: What is read of the scores of a head: the score of the label as it is, or the logarithm of its
#: share among all labels, in nats.
SCORES = ("logit", "log_probability")


@dataclass(frozen=True)
class Target:
    """One number a text: what a task says of a label, at a token where it labels tokens.

    Args:
        task: Name of the task.
        label: Name of the label or its id, one for all texts or one a text; what the model predicts
            if ``None``. A task that predicts one number has no labels.
        position: For a task that labels tokens the position of the token in ``input_ids``, special
            tokens counted, one for all texts or one a text; ``None`` for one that labels texts.
        score: One of :data:`SCORES`. With a CRF both are of the emissions, before the transitions.

    Raises:
        TypeError: If the name is no string, or a label or position is of another type.
        ValueError: If a position is negative, or there is no such score.
    """

    task: str
    label: int | str | Sequence[int | str] | None = None
    position: int | Sequence[int] | None = None
    score: str = "logit"

    def __post_init__(self) -> None:
        check_text("task", self.task)
        for label in _each(self.label):
            check_kind("label", label, (int, str), "the name of a label or its id")
        for position in _each(self.position):
            check_whole("position", position, least=0)
        check_choice("score", self.score, SCORES)


def _each(value: Any) -> Sequence[Any]:
    """Return what was given as one or as several, nothing for ``None``."""
    if value is None:
        return []
    return [value] if isinstance(value, int | str | float) else value


@dataclass(frozen=True)
class Chosen:
    """A target whose labels and positions are ids, one a text.

    Args:
        task: Name of the task.
        labels: Ids ``[B]``; ``None`` where a task predicts one number.
        positions: ``[B]``; ``None`` where a task labels texts.
        score: One of :data:`SCORES`.
    """

    task: str
    labels: Tensor | None
    positions: Tensor | None
    score: str

    def read(self, outputs: Tensor, rows: Tensor | None = None) -> Tensor:
        """Pick the numbers from the scores of a head.

        Args:
            outputs: ``[N, C]`` or ``[N, T, C]``; ``[N]`` where a task predicts one number.
            rows: For each of the N rows which text it is of ``[N]``; the texts themselves if
                ``None``.

        Returns:
            ``[N]``.
        """
        place = torch.arange(len(outputs), device=outputs.device)
        texts = place if rows is None else rows
        if self.positions is not None:
            outputs = outputs[place, self.positions[texts]]
        if self.labels is None:
            return outputs.reshape(len(outputs))
        if self.score == "log_probability":
            outputs = outputs.log_softmax(dim=-1)
        return outputs[place, self.labels[texts]]


def check_targets_of(
    model: MultiTaskModel, targets: Sequence[Target], name: str = "targets"
) -> list[Target]:
    """Refuse what are no targets of a model.

    Args:
        model: The model.
        targets: The targets.
        name: What the message is to call them.

    Raises:
        TypeError: If they are none.
        ValueError: If there are none.
        KeyError: If a task is unknown.
    """
    check_several(name, targets, "Targets")
    for target in targets:
        check_kind(name, target, Target, "Targets")
        if target.task not in model.tasks:
            raise KeyError(
                f"{name} has the task {target.task!r}, which the model has not; it has "
                f"{list(model.tasks)}"
            )
    if not len(targets):
        raise ValueError(f"{name} must be at least one Target, got {targets!r}")
    return list(targets)


def choose(model: MultiTaskModel, target: Target, outputs: Tensor, batch: Batch) -> Chosen:
    """Turn a target into ids, one a text.

    Args:
        model: The model.
        target: The target.
        outputs: What the head of the task gave for the batch.
        batch: The batch, of B texts.

    Raises:
        ValueError: If there is not one label or position a text, one does not exist, or the task
            gives no scores of labels.
        KeyError: If no label has such a name.
    """
    size = len(batch)
    positions = _positions(target, outputs, batch)
    scores = outputs if positions is None else outputs[torch.arange(size), positions]
    if scores.dim() == 1 or scores.shape[-1] == 1:
        if target.label is not None:
            raise ValueError(
                f"label must be None for {target.task!r}, which predicts one number, got "
                f"{target.label!r}"
            )
        return Chosen(target.task, None, positions, target.score)
    if target.label is None:
        labels = scores.argmax(dim=-1)
    else:
        names = getattr(model.tasks[target.task], "labels", ())
        given = _spread("label", target.label, size)
        ids = [_id(target.task, label, names, scores.shape[-1]) for label in given]
        labels = torch.tensor(ids, device=outputs.device)
    return Chosen(target.task, labels, positions, target.score)


def _positions(target: Target, outputs: Tensor, batch: Batch) -> Tensor | None:
    of_tokens = outputs.dim() == 3 and outputs.shape[:2] == batch.inputs.mask.shape
    if outputs.dim() > 2 and not of_tokens:
        raise ValueError(
            f"The task {target.task!r} gives outputs of shape {list(outputs.shape)}, which are "
            "neither one row of scores a text nor one a token; a Target reads no others"
        )
    if not of_tokens:
        if target.position is not None:
            raise ValueError(
                f"position must be None for {target.task!r}, which labels texts, got "
                f"{target.position!r}"
            )
        return None
    if target.position is None:
        raise ValueError(
            f"position must say which token's label of {target.task!r} is meant, got None"
        )
    found = torch.tensor(_spread("position", target.position, len(batch)), device=outputs.device)
    lengths = batch.inputs.mask.sum(dim=1)
    if bool((found >= lengths).any()):
        raise ValueError(
            f"position must be that of a token, below {lengths.tolist()}, got {target.position!r}"
        )
    return found


def _spread(name: str, value: Any, size: int) -> list[Any]:
    """Return one value a text."""
    if isinstance(value, int | str):
        return [value] * size
    if len(value) != size:
        raise ValueError(f"{name} must be one, or one for each of {size} texts, got {value!r:.60}")
    return list(value)


def _id(task: str, label: int | str, names: Sequence[str], size: int) -> int:
    if isinstance(label, str):
        if label not in names:
            raise KeyError(f"label must be one of {list(names)} of {task!r}, got {label!r}")
        return names.index(label)
    if not 0 <= label < size:
        raise ValueError(f"label must be an id from 0 to {size - 1} of {task!r}, got {label}")
    return label


def head_outputs(model: MultiTaskModel, batch: Batch, tasks: Sequence[str]) -> Mapping[str, Tensor]:
    """Return what the heads of some tasks give for a batch, by one pass of what they share.

    Args:
        model: The model.
        batch: The batch.
        tasks: Names of the tasks.
    """
    names = list(dict.fromkeys(tasks))
    hidden = model.sharing(batch, names).hidden
    return {name: model.head(name)(hidden[name], batch) for name in names}
