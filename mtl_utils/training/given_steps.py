"""Optimizers for balancers that make the steps of shared parameters themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.optim import Optimizer

from mtl_utils.objectives.base import Balancer, trained_in_common
from mtl_utils.training.configuration import TrainerConfig

GIVEN = "given"
"""Setting of a group: whether its parameters move by what stands in ``grad`` as it is."""

#: Settings of a group that say how gradients become steps, which the balancer decides.
_OF_STEPS = ("betas", "eps", "amsgrad", "maximize")


class _OfTheRest(Optimizer):
    r"""Moves some groups by given steps, and the rest as the optimizer does.

    With the rate :math:`\eta` and the weight decay :math:`\omega` of a group, a given step d makes
    of a parameter :math:`(1 - \eta \omega) \theta - \eta d`.

    Args:
        groups: Groups of parameters, :data:`GIVEN` or not.
        **settings: Of the optimizer.
    """

    def __init__(self, groups: Sequence[dict[str, Any]], **settings: Any) -> None:
        super().__init__(groups, **settings)  # those of the optimizer that stands beside it
        for group in self.param_groups:
            group.setdefault(GIVEN, False)
        # A fused kernel looks for overflows by itself; here the scaler has to skip the whole step.
        self._step_supports_amp_scaling = False

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move all parameters.

        Args:
            closure: What computes the loss once more; a given step is not computed by one.

        Raises:
            ValueError: If there is a closure.
        """
        if closure is not None:
            raise ValueError(
                "A closure would compute gradients, and steps were given; leave it out"
            )
        taken: list[tuple[Tensor, Tensor, dict[str, Any]]] = []
        for group in self.param_groups:
            if group[GIVEN]:
                taken += [(p, p.grad, group) for p in group["params"] if p.grad is not None]
        for parameter, _, _ in taken:
            parameter.grad = None  # which the optimizer passes over
        super().step()
        for parameter, step, settings in taken:
            parameter.mul_(1 - settings["lr"] * settings["weight_decay"])
            parameter.sub_(step, alpha=settings["lr"])
            parameter.grad = step
        return None


class AdamWOfTheRest(_OfTheRest, torch.optim.AdamW):
    """AdamW, but for given steps."""


class AdamOfTheRest(_OfTheRest, torch.optim.Adam):
    """Adam, but for given steps."""


def steps_apart(
    groups: Sequence[Mapping[str, Any]], model: torch_nn.Module
) -> list[dict[str, Any]]:
    """Give shared parameters groups of their own, whose steps are given.

    Args:
        groups: Groups of the model's parameters.
        model: The model.

    Returns:
        Of each group what is not shared, then what is, with its settings; without empty ones.
    """
    shared = {id(parameter) for parameter in trained_in_common(model)}
    found: list[dict[str, Any]] = []
    for group in groups:
        for given in (False, True):
            parts = [p for p in group["params"] if (id(p) in shared) == given]
            if parts:
                found.append({**group, "params": parts, GIVEN: given})
    return found


def check_steps(
    config: TrainerConfig,
    model: torch_nn.Module,
    balancer: Balancer,
    groups: Sequence[Mapping[str, Any]] | None,
) -> None:
    """Refuse settings that a balancer which makes steps would pass over.

    Args:
        config: How to train.
        model: The model.
        balancer: What turns losses into gradients, or steps.
        groups: Groups of the model's parameters, one for all if ``None``.

    Raises:
        ValueError: If a group with shared parameters says how gradients become steps, or an L2
            penalty of Adam's is to be part of the gradients of these.
    """
    if not balancer.leaves_steps:
        return
    name = type(balancer).__name__
    shared = {id(parameter) for parameter in trained_in_common(model)}
    for group in groups or [{"params": list(model.parameters())}]:
        if not any(id(parameter) in shared for parameter in group["params"]):
            continue
        passed_over = {key: group[key] for key in _OF_STEPS if key in group}
        if passed_over:
            raise ValueError(
                f"A group with shared parameters has {passed_over}, and {name} makes the steps of "
                f"these itself. Tell them {name}, as in AdaTask(betas=(0.9, 0.99)), and give other "
                "parameters a group of their own."
            )
        decay = group.get("weight_decay", config.weight_decay)
        if decay and config.optimizer == "adam":
            raise ValueError(
                f'weight_decay={decay} with optimizer="adam" is an L2 penalty that is part of the '
                f"gradient, and {name} makes the steps of shared parameters from the gradients of "
                'tasks. Use optimizer="adamw", whose decay is apart from the gradient, or '
                "weight_decay=0."
            )
