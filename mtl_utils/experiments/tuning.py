"""What was tried of a comparison, and what was best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pandas as pd

from mtl_utils.experiments import records
from mtl_utils.experiments.contenders import Contender, Unit

if TYPE_CHECKING:
    from mtl_utils.experiments.comparison import Comparison

RATE = "training.learning_rate"
FEWEST_RATES = 4


def check_grid(rates: Sequence[float]) -> None:
    """Refuse what is no grid of step sizes.

    Args:
        rates: The step sizes.

    Raises:
        ValueError: If they are too few, or not in ascending order.
    """
    if len(set(rates)) < FEWEST_RATES or list(rates) != sorted(rates):
        raise ValueError(
            f"rates must be at least {FEWEST_RATES} step sizes in ascending order, got {rates!r}"
        )


def check_random_search(contenders: Sequence[Contender]) -> None:
    """Refuse contenders whose trials do not each have a step size, where there is no grid.

    Args:
        contenders: The contenders.

    Raises:
        ValueError: If one has no trial, or one without a step size.
    """
    for contender in contenders:
        if not contender.trials or not all(RATE in trial for trial in contender.trials):
            raise ValueError(
                f"rates are none, so that each trial must have a {RATE!r} of its own; those of "
                f"{contender.name!r} are {contender.trials!r:.200}"
            )


@dataclass(frozen=True)
class Tuning:
    """What was tried in one setting, and what was best.

    Args:
        comparison: Whose trials they are.
        setting: Name of the setting.
        frame: The records of its trials.
        beside: Whether what contenders try beside step sizes is to be among them.
    """

    comparison: Comparison
    setting: str
    frame: pd.DataFrame
    beside: bool = False

    def reference(self) -> dict[str, float]:
        """Return by task the best validation score of the reference, from 0 to 1; 1 without one."""
        name = self.comparison.reference
        if name is None:
            return dict.fromkeys(self.comparison.settings[self.setting]["tasks"], 1.0)
        found = {}
        for unit in self._units(name):
            (task,) = unit.judged
            found[task] = max(max(c[task]) for _, c in self._trials(name, unit))
        return {task: score / 100 for task, score in found.items()}

    def best(self, contender: str, unit: str) -> dict[str, Any]:
        """Return the settings that were best for one unit of a contender.

        Args:
            contender: Its name.
            unit: Name of the unit.

        Raises:
            ValueError: If the best step size is the least or greatest of a grid, and none between
                them does as well: the comparison needs further ones.
        """
        found = next(u for u in self._units(contender) if u.name == unit)
        reference = self.reference()
        trials = self._trials(contender, found)
        scored = [(_relative(curves, found.judged, reference), tried) for tried, curves in trials]
        most = max(score for score, _ in scored)
        tied = [tried for score, tried in scored if score == most]
        rates = self.comparison.rates
        edges = (rates[0], rates[-1]) if rates else ()
        inner = [tried for tried in tied if tried.get(RATE) not in edges]
        tried = (inner or tied)[0]
        if not inner:
            raise ValueError(
                f"{contender!r} does best on {unit} of {self.setting!r} with the step size "
                f"{tried[RATE]}, at the edge of {list(rates)}: give {self.comparison.name} further "
                "rates"
            )
        return tried

    def chosen(self, contender: str) -> dict[str, dict[str, Any]]:
        """Return the best settings of each unit of a contender, by name of the unit.

        Args:
            contender: Its name.

        Raises:
            ValueError: As :meth:`best`.
        """
        return {unit.name: self.best(contender, unit.name) for unit in self._units(contender)}

    def stored_scores(self) -> list[dict[str, Any]]:
        """Return what would be stored of each trial: the best by the mean over its tasks.

        Returns:
            One entry a contender, trial and task: ``contender``, ``task``, the settings that were
            tried by name, and ``score`` on validation in percent.

        Raises:
            ValueError: If a trial is missing.
        """
        reference, found = self.reference(), []
        for contender in self.comparison.contenders:
            for unit in self._units(contender.name):
                for tried, curves in self._trials(contender.name, unit):
                    shares = _shares(curves, unit.judged, reference)
                    best = max(range(len(shares)), key=shares.__getitem__)
                    found += [
                        {
                            "contender": contender.name,
                            "task": task,
                            **tried,
                            "score": curves[task][best],
                        }
                        for task in unit.judged
                    ]
        return found

    def _units(self, contender: str) -> tuple[Unit, ...]:
        return self.comparison._units(self.setting, self.comparison.contender(contender))

    def _trials(self, contender: str, unit: Unit) -> list[tuple[dict[str, Any], Mapping[str, Any]]]:
        ours = self.frame[self.frame["contender"] == contender]
        found = [
            (dict(tried[unit.name]), curves)
            for tried, curves in zip(ours["tried"], ours["curves"], strict=True)
        ]
        missing = self._missing(contender, ours, [tried for tried, _ in found])
        if missing:
            raise ValueError(
                f"{contender!r} has no trial on {self.setting!r} with {missing}; record them with "
                f"`python -m mtl_utils.experiments work {self.comparison.name}`"
            )
        return found

    def _missing(
        self, contender: str, runs: pd.DataFrame, tried: Sequence[Mapping[str, Any]]
    ) -> str:
        """Say what was to be tried and is not on record; nothing if all is."""
        trials = list(runs["trial"]) if "trial" in runs else [None] * len(tried)
        alone = [
            settings
            for settings, trial in zip(tried, trials, strict=True)
            if not isinstance(trial, Mapping)
        ]
        there = {settings[RATE] for settings in alone}
        rates = [rate for rate in self.comparison.rates if rate not in there]
        if rates:
            return f"the step sizes {rates}"
        if self.comparison.rates and not self.beside:
            return ""
        made = {records.canonical(trial) for trial in trials if isinstance(trial, Mapping)}
        drawn = map(dict, self.comparison.contender(contender).trials)
        missing = [trial for trial in drawn if records.canonical(trial) not in made]
        return f"the settings {missing}" if missing else ""


def _relative(
    curves: Mapping[str, Any], tasks: Iterable[str], reference: Mapping[str, float]
) -> float:
    """Return the greatest mean over tasks, at any validation, of score over reference."""
    return max(_shares(curves, tasks, reference))


def _shares(
    curves: Mapping[str, Any], tasks: Iterable[str], reference: Mapping[str, float]
) -> list[float]:
    """Return the mean over tasks of score over reference, at each validation."""
    relative = [[score / (100 * reference[task]) for score in curves[task]] for task in tasks]
    return [fmean(at_once) for at_once in zip(*relative, strict=True)]
