"""Batches for contrastive alignment: texts without their pictures, and pictures without texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from mtl_utils.arguments import check_kind, check_several, check_text
from mtl_utils.data.batch import MISSING_LABEL, Batch, Inputs, has_label
from mtl_utils.data.batching import BatchLoader
from mtl_utils.data.content import Plain
from mtl_utils.data.examples import Example
from mtl_utils.nn.fusion import NO_TOKEN
from mtl_utils.tasks.remade_batches import RemadeBatches


class ContrastiveBatches(RemadeBatches):
    """Batches of which each pair becomes two rows, all texts and then all pictures.

    Where batches have labels of other tasks, these get a batch of their own with both together.
    With several processes each tells its own rows from one another.

    Args:
        loader: The batches. Rows without a picture, or without a label of the task where others
            have one, are left out.
        task: Name of the task, a :class:`Contrastive`.

    Raises:
        TypeError: If the loader is no :class:`mtl_utils.data.BatchLoader`, or the name no string.
    """

    def __init__(self, loader: BatchLoader, task: str) -> None:
        super().__init__(loader, task)
        check_text("task", task)
        self.task = task

    def _settings(self) -> dict[str, Plain]:
        return {"task": self.task}

    def _remade(
        self, whole: Batch, epoch: int, number: int, share: Callable[[Batch], Batch]
    ) -> tuple[Batch, Batch]:
        """Take apart the rows of this process."""
        rows = share(whole)
        return _paired(rows, self.task), rows


def parted(examples: Sequence[Example], task: str) -> list[Example]:
    """Return the text and the picture of each example apart, as they are measured.

    Args:
        examples: The examples; what has no picture or no label of the task is left out.
        task: Name of the task.

    Returns:
        All texts, then all pictures, with the labels of the task alone.

    Raises:
        TypeError: If something is no example, or the name no string.
    """
    check_several("examples", examples, "Examples")
    check_text("task", task)
    texts, pictures = [], []
    for example in examples:
        check_kind("each of examples", example, Example, "an Example")
        if example.picture is None or task not in example.labels:
            continue
        labels = {task: example.labels[task]}
        texts.append(replace(example, labels=labels, lost={}, first_pieces=None, picture=None))
        language, picture = example.language_id, example.picture
        pictures.append(Example([NO_TOKEN], labels, language_id=language, picture=picture))
    return [*texts, *pictures]


def of_picture_rows(inputs: Inputs) -> Tensor:
    """Return which rows have a picture ``[B]``.

    Args:
        inputs: What the encoder reads.
    """
    if inputs.has_picture is None:
        return inputs.mask.new_zeros(len(inputs.mask))
    return inputs.has_picture


def _paired(batch: Batch, task: str) -> Batch:
    """Return the texts of a batch without pictures, then the pictures without texts."""
    inputs, labels = batch.inputs, batch.labels.get(task)
    there = of_picture_rows(inputs)
    known = there if labels is None else there & has_label(labels)
    rows = known.nonzero().squeeze(1)
    if labels is None or len(rows) == 0:  # one text that counts nowhere
        first = inputs.rows(torch.zeros(1, dtype=torch.long))
        text = replace(first, pictures=None, has_picture=None)
        return Batch(text, {task: torch.full((1,), MISSING_LABEL)})
    text = inputs.rows(rows)
    assert text.pictures is not None
    assert text.has_picture is not None
    alone = torch.zeros_like(text.mask)
    alone[:, 0] = True
    languages = text.language_ids
    twice = Inputs(
        torch.cat([text.input_ids, torch.full_like(text.input_ids, NO_TOKEN)]),
        torch.cat([text.mask, alone]),
        None if text.segment_ids is None else _and_zeros(text.segment_ids),
        None if text.character_ids is None else _and_zeros(text.character_ids),
        language_ids=None if languages is None else languages.repeat(2),
        pictures=torch.cat([text.pictures, text.pictures]),
        has_picture=torch.cat([~text.has_picture, text.has_picture]),
    )
    return Batch(twice, {task: labels[rows].repeat(2)})


def _and_zeros(tensor: Tensor) -> Tensor:
    return torch.cat([tensor, torch.zeros_like(tensor)])
