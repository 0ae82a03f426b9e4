"""One run of a trainer: its moving parts, step by step, epoch by epoch."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn as torch_nn
from tqdm.auto import tqdm

from mtl_utils.data.batch import Batch
from mtl_utils.data.loading import Loader
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.objectives.base import Balancer, Losses
from mtl_utils.training import schedules
from mtl_utils.training.agreement import same_number, training_batches
from mtl_utils.training.configuration import TrainerConfig
from mtl_utils.training.directions import Direction
from mtl_utils.training.fingerprint import Fingerprint, run_fingerprint
from mtl_utils.training.loader import to_device
from mtl_utils.training.optimization import make_optimizer, set_learning_rate
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
from mtl_utils.training.shares import STEP, gradient_shares, warn_if_faint
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
    shares_every: int | None = None
    on_epoch: Callable[[Mapping[str, float]], None] | None = None


class _Losses(torch_nn.Module):
    """What accelerate wraps, so that the model itself stays as its owner made it."""

    def __init__(self, model: MultiTaskModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, batches: Batch | Mapping[str, Batch]) -> Losses:
        losses: Losses = self.model(batches)
        return losses


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
        same_everywhere(self.balancer.to(self.device), self.accelerator)
        # The optimizer stays as it is: in every step accelerate's wrapper of it looks twice on the
        # disk for a package that nobody has installed, 5% of the time of a small model.
        self.module = self.accelerator.prepare(_Losses(self.model))
        self.optimizer = make_optimizer(
            self.config, self.model, self.balancer, settings.parameter_groups
        )
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        same_number(train.num_batches, self.accelerator)
        total = self.config.epochs * train.num_batches
        self.total_steps = min(total, self.config.max_steps or total)
        self.progress = Progress()
        self.checkpoint = self._make_checkpoint()

    def _make_checkpoint(self) -> RunCheckpoint | None:
        settings = self.settings
        if settings.checkpoint is None:
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
            settings.checkpoint,
            parts,
            on_first_process(self.accelerator, self._fingerprint),
            self.accelerator,
            self.config,
            self.total_steps,
            settings.on_other_run,
        )

    def _fingerprint(self) -> Fingerprint:
        settings = self.settings
        with seeded(self.config.seed, self.device):  # a loader may draw random numbers
            return run_fingerprint(
                self.config,
                self.total_steps,
                self.model,
                self.balancer,
                self.optimizer,
                training_data=self.train,
                validation_data=self.validation,
                evaluate=settings.evaluate,
                metric=settings.metric,
                mode=settings.mode,
            )

    def to_the_end(self) -> pd.DataFrame:
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
                while not self.progress.finished:
                    self._epoch(bar)
                    self._end_epoch(bar)
        if self.progress.best_weights is not None:
            self.model.load_state_dict(self.progress.best_weights)
        elif self.progress.waited:
            warnings.warn(
                f"The metric {self.settings.metric!r} was not a number at any validation, so no "
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
        self._measure_shares(losses)
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

    def _measure_shares(self, losses: Losses) -> None:
        """Note whose the gradient on shared parameters is, every so many steps."""
        every, step = self.settings.shares_every, self.progress.step + 1
        if not every or step % every:
            return
        shares = gradient_shares(
            losses,
            self.balancer.loss_weights(losses.by_task),
            self.model.shared_parameters(),
            self.accelerator,
        )
        if shares is None:
            return
        self.progress.shares.append({STEP: step, **shares})
        if self.accelerator.is_main_process:
            warn_if_faint(self.progress.shares)

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
        shown = [name for name in ("train_loss", self.settings.metric) if name in row]
        bar.set_postfix({name: f"{row[name]:.3f}" for name in shown})
        progress.next_epoch(row)
        patience = config.patience
        progress.finished = last or (patience is not None and progress.waited >= patience)
        self._save()
        if self.settings.on_epoch is not None and self.accelerator.is_main_process:
            self.settings.on_epoch(dict(row))

    def _measured(self) -> dict[str, float]:
        """Validate, and keep the weights if they are the best so far."""
        if self.validation is None and self.settings.evaluate is None:
            return {}
        # Whatever happens while validating, what was trained is not lost.
        self.progress.validating = True
        self._save()
        measured = on_first_process(self.accelerator, self._validate)
        check_metric(self.settings.metric, measured)
        value = measured[self.settings.metric]
        self.progress.compare(value, self.settings.mode, self.model.state_dict())
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
            measured |= checked_metrics(metrics, taken)
        return measured

    def _save(self) -> None:
        self.progress.seconds = time.perf_counter() - self.began
        if self.checkpoint is not None:
            self.checkpoint.save()
