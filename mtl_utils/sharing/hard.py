"""Hard sharing: one encoder for all tasks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn as torch_nn

from mtl_utils.data.batch import Batch
from mtl_utils.nn.encoder import Encoder, check_encoder
from mtl_utils.sharing.base import Shared, Sharing


class HardSharing(Sharing):
    """Every task reads the hidden states of the same encoder (Caruana, 1997).

    With a single task it is an ordinary model.

    Args:
        encoder: The shared encoder.

    Raises:
        TypeError: If it is no encoder.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        check_encoder("encoder", encoder)
        self.encoder = encoder
        self.width = encoder.width

    def forward(self, batch: Batch, tasks: Sequence[str]) -> Shared:
        """Run the encoder once.

        Args:
            batch: The batch.
            tasks: Names of the tasks.

        Returns:
            The same hidden states ``[B, T, D]`` for every task, which are also the features.
        """
        hidden = self.encoder(batch.inputs)
        return Shared(dict.fromkeys(tasks, hidden), hidden, hidden.new_zeros(()))

    def causal(self, task: str) -> bool:
        """Tell whether the encoder is causal, which is the same for every task.

        Args:
            task: Name of the task.
        """
        return self.encoder.causal

    def shared_parameters(self) -> list[torch_nn.Parameter]:
        """Return the parameters of the encoder."""
        return list(self.encoder.parameters())

    def task_parameters(self, task: str) -> list[torch_nn.Parameter]:
        """Return an empty list: outside the heads nothing belongs to one task.

        Args:
            task: Name of the task.
        """
        return []
