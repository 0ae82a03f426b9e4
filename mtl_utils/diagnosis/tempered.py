"""Losses of a model that is neither too sure nor too unsure of what it says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from mtl_utils.data.batch import Batch
from mtl_utils.diagnosis.rows import Losses, Sets, block_losses, blocks_of
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.tasks.labelled_head import LabelledHead
from mtl_utils.tasks.temperature import fit_temperature

_Part = tuple[Tensor, Batch]


def tempered_losses(model: MultiTaskModel, sets: Sets, pad_id: int) -> Losses:
    """Measure the loss of each task on blocks of rows, at the temperature that suits these rows.

    A model that was trained for long goes on becoming surer when it has stopped becoming better,
    and pays for it where it is wrong: of two that are right equally often, the one that was trained
    longer loses more. Dividing all scores of a task by one number takes that away (Guo et al.,
    2017). It is one number for all rows, fitted to the rows that are measured, for every model.

    Args:
        model: The model; its mode is put back.
        sets: The rows; the same rows make the same blocks, whatever the model.
        pad_id: Id that fills the inputs.

    Returns:
        By task its losses ``[n]``, one a block that has labels of it, on the scale of the task and
        without smoothing; of a task that gives no probabilities of labels, as
        :func:`block_losses` has them.
    """
    found = dict(block_losses(model, sets, pad_id))
    for task in model.tasks:
        head = model.head(task)
        if isinstance(head, LabelledHead):
            sharpness = _best_sharpness(head, _scored(model, task, blocks_of(sets, pad_id, 1)))
            parts = _scored(model, task, blocks_of(sets, pad_id))
            found[task] = np.array([_loss(head, part, sharpness) for part in parts])
    return found


def _best_sharpness(head: LabelledHead, parts: Sequence[_Part]) -> Tensor:
    def likelihood(sharpness: Tensor) -> Tensor:
        losses = [head.negative_log_likelihood(*part, sharpness).cpu() for part in parts]
        return torch.stack(losses).sum()

    return torch.tensor(1 / fit_temperature(likelihood), dtype=torch.float64)


@torch.no_grad()
def _loss(head: LabelledHead, part: _Part, sharpness: Tensor) -> float:
    return float(head.negative_log_likelihood(*part, sharpness)) / float(head.count(part[1]))


@torch.no_grad()
def _scored(model: MultiTaskModel, task: str, blocks: Iterable[Batch]) -> list[_Part]:
    """Return the scores of each block that has labels of the task, in double precision."""
    head, device = model.head(task), next(model.parameters()).device
    precise = torch.float32 if device.type == "mps" else torch.float64
    found = []
    with evaluation_mode(model):
        for block in blocks:
            batch = block.to(device)
            if task in batch.labels and bool(head.count(batch) > 0):
                hidden = model.sharing(batch, [task]).hidden[task]
                found.append((head(hidden, batch).to(precise), batch))
    return found
