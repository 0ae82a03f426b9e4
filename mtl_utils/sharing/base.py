"""How parameters are shared between tasks: the contract of every family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.data.batch import Batch


@dataclass(frozen=True)
class Shared:
    """What a way of sharing computes from a batch.

    Args:
        hidden: Hidden states ``[B, T, D]`` by task.
        features: The shared representation ``[B, T, D]``, ``None`` where the family has none.
        penalty: A scalar to add to the losses, 0 where the family has none.
    """

    hidden: Mapping[str, Tensor]
    features: Tensor | None
    penalty: Tensor


class Sharing(torch_nn.Module):
    """From a batch to hidden states for each task.

    Attributes:
        width: Size of a hidden state, D.
    """

    width: int

    def forward(self, batch: Batch, tasks: Sequence[str]) -> Shared:
        """Encode a batch for some tasks.

        Args:
            batch: The batch.
            tasks: Names of the tasks.
        """
        raise NotImplementedError

    def causal(self, task: str) -> bool:
        """Tell whether the states given to a task have seen no later token.

        Args:
            task: Name of the task.
        """
        raise NotImplementedError

    def shared_parameters(self) -> list[torch_nn.Parameter]:
        """Return the parameters that every task moves."""
        raise NotImplementedError

    def task_parameters(self, task: str) -> list[torch_nn.Parameter]:
        """Return the parameters, outside the heads, that one task alone moves.

        Args:
            task: Name of the task.
        """
        raise NotImplementedError
