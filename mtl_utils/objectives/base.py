"""What a step of multi-task training minimises: the losses, and who turns them into gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor
from torch import nn as torch_nn


@dataclass(frozen=True)
class Losses:
    """The losses of one batch.

    Args:
        by_task: Loss of each task that the batch has labels for, a scalar mean over what it counts.
        penalty: Scalar that the way of sharing adds, 0 where it has none.
        features: The shared representation, where the way of sharing has one.
        counts: How many tokens, sequences or pairs each mean is over, a scalar a task. Means of
            parts of a batch, weighted by their counts, give the mean of the whole.
        penalty_by_task: The parts of the penalty that are means over texts of the batch, a scalar
            a task. What is left of the penalty is the same whatever the batch.
        penalty_counts: How many texts each of these means is over.
    """

    by_task: Mapping[str, Tensor]
    penalty: Tensor
    features: Tensor | None
    counts: Mapping[str, Tensor]
    penalty_by_task: Mapping[str, Tensor] = field(default_factory=dict)
    penalty_counts: Mapping[str, Tensor] = field(default_factory=dict)

    def reweighted(self, factors: Mapping[str, Tensor | float]) -> Losses:
        """Return a copy in which each task's loss is multiplied by a factor.

        Args:
            factors: One factor a task.
        """
        by_task = {task: loss * factors[task] for task, loss in self.by_task.items()}
        return replace(self, by_task=by_task)


class Balancer(torch_nn.Module):
    """Turns K losses into one update.

    Attributes:
        adds_up: Whether the gradients that it makes of the parts of a batch add up to that of the
            whole: so it is where it back-propagates a sum of losses under weights that depend on no
            loss. What looks at losses or gradients, or adds terms of its own, has to see the whole
            batch, and cannot accumulate gradients.
    """

    adds_up: bool = False

    def loss_weights(self, tasks: Iterable[str]) -> dict[str, float]:
        """Return what the loss of each task is multiplied by in the next update.

        The trainer measures with it how much of the gradient is whose.

        Args:
            tasks: Names of the tasks.

        Returns:
            One number a task: 1, unless a balancer says otherwise. Where an update is no weighted
            sum of losses it stays 1.
        """
        return dict.fromkeys(tasks, 1.0)

    def backward(
        self,
        losses: Losses,
        model: torch_nn.Module,
        backward: Callable[[Tensor], None] = Tensor.backward,
    ) -> None:
        """Add gradients to the parameters of the model.

        Args:
            losses: The losses of one batch.
            model: The model that they come from.
            backward: How to back-propagate a scalar. The trainer passes its own, which scales
                losses where half precision asks for it.
        """
        raise NotImplementedError
