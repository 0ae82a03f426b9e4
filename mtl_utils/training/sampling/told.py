"""Data sets that are drawn, one a step, by what has been learnt of them so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_utils.data.batch import Batch
from mtl_utils.data.batching import epoch_generator
from mtl_utils.data.loading import Loader
from mtl_utils.training.sampling.draws import DataSetDraws, places_of, without
from mtl_utils.training.sampling.several import (
    endless,
    merged,
)
from mtl_utils.training.sampling.told_loader import Measure


class ToldBatches(DataSetDraws):
    """Every step takes a batch of one data set, drawn with a probability that the losses decide.

    A trainer tells it of every step; a loop of one's own calls :meth:`before_step` and
    :meth:`after_step`. What it was told is its state, which a checkpoint holds, so that a run that
    is resumed goes on as if nothing had happened. Without that state it goes on from nowhere but
    where it is, and epoch 0 from its start begins anew.

    Inherit from it and define :meth:`begin`, :meth:`shares`, :meth:`learn`, :meth:`learnt` and
    :meth:`recall`, and ``digest`` if the first epoch does not tell one from another.

    Args:
        loaders: One a data set; a data set may have labels of several tasks.
        num_batches: Steps that make an epoch; as many as all data sets together have if ``None``.
        seed: What the draws depend on, beside the losses.
        drops_stopped: Whether data sets of which all tasks have been stopped are drawn no more; see
            :class:`DrawnBatches`.

    Attributes:
        measures: Whether it measures losses itself, before or after a step.
        taken: How many batches of each data set were drawn so far, ``[K]``.

    Raises:
        ValueError: If there is no data set, one is empty, ``num_batches`` is below 1, or the seed
            is negative.
        TypeError: If something is no loader, no flag, or a number no number.
    """

    measures = False

    def __init__(
        self,
        loaders: Sequence[Loader],
        num_batches: int | None = None,
        seed: int = 0,
        drops_stopped: bool = False,
    ) -> None:
        super().__init__(loaders, num_batches, seed, drops_stopped)
        self._epoch = 0
        #: What was yielded since the last step: data set, probability, batches.
        self._waiting: list[tuple[int, float, dict[str, Batch]]] = []
        self._anew()

    def begin(self) -> None:
        """Forget what was learnt."""
        raise NotImplementedError(f"{type(self).__name__} does not define begin()")

    def shares(self) -> NDArray[np.float64]:
        """Return with which probability the next step takes each data set, ``[K]``."""
        raise NotImplementedError(f"{type(self).__name__} does not define shares()")

    def learn(
        self,
        place: int,
        probability: float,
        losses: Mapping[str, float],
        measure: Measure | None = None,
    ) -> None:
        """Learn from a step.

        Args:
            place: Which data set was drawn.
            probability: With which probability.
            losses: By task of it, the losses before the weights changed; at least one.
            measure: What measures losses with the new weights, if it ``measures``.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define learn(...)")

    def learnt(self) -> dict[str, Any]:
        """Return what was learnt, as a checkpoint can hold it."""
        raise NotImplementedError(f"{type(self).__name__} does not define learnt()")

    def recall(self, learnt: dict[str, Any]) -> None:
        """Put back what was learnt.

        Args:
            learnt: What :meth:`learnt` returned.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define recall(learnt)")

    @property
    def probabilities(self) -> tuple[float, ...]:
        """With which probability the next step takes each data set, in their order."""
        return tuple(self._shares().tolist())

    @property
    def passes(self) -> tuple[float, ...]:
        """How often each data set was read so far, such as 0.5 or 100, in their order."""
        return tuple(
            taken / loader.num_batches
            for taken, loader in zip(self.taken, self.loaders, strict=True)
        )

    def batches(
        self, epoch: int = 0, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[dict[str, Batch]]:
        """Yield the steps of an epoch, each drawn when it is asked for.

        Args:
            epoch: Number of the epoch.
            start: How many steps to leave out, because they are done already.
            rank: Number of this process.
            world_size: Number of processes.

        Returns:
            One batch a task of the data set that was drawn.

        Raises:
            RuntimeError: If these are not the steps that come next.
        """
        self._check_position(epoch, start)
        self._epoch = epoch
        generator = epoch_generator(self.seed, epoch, "data sets ")
        uniform = torch.rand(self.num_batches, generator=generator, dtype=torch.float64).numpy()
        self._streams = [
            endless(loader, count, rank, world_size)
            for loader, count in zip(self.loaders, self.taken, strict=True)
        ]
        self._ahead: dict[int, dict[str, Batch]] = {}
        for step in range(start, self.num_batches):
            shares = self._shares()
            place = int(places_of(uniform[step : step + 1], shares)[0])
            self._peek(place)
            batches = self._ahead.pop(place)
            self.taken[place] += 1
            self._position += 1
            self._waiting.append((place, float(shares[place]), batches))
            yield batches

    def before_step(self, measure: Measure | None = None) -> None:
        """Take note that a step is about to be made; see :meth:`ToldLoader.before_step`.

        Args:
            measure: What measures losses, if it ``measures``.
        """

    def after_step(self, losses: Mapping[str, float], measure: Measure | None = None) -> None:
        """Learn from a step; see :meth:`ToldLoader.after_step`.

        Of a step that was made of several batches, each data set in it is learnt of once.

        Args:
            losses: By task, the losses before the weights changed.
            measure: What measures losses with the new weights, if it ``measures``.
        """
        waiting = {place: (share, batches) for place, share, batches in self._waiting}
        for place, (share, batches) in waiting.items():
            own = {task: losses[task] for task in batches if task in losses}
            if own:
                self.learn(place, share, own, measure)
        self._waiting = []

    def state_dict(self) -> dict[str, Any]:
        """Return its state: where it is, and what it was told."""
        return {"position": self._position, "taken": list(self.taken), "learnt": self.learnt()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Put its state back.

        Args:
            state_dict: What :meth:`state_dict` returned.

        Raises:
            ValueError: If it is of another number of data sets.
        """
        taken = list(state_dict["taken"])
        if len(taken) != len(self.loaders):
            raise ValueError(
                f"The state is of {len(taken)} data sets, and there are {len(self.loaders)}"
            )
        self._anew()
        self._position, self.taken = state_dict["position"], taken
        self.recall(state_dict["learnt"])

    def _anew(self) -> None:
        self._position, self.taken = 0, [0] * len(self.loaders)
        self._waiting = []
        self.begin()

    def _check_position(self, epoch: int, start: int) -> None:
        asked = epoch * self.num_batches + start
        if asked == 0:
            self._anew()
        if asked != self._position:
            raise RuntimeError(
                f"Step {asked + 1} was asked for, and {type(self).__name__} stands before step "
                f"{self._position + 1}. What it draws depends on all that it was told, so it goes "
                "on from there alone: begin with epoch 0, or give it the state of that step by "
                "load_state_dict, as a trainer's checkpoint does."
            )
        self._waiting = []

    def _shares(self) -> NDArray[np.float64]:
        return without(self.shares(), [p for p, last in self._last.items() if last <= self._epoch])

    def _peek(self, place: int) -> dict[str, Batch]:
        """Return the next batch of a data set, which stays the next."""
        if place not in self._ahead:
            self._ahead[place] = merged([next(self._streams[place])])
        return self._ahead[place]
