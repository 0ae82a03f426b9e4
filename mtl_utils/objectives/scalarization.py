"""Balancers that minimise one function of the losses: its slopes are the weights of the tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.objectives.base import Balancer, Losses, check_step
from mtl_utils.objectives.loss_vectors import stacked


class Scalarization(Balancer):
    r"""Minimises :math:`f(L_1, \dots, L_K) + \Omega` for a function f that a subclass defines.

    The weight of a task is :math:`\partial f / \partial L_k`: the gradient on the model is
    :math:`\sum_k w_k \nabla L_k + \nabla \Omega`. Tasks that a batch has no labels of take no part,
    and what is learnt for them stays as it is.
    """

    #: Whether a loss below 0 has no meaning to it.
    needs_positive: bool = False

    def objective(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """Return the function of the losses.

        Args:
            losses: Those of the tasks at hand ``[K]``, in single precision or better.
            tasks: Their names.

        Returns:
            A scalar.
        """
        raise NotImplementedError

    def backward(
        self,
        losses: Losses,
        model: torch_nn.Module,
        backward: Callable[[Tensor], None] = Tensor.backward,
    ) -> dict[str, float]:
        """Back-propagate the function of the losses; see :meth:`Balancer.backward`.

        Args:
            losses: The losses of one batch.
            model: The model that they come from.
            backward: How to back-propagate a scalar.

        Returns:
            By task, the slope of the function: what its loss was multiplied by.

        Raises:
            KeyError: If the model's tasks are not those that the balancer was made for.
            ValueError: If a loss is negative, and the method knows no such losses.
            TypeError: If ``losses`` are none of a model.
        """
        check_step(losses)
        tasks = list(losses.by_task)
        self._check_model(tasks, model)
        if not tasks:
            backward(losses.penalty)
            return {}
        values = stacked(losses)
        if self.needs_positive:
            self._check_positive(tasks, values.tolist())
        total = self.objective(values, tasks)
        (slopes,) = torch.autograd.grad(total, values, retain_graph=True)
        backward(total + losses.penalty)
        return dict(zip(tasks, slopes.tolist(), strict=True))

    def _check_model(self, tasks: Sequence[str], model: torch_nn.Module) -> None:
        """Refuse a model whose tasks are not those that the balancer was made for."""

    def _check_positive(self, tasks: Sequence[str], values: Sequence[float]) -> None:
        for task, value in zip(tasks, values, strict=True):
            if value < 0:
                raise ValueError(
                    f"The loss of {task!r} is {value}, and {type(self).__name__} needs losses that "
                    "are at least 0. Use another balancer, or shift that loss."
                )
