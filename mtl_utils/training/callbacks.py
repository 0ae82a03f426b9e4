"""Who is told what happens in a training, and may end it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accelerate import Accelerator  # type: ignore[import-untyped]

from mtl_utils.arguments import check_callable, check_several, shown
from mtl_utils.training.history_columns import main_metrics, stopped_tasks, tasks_of_history
from mtl_utils.training.processes import on_first_process
from mtl_utils.training.randomness import kept_generators


class StopTraining(Exception):
    """Raised by a callback to end the training.

    The model is left as at the end of any training, with its best weights. What was trained is in
    the checkpoint, and the same call goes on from there as if it had never been stopped.
    """


@dataclass(frozen=True)
class StepReport:
    """What happened in a step.

    Args:
        step: Its number in the run, from 1.
        epoch: The epoch, from 1.
        losses: By task, the loss before the weights changed, with dropout; empty where there was no
            label.
        penalty: The penalty before.
        learning_rate: Its step size.
    """

    step: int
    epoch: int
    losses: Mapping[str, float]
    penalty: float
    learning_rate: float


class Callback:
    """Something that is told what happens in a training.

    Inherit from it, and define one method or both. Either may raise :class:`StopTraining`. A plain
    function in the place of a callback is an ``on_epoch``. Of several processes the first calls.
    Random numbers that a callback draws change nothing of the training.
    """

    def on_step(self, report: StepReport) -> None:
        """Take note of a step.

        Args:
            report: What happened.
        """

    def on_epoch(self, row: Mapping[str, float]) -> None:
        """Take note of an epoch, once its checkpoint is written.

        Args:
            row: Its row of the history: losses, validation scores, learning rate, seconds.
        """


class EpochLines(Callback):
    """Writes a line for each epoch: where output is no terminal, or to a log.

    ``EpochLines(logging.getLogger("run").info)`` sends them to a logger. A trainer with
    ``progress="lines"`` prints them.

    Args:
        write: What to call with each line; ``None`` prints it.
        epochs: How many epochs there are to be, if that is to be said.
        metric: A column that is to be among the numbers.

    Raises:
        TypeError: If ``write`` cannot be called.
    """

    def __init__(
        self,
        write: Callable[[str], object] | None = None,
        *,
        epochs: int | None = None,
        metric: str | None = None,
    ) -> None:
        if write is not None:
            check_callable("write", write, "a function of a text")
        self.write, self.epochs, self.metric = write, epochs, metric

    def on_epoch(self, row: Mapping[str, float]) -> None:
        """Write the line of an epoch; see :meth:`Callback.on_epoch`.

        Args:
            row: Its row of the history.
        """
        shown = ["train_loss", "validation_loss", *main_metrics(row, tasks_of_history(row))]
        shown += [] if self.metric is None else [self.metric]
        numbers = [f"{name} {row[name]:.4f}" for name in dict.fromkeys(shown) if name in row]
        of = "" if self.epochs is None else f"/{self.epochs}"
        parts = [f"epoch {int(row['epoch'])}{of}", *numbers, f"rate {row['learning_rate']:.2g}"]
        stopped = stopped_tasks([row])
        if stopped:
            parts.append(f"stopped: {', '.join(stopped)}")
        line = "  ".join([*parts, f"{row['seconds']:.0f} s"])
        if self.write is None:
            print(line, flush=True)
        else:
            self.write(line)


class _OfEpochs(Callback):
    """A function of a row of the history, in the role of a callback."""

    def __init__(self, function: Callable[[Mapping[str, float]], object]) -> None:
        self.function = function

    def on_epoch(self, row: Mapping[str, float]) -> None:
        self.function(row)


#: What a trainer takes for a callback.
AnyCallback = Callback | Callable[[Mapping[str, float]], object]


def checked_callbacks(callbacks: Any) -> list[Callback]:
    """Return callbacks; functions become such.

    Args:
        callbacks: What was given.

    Raises:
        TypeError: If they are no list of callbacks and functions.
    """
    check_several("callbacks", callbacks, "callbacks, or functions of a row of the history")
    found: list[Callback] = []
    for place, callback in enumerate(callbacks):
        if isinstance(callback, Callback):
            found.append(callback)
        elif callable(callback) and not isinstance(callback, type):
            found.append(_OfEpochs(callback))
        else:
            raise TypeError(
                f"callbacks[{place}] must be a training.Callback, or a function of a row of the "
                f"history, got {shown(callback)}"
            )
    return found


def check_progress(progress: Any) -> None:
    """Refuse what is no way of showing progress.

    Args:
        progress: What was given.

    Raises:
        TypeError: If it is neither a flag nor a text.
        ValueError: If it is another text than ``"lines"``.
    """
    if isinstance(progress, str):
        if progress != "lines":
            raise ValueError(f'progress must be True, False or "lines", got {progress!r}')
    elif not isinstance(progress, bool):
        raise TypeError(f'progress must be True, False or "lines", got {shown(progress)}')


class Listeners:
    """The callbacks of a run.

    Args:
        callbacks: The callbacks.
        accelerator: Knows the processes; what stops one stops all.
    """

    def __init__(self, callbacks: Sequence[Callback], accelerator: Accelerator) -> None:
        self.all, self.accelerator = list(callbacks), accelerator
        self.of_steps = [c for c in callbacks if type(c).on_step is not Callback.on_step]

    def step(self, report: StepReport) -> bool:
        """Tell of a step, and return whether the training is to end.

        Args:
            report: What happened.
        """
        return self._told(self.of_steps, lambda callback: callback.on_step(report))

    def epoch(self, row: Mapping[str, float]) -> bool:
        """Tell of an epoch, and return whether the training is to end.

        Args:
            row: Its row of the history.
        """
        return self._told(self.all, lambda callback: callback.on_epoch(dict(row)))

    def _told(self, callbacks: Iterable[Callback], tell: Callable[[Callback], None]) -> bool:
        if not callbacks:
            return False

        def told() -> bool:
            stops = False
            for callback in callbacks:
                try:
                    tell(callback)
                except StopTraining:
                    stops = True
            return stops

        with kept_generators(self.accelerator.device):
            return on_first_process(self.accelerator, told)
