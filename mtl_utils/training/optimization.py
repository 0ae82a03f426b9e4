"""The optimizer of a run: which parameters it moves, and how far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn as torch_nn
from torch.optim import Optimizer

from mtl_utils.training.configuration import TrainerConfig

_OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}


def check_groups(
    model: torch_nn.Module, groups: Sequence[Mapping[str, Any]] | None
) -> list[dict[str, Any]] | None:
    """Check that groups of parameters leave none out.

    Args:
        model: The model.
        groups: Groups as PyTorch's optimizers take them, or ``None`` for a single one.

    Returns:
        The groups, safe from changes.

    Raises:
        ValueError: If a group has no ``params``, or a parameter that needs a gradient is in none.
    """
    if groups is None:
        return None
    if any("params" not in group for group in groups):
        raise ValueError('Every group of parameters needs "params", a list of parameters')
    listed = [{**group, "params": list(group["params"])} for group in groups]
    grouped = {id(parameter) for group in listed for parameter in group["params"]}
    forgotten = [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and id(parameter) not in grouped
    ]
    if forgotten:
        raise ValueError(
            f"No group has the parameters {forgotten}. Add them to one, or freeze them with "
            "requires_grad_(False)."
        )
    return listed


def make_optimizer(
    config: TrainerConfig,
    model: torch_nn.Module,
    balancer: torch_nn.Module,
    groups: Sequence[Mapping[str, Any]] | None = None,
) -> Optimizer:
    """Make the optimizer of a model and its balancer.

    Args:
        config: How to train.
        model: The model.
        balancer: Its parameters get a group of their own, without weight decay, which would pull
            weights of tasks towards some value of no meaning.
        groups: Groups of the model's parameters, one for all if ``None``.

    Returns:
        The optimizer; each group's ``initial_lr`` is the rate that the schedule scales.
    """
    if groups is None:
        groups = [{"params": [p for p in model.parameters() if p.requires_grad]}]
    given = [dict(group) for group in groups]
    own = [p for p in balancer.parameters() if p.requires_grad]
    if own:
        given.append({"params": own, "weight_decay": 0.0})
    optimizer: Optimizer = _OPTIMIZERS[config.optimizer](
        given,
        lr=config.learning_rate,
        betas=config.betas,
        weight_decay=config.weight_decay,
    )
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return optimizer


def set_learning_rate(optimizer: Optimizer, factor: float) -> None:
    """Scale the learning rate of every group.

    Args:
        optimizer: What :func:`make_optimizer` returned, perhaps wrapped by accelerate.
        factor: Of the schedule.
    """
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
