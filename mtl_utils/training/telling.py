"""Telling the training data of every step, where what is read next depends on it."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from mtl_utils.data.loading import Loader
from mtl_utils.training.randomness import generator_states
from mtl_utils.training.sampling.told_loader import Measure, ToldLoader
from mtl_utils.training.updates import Updates


class Telling:
    """Tells a loader of steps and of stopped tasks, if it wants to know.

    Args:
        train: The training data.
        updates: What makes the steps, and measures losses for a loader that asks for them.
        device: Whose generators dropout is drawn with.
        accumulate: How many batches make a step.

    Raises:
        ValueError: If the loader measures losses, and a step has several batches.
    """

    def __init__(
        self, train: Loader, updates: Updates, device: torch.device, accumulate: int
    ) -> None:
        self.train, self.updates, self.device = train, updates, device
        self.told = train if isinstance(train, ToldLoader) else None
        self._measure: Measure | None = None
        if self.told is not None and self.told.measures and accumulate > 1:
            raise ValueError(
                f"{type(train).__name__} measures what a step of one batch changes, and "
                f"accumulate={accumulate} makes steps of several. Use accumulate=1 with larger "
                "batches, or a sampler that draws by the losses alone, such as UncertaintyBatches."
            )

    def stopped(self, tasks: Mapping[str, int]) -> None:
        """Tell which tasks are trained no more, before an epoch is read.

        Args:
            tasks: By task, the epoch that was its last.
        """
        leave_out = getattr(self.train, "leave_out", None)
        if callable(leave_out):
            leave_out(dict(tasks))

    def before_step(self) -> None:
        """Tell that a step is about to be made."""
        if self.told is None:
            return
        if self.told.measures:
            drawn = generator_states(self.device)
            self._measure = lambda batches: self.updates.measured(batches, drawn)
        self.told.before_step(self._measure)

    def after_step(self, losses: Mapping[str, float]) -> None:
        """Tell of a step.

        Args:
            losses: By task, before the weights changed.
        """
        if self.told is not None:
            self.told.after_step(losses, self._measure)
