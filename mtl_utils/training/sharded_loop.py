"""A loop that trains a sharded model, short enough to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed

from mtl_utils.arguments import check_kind, check_number, check_whole
from mtl_utils.data.loading import Loader
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.objectives.across import in_process_group
from mtl_utils.training.agreement import counted_anywhere, tasks_of
from mtl_utils.training.loader import check_named_loader, to_device
from mtl_utils.training.own_device import own_device
from mtl_utils.training.sharding import shard_model, whole_state
from mtl_utils.training.weighing import weighed_by_counts


@dataclass(frozen=True)
class ShardedTraining:
    """What a process of a sharded training came to.

    Args:
        weights: The whole model's, the same in all processes.
        optimizer: The whole state of the optimiser.
        losses: The loss of the whole batch, a number per step.
        kept: How many weights this process kept between steps.
    """

    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Any]
    losses: tuple[float, ...]
    kept: int


def train_sharded(
    model: MultiTaskModel,
    train: Loader,
    *,
    epochs: int = 1,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
) -> ShardedTraining:
    """Train a model of which each process keeps a part; in a single process, as it is.

    Every process calls it, with the same model, as by :func:`run_in_processes`; where processes
    have GPUs, each computes on its own. A task without a label in any process is left out of a
    step, and a batch without any label makes none.

    Args:
        model: The model, which is sharded in place where there are several processes.
        train: Training data.
        epochs: Passes over them.
        learning_rate: Step size of AdamW.
        weight_decay: Likewise.

    Returns:
        Whole weights, whole state of the optimiser, and losses.

    Raises:
        TypeError: If something is not of its kind.
        ValueError: If a number is outside its range.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    check_named_loader("train", train)
    check_whole("epochs", epochs, least=1)
    check_number("learning_rate", learning_rate, above=0)
    check_number("weight_decay", weight_decay, least=0)
    several = in_process_group()
    rank, number = (distributed.get_rank(), distributed.get_world_size()) if several else (0, 1)
    device = own_device()
    if device is not None:
        model.to(device)
    if several:
        shard_model(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=weight_decay)
    seen = []
    for epoch in range(epochs):
        for batch in train.batches(epoch, 0, rank, number):
            # A gradient of zero is not none: AdamW would move an absent task's head by it.
            batch = counted_anywhere(batch, model)
            if not tasks_of(batch):
                continue
            batch = batch if device is None else to_device(batch, device)
            losses = weighed_by_counts(model(batch))
            loss = sum(losses.by_task.values(), start=losses.penalty)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen.append(loss.detach())
    values = torch.stack(seen) if seen else torch.zeros(0)
    if several and seen:
        distributed.all_reduce(values)
    return ShardedTraining(
        weights=whole_state(model.state_dict()),
        optimizer=whole_state(optimizer.state_dict()),
        losses=tuple((values / number).tolist()),
        kept=sum(_kept(parameter) for parameter in model.parameters()),
    )


def _kept(parameter: Any) -> int:
    local = parameter.to_local() if hasattr(parameter, "to_local") else parameter
    return int(local.numel())
