"""Uncertainty weighting: how noisy a task is, learnt beside the model, says how much it counts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from mtl_utils.arguments import check_number, check_strings
from mtl_utils.objectives.loss_vectors import check_losses, check_same
from mtl_utils.objectives.task_scalarization import TaskNumbers, TaskScalarization, check_rate


def uncertainty_loss(
    losses: Tensor, log_variances: Tensor, regression: Tensor | None = None
) -> Tensor:
    r"""Return :math:`\sum_k f_k e^{-s_k} L_k + s_k / 2` (Kendall et al., 2018).

    With :math:`s_k = \log \sigma_k^2` this is, up to constants, the negative log-likelihood of a
    normal distribution where L is a squared error and :math:`f = 1/2`, and nearly that of a softmax
    at the temperature :math:`\sigma^2` where L is a cross-entropy and :math:`f = 1`. Where s is at
    its best, :math:`s^* = \log 2 f L`, a task has the weight :math:`1/2L` and costs
    :math:`\frac12 \log L` and a constant: the method minimises logarithms of losses, with the delay
    that learning s takes.

    Args:
        losses: :math:`L_k` as ``[K]``.
        log_variances: :math:`s_k` as ``[K]``.
        regression: Which losses are squared errors ``[K]``, True or False; none if ``None``.

    Returns:
        A scalar. It has no lower bound: where a loss is 0, it falls for ever as s does.

    Raises:
        ValueError: If shapes do not fit.
        TypeError: If something is no tensor of such numbers.
    """
    check_losses(losses)
    check_same("log_variances", log_variances, losses)
    if regression is not None:
        check_same("regression", regression, losses, "boolean")
    factors = torch.ones_like(losses)
    if regression is not None:
        factors = factors.masked_fill(regression, 0.5)
    return (factors * torch.exp(-log_variances) * losses + log_variances / 2).sum()


class UncertaintyWeights(TaskScalarization):
    r"""Weights that are learnt as variances (Kendall et al., 2018); see :func:`uncertainty_loss`.

    The log variances :math:`s_k` are parameters that start at 0. Without a bound the weight
    :math:`f_k e^{-s_k}` of a task whose loss goes to 0 grows for ever, by a constant factor a step
    under Adam, and overflows in the end: here it ends at ``max_weight``, from where it comes back
    as soon as there is a loss again. Losses may be negative. The variance of a task that a batch
    has no labels of stays as it is.

    Args:
        tasks: Names of the model's tasks.
        regression: Names of those whose loss is a squared error.
        max_weight: The greatest weight of a task.
        learning_rate: Step size of the log variances, scaled by the schedule; the trainer's if
            ``None``, which is small where the model is pretrained.

    Attributes:
        log_variances: :math:`s_k`, one parameter a task.

    Raises:
        ValueError: If ``tasks`` is empty, a name occurs twice or has a dot, or a number is not
            above 0.
        KeyError: If ``regression`` names no task.
        TypeError: If something is not of its kind.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        regression: Sequence[str] = (),
        *,
        max_weight: float = 1e4,
        learning_rate: float | None = None,
    ) -> None:
        super().__init__(tasks)
        check_strings("regression", regression, distinct=True)
        for name in regression:
            if name not in tasks:
                raise KeyError(
                    f"regression names {name!r}, which is none of the tasks {list(tasks)}"
                )
        check_number("max_weight", max_weight, above=0)
        check_rate(learning_rate)
        self.regression = tuple(regression)
        self.max_weight = max_weight
        self.learning_rate = learning_rate
        self.log_variances = TaskNumbers(tasks, 0.0)

    def objective(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """Return :func:`uncertainty_loss`.

        Args:
            losses: Those of the tasks at hand ``[K]``.
            tasks: Their names.
        """
        self.log_variances.put(tasks, self._bounded(tasks))
        regression = torch.tensor([t in self.regression for t in tasks], device=losses.device)
        return uncertainty_loss(losses, self.log_variances.of(tasks), regression)

    def loss_weights(self, tasks: Iterable[str]) -> dict[str, float]:
        """Return the weights of the next update.

        Args:
            tasks: Names of the tasks.

        Raises:
            KeyError: If a task is unknown.
        """
        tasks = list(tasks)
        self._check_known(tasks)
        found = torch.exp(-self._bounded(tasks)).tolist() if tasks else []
        return {t: w * self._factor(t) for t, w in zip(tasks, found, strict=True)}

    def _factor(self, task: str) -> float:
        return 0.5 if task in self.regression else 1.0

    def _bounded(self, tasks: Sequence[str]) -> Tensor:
        found = self.log_variances.of(tasks).detach()
        least = [math.log(self._factor(task) / self.max_weight) for task in tasks]
        return torch.maximum(found, torch.tensor(least, dtype=found.dtype, device=found.device))
