"""The rows that a diagnosis trains on, puts aside and measures on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_utils.arguments import shown
from mtl_utils.data.batch import Batch
from mtl_utils.data.examples import Example, collate
from mtl_utils.models import fitting
from mtl_utils.models.rows import by_task
from mtl_utils.models.text_model import TextModel
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.evaluation_mode import evaluation_mode

#: The most rows of a data set that a model is measured on; more would cost time and tell little.
MOST_MEASURED = 512
#: Rows that are put aside of a data set, at most; below the least nothing is.
_MOST_ASIDE, _LEAST_ASIDE = 256, 16
#: Blocks of rows whose losses an interval is made of.
_BLOCKS = 20
#: Rows with several labels whose gradients are compared, one by one.
_LOOKED_AT = 24
#: The most training rows of a data set that a model is measured on.
_MOST_FITTED = 160

Sets = tuple[tuple[Example, ...], ...]
Losses = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class DiagnosedRows:
    """Examples, data set by data set.

    Args:
        train: What is trained on.
        aside: Training rows that are never trained on, to see whether their labels can be trusted.
        validation: What models are measured on.
    """

    train: Sets
    aside: Sets
    validation: Sets

    @property
    def tasks(self) -> list[set[str]]:
        """The tasks that have a label in each data set of the training."""
        return [{task for row in rows for task in row.labels} for rows in self.train]

    def of_task(self, task: str) -> Sets:
        """Return the training rows of one task alone.

        Args:
            task: Its name.
        """
        chosen = (
            tuple(replace(r, labels={task: r.labels[task]}) for r in rows if task in r.labels)
            for rows in self.train
        )
        return tuple(rows for rows in chosen if rows)

    @property
    def fitted(self) -> Sets:
        """Some of the training rows, to measure what was learnt by heart."""
        return tuple(rows[:_MOST_FITTED] for rows in self.train)

    def looked_at(self, pad_id: int) -> list[Batch]:
        """Return validation rows that have labels of several tasks, a batch each.

        Args:
            pad_id: Id that fills the inputs.
        """
        several = [row for rows in self.validation for row in rows if len(row.labels) > 1]
        return [collate([row], pad_id) for row in several[:_LOOKED_AT]]


def rows_for(
    model: MultiTaskModel, train: Any, validation: Any, held_out: float, seed: int
) -> DiagnosedRows:
    """Read data, and put training rows aside.

    Args:
        model: The model that will read them.
        train: Training data.
        validation: Validation data.
        held_out: Share of the training rows to put aside.
        seed: Of the choice of rows.

    Raises:
        ValueError: If a task of the model has no label in one of them.
        TypeError: If they are neither examples nor rows, or rows of a model that reads no rows.
        KeyError: If a key is no task.
    """
    sets = {"train": _examples("train", model, train)}
    sets["validation"] = _examples("validation", model, validation)
    for name, of in sets.items():
        found = {task for rows in of for row in rows for task in row.labels}
        missing = [task for task in model.tasks if task not in found]
        if missing:
            raise ValueError(
                f"{name} must have labels of each task of the model, got none of {missing[0]!r}; "
                "take the task from a copy of the model, or give its data too"
            )
    generator = np.random.default_rng(seed)
    kept, aside = zip(*(_split(rows, held_out, generator) for rows in sets["train"]), strict=True)
    measured = tuple(_some(rows, generator) for rows in sets["validation"])
    return DiagnosedRows(kept, aside, measured)


def _examples(name: str, model: MultiTaskModel, data: Any) -> list[Sequence[Example]]:
    if fitting.is_loader(data):
        raise TypeError(
            f"{name} must be rows or examples, of which some are put aside, got a loader "
            f"{shown(data)}"
        )
    found: list[Sequence[Example]] = []
    for tasks, given in by_task(data, model.tasks):  # type: ignore[arg-type]  # names alone count
        if not fitting.are_examples(given) and not isinstance(model, TextModel):
            raise TypeError(
                f"{name} must be examples, since {type(model).__name__} reads no rows as TextModel "
                f"does; got {shown(given)}"
            )
        found.append(fitting.examples_for(model, tasks, given))  # type: ignore[arg-type]
    return found


def _split(
    rows: Sequence[Example], share: float, generator: np.random.Generator
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    count = min(round(share * len(rows)), _MOST_ASIDE)
    if count < _LEAST_ASIDE:
        return tuple(rows), ()
    chosen = set(generator.choice(len(rows), count, replace=False).tolist())
    return (
        tuple(row for place, row in enumerate(rows) if place not in chosen),
        tuple(row for place, row in enumerate(rows) if place in chosen),
    )


def _some(rows: Sequence[Example], generator: np.random.Generator) -> tuple[Example, ...]:
    if len(rows) <= MOST_MEASURED:
        return tuple(rows)
    chosen = np.sort(generator.choice(len(rows), MOST_MEASURED, replace=False))
    return tuple(rows[place] for place in chosen)


def blocks_of(sets: Sets, pad_id: int, blocks: int | None = _BLOCKS) -> Iterator[Batch]:
    """Divide rows into blocks.

    Args:
        sets: The rows; the same rows make the same blocks.
        pad_id: Id that fills the inputs.
        blocks: How many to make of each data set; one a row if ``None``.
    """
    for rows in sets:
        size = 1 if blocks is None else max(1, len(rows) // blocks)
        for start in range(0, len(rows), size):
            yield collate(rows[start : start + size], pad_id)


@torch.no_grad()
def block_losses(
    model: MultiTaskModel, sets: Sets, pad_id: int, blocks: int | None = _BLOCKS
) -> dict[str, NDArray[np.float64]]:
    """Measure the loss of each task on blocks of rows, without dropout.

    Args:
        model: The model; its mode is put back.
        sets: The rows; the same rows make the same blocks, whatever the model.
        pad_id: Id that fills the inputs.
        blocks: How many to make of each data set; one a row if ``None``.

    Returns:
        By task its losses ``[n]``, one a block that has labels of it.
    """
    device = next(model.parameters()).device
    found: dict[str, list[float]] = {}
    with evaluation_mode(model):
        for block in blocks_of(sets, pad_id, blocks):
            losses = model(block.to(device))
            for task, loss in losses.by_task.items():
                if float(losses.counts[task]) > 0:
                    found.setdefault(task, []).append(float(loss))
    return {task: np.array(values) for task, values in found.items()}
