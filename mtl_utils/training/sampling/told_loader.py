"""What a loader must have to be told what was learnt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from mtl_utils.data.batch import Batch

#: By task, the losses of some batches with the weights as they are, in the order of the model.
Measure = Callable[[Batch | Mapping[str, Batch]], dict[str, float]]


@runtime_checkable
class ToldLoader(Protocol):
    """A loader that a trainer tells of every step, such as one that draws tasks by their losses.

    Its batches are no function of the epoch alone, so its state is part of the checkpoint. All
    processes are told the same numbers, and so draw alike.

    Attributes:
        num_batches: Batches an epoch, the same in every epoch.
        measures: Whether it measures losses itself, before or after a step. If not, the steps cost
            nothing more than they would.
    """

    num_batches: int
    measures: bool

    def batches(
        self, epoch: int, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[Batch | Mapping[str, Batch]]:
        """Yield the batches of an epoch; see :class:`Loader`.

        Args:
            epoch: The epoch, from 0.
            start: Batches to leave out at the beginning.
            rank: Which process reads.
            world_size: Number of processes.
        """
        ...

    def before_step(self, measure: Measure | None = None) -> None:
        """Take note that a step is about to be made of what was yielded since the last one.

        Args:
            measure: What measures losses, if it ``measures``: with the dropout of the step,
                without gradients, leaving no trace.
        """
        ...

    def after_step(self, losses: Mapping[str, float], measure: Measure | None = None) -> None:
        """Take note of a step.

        Args:
            losses: By task, the losses before the weights changed; empty where there was no label.
            measure: As before, with the new weights.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return its state: tensors, numbers, texts, and lists and dictionaries of them."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Put its state back.

        Args:
            state_dict: What :meth:`state_dict` returned.
        """
        ...
