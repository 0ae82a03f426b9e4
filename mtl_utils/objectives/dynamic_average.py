"""Dynamic weight average: tasks whose loss fell least from epoch to epoch weigh more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from mtl_utils.arguments import check_names, check_number, check_whole
from mtl_utils.objectives.loss_vectors import check_losses, check_same
from mtl_utils.objectives.task_scalarization import TaskScalarization


def dynamic_weights(last: Tensor, before: Tensor, temperature: float = 2.0) -> Tensor:
    r"""Return :math:`K \operatorname{softmax}(r / T)` of :math:`r_k = L_k(t-1) / L_k(t-2)`.

    Liu et al. (2019). The weights lie between those of equal ratios, which are 1, and K for the
    task that has fallen least; the greater the temperature, the nearer they are to 1.

    Args:
        last: Mean loss of each task in the last epoch ``[K]``, none below 0; ``nan`` where there
            was none.
        before: The same of the epoch before.
        temperature: T.

    Returns:
        ``[K]``, with sum K. A ratio that is not known, or one to a loss of 0, counts as 1.

    Raises:
        ValueError: If shapes do not fit, a loss is negative, or the temperature is not above 0.
        TypeError: If something is not of its kind.
    """
    check_losses(last, positive=True, name="last")
    check_same("before", before, last)
    check_losses(before, positive=True, name="before")
    check_number("temperature", temperature, above=0)
    ratios = (last / before).nan_to_num(nan=1.0, posinf=1.0)
    return len(last) * torch.softmax(ratios / temperature, dim=0)


class DynamicWeightAverage(TaskScalarization):
    """Dynamic weight average (Liu et al., 2019); see :func:`dynamic_weights`.

    Weights are 1 for two epochs, and constant within each that follows. So gradients of several
    batches add up to those of one, and ``TrainerConfig(accumulate=...)`` is allowed. The trainer
    tells it of each whole epoch; in a loop of one's own, call :meth:`epoch_ended`. A task without a
    label in an epoch keeps its ratio.

    Args:
        tasks: Names of the model's tasks.
        temperature: T: the greater, the more alike the weights are.

    Raises:
        ValueError: If ``tasks`` is empty, a name occurs twice or has a dot, or the temperature is
            not above 0.
        TypeError: If something is not of its kind.
    """

    adds_up = True
    needs_positive = True
    by_place = ("last", "before")
    last: Tensor
    before: Tensor
    epoch: Tensor

    def __init__(self, tasks: Sequence[str], temperature: float = 2.0) -> None:
        super().__init__(tasks)
        check_number("temperature", temperature, above=0)
        self.temperature = float(temperature)
        unknown = torch.full((len(tasks),), torch.nan)
        self.register_buffer("last", unknown)
        self.register_buffer("before", unknown.clone())
        self.register_buffer("epoch", torch.tensor(0))

    def objective(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """Return the weighted sum.

        Args:
            losses: Those of the tasks at hand ``[K]``.
            tasks: Their names.
        """
        return (self._weights()[self._places(tasks)].to(losses.dtype) * losses).sum()

    def loss_weights(self, tasks: Iterable[str]) -> dict[str, float]:
        """Return the weights of the epoch at hand.

        Args:
            tasks: Names of the tasks.

        Raises:
            KeyError: If a task is unknown.
        """
        tasks = list(tasks)
        self._check_known(tasks)
        return dict(zip(tasks, self._weights()[self._places(tasks)].tolist(), strict=True))

    def epoch_ended(self, epoch: int, losses: Mapping[str, float]) -> None:
        """Take note of the mean losses of an epoch.

        Args:
            epoch: Which epoch it was, from 1; told twice of the same, it changes nothing.
            losses: By task, none below 0; tasks that are absent keep their ratio.

        Raises:
            KeyError: If a task is unknown.
            ValueError: If a loss is negative or not finite, or the epoch is below 1.
            TypeError: If something is not of its kind.
        """
        check_whole("epoch", epoch, least=1)
        check_names("losses", losses, "losses by task")
        self._check_known(losses, "losses")
        for task, loss in losses.items():
            check_number(f"The loss of {task!r} in losses={losses!r:.60}", loss, least=0)
        places = self._places(losses)
        found = self.last.new_tensor(list(losses.values()))
        if int(self.epoch) == epoch and torch.equal(self.last[places], found):
            return
        self.before[places] = self.last[places]
        self.last[places] = found
        self.epoch.fill_(epoch)

    def _weights(self) -> Tensor:
        return dynamic_weights(self.last, self.before, self.temperature)
