"""What was tried of a comparison, and what was best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pandas as pd

from mtl_utils.experiments.contenders import Unit

if TYPE_CHECKING:
    from mtl_utils.experiments.comparison import Comparison

RATE = "training.learning_rate"


@dataclass(frozen=True)
class Tuning:
    """What was tried in one setting, and what was best.

    Args:
        comparison: Whose trials they are.
        setting: Name of the setting.
        frame: The records of its trials.
    """

    comparison: Comparison
    setting: str
    frame: pd.DataFrame

    def reference(self) -> dict[str, float]:
        """Return by task the best validation score of the reference, from 0 to 1."""
        found = {}
        for unit in self._units(self.comparison.reference):
            (task,) = unit.judged
            found[task] = max(
                max(c[task]) for _, c in self._trials(self.comparison.reference, unit)
            )
        return {task: score / 100 for task, score in found.items()}

    def best(self, contender: str, unit: str) -> dict[str, Any]:
        """Return the settings that were best for one unit of a contender.

        Args:
            contender: Its name.
            unit: Name of the unit.

        Raises:
            ValueError: If the best step size is the least or greatest that was tried: the
                comparison needs further ones.
        """
        found = next(u for u in self._units(contender) if u.name == unit)
        reference = self.reference()
        trials = self._trials(contender, found)
        tried, _ = max(trials, key=lambda trial: _relative(trial[1], found.judged, reference))
        rates = self.comparison.rates
        if tried[RATE] in (rates[0], rates[-1]):
            raise ValueError(
                f"{contender!r} does best on {unit} of {self.setting!r} with the step size "
                f"{tried[RATE]}, at the edge of {list(rates)}: give {self.comparison.name} further "
                "rates"
            )
        return tried

    def _units(self, contender: str) -> tuple[Unit, ...]:
        return self.comparison._units(self.setting, self.comparison.contender(contender))

    def _trials(self, contender: str, unit: Unit) -> list[tuple[dict[str, Any], Mapping[str, Any]]]:
        ours = self.frame[self.frame["contender"] == contender]
        found = [
            (dict(tried[unit.name]), curves)
            for tried, curves in zip(ours["tried"], ours["curves"], strict=True)
        ]
        there = {tried[RATE] for tried, _ in found}
        missing = [rate for rate in self.comparison.rates if rate not in there]
        if missing:
            raise ValueError(
                f"{contender!r} has no trial on {self.setting!r} with the step sizes {missing}; "
                f"record them with `python -m mtl_utils.experiments work {self.comparison.name}`"
            )
        return found


def _relative(
    curves: Mapping[str, Any], tasks: Iterable[str], reference: Mapping[str, float]
) -> float:
    """Return the greatest mean over tasks, at any validation, of score over reference."""
    relative = [[score / (100 * reference[task]) for score in curves[task]] for task in tasks]
    return max(fmean(at_once) for at_once in zip(*relative, strict=True))
