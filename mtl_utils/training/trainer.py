"""Training a multi-task model: one loop for one device or several, that survives being killed."""

from __future__ import annotations

import gc
import math
import os
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, get_args

import pandas as pd
import torch
from torch import nn as torch_nn
from tqdm.auto import tqdm

from mtl_utils.data.batch import Batch
from mtl_utils.data.loading import Loader, check_loader
from mtl_utils.models.multitask import MultiTaskModel
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.objectives.base import Balancer, Losses
from mtl_utils.objectives.weighting import EqualWeights
from mtl_utils.training import schedules
from mtl_utils.training.agreement import same_number, training_batches
from mtl_utils.training.configuration import TrainerConfig
from mtl_utils.training.directions import Direction, choose_direction
from mtl_utils.training.fingerprint import Fingerprint, run_fingerprint
from mtl_utils.training.loader import to_device
from mtl_utils.training.optimization import check_groups, make_optimizer, set_learning_rate
from mtl_utils.training.precision import choose_precision
from mtl_utils.training.processes import (
    BatchLosses,
    average_gradients,
    make_accelerator,
    on_first_process,
    same_everywhere,
    whole_batch,
)
from mtl_utils.training.progress import Progress
from mtl_utils.training.randomness import seeded
from mtl_utils.training.resuming import OnOtherRun, RunCheckpoint, Stateful
from mtl_utils.training.validation import check_labelled, checked_metrics, evaluate_losses


class Trainer:
    """Trains a multi-task model in place.

    The same call trains on a CPU, on a GPU, in mixed precision, or in each of several processes
    that ``accelerate launch`` started; together they compute the gradient of the whole batch, as
    one would. With a checkpoint, a run that was killed goes on where the file says; one process
    on a CPU ends with the very weights it would have had.

    Args:
        model: What to train. Parameters that require no gradient are left alone.
        config: How to train.
        balancer: What turns the losses into one update; its parameters are trained too, without
            weight decay. State that a resumed run needs must be in its ``state_dict``.
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
        progress: Whether to show a progress bar.

    Raises:
        ValueError: If ``mode`` is something else, contradicts the name of the metric, or is
            missing where that name does not tell; ``on_other_run`` is something else; or the groups
            leave out a parameter, or have a setting that there is not or that is outside its range.
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
        progress: bool = True,
    ) -> None:
        given: list[tuple[str, Any, tuple[type, ...]]] = [
            ("model", model, (MultiTaskModel,)),
            ("config", config, (TrainerConfig, NoneType)),
            ("balancer", balancer, (Balancer, NoneType)),
            ("metric", metric, (str,)),
            ("checkpoint", checkpoint, (str, os.PathLike, NoneType)),
        ]
        for name, value, kinds in given:
            if not isinstance(value, kinds):
                raise TypeError(
                    f"{name} must be a {kinds[0].__name__}, got {type(value).__name__} "
                    f"{value!r:.60}"
                )
        if evaluate is not None and not callable(evaluate):
            raise TypeError(f"evaluate must be a function of the model, got {evaluate!r:.60}")
        if on_other_run not in get_args(OnOtherRun):
            raise ValueError(f'on_other_run must be "refuse" or "restart", got {on_other_run!r}')
        self.model = model
        self.config = config or TrainerConfig()
        self.balancer = balancer or EqualWeights()
        self.evaluate = evaluate
        self.metric = metric
        self.mode: Direction = choose_direction(metric, mode, model.tasks)
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.on_other_run: OnOtherRun = on_other_run
        self.parameter_groups = check_groups(model, parameter_groups)
        self.progress = progress

    def fit(self, train: Loader, validation: Loader | None = None) -> pd.DataFrame:
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
            and ``validation_<task>``, what ``evaluate`` returned, the last ``learning_rate`` and
            ``seconds`` over all sessions. Losses are means over what they count;
            ``train_loss`` and ``validation_loss`` are their sums over tasks, penalty left out,
            which is in ``train_penalty`` where there is one.

        Raises:
            FloatingPointError: If a loss or gradient stops being a finite number; the message
                names the step and the task, and the weights are those before that step.
            CheckpointError: If the checkpoint cannot be read, belongs to another run, which the
                message tells from this one by name, or has done more steps than are asked for.
            KeyError: If the metric is not measured: before training where ``evaluate`` cannot add
                it. What was trained before a validation failed is in the checkpoint, and the same
                call with the fault mended goes on with that validation.
            ValueError: If the data have no batch, validation data none with a label, or
                ``patience`` or ``metric`` nothing to judge by.
            TypeError: If something is no loader.
        """
        for loader in (train, *([] if validation is None else [validation])):
            check_loader(loader)
        if train.num_batches < 1:
            raise ValueError("The training data have no batch")
        self._check_judging(validation)
        modes = {part: part.training for part in self.model.modules()}
        try:
            history = _Run(self, train, validation).to_the_end()
        except BaseException:
            for part, training in modes.items():
                part.training = training
            raise
        finally:
            if torch.distributed.is_initialized():
                # A wrapper that lingers would answer to the gradients of the next run.
                gc.collect()
        self.model.eval()
        return history

    def _check_judging(self, validation: Loader | None) -> None:
        """Refuse before training what a validation would refuse after an epoch of it."""
        if validation is None and self.evaluate is None:
            for name, value, default in (
                ("patience", self.config.patience, None),
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
            self._check_metric(["validation_loss", *(f"validation_{t}" for t in self.model.tasks)])
        wanted = self.metric.removeprefix("validation_")
        tasks = [wanted] if wanted in self.model.tasks and wanted != self.metric else None
        with seeded(self.config.seed, torch.device("cpu")):  # a loader may draw random numbers
            check_labelled(self.model, validation, tasks)

    def _check_metric(self, measured: Iterable[str]) -> None:
        if self.metric not in measured:
            raise KeyError(
                f"The metric {self.metric!r} is not measured; there are {sorted(measured)}. Name "
                "one of them, or return it from evaluate."
            )


class _Losses(torch_nn.Module):
    """What accelerate wraps, so that the model itself stays as its owner made it."""

    def __init__(self, model: MultiTaskModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, batches: Batch | Mapping[str, Batch]) -> Losses:
        losses: Losses = self.model(batches)
        return losses


class _Run:
    """The moving parts of one call of fit."""

    def __init__(self, trainer: Trainer, train: Loader, validation: Loader | None) -> None:
        self.trainer, self.train, self.validation = trainer, train, validation
        self.config, self.model, self.balancer = trainer.config, trainer.model, trainer.balancer
        self.accelerator = make_accelerator(choose_precision(self.config.mixed_precision))
        self.device = self.accelerator.device
        same_everywhere(self.balancer.to(self.device), self.accelerator)
        # The optimizer stays as it is: in every step accelerate's wrapper of it looks twice on the
        # disk for a package that nobody has installed, 5% of the time of a small model.
        self.module = self.accelerator.prepare(_Losses(self.model))
        self.optimizer = make_optimizer(
            self.config, self.model, self.balancer, trainer.parameter_groups
        )
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        same_number(train.num_batches, self.accelerator)
        total = self.config.epochs * train.num_batches
        self.total_steps = min(total, self.config.max_steps or total)
        self.progress = Progress()
        self.checkpoint = self._make_checkpoint()

    def _make_checkpoint(self) -> RunCheckpoint | None:
        trainer = self.trainer
        if trainer.checkpoint is None:
            return None
        parts: dict[str, Stateful] = {
            "model": self.model,
            "balancer": self.balancer,
            "optimizer": self.optimizer,
            "progress": self.progress,
        }
        if self.accelerator.scaler is not None:
            parts["scaler"] = self.accelerator.scaler
        return RunCheckpoint(
            trainer.checkpoint,
            parts,
            on_first_process(self.accelerator, self._fingerprint),
            self.accelerator,
            self.config,
            self.total_steps,
            trainer.on_other_run,
        )

    def _fingerprint(self) -> Fingerprint:
        trainer = self.trainer
        with seeded(self.config.seed, self.device):  # a loader may draw random numbers
            return run_fingerprint(
                self.config,
                self.total_steps,
                self.model,
                self.balancer,
                self.optimizer,
                training_data=self.train,
                validation_data=self.validation,
                evaluate=trainer.evaluate,
                metric=trainer.metric,
                mode=trainer.mode,
            )

    def to_the_end(self) -> pd.DataFrame:
        """Train until the run is finished; return the history."""
        with seeded(self.config.seed, self.device, self.accelerator.process_index):
            if self.checkpoint is not None:
                self.checkpoint.resume()
            self.began = time.perf_counter() - self.progress.seconds
            shown = self.trainer.progress and self.accelerator.is_main_process
            with tqdm(
                total=self.total_steps,
                initial=self.progress.step,
                disable=not shown or self.progress.finished,
                leave=False,
                unit="step",
            ) as bar:
                while not self.progress.finished:
                    self._epoch(bar)
                    self._end_epoch(bar)
        if self.progress.best_weights is not None:
            self.model.load_state_dict(self.progress.best_weights)
        elif self.progress.waited:
            warnings.warn(
                f"The metric {self.trainer.metric!r} was not a number at any validation, so no "
                "weights are the best: the model has its last ones.",
                RuntimeWarning,
                stacklevel=3,
            )
        return pd.DataFrame(self.progress.history)

    def _epoch(self, bar: tqdm) -> None:
        if self.progress.step >= self.total_steps or self.progress.batch == self.train.num_batches:
            return  # an earlier session was stopped while it validated
        self.module.train()
        self.balancer.train()
        progress, every = self.progress, self.config.checkpoint_every
        progress.validating = False
        reading = training_batches(
            self.train, self.model, self.accelerator, progress.epoch - 1, progress.batch
        )
        for batches in reading:
            progress.add(self._step(batches))
            bar.update()
            if progress.step >= self.total_steps:
                if progress.batch < self.train.num_batches:
                    return
            elif every is not None and progress.step % every == 0:
                self._save()

    def _step(self, batches: Batch | Mapping[str, Batch]) -> BatchLosses:
        """Change the weights once; return the losses before. Without a label nothing changes."""
        if not (batches.labels if isinstance(batches, Batch) else batches):
            return BatchLosses({}, {}, 0.0)
        set_learning_rate(self.optimizer, self._factor(self.progress.step))
        self.optimizer.zero_grad()
        local: Losses = self.module(to_device(batches, self.device))
        self._check_trained(local)
        losses, numbers = whole_batch(local, self.accelerator)
        self._check({**numbers.means, "penalty": numbers.penalty}, "loss")
        self.balancer.backward(losses, self.model, backward=self.accelerator.backward)
        average_gradients(self.balancer.parameters(), self.accelerator)
        # Without a bound the gradient is left as it is, but its norm tells whether it is finite.
        bound = math.inf if self.config.clip_norm is None else self.config.clip_norm
        scaler = self.accelerator.scaler
        if scaler is not None:
            scaler.unscale_(self.optimizer)
        norm = float(torch_nn.utils.clip_grad_norm_(self.parameters, bound))
        if not (math.isfinite(norm) or self._overflowed()):
            self._check({"all tasks": norm}, "gradient norm")
        if scaler is None:
            self.optimizer.step()
        else:
            scaler.step(self.optimizer)
            scaler.update()
        return numbers

    def _check_trained(self, losses: Losses) -> None:
        """Refuse what could not be back-propagated, in the same way in all processes."""
        if not any(loss.requires_grad for loss in (*losses.by_task.values(), losses.penalty)):
            raise ValueError(
                f"All that the losses of {list(losses.by_task)} depend on is frozen, so this step "
                "has nothing to train. Leave these tasks out of the data, or thaw something with "
                "requires_grad_(True)."
            )
        on_states = self.model.sharing.penalty_on_states and losses.penalty.requires_grad
        if self.accelerator.num_processes > 1 and on_states and not losses.penalty_by_task:
            raise ValueError(
                f"The penalty of {type(self.model.sharing).__name__} depends on the states of the "
                "texts at hand, and several processes have different ones. Return its parts in "
                "Shared.penalty_by_task, each a mean, and how many texts it is over in "
                "Shared.penalty_counts."
            )

    def _overflowed(self) -> bool:
        """Tell whether the scale of the losses is to blame for a gradient that is not finite."""
        # An overflow now and then is expected: it skips the step and halves the scale. Below 1
        # it is the gradient's own fault.
        scaler = self.accelerator.scaler
        return scaler is not None and scaler.get_scale() >= 1

    def _factor(self, step: int) -> float:
        config = self.config
        return schedules.factor(config.schedule, step, self.total_steps, config.warmup_steps)

    def _check(self, numbers: Mapping[str, float], what: str) -> None:
        """Stop before the weights are lost; all processes see the same numbers."""
        wrong = {task: value for task, value in numbers.items() if not math.isfinite(value)}
        if not wrong:
            return
        progress = self.progress
        rate = self.config.learning_rate * self._factor(progress.step)
        tasks = ", ".join(f"{task} became {value}" for task, value in wrong.items())
        half = ' or use mixed_precision="bf16",' if self.config.mixed_precision == "fp16" else ""
        raise FloatingPointError(
            f"The {what} of {tasks} at step {progress.step + 1} (epoch {progress.epoch}, learning "
            f"rate {rate:.2g}). The weights are those before that step. Lower learning_rate or "
            f"clip_norm, add warmup_steps,{half} or, at the first steps, look for numbers that "
            "are not finite in the model's first weights and in the weights of the losses."
        )

    def _end_epoch(self, bar: tqdm) -> None:
        config, progress = self.config, self.progress
        last = progress.epoch >= config.epochs or progress.step >= self.total_steps
        if last and not progress.has_counted():
            raise ValueError("No example of the training data has a label; nothing was trained")
        whole = progress.batch == self.train.num_batches
        validates = progress.epoch % config.validate_every == 0
        if last and not (whole and validates) and self.checkpoint is not None:
            self.checkpoint.before_the_end(progress)
        row: dict[str, float] = {
            "epoch": progress.epoch,
            "step": progress.step,
            **progress.training_losses(),
        }
        if last or validates:
            row |= self._measured()
        row["learning_rate"] = config.learning_rate * self._factor(progress.step - 1)
        row["seconds"] = time.perf_counter() - self.began
        shown = [name for name in ("train_loss", self.trainer.metric) if name in row]
        bar.set_postfix({name: f"{row[name]:.3f}" for name in shown})
        progress.next_epoch(row)
        patience = config.patience
        progress.finished = last or (patience is not None and progress.waited >= patience)
        self._save()

    def _measured(self) -> dict[str, float]:
        """Validate, and keep the weights if they are the best so far."""
        if self.validation is None and self.trainer.evaluate is None:
            return {}
        # Whatever happens while validating, what was trained is not lost.
        self.progress.validating = True
        self._save()
        measured = on_first_process(self.accelerator, self._validate)
        self.trainer._check_metric(measured)
        value = measured[self.trainer.metric]
        self.progress.compare(value, self.trainer.mode, self.model.state_dict())
        return measured

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        measured: dict[str, float] = {}
        if self.validation is not None:
            with self.accelerator.autocast():
                losses = evaluate_losses(self.model, self.validation)
            if not losses:
                raise ValueError("No example of the validation data has a label; nothing to judge")
            measured["validation_loss"] = sum(losses.values())
            measured |= {f"validation_{task}": loss for task, loss in losses.items()}
        if self.trainer.evaluate is not None:
            with evaluation_mode(self.model):
                metrics = self.trainer.evaluate(self.model)
            taken = {"train_loss", "train_penalty", *(f"train_{task}" for task in self.model.tasks)}
            taken |= {"epoch", "step", "learning_rate", "seconds", *measured}
            measured |= checked_metrics(metrics, taken)
        return measured

    def _save(self) -> None:
        self.progress.seconds = time.perf_counter() - self.began
        if self.checkpoint is not None:
            self.checkpoint.save()
