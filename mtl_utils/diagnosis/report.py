"""What a diagnosis found: causes by task, the evidence for them, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from mtl_utils.arguments import check_kind, check_names, check_number, check_whole
from mtl_utils.diagnosis.causes import ADVICE, CAUSES, NOTHING, Cause
from mtl_utils.diagnosis.evidence import Evidence, Thresholds, cause_of

if TYPE_CHECKING:
    import matplotlib.figure

_COLUMNS = (
    "share",
    "equalised",
    "held_out",
    "unlearnt",
    "late",
    "longer",
    "wider",
    "agreement",
    "beside",
)


@dataclass(frozen=True)
class Diagnosis:
    """What was found of tasks that are trained together.

    Args:
        evidence: By task what was measured.
        thresholds: From where on it names a cause.
        trainings: What it took, in trainings of all tasks.
        steps: Steps of such a training.
        untested: By what was not tested, why.

    Raises:
        TypeError: If something is not of its kind.
        ValueError: If there is no task, or a number is out of range.
    """

    evidence: Mapping[str, Evidence]
    thresholds: Thresholds
    trainings: float
    steps: int
    untested: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_names("evidence", self.evidence, "Evidence by task")
        if not self.evidence:
            raise ValueError(f"evidence must be of at least one task, got {self.evidence!r}")
        for task, found in self.evidence.items():
            check_kind(f"evidence[{task!r}]", found, Evidence, "Evidence")
        check_kind("thresholds", self.thresholds, Thresholds, "Thresholds")
        check_number("trainings", self.trainings, least=0)
        check_whole("steps", self.steps, least=1)
        check_names("untested", self.untested, "reasons by what was not tested")

    @property
    def causes(self) -> dict[str, Cause | None]:
        """By task the cause, ``None`` where nothing was found."""
        return {task: cause_of(found, self.thresholds) for task, found in self.evidence.items()}

    @property
    def cause(self) -> Cause | None:
        """The cause to mend first: of those that tasks have, the first of :data:`CAUSES`."""
        found = set(self.causes.values())
        return next((cause for cause in CAUSES if cause in found), None)

    def table(self) -> pd.DataFrame:
        """Return what was measured, one row a task.

        Returns:
            Indexed by ``task``: ``cause``, and the fields of :class:`Evidence` as text, empty where
            something was not measured.
        """
        rows = []
        for task, found in self.evidence.items():
            row = {"cause": self.causes[task] or NOTHING}
            for name in _COLUMNS:
                value = getattr(found, name)
                row[name] = f"{value:.2f}" if isinstance(value, float) else str(value or "")
            rows.append(row)
        return pd.DataFrame(rows, index=pd.Index(list(self.evidence), name="task"))

    def plot(self) -> matplotlib.figure.Figure:
        """Draw the evidence, a panel a test, with the thresholds."""
        from mtl_utils.diagnosis.drawing import draw_diagnosis

        return draw_diagnosis(self)

    def __str__(self) -> str:
        lines = []
        for task, cause in self.causes.items():
            advice = ADVICE[cause or NOTHING]
            lines.append(f"{task}: {cause or NOTHING}" + (f"; {advice}" if advice else ""))
        lines += [f"not tested: {what}: {why}" for what, why in self.untested.items()]
        return "\n".join(lines)
