"""Weighing losses: balancers that back-propagate one weighted sum."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_number, nearest
from mtl_utils.objectives.base import Balancer, Losses, check_step


class FixedWeights(Balancer):
    r"""Unitary scalarization: minimise :math:`\sum_k \lambda_k L_k + \Omega` with constant weights.

    Tuned, it is hard to beat (Kurin et al., 2022; Xin et al., 2022).

    Args:
        weights: :math:`\lambda_k` by task.

    Raises:
        ValueError: If a weight is negative or not finite, or there is none.
        TypeError: If the weights are no numbers by name.
    """

    adds_up = True

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        if not isinstance(weights, Mapping):
            raise TypeError(
                "weights must be a mapping from names of tasks to numbers, got "
                f"{type(weights).__name__} {weights!r:.60}"
            )
        if not weights:
            raise ValueError("weights must name at least one task, got {}")
        for task, weight in weights.items():
            if not isinstance(task, str):
                raise TypeError(f"weights must have names of tasks as keys, got {weights!r:.60}")
            check_number(f"The weight of {task!r} in weights={weights!r:.60}", weight, least=0)
        self.weights = dict(weights)

    def backward(
        self,
        losses: Losses,
        model: torch_nn.Module,
        backward: Callable[[Tensor], None] = Tensor.backward,
    ) -> None:
        """Back-propagate the weighted sum; see :meth:`Balancer.backward`.

        Args:
            losses: The losses of one batch.
            model: The model that they come from.
            backward: How to back-propagate a scalar.

        Raises:
            KeyError: If a task has no weight; or there is a weight of none of the model's tasks,
                and one of these has none, so that a name must be wrong. Weights of more tasks than
                a model has are left alone, so that the same serve models of some of them.
            TypeError: If ``losses`` are none of a model.
        """
        check_step(losses)
        self._check_names(getattr(model, "tasks", {}))
        weights = self.loss_weights(losses.by_task)
        weighted = [weights[task] * loss for task, loss in losses.by_task.items()]
        backward(sum(weighted, start=losses.penalty))

    def _check_names(self, tasks: Collection[str]) -> None:
        foreign = [name for name in self.weights if name not in tasks]
        missing = [name for name in tasks if name not in self.weights]
        if foreign and missing:
            raise KeyError(
                f"weights have one of {foreign[0]!r}, which is no task of the model, and none of "
                f"{missing[0]!r}{nearest(foreign[0], tasks)}"
            )

    def loss_weights(self, tasks: Iterable[str]) -> dict[str, float]:
        """Return the weights of tasks.

        Args:
            tasks: Names of the tasks.

        Raises:
            KeyError: If a task has no weight.
        """
        unknown = sorted(set(tasks) - set(self.weights))
        if unknown:
            raise KeyError(f"No weight for the tasks {unknown}; there are {sorted(self.weights)}")
        return {task: self.weights[task] for task in tasks}


class EqualWeights(Balancer):
    r"""Minimise :math:`\sum_k L_k + \Omega`: every task counts the same."""

    adds_up = True

    def backward(
        self,
        losses: Losses,
        model: torch_nn.Module,
        backward: Callable[[Tensor], None] = Tensor.backward,
    ) -> None:
        """Back-propagate the sum; see :meth:`Balancer.backward`.

        Args:
            losses: The losses of one batch.
            model: The model that they come from.
            backward: How to back-propagate a scalar.

        Raises:
            TypeError: If ``losses`` are none of a model.
        """
        check_step(losses)
        backward(sum(losses.by_task.values(), start=losses.penalty))
