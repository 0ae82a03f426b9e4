"""One step of a run: from the batches at hand to weights that changed once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from torch import nn as torch_nn
from torch.optim import Optimizer

from mtl_utils.multitask import MultiTaskModel
from mtl_utils.objectives.across import average_in_place
from mtl_utils.objectives.base import Balancer, Losses
from mtl_utils.sharing.base import Sharing
from mtl_utils.training import schedules
from mtl_utils.training.agreement import tasks_of
from mtl_utils.training.configuration import TrainerConfig
from mtl_utils.training.history_columns import STEP
from mtl_utils.training.loader import to_device
from mtl_utils.training.optimization import set_learning_rate
from mtl_utils.training.processes import (
    Batches,
    BatchLosses,
    Totals,
    same_everywhere,
    totals_of,
    whole_batch,
)
from mtl_utils.training.progress import Progress
from mtl_utils.training.randomness import generator_states, kept_generators, restore_generators
from mtl_utils.training.sharding import is_sharded
from mtl_utils.training.shares import GradientShares, Silence, warn_if_faint


class LossesOf(torch_nn.Module):
    """What accelerate wraps, so that the model itself stays as its owner made it.

    Args:
        model: The model.
    """

    def __init__(self, model: MultiTaskModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, batches: Batches) -> Losses:
        """Compute the losses.

        Args:
            batches: One batch, or one a task.
        """
        losses: Losses = self.model(batches)
        return losses


class Updates:
    """Changes the weights of a model, one step at a time.

    Args:
        model: The model.
        module: Its :class:`LossesOf`, as accelerate wrapped it.
        config: How to train.
        balancer: What turns losses into gradients.
        optimizer: What moves the weights; its groups have all parameters of model and balancer.
        accelerator: Knows the processes, the device and the precision.
        total_steps: How many steps the run is to have.
        shares_every: Steps from one measurement of the tasks' shares of the gradient to the next.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        module: torch_nn.Module,
        config: TrainerConfig,
        balancer: Balancer,
        optimizer: Optimizer,
        accelerator: Accelerator,
        total_steps: int,
        shares_every: int | None,
    ) -> None:
        self.model = model
        # Data parallel averages what one pass back through all losses leaves, and waits for it.
        self.module = LossesOf(model) if balancer.averages else module
        # Which data parallel does for what it wraps.
        self.gives_buffers = balancer.averages or is_sharded(model)
        self.config, self.balancer = config, balancer
        self.optimizer, self.accelerator = optimizer, accelerator
        self.total_steps, self.shares_every = total_steps, shares_every
        self._silence = Silence()
        every = [p for group in optimizer.param_groups for p in group["params"]]
        of_balancer = {id(parameter) for parameter in balancer.parameters()}
        self.parameters = [p for p in every if id(p) not in of_balancer]
        self.own_parameters = [p for p in every if id(p) in of_balancer]

    def learning_rate(self, step: int) -> float:
        """Return the rate of a step, from 0, where no group has its own.

        Args:
            step: Steps done before it.
        """
        return self.config.learning_rate * self._factor(step)

    def make(self, batches: Sequence[Batches], progress: Progress) -> BatchLosses:
        """Change the weights once; where there is no label, nothing changes.

        Args:
            batches: What the step is made of, with the tasks that count.
            progress: How far the run has come; measured shares are added to it.

        Returns:
            The losses before.

        Raises:
            FloatingPointError: If a loss or gradient is no finite number.
            ValueError: If there is nothing to train, though no task has been stopped.
        """
        window = [each for each in batches if tasks_of(each)]
        numbers = BatchLosses({}, {}, 0.0)
        if not window:
            return numbers
        set_learning_rate(self.optimizer, self._factor(progress.step))
        self.optimizer.zero_grad()
        totals = totals_of(window, self.model, self.accelerator)
        shares = self._shares(window, progress.step + 1)
        trained = False
        drawn = generator_states(self.accelerator.device) if self.balancer.looks_again else None
        weights: dict[str, float] = {}
        for each in window:
            losses, of_part = self._losses(each, totals, progress)
            numbers = numbers + of_part
            if not _trains(losses):
                continue
            trained = True
            if shares is not None:
                shares.add(losses, self.balancer.loss_weights(losses.by_task))
            # Several processes average after each batch: what came before is the same in all, and
            # its mean it stays. To wait for the last batch would leave out heads that it lacks.
            used = self.balancer.backward(losses, self.model, backward=self.accelerator.backward)
            if shares is not None:
                shares.weigh(used or {})
            weights |= used or {}
        if not trained and progress.stopped:
            return numbers  # those that are left have nothing to train
        if not trained:
            raise ValueError(
                f"All that the losses of {list(numbers.sums)} depend on is frozen, so this step "
                "has nothing to train. Leave these tasks out of the data, or thaw something with "
                "requires_grad_(True)."
            )
        if shares is not None:
            self._note(shares, progress)
        progress.note_weights(weights)
        average_in_place(self.balancer.parameters())
        self._step(progress)
        if drawn is not None:
            self._look_again(window[0], drawn)
        return numbers

    def _losses(
        self, batches: Batches, totals: Totals | None, progress: Progress
    ) -> tuple[Losses, BatchLosses]:
        """Compute the losses of a batch as parts of the whole, and stop if they are not finite."""
        if self.gives_buffers:
            same_everywhere(self.model.buffers(), self.accelerator)
        local: Losses = self.module(to_device(batches, self.accelerator.device))
        self._check_penalty(local, totals)
        losses, numbers = whole_batch(local, self.accelerator, totals)
        self._check({**numbers.means, "penalty": numbers.penalty}, "loss", progress)
        return losses, numbers

    def measured(self, batches: Batches, drawn: dict[str, Any]) -> dict[str, float]:
        """Measure losses with the weights as they are; nothing is left of it.

        Args:
            batches: What to measure on.
            drawn: The states of the generators that dropout is drawn with.

        Returns:
            By task, the mean over what is counted in all processes.
        """
        return self._again(batches, drawn)[1].means

    def _look_again(self, batches: Batches, drawn: dict[str, Any]) -> None:
        """Tell the balancer of the same rows after the step.

        With the same dropout the losses differ by what the step did alone; and what is drawn for it
        leaves no trace in the steps that follow.
        """
        self.balancer.after_step(self._again(batches, drawn)[0])

    @torch.no_grad()
    def _again(self, batches: Batches, drawn: dict[str, Any]) -> tuple[Losses, BatchLosses]:
        device = self.accelerator.device
        with kept_generators(device):
            restore_generators(drawn, device)
            local: Losses = self.module(to_device(batches, device))
        return whole_batch(local, self.accelerator)

    def _step(self, progress: Progress) -> None:
        """Clip the gradient, and follow it if it is finite."""
        # Without a bound the gradient is left as it is, but its norm tells whether it is finite.
        bound = math.inf if self.config.clip_norm is None else self.config.clip_norm
        scaler = self.accelerator.scaler
        if scaler is not None:
            scaler.unscale_(self.optimizer)
        total = torch_nn.utils.clip_grad_norm_(self.parameters, bound)
        if hasattr(total, "full_tensor"):  # over the shards of all processes
            total = total.full_tensor()
        norm = float(total)
        if self.own_parameters:
            # Weights of losses are on a scale of their own: they shorten no step of the model.
            own = float(torch_nn.utils.clip_grad_norm_(self.own_parameters, math.inf))
            norm = math.hypot(norm, own)
        if not (math.isfinite(norm) or self._overflowed()):
            self._check({"all tasks": norm}, "gradient norm", progress)
        if self.balancer.leaves_steps and math.isfinite(norm):
            # As PyTorch clips: gradients that the balancer keeps are shortened like those it left.
            self.balancer.before_step(float((bound / (total + 1e-6)).clamp(max=1.0)))
        if scaler is None:
            self.optimizer.step()
        else:
            scaler.step(self.optimizer)
            scaler.update()

    def _shares(self, window: Sequence[Batches], step: int) -> GradientShares | None:
        """Return what measures whose the gradient is, at every so many steps of several tasks."""
        every = self.shares_every
        if not every or step % every or len({t for each in window for t in tasks_of(each)}) < 2:
            return None
        return GradientShares(self.model.shared_parameters(), self.accelerator)

    def _note(self, shares: GradientShares, progress: Progress) -> None:
        measured = shares.measured()
        if self.accelerator.is_main_process:
            self._silence.note(shares.tasks, shares.without_gradient(), progress.step + 1)
        if measured is None:
            return
        progress.shares.append({STEP: progress.step + 1, **measured})
        if self.accelerator.is_main_process and not self.balancer.leaves_steps:
            warn_if_faint(progress.shares)

    def _check_penalty(self, losses: Losses, totals: Totals | None) -> None:
        """Refuse a penalty on states that comes in no parts, in all processes alike."""
        on_states = self.model.sharing.penalty_on_states and losses.penalty.requires_grad
        if not on_states or losses.penalty_by_task:
            return
        several = self.accelerator.num_processes > 1
        if not several and totals is None:
            return
        who = "several processes" if several else "the batches of a step"
        raise ValueError(
            f"The penalty of {type(self.model.sharing).__name__} depends on the states of the "
            f"texts at hand, and {who} have different ones. Return its parts in "
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

    def _check(self, numbers: Mapping[str, float], what: str, progress: Progress) -> None:
        """Stop before the weights are lost; all processes see the same numbers."""
        wrong = {task: value for task, value in numbers.items() if not math.isfinite(value)}
        if not wrong:
            return
        rate = self.learning_rate(progress.step)
        tasks = ", ".join(f"{task} became {value}" for task, value in wrong.items())
        half = ' or use mixed_precision="bf16",' if self.config.mixed_precision == "fp16" else ""
        raise FloatingPointError(
            f"The {what} of {tasks} at step {progress.step + 1} (epoch {progress.epoch}, learning "
            f"rate {rate:.2g}). The weights are those before that step. Lower learning_rate or "
            f"clip_norm, add warmup_steps,{half} or, at the first steps, look for numbers that "
            "are not finite in the model's first weights and in the weights of the losses."
        )


def _trains(losses: Losses) -> bool:
    """Tell whether there is anything to back-propagate, which is so in all processes alike."""
    scalars: tuple[torch.Tensor, ...] = (*losses.by_task.values(), losses.penalty)
    return any(scalar.requires_grad for scalar in scalars)


def check_accumulation(accumulate: int, balancer: Balancer, sharing: Sharing) -> None:
    """Refuse what cannot be put together from several batches.

    Args:
        accumulate: How many batches make a step.
        balancer: What turns losses into gradients.
        sharing: The way of sharing.

    Raises:
        ValueError: If the balancer has to see the whole batch, or a penalty on states does not say
            beforehand how many texts it is over.
    """
    if accumulate == 1:
        return
    if not balancer.adds_up or balancer.looks_again:
        raise ValueError(
            f"accumulate={accumulate} takes the gradients of one batch after the other, and "
            f"{type(balancer).__name__} has to see the losses of the whole step. Use EqualWeights, "
            "FixedWeights or DynamicWeightAverage, or accumulate=1 with larger batches; a balancer "
            "of your own whose weights depend on no loss of the step says adds_up = True."
        )
    own = type(sharing).penalty_counts is not Sharing.penalty_counts
    if sharing.penalty_on_states and not own:
        raise ValueError(
            f"accumulate={accumulate} needs to know beforehand how many texts the penalty of "
            f"{type(sharing).__name__} is a mean over: define its penalty_counts(batch, tasks), or "
            "use accumulate=1."
        )
