"""Who moves what is shared: each task's share of the gradient on shared parameters."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.objectives.base import Losses
from mtl_utils.training.history_columns import STEP

#: A task that has less than this over the number of tasks is hardly heard.
FAINT = 0.1
#: How many measurements running a share must be so small before it is said.
PATIENCE = 3

Shares = dict[str, float]
Gradients = Sequence[Tensor | None]


class FaintTaskWarning(UserWarning):
    """A task hardly moves what it shares with others."""


class GradientShares:
    r"""Measures how much of the gradient on shared parameters is each task's own.

    It is :math:`\lVert w_k g_k \rVert / \sum_j \lVert w_j g_j \rVert`, from a backward pass for
    each task that leaves graph, gradients and generators of random numbers as they are. Several
    processes average their gradients first, and where a step has several batches their gradients
    are added, so that it is that of the whole.

    Args:
        parameters: What tasks share; those that require no gradient are left out.
        accelerator: Knows the processes, and the scale of the losses in half precision.
    """

    def __init__(self, parameters: Sequence[torch_nn.Parameter], accelerator: Accelerator) -> None:
        self._trained = [parameter for parameter in parameters if parameter.requires_grad]
        self._accelerator = accelerator
        self._weights: dict[str, float] = {}
        self._gradients: dict[str, Gradients] = {}
        self._norms: dict[str, float] = {}
        self._losses: dict[str, float] = {}

    def add(self, losses: Losses, weights: Mapping[str, float]) -> None:
        """Take the gradients of one batch of a step.

        Args:
            losses: Of the batch as a part of the whole, with their graph.
            weights: By task, what its loss is multiplied by, as far as that is known beforehand.
        """
        if not self._trained:
            return
        scaler = self._accelerator.scaler
        # In half precision small gradients would vanish; the factor is the same for all tasks.
        factor = 1.0 if scaler is None else scaler.get_scale()
        for task, loss in losses.by_task.items():
            found = _gradients(factor * loss, self._trained)
            before = self._gradients.get(task)
            self._gradients[task] = found if before is None else _added(before, found)
            self._weights[task] = weights[task]
            self._losses[task] = self._losses.get(task, 0.0) + float(loss.detach())

    def weigh(self, weights: Mapping[str, float]) -> None:
        """Take note of what losses were multiplied by where that was not known beforehand.

        Args:
            weights: By task of the batch.
        """
        self._weights |= weights

    def measured(self) -> Shares | None:
        """Return the shares of the step.

        Returns:
            By task from 0 to 1; ``None`` where nothing is shared, fewer than two tasks are at hand,
            or gradients are zero or not finite.
        """
        if len(self._gradients) < 2:
            return None
        self._norms = {
            task: _norm(found, self._trained, self._accelerator)
            for task, found in self._gradients.items()
        }
        norms = {task: abs(self._weights[task]) * norm for task, norm in self._norms.items()}
        total = sum(norms.values())
        if not (math.isfinite(total) and total > 0):
            return None
        return {task: norm / total for task, norm in norms.items()}

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks of the step."""
        return tuple(self._gradients)

    def without_gradient(self) -> frozenset[str]:
        """Name the tasks that should move what is shared, and do not.

        Call it after :meth:`measured`.

        Returns:
            Those with a weight, a loss, and a gradient of which nothing is left. A task whose loss
            does not depend on what is shared is not among them.
        """
        return frozenset(
            task
            for task, norm in self._norms.items()
            if norm == 0
            and self._weights[task] != 0
            and self._losses[task] != 0
            and any(gradient is not None for gradient in self._gradients[task])
        )


def _gradients(loss: Tensor, parameters: Sequence[torch_nn.Parameter]) -> Gradients:
    if not loss.requires_grad:
        return [None] * len(parameters)
    return torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)


def _added(one: Gradients, other: Gradients) -> Gradients:
    pairs = zip(one, other, strict=True)
    return [b if a is None else a if b is None else a + b for a, b in pairs]


def _norm(
    found: Gradients, parameters: Sequence[torch_nn.Parameter], accelerator: Accelerator
) -> float:
    if accelerator.num_processes > 1:
        # A process in which a task has no label takes part with zeros.
        pairs = zip(parameters, found, strict=True)
        whole = [torch.zeros_like(p) if gradient is None else gradient for p, gradient in pairs]
        found = [accelerator.reduce(gradient, reduction="mean") for gradient in whole]
    there = [gradient for gradient in found if gradient is not None]
    if not there:
        return 0.0
    norms = torch.stack([torch.linalg.vector_norm(gradient) for gradient in there])
    return float(torch.linalg.vector_norm(norms))


@dataclass
class Silence:
    """Counts for how many measurements running a task has had no gradient.

    It is in no checkpoint: a resumed run counts anew.

    Attributes:
        running: By task, the measurements; a task that a step lacks keeps its number.
    """

    running: dict[str, int] = field(default_factory=dict)

    def note(self, tasks: Collection[str], silent: Collection[str], step: int) -> None:
        """Say of a task that it has had no gradient for the third time running.

        Args:
            tasks: Those of the step.
            silent: See :meth:`GradientShares.without_gradient`.
            step: Number of the step, from 1.
        """
        for task in tasks:
            self.running[task] = self.running.get(task, 0) + 1 if task in silent else 0
            if self.running[task] == PATIENCE:
                warnings.warn(
                    f"{task!r} has no gradient on shared parameters at step {step}, the third time "
                    "running, though it has a loss and a weight: nothing that it learns reaches "
                    "them, nor will it again if the units of its head are off for good, as after "
                    "too great a step. Train anew with a smaller learning_rate, or with another "
                    "head (pooling=). Trainer.shares has the shares of all tasks.",
                    FaintTaskWarning,
                    stacklevel=2,
                )


def warn_if_faint(measured: Sequence[Mapping[str, float]]) -> None:
    """Say of a task that it is hardly heard, when it has been so for the third time running.

    It is said once in a run, which may have been resumed. A share of exactly 0, as of a task with
    the weight 0, is meant to be so, or :class:`Silence` speaks of it.

    Args:
        measured: All shares of the run so far, each with its ``step``; a task may be absent.
    """
    for task in [name for name in measured[-1] if name != STEP]:
        rows = [row for row in measured if task in row]
        last = rows[-1]
        faint = [0 < row[task] < FAINT / (len(row) - 1) for row in rows]
        ends = [end for end in range(PATIENCE, len(rows) + 1) if all(faint[end - PATIENCE : end])]
        if ends[:1] != [len(rows)]:
            continue
        warnings.warn(
            f"{task!r} has {last[task]:.2%} of the gradient on shared parameters at step "
            f"{int(last[STEP])}, the third time running that it is less than "
            f"{FAINT / (len(last) - 1):.2%}: the other tasks drown it. Give it a greater weight, "
            f"as in FixedWeights({{{task!r}: 10.0, ...}}), or all tasks another scale= (see "
            "objectives.Scale). Trainer.shares has the shares of all tasks.",
            FaintTaskWarning,
            stacklevel=2,
        )
