"""One run of a trainer: its moving parts, step by step, epoch by epoch."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from mtl_utils.data.loading import Loader
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.objectives.base import Balancer
from mtl_utils.training.agreement import same_number, training_batches, windows
from mtl_utils.training.callbacks import Callback, Listeners, StepReport
from mtl_utils.training.configuration import TrainerConfig
from mtl_utils.training.directions import Direction
from mtl_utils.training.fingerprint import Fingerprint, run_fingerprint
from mtl_utils.training.history import History
from mtl_utils.training.history_columns import SHARE, STOPPED, WEIGHT, mean_shares
from mtl_utils.training.optimization import make_optimizer
from mtl_utils.training.precision import choose_precision
from mtl_utils.training.processes import (
    Batches,
    BatchLosses,
    make_accelerator,
    on_first_process,
    same_everywhere,
)
from mtl_utils.training.progress import Progress, all_stopped
from mtl_utils.training.randomness import seeded
from mtl_utils.training.resuming import OnOtherRun, RunCheckpoint, Stateful
from mtl_utils.training.sharded_copy import ShardedCopy, WholeModel
from mtl_utils.training.telling import Telling
from mtl_utils.training.updates import LossesOf, Updates
from mtl_utils.training.validation import check_metric, checked_metrics, evaluate_losses


@dataclass(frozen=True)
class RunSettings:
    """What a run is to train and how; see :class:`mtl_utils.training.Trainer`."""

    model: MultiTaskModel
    config: TrainerConfig
    balancer: Balancer
    evaluate: Callable[[MultiTaskModel], Mapping[str, float]] | None
    metric: str
    mode: Direction
    checkpoint: Path | None
    on_other_run: OnOtherRun
    parameter_groups: Sequence[Mapping[str, Any]] | None
    progress: bool
    shares_every: int | None
    callbacks: Sequence[Callback]
    task_metrics: Mapping[str, tuple[str, Direction]] | None
    sharded: bool


class Run:
    """The moving parts of one call of fit.

    Args:
        settings: What to train and how.
        train: Training data.
        validation: Data on which the losses are measured.
    """

    def __init__(self, settings: RunSettings, train: Loader, validation: Loader | None) -> None:
        self.settings, self.train, self.validation = settings, train, validation
        self.config, self.model, self.balancer = settings.config, settings.model, settings.balancer
        self.accelerator = make_accelerator(choose_precision(self.config.mixed_precision))
        self.device = self.accelerator.device
        balancer = self.balancer.to(self.device)
        same_everywhere((*balancer.parameters(), *balancer.buffers()), self.accelerator)
        sharded = settings.sharded and self.accelerator.num_processes > 1
        self.placed = (ShardedCopy if sharded else WholeModel)(self.model, self.accelerator)
        trained = self.placed.trained
        self.module = self.placed.prepared(LossesOf(trained))
        groups = self.placed.groups(settings.parameter_groups)
        self.optimizer = make_optimizer(self.config, trained, self.balancer, groups)
        same_number(train.num_batches, self.accelerator)
        total = self.config.epochs * math.ceil(train.num_batches / self.config.accumulate)
        self.total_steps = min(total, self.config.max_steps or total)
        self.updates = Updates(
            trained,
            self.module,
            self.config,
            self.balancer,
            self.optimizer,
            self.accelerator,
            self.total_steps,
            settings.shares_every if self.placed.measures_shares else None,
        )
        self.telling = Telling(train, self.updates, self.device, self.config.accumulate)
        self.progress = Progress()
        self.checkpoint = self._make_checkpoint()
        self.listeners = Listeners(settings.callbacks, self.accelerator)
        self.ended = False  # by a callback

    def _make_checkpoint(self) -> RunCheckpoint | None:
        settings = self.settings
        if settings.checkpoint is None:
            return None
        parts: dict[str, Stateful] = {
            **self.placed.parts(self.optimizer),
            "balancer": self.balancer,
            "progress": self.progress,
        }
        if self.accelerator.scaler is not None:
            parts["scaler"] = self.accelerator.scaler
        if self.telling.told is not None:
            parts["training data"] = self.telling.told
        return RunCheckpoint(
            settings.checkpoint,
            parts,
            on_first_process(self.accelerator, self._fingerprint),
            self.accelerator,
            self.config,
            self.total_steps,
            settings.on_other_run,
        )

    def _fingerprint(self) -> Fingerprint:
        settings, optimizer = self.settings, self.optimizer
        if self.placed.trained is not self.model:  # dealt out or not, a run is the same
            groups = settings.parameter_groups
            optimizer = make_optimizer(self.config, self.model, self.balancer, groups)
        with seeded(self.config.seed, self.device):  # a loader may draw random numbers
            return run_fingerprint(
                self.config,
                self.total_steps,
                self.model,
                self.balancer,
                optimizer,
                training_data=self.train,
                validation_data=self.validation,
                evaluate=settings.evaluate,
                metric=settings.metric,
                mode=settings.mode,
                task_metrics=settings.task_metrics,
            )

    def to_the_end(self) -> History:
        """Train until the run is finished; return the history."""
        with seeded(self.config.seed, self.device, self.accelerator.process_index):
            if self.checkpoint is not None:
                self.checkpoint.resume()
            self.began = time.perf_counter() - self.progress.seconds
            shown = self.settings.progress and self.accelerator.is_main_process
            with tqdm(
                total=self.total_steps,
                initial=self.progress.step,
                disable=not shown or self.progress.finished,
                leave=False,
                unit="step",
            ) as bar:
                while not (self.progress.finished or self.ended):
                    self._epoch(bar)
                    self._end_epoch(bar)
        self.placed.put_together()
        if self.progress.best_weights is not None:
            self.model.load_state_dict(self.progress.best_weights)
        elif self.progress.waited:
            warnings.warn(
                f"The metric {self.settings.metric!r} was not a number at any validation, so no "
                "weights are the best: the model has its last ones.",
                RuntimeWarning,
                stacklevel=3,
            )
        return History(self.progress.history)

    def _epoch(self, bar: tqdm) -> None:
        if self.progress.step >= self.total_steps or self.progress.batch == self.train.num_batches:
            return  # an earlier session was stopped while it validated
        self.module.train()
        self.balancer.train()
        progress, every = self.progress, self.config.checkpoint_every
        progress.validating = False
        self.telling.stopped(progress.stopped)
        reading = training_batches(
            self.train,
            self.model,
            self.accelerator,
            progress.epoch - 1,
            progress.batch,
            progress.stopped,
        )
        for window in windows(reading, self.config.accumulate):
            self.telling.before_step()
            losses = self._step(window)
            self.telling.after_step(losses.means)
            progress.add(losses, len(window))
            bar.update()
            last = progress.step >= self.total_steps
            if not last and every is not None and progress.step % every == 0:
                self._save()
            if self.listeners.of_steps:
                self.ended = self.listeners.step(self._report(losses)) or self.ended
            if (last or self.ended) and progress.batch < self.train.num_batches:
                return

    def _step(self, window: Sequence[Batches]) -> BatchLosses:
        try:
            return self.updates.make(window, self.progress)
        except FloatingPointError:  # in all processes: the model keeps the weights before
            self.placed.put_together()
            raise

    def _report(self, losses: BatchLosses) -> StepReport:
        step, epoch = self.progress.step, self.progress.epoch
        rate = self.updates.learning_rate(step - 1)
        return StepReport(step, epoch, losses.means, losses.penalty, rate)

    def _end_epoch(self, bar: tqdm) -> None:
        config, progress = self.config, self.progress
        done = progress.epoch >= config.epochs or progress.step >= self.total_steps
        last = done or self.ended
        if done and not progress.has_counted():
            raise ValueError("No example of the training data has a label; nothing was trained")
        whole = progress.batch == self.train.num_batches
        validates = progress.epoch % config.validate_every == 0
        if last and not (whole and validates) and self.checkpoint is not None:
            self.checkpoint.before_the_end(progress)
        if whole:
            self.placed.end_epoch()
            self.balancer.epoch_ended(progress.epoch, progress.task_losses())
        row: dict[str, float] = {
            "epoch": progress.epoch,
            "step": progress.step,
            **progress.training_losses(config.accumulate),
        }
        if last or validates:
            row |= self._measured()
        before = progress.history[-1]["step"] if progress.history else 0
        row |= mean_shares(progress.shares, before)
        row |= progress.mean_weights()
        if config.task_patience is not None:
            row |= {f"{t}{STOPPED}": float(t in progress.stopped) for t in self.model.tasks}
        row["learning_rate"] = self.updates.learning_rate(progress.step - 1)
        row["seconds"] = time.perf_counter() - self.began
        shown = [name for name in ("train_loss", self.settings.metric) if name in row]
        bar.set_postfix({name: f"{row[name]:.3f}" for name in shown})
        progress.next_epoch(row)
        patience = config.patience
        waited = patience is not None and progress.waited >= patience
        progress.finished = done or waited or all_stopped(vars(progress))
        self._save()
        self.ended = self.listeners.epoch(row) or self.ended

    def _measured(self) -> dict[str, float]:
        """Validate, and keep the weights if they are the best so far."""
        if self.validation is None and self.settings.evaluate is None:
            return {}
        # Whatever happens while validating, what was trained is not lost.
        self.progress.validating = True
        self._save()
        self.placed.put_together()
        measured = on_first_process(self.accelerator, self._validate)
        for column, _ in (self.settings.task_metrics or {}).values():
            check_metric(column, measured)
        check_metric(self.settings.metric, measured)
        value = measured[self.settings.metric]
        self.progress.compare(value, self.settings.mode, self.model.state_dict())
        patience = self.config.task_patience
        for task, (column, mode) in (self.settings.task_metrics or {}).items():
            assert patience is not None
            self.progress.judge(task, measured[column], mode, patience)
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
        if self.settings.evaluate is not None:
            with evaluation_mode(self.model):
                metrics = self.settings.evaluate(self.model)
            taken = {"train_loss", "train_penalty", *(f"train_{task}" for task in self.model.tasks)}
            taken |= {"epoch", "step", "learning_rate", "seconds", *measured}
            taken |= {f"{t}{end}" for t in self.model.tasks for end in (SHARE, STOPPED, WEIGHT)}
            measured |= checked_metrics(metrics, taken)
        return measured

    def _save(self) -> None:
        self.progress.seconds = time.perf_counter() - self.began
        if self.checkpoint is not None:
            self.checkpoint.save()
