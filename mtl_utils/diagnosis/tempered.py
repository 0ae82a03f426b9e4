"""Losses of a model that is neither too sure nor too unsure of what it says."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mtl_utils.diagnosis.rows import Losses, Sets, block_losses, blocks_of
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.tasks.labelled_head import LabelledHead
from mtl_utils.training.calibration import Scored, best_temperature, scored_batches


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
    every = {task: model.head(task) for task in model.tasks}
    heads = {task: head for task, head in every.items() if isinstance(head, LabelledHead)}
    whole = scored_batches(model, blocks_of(sets, pad_id, 1), heads)
    for task, parts in scored_batches(model, blocks_of(sets, pad_id), heads).items():
        best = 1 / best_temperature(heads[task], whole[task])
        sharpness = torch.tensor(best, dtype=torch.float64)
        found[task] = np.array([_loss(heads[task], part, sharpness) for part in parts])
    return found


@torch.no_grad()
def _loss(head: LabelledHead, part: Scored, sharpness: Tensor) -> float:
    return float(head.negative_log_likelihood(*part, sharpness)) / float(head.count(part[1]))
