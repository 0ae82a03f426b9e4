"""How parameters are shared between tasks: the contract of every family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_text, shown
from mtl_utils.data.batch import Batch
from mtl_utils.nn.rebuilding import Rebuildable
from mtl_utils.sharing.changing import with_task, without_task
from mtl_utils.sharing.ownership import Used, own_of, shared_of
from mtl_utils.tasks.base import Head


@dataclass(frozen=True)
class Shared:
    """What a way of sharing computes from a batch.

    Args:
        hidden: Hidden states ``[B, T, D]`` by task.
        features: The shared representation ``[B, T, D]``, ``None`` where the family has none.
        penalty: A scalar to add to the losses, 0 where the family has none.
        penalty_by_task: Of a penalty on states, its part for each task, a mean over texts of the
            batch; ``penalty`` is their sum.
        penalty_counts: How many texts each of these means is over: several processes read different
            texts, and weigh the means by these numbers.
    """

    hidden: Mapping[str, Tensor]
    features: Tensor | None
    penalty: Tensor
    penalty_by_task: Mapping[str, Tensor] = field(default_factory=dict)
    penalty_counts: Mapping[str, Tensor] = field(default_factory=dict)


class Sharing(Rebuildable):
    """From a batch to hidden states for each task.

    Attributes:
        width: Size of a hidden state, D.
        task_names: Names of the tasks that it was made for; ``None`` where any task will do.
        penalty_on_states: Whether the penalty is a sum over tasks of something computed from their
            texts. Then the penalties of several batches are summed, and :class:`Shared` has its
            parts; one on parameters is the same for every batch and is added once.
    """

    width: int
    task_names: Sequence[str] | None = None
    penalty_on_states: bool = False

    def forward(self, batch: Batch, tasks: Sequence[str]) -> Shared:
        """Encode a batch for some tasks.

        Args:
            batch: The batch.
            tasks: Names of the tasks.
        """
        raise NotImplementedError

    def penalty_counts(self, batch: Batch, tasks: Sequence[str]) -> dict[str, Tensor]:
        """Return how many texts the parts of a penalty on states will be means over.

        It is what :class:`Shared` says of them, known before anything is computed: where one step
        is made of several batches, each is weighted by its part of the whole.

        Args:
            batch: The batch.
            tasks: Names of the tasks.

        Returns:
            By task; nothing where the penalty is not on states.

        Raises:
            NotImplementedError: If the penalty is on states, and a family does not say it.
        """
        if self.penalty_on_states:
            raise NotImplementedError(
                f"{type(self).__name__} has a penalty on states and does not say beforehand how "
                "many texts it is over; define penalty_counts(batch, tasks)"
            )
        return {}

    def causal(self, task: str) -> bool:
        """Tell whether the states given to a task have seen no later token.

        Args:
            task: Name of the task.
        """
        raise NotImplementedError

    def decodes(self, task: str) -> bool:
        """Tell whether the states given to a task are those of a decoder, one a target token.

        Args:
            task: Name of the task.
        """
        return False

    def predict(self, batch: Batch, heads: Mapping[str, Head]) -> dict[str, list[Any]]:
        """Predict with the heads of some tasks.

        Where hidden states depend on what was predicted before, as those of a decoder do, a way of
        sharing computes them step by step instead.

        Args:
            batch: The batch; its labels are not looked at.
            heads: The heads by task.

        Returns:
            What each head predicts, one entry a row.
        """
        shared = self(batch, list(heads))
        return {name: head.predict(shared.hidden[name], batch) for name, head in heads.items()}

    def epoch_ended(self) -> None:
        """Take note that all training data were read once more; most ways of sharing do nothing.

        The trainer calls it at the end of each whole epoch, before it validates and writes a
        checkpoint, in all processes. It may be called twice without a step in between, where a
        run was interrupted, and must then change nothing.
        """

    def hand_on(self, made: Sharing) -> None:
        """Give a copy for other tasks what is remembered of weights; most remember nothing.

        Args:
            made: The same way of sharing for one task more or less, which has the weights already
                and will take the place of this one.
        """

    def shared_parameters(self) -> list[torch_nn.Parameter]:
        """Return the parameters that more than one task may move."""
        return shared_of(self._uses())

    def task_parameters(self, task: str) -> list[torch_nn.Parameter]:
        """Return the parameters, outside the heads, that one task alone moves.

        Args:
            task: Name of the task.

        Raises:
            KeyError: If it is none of those that this was made for.
        """
        self._check_known(task)
        return own_of(self._uses(), task)

    def add_task(self, task: str, part: Any = None) -> None:
        """Make parts for one more task, where each has some; the weights that are there stay.

        Args:
            task: Name of the task.
            part: What it is to have where each task was given something when this was made: an
                encoder, layers of one, a depth. ``None`` where parts are made from names alone.

        Raises:
            KeyError: If a part is needed and none was given, or none can be made.
            ValueError: If there are parts for this task already, a part is not used, or what is
                shared would change, as the matrix that mixes tasks in a cross-stitch network.
            TypeError: If the name is no string.
        """
        check_text("task", task)
        if self.task_names is not None:
            with_task(self, task, part)
        elif part is not None:
            raise ValueError(
                f"{type(self).__name__} has no parts for each task; leave part out, got "
                f"{shown(part)}"
            )

    def remove_task(self, task: str) -> None:
        """Take away what one task alone has; where no task has anything, nothing changes.

        Args:
            task: Name of the task.

        Raises:
            KeyError: If this was made for tasks, and not for that one.
            ValueError: If it is the only one, or its parts cannot be told from those of others.
        """
        if self.task_names is not None:
            without_task(self, task)

    def _uses(self) -> Iterable[Used]:
        """Yield all parts, and the tasks whose losses reach each: whose the parameters are."""
        raise NotImplementedError(
            f"{type(self).__name__} does not say whose its parameters are; define "
            "shared_parameters() and task_parameters(task)"
        )

    def _check_known(self, *tasks: str) -> None:
        for task in tasks:
            if self.task_names is not None and task not in self.task_names:
                raise KeyError(
                    f"No task named {task!r}; this way of sharing was made for "
                    f"{list(self.task_names)}"
                )
