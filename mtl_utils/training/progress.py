"""How far a run has come: everything of it that is not weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from mtl_utils.training.history_columns import STEP, WEIGHT
from mtl_utils.training.processes import BatchLosses


@dataclass
class Progress:
    """The position of a run, its sums of the epoch at hand, its history and its best weights.

    Args:
        epoch: The epoch at hand, from 1.
        batch: Batches of it that are done.
        step: Steps of the run that are done.
        sums: By task, what the losses of the epoch sum to over everything counted.
        counts: By task, how many were counted in the epoch.
        penalty: Sum of the penalties of the epoch.
        history: One row for each epoch that is done.
        shares: One row for each measurement of the tasks' shares of the gradient, with its step.
        weights: What the balancer multiplied losses by, one row for each step that is kept.
        weight_sums: By task, the sum of these over the steps of the epoch.
        weight_counts: By task, over how many steps.
        best: Best value of the metric so far.
        best_weights: The weights of the model that had it, on the CPU.
        waited: Validations since.
        task_best: By task, the best value of its own metric so far.
        task_waited: By task, validations since.
        stopped: By task that is trained no more, the epoch after which it was not.
        validating: Whether a validation was begun and did not end.
        seconds: Time of all sessions.
        finished: Whether there is nothing left to do.
    """

    epoch: int = 1
    batch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)
    penalty: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    shares: list[dict[str, float]] = field(default_factory=list)
    weights: list[dict[str, float]] = field(default_factory=list)
    weight_sums: dict[str, float] = field(default_factory=dict)
    weight_counts: dict[str, int] = field(default_factory=dict)
    best: float | None = None
    best_weights: dict[str, Tensor] | None = None
    waited: int = 0
    task_best: dict[str, float] = field(default_factory=dict)
    task_waited: dict[str, int] = field(default_factory=dict)
    stopped: dict[str, int] = field(default_factory=dict)
    validating: bool = False
    seconds: float = 0.0
    finished: bool = False

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return dict(vars(self))

    def snapshot(self) -> dict[str, Any]:
        """Return what a checkpoint holds, untouched by what comes next; weights are not copied."""
        return {name: copy.copy(value) for name, value in vars(self).items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Put a checkpoint's content back.

        Args:
            state_dict: What :meth:`state_dict` returned.
        """
        vars(self).update(state_dict)

    def add(self, losses: BatchLosses, batches: int = 1) -> None:
        """Count a step.

        Args:
            losses: Of all its rows.
            batches: How many batches it had.
        """
        for task, total in losses.sums.items():
            self.sums[task] = self.sums.get(task, 0.0) + total
            self.counts[task] = self.counts.get(task, 0.0) + losses.counts[task]
        self.penalty += losses.penalty
        self.batch += batches
        self.step += 1

    def training_losses(self, accumulate: int = 1) -> dict[str, float]:
        """Return the columns of the history that the sums of the epoch give.

        Args:
            accumulate: How many batches made a step; the last one may have had fewer.
        """
        steps = math.ceil(self.batch / accumulate)
        means = {f"train_{task}": loss for task, loss in self.task_losses().items()}
        penalty = {"train_penalty": self.penalty / steps} if self.penalty else {}
        # Where nothing was counted there is no loss, not one of 0.
        return {"train_loss": sum(means.values()) if means else math.nan, **means, **penalty}

    def task_losses(self) -> dict[str, float]:
        """Return by task the mean loss of the epoch over what was counted, if something was."""
        counts = self.counts
        return {t: total / counts[t] for t, total in self.sums.items() if counts[t] > 0}

    def note_weights(self, weights: Mapping[str, float]) -> None:
        """Take note of the weights of the step at hand.

        Every step of the first thousand is kept, every tenth up to ten thousand, and so on: enough
        for a picture, and little to store of a long run.

        Args:
            weights: By task, what its loss was multiplied by; none where nothing is to be noted.
        """
        step = self.step + 1
        if weights and step % 10 ** max(0, len(str(step - 1)) - 3) == 0:
            self.weights.append({STEP: step, **weights})
        for task, weight in weights.items():
            self.weight_sums[task] = self.weight_sums.get(task, 0.0) + weight
            self.weight_counts[task] = self.weight_counts.get(task, 0) + 1

    def mean_weights(self) -> dict[str, float]:
        """Return the columns of the history with the mean weight of each task in the epoch."""
        sums = self.weight_sums
        return {f"{task}{WEIGHT}": sums[task] / n for task, n in self.weight_counts.items()}

    def has_counted(self) -> bool:
        """Tell whether there was a label in any step so far."""
        earlier = any(math.isfinite(row["train_loss"]) for row in self.history)
        return earlier or any(self.counts.values())

    def compare(self, value: float, mode: str, weights: dict[str, Tensor]) -> None:
        """Keep the weights of a validation if it is the best one so far.

        Args:
            value: The metric.
            mode: ``"min"`` or ``"max"``.
            weights: The weights of the model as they are.
        """
        if not _is_better(value, self.best, mode):
            self.waited += 1
            return
        self.best, self.waited = value, 0
        self.best_weights = {
            name: weight.detach().to("cpu", copy=True) for name, weight in weights.items()
        }

    def judge(self, task: str, value: float, mode: str, patience: int) -> None:
        """Stop a task that has waited too long for a better value of its own metric.

        Args:
            task: Its name.
            value: The metric.
            mode: ``"min"`` or ``"max"``.
            patience: Validations without a better value after which it is trained no more.
        """
        if task in self.stopped:
            return
        self.task_waited[task] = self.task_waited.get(task, 0) + 1
        if _is_better(value, self.task_best.get(task), mode):
            self.task_best[task], self.task_waited[task] = value, 0
        if self.task_waited[task] >= patience:
            self.stopped[task] = self.epoch

    def next_epoch(self, row: dict[str, float]) -> None:
        """Close the epoch.

        Args:
            row: Of the history.
        """
        self.history.append(row)
        self.epoch += 1
        self.validating = False
        self.batch, self.sums, self.counts, self.penalty = 0, {}, {}, 0.0
        self.weight_sums, self.weight_counts = {}, {}


def _is_better(value: float, best: float | None, mode: str) -> bool:
    """Compare a metric with the best one so far; not a number is never better than anything."""
    sign = 1.0 if mode == "min" else -1.0
    return sign * value < (math.inf if best is None else sign * best)


def all_stopped(progress: Mapping[str, Any]) -> bool:
    """Tell whether every task that is judged by itself is trained no more.

    Args:
        progress: What a checkpoint holds of it.
    """
    judged = progress.get("task_waited", {})
    return bool(judged) and set(judged) <= set(progress["stopped"])
