"""The optimizer of a run: which parameters it moves, and how far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.optim import Optimizer

from mtl_utils.arguments import check_betas, check_number, shown
from mtl_utils.objectives.gradients.adam_states import can_be_fused
from mtl_utils.training.configuration import TrainerConfig
from mtl_utils.training.given_steps import AdamOfTheRest, AdamWOfTheRest, steps_apart

_OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
#: Where a balancer makes the steps of shared parameters.
_OF_THE_REST = {"adamw": AdamWOfTheRest, "adam": AdamOfTheRest}
#: What a group may have; PyTorch takes any other name too, and nothing reads it.
_SETTINGS = {
    *("params", "lr", "weight_decay", "betas", "eps", "amsgrad", "maximize", "foreach"),
    *("capturable", "differentiable", "fused", "name"),
}


def check_groups(
    model: torch_nn.Module, groups: Sequence[Mapping[str, Any]] | None
) -> list[dict[str, Any]] | None:
    """Check that groups of parameters leave none out, and have settings that an optimizer takes.

    Args:
        model: The model.
        groups: Groups as PyTorch's optimizers take them, or ``None`` for a single one.

    Returns:
        The groups, safe from changes.

    Raises:
        ValueError: If a group has no ``params``, a setting that there is not or that is outside its
            range, or a parameter that is not the model's or in another group too; or a parameter
            that needs a gradient is in none.
        TypeError: If the groups are no list of mappings, or a setting is no number.
    """
    if groups is None:
        return None
    if not isinstance(groups, Sequence) or not all(isinstance(g, Mapping) for g in groups):
        raise TypeError(
            'Expected parameter_groups such as [{"params": model.parameters(), "lr": 0.001}], got '
            f"{shown(groups)}"
        )
    for group in groups:
        if "params" not in group:
            raise ValueError(
                'Every group of parameters needs "params", a list of parameters, got '
                f"{dict(group)!r:.60}"
            )
        _check_settings(group)
    listed = [{**group, "params": _listed(group["params"])} for group in groups]
    given = [id(parameter) for group in listed for parameter in group["params"]]
    grouped = set(given)
    if len(given) > len(grouped):
        raise ValueError("A parameter is in two groups, or twice in one; each belongs to one group")
    foreign = len(grouped - {id(parameter) for parameter in model.parameters()})
    if foreign:
        raise ValueError(
            f"The groups have {foreign} parameters that are not the model's, which no loss of its "
            "would move. Make the groups from the model that is to be trained."
        )
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


def _listed(parameters: Any) -> list[Tensor]:
    several = isinstance(parameters, Iterable) and not isinstance(parameters, Tensor)
    listed = list(parameters) if several else [parameters]
    if not all(isinstance(parameter, Tensor) for parameter in listed):
        raise TypeError(f'Expected parameters as "params" of a group, got {listed!r:.60}')
    return listed


def _check_settings(group: Mapping[str, Any]) -> None:
    unknown = sorted(set(group) - _SETTINGS)
    if unknown:
        raise ValueError(
            f"A group of parameters has the settings {unknown}, which there are not: expected some "
            f"of {sorted(_SETTINGS)}"
        )
    for name in ("lr", "weight_decay", "eps"):
        if name in group:
            check_number(f"{name} of a group of parameters", group[name], least=0)
    check_betas("betas of a group", group.get("betas", (0.0, 0.0)))


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
            weights of tasks towards some value of no meaning; with its own ``learning_rate`` if it
            has one. If it ``leaves_steps``, shared parameters move by them.
        groups: Groups of the model's parameters, one for all if ``None``.

    Returns:
        The optimizer; each group's ``initial_lr`` is the rate that the schedule scales.

    Raises:
        ValueError: If there is nothing to train.
    """
    if groups is None:
        groups = [{"params": [p for p in model.parameters() if p.requires_grad]}]
    given = [dict(group) for group in groups]
    makes_steps = bool(getattr(balancer, "leaves_steps", False))
    if makes_steps:
        given = steps_apart(given, model)
    if not any(parameter.requires_grad for group in given for parameter in group["params"]):
        raise ValueError(
            "No parameter of the model requires a gradient: there is nothing to train. Thaw some "
            "with requires_grad_(True) or a method unfreeze."
        )
    own = [p for p in balancer.parameters() if p.requires_grad]
    if own:
        rate = getattr(balancer, "learning_rate", None)
        with_rate = {} if rate is None else {"lr": rate}
        given.append({"params": own, "weight_decay": 0.0, **with_rate})
    kinds = _OF_THE_REST if makes_steps else _OPTIMIZERS
    optimizer: Optimizer = kinds[config.optimizer](
        given,
        lr=config.learning_rate,
        betas=config.betas,
        weight_decay=config.weight_decay,
        fused=_can_be_fused(given),
    )
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return optimizer


def _can_be_fused(groups: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether one kernel can do a whole step: on processors in a third of the time."""
    if any({"foreach", "fused", "differentiable"} & set(group) for group in groups):
        return False  # somebody has chosen
    return all(can_be_fused(parameter) for group in groups for parameter in group["params"])


def set_learning_rate(optimizer: Optimizer, factor: float) -> None:
    """Scale the learning rate of every group.

    Args:
        optimizer: What :func:`make_optimizer` returned, perhaps wrapped by accelerate.
        factor: Of the schedule.
    """
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
