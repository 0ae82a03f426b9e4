"""Adam's running means, apart for each task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.adam import adam

from mtl_utils.objectives.gradients.backpropagation import laid_out

#: By task and name of a parameter: count of steps, mean, mean of squares.
Kept = dict[str, dict[str, list[Tensor]]]


@dataclass
class Moments:
    """What Adam remembers of one parameter and one task.

    Args:
        steps: How many gradients were seen, a scalar.
        mean: Running mean of the gradient.
        square: Running mean of its square.
    """

    steps: Tensor
    mean: Tensor
    square: Tensor

    @classmethod
    def of_none(cls, parameter: Tensor) -> Moments:
        """Return those before the first gradient.

        Args:
            parameter: The parameter.
        """
        still = torch.zeros_like(parameter, requires_grad=False)
        return cls(_count(parameter), still, still.clone())

    def like(self, parameter: Tensor) -> Moments:
        """Return them on the device and in the precision of a parameter.

        Args:
            parameter: The parameter.
        """
        if self.mean.device == parameter.device and self.mean.dtype == parameter.dtype:
            return self
        means = (
            torch.empty_like(parameter, requires_grad=False).copy_(each)
            for each in (self.mean, self.square)
        )
        return Moments(_count(parameter).copy_(self.steps), *means)


class AdamStates:
    """An Adam for each task, over parameters that they share.

    A parameter that the gradient of a task does not reach is passed over, as by PyTorch's: means
    and count of that task stay.
    """

    def __init__(self) -> None:
        self._by_task: dict[str, dict[str, Moments]] = {}

    def add_step(
        self,
        task: str,
        gradients: Mapping[str, Tensor],
        directions: Mapping[str, Tensor],
        betas: tuple[float, float],
        eps: float,
    ) -> None:
        """Take in the gradients of a task, and add its step of rate 1 to directions.

        Args:
            task: Its name.
            gradients: By name of the parameter.
            directions: Likewise, as the parameters are; changed in place.
            betas: How much of the means is kept.
            eps: What is added to the root of the second.

        Raises:
            ValueError: If what is remembered under a name is of another shape.
        """
        there = self._by_task.setdefault(task, {})
        for name in gradients:
            there[name] = self._moments(task, name, directions[name])
        for fused in (True, False):
            names = [name for name in gradients if can_be_fused(directions[name]) == fused]
            moments = [there[name] for name in names]
            adam(
                [directions[name] for name in names],
                [laid_out(gradients[name], directions[name]) for name in names],
                [each.mean for each in moments],
                [each.square for each in moments],
                [],
                [each.steps for each in moments],
                foreach=False,
                fused=fused,
                amsgrad=False,
                beta1=betas[0],
                beta2=betas[1],
                lr=-1.0,  # a direction is what the step goes against
                weight_decay=0.0,
                eps=eps,
                maximize=False,
            )

    def kept(self) -> Kept:
        """Return everything, in memory of the processor: what a checkpoint holds."""
        return {
            task: {
                name: [each.cpu() for each in (moments.steps, moments.mean, moments.square)]
                for name, moments in of_task.items()
            }
            for task, of_task in self._by_task.items()
        }

    def restore(self, kept: Kept) -> None:
        """Put everything back.

        Args:
            kept: What :meth:`kept` returned; it is copied.
        """
        self._by_task = {
            task: {name: Moments(*(t.clone() for t in three)) for name, three in of_task.items()}
            for task, of_task in kept.items()
        }

    def _moments(self, task: str, name: str, parameter: Tensor) -> Moments:
        found = self._by_task[task].get(name)
        if found is None:
            return Moments.of_none(parameter)
        if found.mean.shape != parameter.shape:
            raise ValueError(
                f"Means of {name} for the task {task!r} are of shape {list(found.mean.shape)}, and "
                f"the parameter is of shape {list(parameter.shape)}: they are of another model, or "
                "of this one before it was changed. Make a new balancer for it."
            )
        return found.like(parameter)


def _count(parameter: Tensor) -> Tensor:
    """Return a count of 0 where Adam's kernels want it."""
    device = parameter.device if can_be_fused(parameter) else torch.device("cpu")
    return torch.zeros((), dtype=torch.float32, device=device)


def can_be_fused(parameter: Tensor) -> bool:
    """Tell whether one kernel can do a whole step of a parameter.

    Args:
        parameter: The parameter.
    """
    return parameter.is_floating_point() and parameter.device.type in ("cpu", "cuda")
