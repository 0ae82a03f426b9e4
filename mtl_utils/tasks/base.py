"""What a task is: a head, a loss and a metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.data.batch import Batch
from mtl_utils.objectives.losses import num_counted


class Head(torch_nn.Module):
    """What belongs to one task alone: reads hidden states, gives outputs, a loss, predictions.

    Args:
        task: Name of the task, under which a batch has its labels.

    Attributes:
        reads_decoder: Whether it must be given the states of a decoder, one a target token, and not
            those of the encoder.
    """

    reads_decoder: bool = False

    def __init__(self, task: str) -> None:
        super().__init__()
        self.task = task

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Score.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from; a decoder reads its targets from it.

        Returns:
            Logits or emissions.
        """
        raise NotImplementedError

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the mean loss over what is counted.

        Args:
            outputs: What :meth:`forward` returned.
            batch: The same batch.

        Returns:
            A scalar; exactly 0, with zero gradient, where nothing is counted.
        """
        raise NotImplementedError

    def predict(self, hidden: Tensor, batch: Batch) -> list[Any]:
        """Predict, one entry a row of the batch.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from; its labels are not looked at.

        Returns:
            Labels, tag sequences or token ids.
        """
        raise NotImplementedError

    def compare(self, hidden: Tensor, batch: Batch) -> list[tuple[Any, Any] | None]:
        """Predict what a batch has labels of, and put prediction and label side by side.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from, with its labels.

        Returns:
            For each row prediction and label, as the task's metrics take them; ``None`` where a row
            has no label.

        Raises:
            NotImplementedError: If the task writes text, which is measured as text.
        """
        raise NotImplementedError(
            f"{type(self).__name__} writes text, which is measured as text, not against ids; use "
            f"predict and the metrics of {self.task!r}"
        )

    def count(self, batch: Batch) -> Tensor:
        """Return how many labels the mean of :meth:`loss` is over.

        Args:
            batch: The batch.

        Returns:
            A scalar.
        """
        return num_counted(batch.labels[self.task])


class Task(Protocol):
    """A task knows its head and its metrics; nothing else asks what kind of task it is.

    Attributes:
        name: Under which a batch has its labels.
        causal: Whether its head must be given states that have seen no later token.
    """

    @property
    def name(self) -> str:
        """Under which a batch has its labels."""
        ...

    @property
    def causal(self) -> bool:
        """Whether its head must be given states that have seen no later token."""
        ...

    def head(self, width: int) -> Head:
        """Make a new head.

        Args:
            width: Size of the hidden states it will read, D.
        """
        ...

    def metrics(self, predictions: Sequence[Any], references: Sequence[Any]) -> dict[str, float]:
        """Measure predictions.

        Args:
            predictions: What :meth:`Head.predict` returned, for all rows.
            references: What was expected, one entry a row.
        """
        ...
