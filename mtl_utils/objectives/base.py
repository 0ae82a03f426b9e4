"""What a step of multi-task training minimises: the losses, and who turns them into gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from inspect import signature

from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_kind


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
        leaves_steps: Whether :meth:`before_step` leaves steps in the ``grad`` of shared parameters,
            and no gradients: the optimizer moves these parameters by what it finds there times
            their rate, with weight decay but without means of its own. Shares of the gradient then
            do not tell how far a task moves what is shared.
        looks_again: Whether :meth:`after_step` is to be told of the losses after each step, which
            takes the trainer one more pass of the model, without gradients.
        averages: Whether :meth:`backward` averages gradients over processes itself, as what looks
            at the gradients of tasks one by one must. The trainer then leaves that to it.
        learning_rate: Step size of its own parameters, which the schedule scales like that of the
            model's; the trainer's if ``None``.
        remembered: Names of attributes that training changes and that are no settings: what
            ``get_extra_state`` returns, and what is only there to be read. A run that goes on with
            the same balancer is the same run whatever they are.
    """

    adds_up: bool = False
    leaves_steps: bool = False
    looks_again: bool = False
    averages: bool = False
    learning_rate: float | None = None
    remembered: frozenset[str] = frozenset()

    def extra_repr(self) -> str:
        """Say the settings, as far as they are kept under the names that they were given by."""
        kept = [name for name in signature(type(self)).parameters if name in vars(self)]
        return ", ".join(f"{name}={vars(self)[name]!r:.200}" for name in kept)

    def loss_weights(self, tasks: Iterable[str]) -> dict[str, float]:
        """Return what the loss of each task is multiplied by in the next update.

        The trainer measures with it how much of the gradient is whose, where :meth:`backward` does
        not tell.

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
    ) -> Mapping[str, float] | None:
        """Add gradients to the parameters of the model.

        Args:
            losses: The losses of one batch.
            model: The model that they come from.
            backward: How to back-propagate a scalar. The trainer passes its own, which scales
                losses where half precision asks for it.

        Returns:
            By task, what its loss was multiplied by, which the trainer records; ``None`` where that
            never changes, or an update is no weighted sum.
        """
        raise NotImplementedError

    def before_step(self, clipped: float = 1.0) -> None:
        """Turn gradients into steps; most balancers do nothing.

        The trainer calls it if ``leaves_steps``, when it has clipped finite gradients, and before
        the optimizer moves.

        Args:
            clipped: What clipping has multiplied all gradients by, at most 1.
        """

    def after_step(self, losses: Losses) -> None:
        """Take note of what a step did to the losses; most balancers do nothing.

        The trainer calls it after each step if ``looks_again``.

        Args:
            losses: Those of the same rows as in the last :meth:`backward`, under the same dropout,
                after the step; without a graph.
        """

    def epoch_ended(self, epoch: int, losses: Mapping[str, float]) -> None:
        """Take note that all training data were read once more; most balancers do nothing.

        The trainer calls it at the end of each whole epoch, in all processes. After an interruption
        it may be called twice with the same arguments, and must then change nothing.

        Args:
            epoch: Which epoch it was, from 1.
            losses: By task, the mean over what was counted in the epoch; tasks without a label are
                absent.
        """


def check_step(losses: Losses) -> None:
    """Refuse what are no losses of a step.

    Args:
        losses: The losses.

    Raises:
        TypeError: If they are something else.
    """
    check_kind("losses", losses, Losses, "Losses, as model(batch) returns them")


def trained_in_common(model: torch_nn.Module) -> list[torch_nn.Parameter]:
    """Return the parameters that tasks share and that are trained.

    Args:
        model: The model.

    Raises:
        TypeError: If it does not say what is shared.
    """
    shared = getattr(model, "shared_parameters", None)
    if not callable(shared):
        raise TypeError(
            "model must say what its tasks share, by shared_parameters(), as MultiTaskModel does; "
            f"got {type(model).__name__}"
        )
    return [parameter for parameter in dict.fromkeys(shared()) if parameter.requires_grad]
