"""The smooth maximum of the losses: the task that is worst off counts most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtl_utils.arguments import check_flag, check_number
from mtl_utils.objectives.loss_vectors import check_losses, check_same, note_first
from mtl_utils.objectives.task_scalarization import TaskScalarization, by_name


def smooth_chebyshev(
    losses: Tensor, weights: Tensor, ideal: Tensor, smoothing: float = 0.1
) -> Tensor:
    r"""Return :math:`\mu \log \sum_k e^{\lambda_k (L_k - z_k) / \mu}` (Lin et al., 2024).

    As the smoothing :math:`\mu` goes to 0 this becomes :math:`\max_k \lambda_k (L_k - z_k)`,
    Chebyshev's scalarization, which finds every Pareto optimum under some :math:`\lambda`, also
    those in hollows of the front that no weighted sum finds. It is above that maximum by
    :math:`\mu \log K` at most. The slope by :math:`L_k` is :math:`\lambda_k` times a softmax.

    Args:
        losses: :math:`L_k` as ``[K]``.
        weights: :math:`\lambda_k` as ``[K]``: preferences, none below 0.
        ideal: :math:`z_k` as ``[K]``: the least that each loss could be.
        smoothing: :math:`\mu`.

    Returns:
        A scalar.

    Raises:
        ValueError: If shapes do not fit, or ``smoothing`` is not above 0.
        TypeError: If something is no tensor of floating-point numbers.
    """
    check_losses(losses)
    check_same("weights", weights, losses)
    check_same("ideal", ideal, losses)
    check_number("smoothing", smoothing, above=0)
    return smoothing * torch.logsumexp(weights * (losses - ideal) / smoothing, dim=0)


class SmoothChebyshev(TaskScalarization):
    r"""Minimises K times the smooth maximum of the losses; see :func:`smooth_chebyshev`.

    The factor K, the number of tasks at hand, makes the weights of tasks that are equally badly off
    :math:`\lambda_k`. A maximum compares losses, so these must be on one scale: each is divided by
    what it was when it was first met and not 0, unless ``relative`` says otherwise. With one task
    at hand it minimises its loss.

    Args:
        tasks: Names of the model's tasks.
        weights: :math:`\lambda_k` by task, 1 where one is left out. To trace a Pareto front, train
            once for each of several preferences.
        smoothing: :math:`\mu`: below it, differences between losses count little.
        ideal: :math:`z_k` by task, the least that each loss could be, 0 where one is left out.
        relative: Whether :math:`L_k - z_k` is divided by the first :math:`L_k`.

    Raises:
        ValueError: If ``tasks`` is empty, a name occurs twice or has a dot, or a number is outside
            its range.
        KeyError: If weights or least losses are given for what is no task.
        TypeError: If something is not of its kind.
    """

    by_place = ("first",)
    first: Tensor

    def __init__(
        self,
        tasks: Sequence[str],
        weights: Mapping[str, float] | None = None,
        *,
        smoothing: float = 0.1,
        ideal: Mapping[str, float] | None = None,
        relative: bool = True,
    ) -> None:
        super().__init__(tasks)
        check_number("smoothing", smoothing, above=0)
        check_flag("relative", relative)
        self.weights = by_name("weights", weights, tasks, 1.0)
        self.ideal = by_name("ideal", ideal, tasks, 0.0)
        self.smoothing = float(smoothing)
        self.relative = bool(relative)
        self.register_buffer("first", torch.full((len(tasks),), torch.nan))

    def objective(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """Return K times the smooth maximum.

        Args:
            losses: Those of the tasks at hand ``[K]``.
            tasks: Their names.
        """
        places = self._places(tasks)
        weights, ideal = losses.new_tensor([self.weights, self.ideal])[:, places].unbind()
        if self.relative:
            note_first(self.first, places, losses)
            weights = weights / self.first[places].nan_to_num(nan=1.0).to(losses.dtype)
        return len(tasks) * smooth_chebyshev(losses, weights, ideal, self.smoothing)
