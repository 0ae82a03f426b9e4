"""Training a multi-task model: one loop for one device or several, that survives being killed."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args

import pandas as pd
import torch

from mtl_utils.arguments import (
    check_callable,
    check_choice,
    check_flag,
    check_kind,
    check_path,
    check_text,
    check_whole,
)
from mtl_utils.data.loading import Loader
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.objectives.base import Balancer
from mtl_utils.objectives.weighting import EqualWeights
from mtl_utils.training.callbacks import (
    AnyCallback,
    Callback,
    EpochLines,
    check_progress,
    checked_callbacks,
)
from mtl_utils.training.configuration import TrainerConfig
from mtl_utils.training.directions import Direction, choose_direction, judged_tasks
from mtl_utils.training.given_steps import check_steps
from mtl_utils.training.history import History
from mtl_utils.training.loader import check_named_loader
from mtl_utils.training.lost import is_lost_peer, lost_peer
from mtl_utils.training.optimization import check_groups
from mtl_utils.training.randomness import seeded
from mtl_utils.training.resuming import OnOtherRun
from mtl_utils.training.run import Run, RunSettings
from mtl_utils.training.sharded_copy import check_sharded
from mtl_utils.training.sharding import check_whole_model
from mtl_utils.training.updates import check_accumulation
from mtl_utils.training.validation import check_labelled, check_metric

#: What the history says of all tasks together, after ``train_`` and ``validation_``.
_SUMS = ("loss", "penalty")


class Trainer:
    r"""Trains a multi-task model in place.

    The same call trains on a CPU, on a GPU, in mixed precision, or in each of several processes
    that ``accelerate launch`` or :func:`fit_in_processes` started; together they compute the
    gradient of the whole batch, as one would. With a checkpoint, a run that was killed goes on
    where the file says; one process on a CPU ends with the very weights it would have had.

    Args:
        model: What to train. Parameters that require no gradient are left alone.
        config: How to train.
        balancer: What turns the losses into one update; its parameters are trained too, without
            weight decay or clipping. State that a resumed run needs must be in its ``state_dict``.
        evaluate: Metrics to measure at each validation, in evaluation mode and without gradients.
        metric: Column of the history that tells which weights are best.
        mode: Whether the metric is better when smaller, ``"min"``, or when greater, ``"max"``.
            ``None`` takes what the name of the metric says: losses, errors and perplexities are
            better when smaller, accuracies, F1, BLEU, chrF and correlations when greater.
        checkpoint: File that is written after each epoch, before and after its validation, and
            read when :meth:`fit` starts. It belongs to one run: to the model and its first weights,
            the settings, the balancer, the data and ``evaluate``. The same call goes on with it, or
            reads it if it is finished; greater ``epochs`` or ``max_steps`` prolong it under the
            schedules ``"constant"`` and ``"inverse_sqrt"``, to what one long run would have given.
        on_other_run: What to do if the checkpoint belongs to another run, or has done more steps
            than are asked for: ``"refuse"`` it, or ``"restart"``, which replaces it.
        parameter_groups: Groups of parameters with their own ``lr`` (which the schedule scales),
            ``weight_decay`` or ``betas``, as PyTorch's optimizers take them.
        progress: Whether to show a progress bar. ``"lines"`` prints a line for each epoch instead
            (:class:`EpochLines`), where output is no terminal.
        shares_every: Measure each task's share of the gradient on shared parameters every so many
            steps; 0 or ``None`` never does. A measurement takes as many backward passes through
            what is shared as there are tasks, and changes nothing of the training. Of a task whose
            share is below a tenth of an equal one three times running, a
            :class:`FaintTaskWarning` says so, unless the balancer makes the steps of shared
            parameters itself; and of one that has a loss, a weight and no gradient at all. Steps
            with one task alone, as samplers draw them, are not measured.
        callbacks: What is told of each step or epoch, and may end the training: each a
            :class:`Callback`, or a function that is called after each epoch with its row of the
            history.
        task_metrics: With the config's ``task_patience``: by task, the column of the history that
            tells whether it still gets better, such as ``{"names": "names_f1"}``; the validation
            loss of a task that is left out. A task without a better value at that many validations
            is stopped: its loss is no longer added, and steps that have labels of such tasks alone
            are passed over, though they count. It never starts again, and the run ends when all
            have stopped. Its head stays as it was then. The weights that it had at its best are
            *not* put back: they were made for an encoder that has changed since, and goes on
            changing while other tasks train it. What was best together is what ``metric`` keeps,
            of all tasks at one time.
        sharded: Whether several processes deal parameters, gradients and states of the optimiser
            out among themselves (:func:`shard_model`), instead of a copy in each. A sharded copy is
            trained, and the model stays whole where it is, on the CPU if it is there; it has the
            weights at each validation, which the first process makes with it, and at the end.
            Checkpoints are whole: any number of processes goes on with them. The balancer must
            weigh losses alone, the precision be that of the weights, and nothing measures
            ``shares``. In one process it changes nothing.

    Attributes:
        shares: After :meth:`fit`, one row a measurement: ``step``, and for each task
            :math:`\lVert w_k g_k \rVert / \sum_j \lVert w_j g_j \rVert`, with the weights
            :math:`w_k` of the balancer's :meth:`~mtl_utils.objectives.Balancer.loss_weights`. Empty
            where tasks share no parameter that is trained, or no step has losses of two.
        weights: After :meth:`fit`, what the balancer multiplied the loss of each task by, one row a
            step: ``step``, and the tasks at hand. After a thousand steps each tenth is kept, after
            ten thousand each hundredth, and so on. Empty where weights never change, as those of
            :class:`~mtl_utils.objectives.FixedWeights`.
        stopped_tasks: After :meth:`fit`, by task that was stopped the epoch that was its last.

    Raises:
        ValueError: If ``mode`` is something else, contradicts the name of the metric, or is
            missing where that name does not tell; ``on_other_run`` is something else; or the groups
            leave out a parameter, or have a setting that there is not or that is outside its range;
            or the model is sharded already (:func:`shard_model`), or ``sharded`` is asked for with
            a balancer or a precision that cannot be had then;
            or a task is called ``"loss"`` or ``"penalty"``, as the sum over tasks is; or the
            balancer cannot do with the config's ``accumulate``, since it has to see whole batches
            (:class:`~mtl_utils.objectives.Balancer`), or makes the steps of shared parameters, as
            :class:`~mtl_utils.objectives.AdaTask` does, while ``betas`` of a group or an L2 penalty
            of ``"adam"`` are to change them; or there are ``task_metrics`` and no
            ``task_patience``, or the name of one does not tell which way it is better.
        KeyError: If ``task_metrics`` names a task that there is not.
        TypeError: If something is not of its kind.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        config: TrainerConfig | None = None,
        *,
        balancer: Balancer | None = None,
        evaluate: Callable[[MultiTaskModel], Mapping[str, float]] | None = None,
        metric: str = "validation_loss",
        mode: Direction | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        on_other_run: OnOtherRun = "refuse",
        parameter_groups: Sequence[Mapping[str, Any]] | None = None,
        progress: bool | Literal["lines"] = True,
        shares_every: int | None = 50,
        callbacks: Sequence[AnyCallback] = (),
        task_metrics: Mapping[str, str] | None = None,
        sharded: bool = False,
    ) -> None:
        check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
        check_kind("config", config, (TrainerConfig, NoneType), "a TrainerConfig")
        check_kind("balancer", balancer, (Balancer, NoneType), "a Balancer")
        check_text("metric", metric)
        if checkpoint is not None:
            check_path("checkpoint", checkpoint)
        if evaluate is not None:
            check_callable("evaluate", evaluate, "a function of the model")
        check_choice("on_other_run", on_other_run, get_args(OnOtherRun))
        check_progress(progress)
        hidden = [task for task in model.tasks if task in _SUMS]
        if hidden:
            raise ValueError(
                f"The task {hidden[0]!r} would hide train_{hidden[0]}, which is that of all tasks, "
                "in the history. Give it another name."
            )
        check_whole_model(model)
        self.model = model
        self.config = config or TrainerConfig()
        self.balancer = balancer or EqualWeights()
        check_flag("sharded", sharded)
        if sharded:
            check_sharded(self.config, self.balancer)
        self.sharded = sharded
        check_accumulation(self.config.accumulate, self.balancer, model.sharing)
        self.evaluate = evaluate
        self.metric = metric
        self.mode: Direction = choose_direction(metric, mode, model.tasks)
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.on_other_run: OnOtherRun = on_other_run
        self.parameter_groups = check_groups(model, parameter_groups)
        check_steps(self.config, model, self.balancer, self.parameter_groups)
        self.progress = progress
        self.callbacks = checked_callbacks(callbacks)
        self.task_metrics = judged_tasks(task_metrics, self.config.task_patience, model.tasks)
        if shares_every is not None:
            check_whole("shares_every", shares_every, least=0)
        self.shares_every = shares_every
        self.stopped_tasks: dict[str, int] = {}
        self.shares = pd.DataFrame(columns=["step", *model.tasks])
        self.weights = pd.DataFrame(columns=["step", *model.tasks])

    def fit(self, train: Loader, validation: Loader | None = None) -> History:
        """Train, and leave the model with its best weights: its last ones without validation.

        The model is then in evaluation mode, ready to be used; a training stopped by an error
        leaves the mode as it was. Global generators of random numbers are seeded with the config's
        seed and put back.

        Args:
            train: Training data.
            validation: Data on which the losses are measured after each epoch.

        Returns:
            One row an epoch: ``epoch`` (from 1), ``step``, ``train_loss`` and each task's
            ``train_<task>`` (measured with dropout while the weights change), ``validation_loss``
            and ``validation_<task>``, what ``evaluate`` returned, ``<task>_share``, the mean of
            what was measured of :attr:`shares` in the epoch, ``<task>_weight``, the mean of what
            the balancer multiplied its loss by where that changes, ``<task>_stopped``, 1 from the
            last epoch of a stopped task on (with ``task_patience``), the last ``learning_rate`` and
            ``seconds`` over all sessions. Losses are means over what they count; ``train_loss`` and
            ``validation_loss`` are their sums over the tasks that were trained and measured,
            penalty left out, which is in ``train_penalty`` where there is one.
            :meth:`History.plot` draws it.

        Raises:
            FloatingPointError: If a loss or gradient stops being a finite number; the message
                names the step and the task, and the weights are those before that step.
            LostProcessError: If another process of the training has gone; the same call goes on
                from the checkpoint.
            CheckpointError: If the checkpoint cannot be read, belongs to another run, which the
                message tells from this one by name, or has done more steps than are asked for.
            KeyError: If the metric is not measured: before training where ``evaluate`` cannot add
                it. What was trained before a validation failed is in the checkpoint, and the same
                call with the fault mended goes on with that validation.
            ValueError: If the data have no batch, validation data none with a label, or
                ``patience``, ``task_patience`` or ``metric`` nothing to judge by.
            TypeError: If something is no loader.
        """
        check_named_loader("train", train)
        if validation is not None:
            check_named_loader("validation", validation)
        if train.num_batches < 1:
            raise ValueError("The training data have no batch")
        self._check_judging(validation)
        self.model.note_start()
        modes = {part: part.training for part in self.model.modules()}
        run: Run | None = None
        try:
            run = Run(self._settings, train, validation)
            history = run.to_the_end()
        except BaseException as error:
            for part, training in modes.items():
                part.training = training
            if is_lost_peer(error):
                raise lost_peer(error, run.progress.step if run else 0) from error
            raise
        finally:
            if torch.distributed.is_initialized():
                # A wrapper that lingers would answer to the gradients of the next run.
                gc.collect()
        self.model.eval()
        self.stopped_tasks = dict(run.progress.stopped)
        columns = ["step", *self.model.tasks]
        self.shares = pd.DataFrame(run.progress.shares, columns=columns)
        self.weights = pd.DataFrame(run.progress.weights, columns=columns)
        return history

    @property
    def _settings(self) -> RunSettings:
        return RunSettings(
            self.model,
            self.config,
            self.balancer,
            self.evaluate,
            self.metric,
            self.mode,
            self.checkpoint,
            self.on_other_run,
            self.parameter_groups,
            self.progress is True,
            self.shares_every,
            self._told,
            self.task_metrics,
            self.sharded,
        )

    @property
    def _told(self) -> list[Callback]:
        if self.progress != "lines":
            return self.callbacks
        return [EpochLines(epochs=self.config.epochs, metric=self.metric), *self.callbacks]

    def _check_judging(self, validation: Loader | None) -> None:
        """Refuse before training what a validation would refuse after an epoch of it."""
        if validation is None and self.evaluate is None:
            for name, value, default in (
                ("patience", self.config.patience, None),
                ("task_patience", self.config.task_patience, None),
                ("metric", self.metric, "validation_loss"),
            ):
                if value != default:
                    raise ValueError(
                        f"{name}={value!r} needs validation data or evaluate to judge by; give "
                        "either"
                    )
            return
        if validation is None:
            return
        if self.evaluate is None:
            names = ["validation_loss", *(f"validation_{task}" for task in self.model.tasks)]
            check_metric(self.metric, names)
            for column, _ in (self.task_metrics or {}).values():
                check_metric(column, names)
        columns = [self.metric, *(column for column, _ in (self.task_metrics or {}).values())]
        tasks = [t for t in self.model.tasks if f"validation_{t}" in columns] or None
        with seeded(self.config.seed, torch.device("cpu")):  # a loader may draw random numbers
            check_labelled(self.model, validation, tasks)
