"""Hard sharing: one encoder for all tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mtl_utils.data.batch import Batch
from mtl_utils.nn.encoder import Encoder, check_encoder
from mtl_utils.sharing.base import Shared, Sharing
from mtl_utils.sharing.ownership import Used


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

    def _uses(self) -> Iterator[Used]:
        yield self.encoder, None
