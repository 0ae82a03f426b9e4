"""Inter-task affinity: how much a step for one task lowers the loss of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mtl_utils.arguments import check_number, check_whole
from mtl_utils.data.batch import Batch
from mtl_utils.data.loading import Loader
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.relations.gradients import (
    Batches,
    counted_losses,
    loss_gradient,
    measuring,
    on_device,
    shared_parameters,
)
from mtl_utils.relations.square import GIVER, RECEIVER, square
from mtl_utils.training.callbacks import Callback, StepReport
from mtl_utils.training.loader import check_named_loader


def lookahead_affinity(
    model: MultiTaskModel, batches: Batch | Mapping[str, Batch], learning_rate: float
) -> pd.DataFrame:
    r"""Measure how much a step for one task alone changes the loss of each (Fifty et al., 2021).

    .. math:: Z_{i \to j} = 1 - \frac{L_j(\theta_s - \eta \nabla_{\theta_s} L_i,\, \theta_j)}
        {L_j(\theta_s, \theta_j)}

    for giver i and receiver j. Positive values mean that the step for i helped j. All is measured
    on the same batch, without dropout and penalty, with one step of plain gradient descent on what
    tasks share; the model is left as it was, bit for bit.

    Args:
        model: The model.
        batches: One batch, or one a task.
        learning_rate: :math:`\eta`.

    Returns:
        ``[K, K]`` over the tasks of the model, a row a giver, a column a receiver; nan where a task
        has no label at hand, or a loss of 0.

    Raises:
        ValueError: If tasks share no parameter that is trained, the rate is not positive, or as the
            model does.
        TypeError: If ``model`` is no multi-task model, the rate no number, or as the model does.
        KeyError: As the model does.
    """
    shared = shared_parameters(model)
    check_number("learning_rate", learning_rate, above=0)
    tasks = list(model.tasks)
    found = np.full((len(tasks), len(tasks)), np.nan)
    with measuring(model):
        here = on_device(batches, model)
        losses = counted_losses(model(here))
        steps = {task: loss_gradient(loss, shared) for task, loss in losses.items()}
        before = {task: float(loss.detach()) for task, loss in losses.items()}
        weights = [parameter.detach().clone() for parameter in shared]
        for giver, gradients in steps.items():
            try:
                _descend(shared, gradients, learning_rate)
                with torch.no_grad():
                    after = model(here).by_task
            finally:  # to add the step again would round
                _put(shared, weights)
            for receiver, loss in before.items():
                if loss != 0:
                    place = tasks.index(giver), tasks.index(receiver)
                    found[place] = 1 - float(after[receiver]) / loss
    return square(found, tasks)


@torch.no_grad()
def _descend(shared: Sequence[Tensor], gradients: Sequence[Tensor], rate: float) -> None:
    for parameter, gradient in zip(shared, gradients, strict=True):
        parameter.sub_(gradient, alpha=rate)


@torch.no_grad()
def _put(shared: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for parameter, value in zip(shared, values, strict=True):
        parameter.copy_(value)


class AffinityTracker(Callback):
    """Measures inter-task affinities while a model is trained, at every so many steps.

    Fifty et al. (2021) average them over a joint training of all tasks, and choose from them which
    tasks to train together, without training any pair. Give it to the trainer as a callback:

    .. code-block:: python

        tracker = AffinityTracker(model, loader)
        Trainer(model, config, callbacks=[tracker]).fit(loader)
        tracker.matrix()

    A measurement takes a forward pass, and for each task a backward and a forward pass. It reads
    batches of its own from ``data``, changes nothing of the training, and sees the weights after
    the step. What was measured is not in a checkpoint: a resumed run measures from there on.

    Args:
        model: The model that is trained.
        data: Batches to measure on, one a measurement, epoch by epoch.
        every: Steps from one measurement to the next.
        learning_rate: Of the lookahead; that of the step if ``None``.

    Attributes:
        measured: By step, what :func:`lookahead_affinity` returned.

    Raises:
        ValueError: If tasks share no parameter that is trained, ``data`` have no batch, ``every``
            is below 1, or the rate is not positive.
        TypeError: If ``model`` is no multi-task model, ``data`` no loader, or a number is none.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        data: Loader,
        *,
        every: int = 10,
        learning_rate: float | None = None,
    ) -> None:
        shared_parameters(model)
        check_named_loader("data", data)
        if data.num_batches < 1:
            raise ValueError(f"data must have at least one batch, got {data.num_batches}")
        check_whole("every", every, least=1)
        if learning_rate is not None:
            check_number("learning_rate", learning_rate, above=0)
        self.model, self.data, self.every, self.learning_rate = model, data, every, learning_rate
        self.measured: dict[int, pd.DataFrame] = {}
        self._batches = self._endless()

    def _endless(self) -> Iterator[Batches]:
        epoch = 0
        while True:
            yield from self.data.batches(epoch)
            epoch += 1

    def on_step(self, report: StepReport) -> None:
        """Measure, if it is time to; see :meth:`mtl_utils.training.Callback.on_step`.

        Args:
            report: What happened.
        """
        rate = report.learning_rate if self.learning_rate is None else self.learning_rate
        if report.step % self.every == 0 and rate > 0:  # a schedule may end at 0
            batches = next(self._batches)
            self.measured[report.step] = lookahead_affinity(self.model, batches, rate)

    def matrix(self, after: int = 0) -> pd.DataFrame:
        """Return the mean of what was measured.

        Args:
            after: Leave out measurements up to this step.

        Returns:
            ``[K, K]``, a row a giver; of each pair the mean where both had labels, nan where they
            never had.

        Raises:
            ValueError: If nothing was measured, or ``after`` is negative.
            TypeError: If ``after`` is no whole number.
        """
        check_whole("after", after, least=0)
        found = [table.to_numpy() for step, table in self.measured.items() if step > after]
        if not found:
            raise ValueError(
                f"after={after} leaves nothing that was measured, at the steps "
                f"{list(self.measured)}; train with the tracker as a callback first"
            )
        values = np.stack(found)
        there = np.isfinite(values)
        with np.errstate(invalid="ignore"):
            return square(np.where(there, values, 0).sum(0) / there.sum(0), list(self.model.tasks))

    def history(self) -> pd.DataFrame:
        """Return all that was measured, for plots.

        Returns:
            One row a pair and step: ``step``, ``giver``, ``receiver`` and ``affinity``.
        """
        rows = [
            (step, giver, receiver, table.loc[giver, receiver])
            for step, table in self.measured.items()
            for giver in table.index
            for receiver in table.columns
        ]
        return pd.DataFrame(rows, columns=["step", GIVER, RECEIVER, "affinity"])
