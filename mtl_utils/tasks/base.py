"""What a task is: a head, a loss and a metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_text
from mtl_utils.data.batch import Batch, Inputs, has_label
from mtl_utils.objectives.scales import Scale, count_scaled


class Head(torch_nn.Module):
    """What belongs to one task alone: reads hidden states, gives outputs, a loss, predictions.

    Args:
        task: Name of the task, under which a batch has its labels.

    Attributes:
        reads_decoder: Whether it must be given the states of a decoder, one a target token, and not
            those of the encoder.
        scale: What its loss is a mean over: labels, or texts with ``"text"``.

    Raises:
        TypeError: If the name is no string.
    """

    reads_decoder: bool = False
    scale: Scale = "token"

    def __init__(self, task: str) -> None:
        super().__init__()
        check_text("task", task)
        self.task = task

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Score.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from; a decoder reads its targets from it.

        Returns:
            Logits or emissions.
        """
        raise self._undefined("forward(hidden, batch)")

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the mean loss over what is counted.

        Args:
            outputs: What :meth:`forward` returned.
            batch: The same batch.

        Returns:
            A scalar; exactly 0, with zero gradient, where nothing is counted.
        """
        raise self._undefined("loss(outputs, batch)")

    def loss_of_states(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Return the loss of a batch from what the head reads, for training.

        It is ``loss(self(hidden, batch), batch)``; heads with many outputs may do without all of
        these at a time.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from, with its labels.

        Returns:
            A scalar; exactly 0, with zero gradient, where nothing is counted.
        """
        return self.loss(self(hidden, batch), batch)

    def predict(self, hidden: Tensor, batch: Batch) -> list[Any]:
        """Predict, one entry a row of the batch.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from; its labels are not looked at.

        Returns:
            Labels, tag sequences or token ids.
        """
        raise self._undefined("predict(hidden, batch)")

    def probabilities(self, hidden: Tensor, batch: Batch) -> list[Any]:
        """Say how likely each label is, one entry a row of the batch.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from; its labels are not looked at.

        Returns:
            Of each row ``[C]`` numbers, or as many for each token.

        Raises:
            NotImplementedError: If the head has none, such as one that predicts a number.
        """
        raise NotImplementedError(
            f"{type(self).__name__}, the head of {self.task!r}, has no probabilities: it does not "
            "choose among labels. Use predict, or define probabilities(hidden, batch)."
        )

    def reads(self, inputs: Inputs) -> bool:
        """Tell whether inputs have all that this head needs.

        Args:
            inputs: What the encoder reads.
        """
        return True

    def compare(self, hidden: Tensor, batch: Batch) -> list[tuple[Any, Any] | None]:
        """Predict what a batch has labels of, and put prediction and label side by side.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from, with its labels.

        Returns:
            For each row prediction and label, as the task's metrics take them; ``None`` where a row
            has no label.

        Raises:
            NotImplementedError: If the head does not define it, or the task writes text, which is
                measured as text.
        """
        raise NotImplementedError(
            f"{type(self).__name__} defines no compare(hidden, batch), so {self.task!r} cannot be "
            "measured by evaluate. Define it: for each row prediction and label, or None where "
            "there is no label. Or use predict and the metrics of the task."
        )

    def count(self, batch: Batch) -> Tensor:
        """Return how many labels, or texts, the mean of :meth:`loss` is over.

        Args:
            batch: The batch.

        Returns:
            A scalar.
        """
        return count_scaled(has_label(batch.labels[self.task]), self.scale)

    def _undefined(self, method: str) -> NotImplementedError:
        return NotImplementedError(
            f"{type(self).__name__}, the head of {self.task!r}, defines no {method}; see tasks.Head"
        )


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


def check_task(task: Any) -> None:
    """Refuse what is no task, naming what it lacks.

    Args:
        task: Expected to be a :class:`Task`.

    Raises:
        TypeError: If it lacks a name, which is a string, ``causal``, ``head`` or ``metrics``.
    """
    kind = task.__name__ if isinstance(task, type) else type(task).__name__
    if isinstance(task, type):
        raise TypeError(f"Expected a task, got the class {kind} itself; make one: {kind}(...)")
    lacking = [part for part in ("name", "causal", "head", "metrics") if not hasattr(task, part)]
    if lacking:
        raise TypeError(
            f"{kind} is no task, since it has no {' and no '.join(lacking)}. A task has a name, "
            "causal (whether its head must be given states that have seen no later token), "
            "head(width) and metrics(predictions, references); see tasks.Task."
        )
    if not isinstance(task.name, str):
        raise TypeError(f"The name of a {kind} must be a string, got {task.name!r:.60}")


def check_head(head: Any, task: Task) -> None:
    """Refuse what a task calls its head and is none.

    Args:
        head: What ``task.head(width)`` returned.
        task: The task.

    Raises:
        TypeError: If it is no :class:`Head`.
        ValueError: If it is the head of a task of another name.
    """
    kind = type(task).__name__
    if not isinstance(head, Head):
        raise TypeError(
            f"{kind}.head must return a tasks.Head, a module with loss, predict and compare beside "
            f"forward; that of {task.name!r} returned {type(head).__name__}"
        )
    of = getattr(head, "task", None)
    if of != task.name:
        raise ValueError(
            f"{kind}.head made a {type(head).__name__} of the task {of!r}, not of {task.name!r}; "
            "call super().__init__(task.name) in it"
        )


def check_loss(loss: Any, head: Head) -> None:
    """Refuse what a head returns as its loss and cannot be added to those of other tasks.

    Args:
        loss: What ``head.loss(outputs, batch)`` returned.
        head: The head.

    Raises:
        TypeError: If it is no tensor, or one of integers.
        ValueError: If it is not a single number.
    """
    where = f"{type(head).__name__}.loss of {head.task!r}"
    if not isinstance(loss, Tensor) or not loss.is_floating_point():
        what = loss.dtype if isinstance(loss, Tensor) else type(loss).__name__
        raise TypeError(f"{where} must return a tensor of one floating-point number, got {what}")
    if loss.dim():
        raise ValueError(
            f"{where} must return a scalar, the mean over what is counted, got shape "
            f"{list(loss.shape)}; use .mean() or .sum() / count"
        )
