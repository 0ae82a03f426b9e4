"""One trial of a search, as what is tried sees it: settings, pruning, notes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mtl_utils.arguments import (
    check_callable,
    check_names,
    check_number,
    check_text,
    check_whole,
    shown,
)
from mtl_utils.experiments.relative import relative_performance
from mtl_utils.training import Callback, History
from mtl_utils.training.directions import Direction, direction_of
from mtl_utils.tuning.needs import optuna

#: What a trial is worth at a validation: a column of the history, or a function of its row.
Value = str | Callable[[Mapping[str, float]], float]


class Attempt:
    """A trial that is being run.

    Args:
        trial: Optuna's trial.
        single: Whether there is one objective, so that a trial can be pruned.

    Attributes:
        number: Its number in the search, from 0 on.
    """

    def __init__(self, trial: Any, single: bool) -> None:
        self._trial, self._single = trial, single
        self.number = int(trial.number)

    def report(self, step: int, value: float) -> None:
        """Say how good the trial is so far, which may end it.

        Args:
            step: How far it is: an epoch, or a number of steps.
            value: The objective there. One that is no finite number is passed over.

        Raises:
            optuna.TrialPruned: If the search gives it up; let it through.
            TypeError: If the step is no whole number.
            ValueError: If it is negative.
        """
        check_whole("step", step, least=0)
        if not self._single or not math.isfinite(value):
            return
        self._trial.report(float(value), int(step))
        if self._trial.should_prune():
            raise optuna().TrialPruned(f"at {step}")

    def pruning(self, value: Value) -> Pruning:
        """Return a callback of a trainer that reports each validation.

        Args:
            value: A column of the history, or a function of its row; the objective of the search.

        Raises:
            TypeError: If it is neither.
        """
        return Pruning(self, value)

    def note(self, name: str, value: Any) -> None:
        """Keep something beside the objectives, such as a score on data that choose nothing.

        Args:
            name: What the column of :meth:`Search.table` is called.
            value: What JSON can hold.

        Raises:
            TypeError: If the name is no text.
        """
        check_text("name", name)
        self._trial.set_user_attr(f"note:{name}", value)


class Pruning(Callback):
    """Reports validations to a search, and ends the training where that gives the trial up.

    Args:
        attempt: The trial.
        value: A column of the history, or a function of its row.

    Raises:
        TypeError: If the value is neither.
    """

    def __init__(self, attempt: Attempt, value: Value) -> None:
        if not isinstance(value, str):
            check_callable("value", value, "a column of the history or a function of its row")
        self.attempt, self.value = attempt, value

    def on_epoch(self, row: Mapping[str, float]) -> None:
        """Report a validation; see :meth:`mtl_utils.training.Callback.on_epoch`.

        Args:
            row: Its row of the history.

        Raises:
            KeyError: If it has no such column.
            optuna.TrialPruned: If the search gives the trial up.
        """
        if isinstance(self.value, str) and self.value not in row:
            raise KeyError(f"value is {self.value!r}, and the history has {sorted(row)}")
        found = row[self.value] if isinstance(self.value, str) else self.value(row)
        self.attempt.report(int(row["epoch"]), float(found))


@dataclass(frozen=True)
class Relative:
    """Scores of many tasks as one number: their mean gain over a model for each task.

    See :func:`mtl_utils.experiments.relative_performance`. An objective of validation data: what is
    chosen by test data has no test data left.

    Args:
        reference: By column of the history, one a task, the validation score of a model that has
            that task alone. It is a scale; a claim that sharing helps needs a reference that was
            tuned as well.
        modes: Of columns whose name does not tell, whether smaller is better, ``"min"``, or
            greater, ``"max"``.

    Raises:
        KeyError: If a mode is of a column that has no score.
        TypeError: If something is not of its kind.
        ValueError: If there is no score, one is 0 or not finite, the name of a column does not tell
            which way it is better and ``modes`` does not either, or both say opposite things.
    """

    reference: Mapping[str, float]
    modes: Mapping[str, Direction] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_names("reference", self.reference, "scores by column")
        check_names("modes", self.modes, "modes by column")
        if not self.reference:
            raise ValueError("reference must have the score of one task at least, got {}")
        for column, mode in self.modes.items():
            if column not in self.reference:
                raise KeyError(
                    f"modes={dict(self.modes)!r} has {column!r}, of which reference has no score"
                )
            if mode not in ("max", "min") or direction_of(column) not in (None, mode):
                raise ValueError(
                    f'modes[{column!r}] must be "max" or "min", as its name says, got {mode!r}'
                )
        for column, score in self.reference.items():
            check_number(f"reference[{column!r}]", score)
            if score == 0:
                raise ValueError(f"reference[{column!r}] must not be 0, got {score!r}")
            if column not in self.modes and direction_of(column) is None:
                raise ValueError(
                    f"reference has {column!r} (got {score!r}), whose name does not tell whether "
                    'smaller or greater is better: give modes, "min" or "max" by column'
                )

    def __call__(self, row: Mapping[str, float]) -> float:
        """Return the mean gain at one validation: 0.02 for 2%.

        Args:
            row: A row of the history.

        Raises:
            KeyError: If it lacks a score.
        """
        missing = [name for name in self.reference if name not in row]
        if missing:
            raise KeyError(f"reference has {missing[0]!r}, and the history has {sorted(row)}")
        scores = {name: float(row[name]) for name in self.reference}
        if not all(map(math.isfinite, scores.values())):
            return math.nan
        return relative_performance(scores, self.reference, self.modes)

    def best(self, history: History) -> dict[str, float]:
        """Return the scores at the validation with the greatest mean gain.

        All are of one moment: the best of each task by itself would be of weights that were never
        together.

        Args:
            history: What a trainer returned.

        Returns:
            The score of each column, ``relative``, their mean gain, and ``epoch``.

        Raises:
            KeyError: If a column is not there.
            ValueError: If no validation measured them all.
        """
        rows: list[dict[str, float]] = history.to_dict("records")  # type: ignore[assignment]
        found = [(self(row), row) for row in rows]
        finite = [(gain, row) for gain, row in found if math.isfinite(gain)]
        if not finite:
            raise ValueError(f"history has no row with a number for each of {list(self.reference)}")
        gain, row = max(finite, key=lambda pair: pair[0])
        scores = {name: float(row[name]) for name in self.reference}
        return {"relative": gain, **scores, "epoch": float(row["epoch"])}


def check_objectives(objectives: Any) -> None:
    """Refuse what does not say of names which way they are better.

    Args:
        objectives: Directions by name.

    Raises:
        TypeError: If they are no mapping, or a name is no text.
        ValueError: If a direction is not known.
    """
    if not isinstance(objectives, Mapping) or not objectives:
        raise TypeError(
            f'objectives must map names to "max" or "min", at least one, got {objectives!r:.80}'
        )
    for name, direction in objectives.items():
        check_text("A name among objectives", name)
        if direction not in ("max", "min"):
            raise ValueError(f'objectives[{name!r}] must be "max" or "min", got {direction!r}')


def checked_scores(returned: Any, objectives: Mapping[str, Direction]) -> list[float]:
    """Return the objectives of a trial in their order.

    Args:
        returned: What was returned for it.
        objectives: Directions by name.

    Raises:
        KeyError: If one is missing.
        TypeError: If something is no number.
        ValueError: If a single number stands for several objectives.
    """
    if not isinstance(returned, Mapping):
        if len(objectives) != 1:
            raise ValueError(
                f"What the objective returns must have {list(objectives)} by name, got {returned!r}"
            )
        returned = {next(iter(objectives)): returned}
    missing = [name for name in objectives if name not in returned]
    if missing:
        raise KeyError(
            f"What the objective returns has no {missing[0]!r}; it has {sorted(returned)}"
        )
    return [_number(returned[name]) for name in objectives]


def _number(value: Any) -> float:
    """Return a number, which need not be finite: a trial may have diverged."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"What the objective returns must be numbers, got {shown(value)}")
    return float(value)
