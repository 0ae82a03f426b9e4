"""Impartial learning of losses: factors, learnt beside the model, that make all losses equal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from mtl_utils.arguments import check_number
from mtl_utils.objectives.loss_vectors import check_losses, check_same
from mtl_utils.objectives.task_scalarization import TaskNumbers, TaskScalarization, check_rate


def impartial_loss(losses: Tensor, log_scales: Tensor) -> Tensor:
    r"""Return :math:`\sum_k e^{s_k} L_k - s_k`, IMTL-L (Liu et al., 2021).

    Where s is at its best, :math:`s^* = -\log L`, every scaled loss is 1, and a task costs
    :math:`1 + \log L`. That is uncertainty weighting without the assumption of what a loss is the
    likelihood of: see :func:`uncertainty_loss` with :math:`s_k` for :math:`-s_k`.

    Args:
        losses: :math:`L_k` as ``[K]``.
        log_scales: :math:`s_k` as ``[K]``.

    Returns:
        A scalar. Where a loss is 0, it falls for ever as s grows.

    Raises:
        ValueError: If shapes do not fit.
        TypeError: If something is no tensor of floating-point numbers.
    """
    check_losses(losses)
    check_same("log_scales", log_scales, losses)
    return (torch.exp(log_scales) * losses - log_scales).sum()


class ImpartialLosses(TaskScalarization):
    r"""Weights that make all losses equal, IMTL-L (Liu et al., 2021); see :func:`impartial_loss`.

    The logarithms :math:`s_k` of the weights are parameters that start at 0. The weight of a task
    whose loss goes to 0 would grow for ever; it ends at ``max_weight``, from where it comes back
    as soon as there is a loss again. The weight of a task that a batch has no labels of stays as it
    is.

    Args:
        tasks: Names of the model's tasks.
        max_weight: The greatest weight of a task.
        learning_rate: Step size of the logarithms, scaled by the schedule; the trainer's if
            ``None``, which is small where the model is pretrained.

    Attributes:
        log_scales: :math:`s_k`, one parameter a task.

    Raises:
        ValueError: If ``tasks`` is empty, a name occurs twice or has a dot, or a number is not
            above 0.
        TypeError: If something is not of its kind.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        *,
        max_weight: float = 1e4,
        learning_rate: float | None = None,
    ) -> None:
        super().__init__(tasks)
        check_number("max_weight", max_weight, above=0)
        check_rate(learning_rate)
        self.max_weight = max_weight
        self.learning_rate = learning_rate
        self.log_scales = TaskNumbers(tasks, 0.0)

    def objective(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """Return :func:`impartial_loss`.

        Args:
            losses: Those of the tasks at hand ``[K]``.
            tasks: Their names.
        """
        self.log_scales.put(tasks, self._bounded(tasks))
        return impartial_loss(losses, self.log_scales.of(tasks))

    def loss_weights(self, tasks: Iterable[str]) -> dict[str, float]:
        """Return the weights of the next update.

        Args:
            tasks: Names of the tasks.

        Raises:
            KeyError: If a task is unknown.
        """
        tasks = list(tasks)
        self._check_known(tasks)
        found = torch.exp(self._bounded(tasks)).tolist() if tasks else []
        return dict(zip(tasks, found, strict=True))

    def _bounded(self, tasks: Sequence[str]) -> Tensor:
        return self.log_scales.of(tasks).detach().clamp(max=math.log(self.max_weight))
