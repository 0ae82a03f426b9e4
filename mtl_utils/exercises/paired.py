"""What exercises that change an experiment ask for: differences, run by run, with an interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_utils.exercises.checking import Answer
from mtl_utils.experiments.analysis import student_t_quantile

PLACES = 0.011
"""By how much a reported number may be off, of scores in percent: two digits after the point."""


def require_paired_report(answer: Answer, first: str, second: str, runs: int) -> list[float]:
    """Require scores of two settings, seed by seed, and the interval of their difference.

    Args:
        answer: A mapping with the scores ``first`` and ``second``, and the ``mean`` and
            ``half_width`` of ``first`` minus ``second``.
        first: Key of the scores of the changed setting.
        second: Key of those of the setting it is compared with.
        runs: How many seeds, at least.

    Returns:
        The differences, seed by seed.
    """
    report = answer.value
    keys = [first, second, "mean", "half_width"]
    if not isinstance(report, Mapping) or set(keys) - set(report):
        given = sorted(map(str, report)) if isinstance(report, Mapping) else type(report).__name__
        answer.fail(f"Expected a dictionary with the keys {keys}, got {given}.")
    scores = [_numbers(answer, key, Answer(report[key]).value) for key in keys[:2]]
    if len(scores[0]) != len(scores[1]):
        sizes = f"{len(scores[0])} and {len(scores[1])}"
        answer.fail(f"{first!r} and {second!r} have {sizes} scores.", "One of each for every seed.")
    n = len(scores[0])
    answer.require(n >= runs, f"{n} seeds, expected {runs} at least.", "Run more seeds.")
    differences = scores[0] - scores[1]
    if np.ptp(scores[0]) == 0 and np.ptp(scores[1]) == 0:
        answer.fail("All seeds gave the same scores.", "Does the seed reach the training?")
    half_width = _half_width(differences)
    hint = f"{first} minus {second}, seed by seed; then the mean of these differences."
    _near(answer, "mean", report, float(differences.mean()), hint)
    hint = "t times the standard deviation (n - 1) of the differences, over the root of n."
    _near(answer, "half_width", report, half_width, hint)
    return [float(value) for value in differences]


def require_verdict(answer: Answer, differences: Sequence[float]) -> None:
    """Require that a report says whether its interval excludes zero, on whichever side.

    Args:
        answer: A mapping whose ``shown`` is ``True`` if the differences show that one setting is
            better, and ``False`` if not. Where the interval ends at zero either will do.
        differences: As :func:`require_paired_report` returns them.
    """
    if "shown" not in answer.value:
        answer.fail("The key 'shown' is missing.", "True if the interval excludes zero.")
    value = Answer(answer.value["shown"]).value
    value = value.tolist() if isinstance(value, torch.Tensor | np.ndarray | np.generic) else value
    if not isinstance(value, bool):
        answer.fail(f"'shown' must be True or False, got {value!r}.")
    mean, half_width = float(np.mean(differences)), _half_width(np.asarray(differences))
    excess = abs(mean) - half_width
    if abs(excess) <= PLACES or value == (excess > 0):
        return
    holds = "excludes" if excess > 0 else "holds"
    answer.fail(
        f"'shown' is {value}, but the interval of {mean:+.1f} ± {half_width:.1f} {holds} zero.",
        "A difference is shown where all of its interval lies on one side of zero.",
    )


def require_direction(
    answer: Answer, differences: Sequence[float], first: str, second: str, *, greater: bool
) -> None:
    """Require that the mean difference has the sign that the experiment gives on any machine.

    For effects that are several times their interval, where the other sign means that two settings
    were swapped or that the numbers are of something else.

    Args:
        answer: As :func:`require_paired_report` takes it, which has passed it.
        differences: As it returns them.
        first: Key of the scores of the changed setting.
        second: Key of those of the setting it is compared with.
        greater: Whether the first are greater in the mean.
    """
    mean = float(np.mean(differences))
    if (mean > 0) if greater else (mean < 0):
        return
    found = "level with" if mean == 0 else ("above" if mean > 0 else "below")
    answer.fail(
        f"{first!r} is {found} {second!r} in the mean of the seeds ({mean:+.1f}), which the "
        "experiment as it is set does not give.",
        "Are two settings or two keys swapped, or did a setting not reach the training?",
    )


def require_percent(answer: Answer, keys: Sequence[str], what: str) -> None:
    """Require that the scores of a report are in percent.

    Args:
        answer: As :func:`require_paired_report` takes it, which has passed it.
        keys: Of the scores.
        what: What the scores are, as ``"Accuracies"``.
    """
    scores = [float(score) for key in keys for score in answer.value[key]]
    inside = min(scores) >= 0 and 1 < max(scores) <= 100
    answer.require(inside, f"{what} must be in percent, from 0 to 100.")


def example_report(
    first: str, second: str, scores: Sequence[float], mean: float, shown: bool
) -> dict[str, Any]:
    """Make a report of three seeds whose differences are 1, 2 and 3 times half of their mean.

    Args:
        first: Key of the scores of the changed setting.
        second: Key of those of the setting it is compared with.
        scores: Those of ``first``.
        mean: Of the differences; it is not told from zero by three seeds.
        shown: What the report says of that.
    """
    others = [score - mean * part / 2 for score, part in zip(scores, (1, 2, 3), strict=True)]
    half_width = float(student_t_quantile(0.975, 2)) * abs(mean) / 2 / math.sqrt(3)
    found = {first: list(scores), second: others, "mean": mean, "half_width": half_width}
    return {**found, "shown": shown}


def wrong_reports(first: str, second: str, scores: Sequence[float], mean: float) -> list[Any]:
    """Make the wrong answers that every report of three seeds must refuse.

    Args:
        first: As :func:`example_report` takes it.
        second: As there.
        scores: As there, in percent.
        mean: As there: no difference is shown.

    Returns:
        A verdict that does not follow, for either sign; a mean with the wrong sign; half-widths
        that are a deviation or a standard error; a verdict in words; a seed too few; the same
        scores for all seeds; shares in place of percent; a report without its verdict and one
        without its scores; and a number.
    """
    right = example_report(first, second, scores, mean, False)
    deviation = abs(mean) / 2
    shares = [score / 100 for score in scores]
    return [
        right | {"shown": True},
        example_report(first, second, scores, -mean, True),
        right | {"mean": -mean},
        right | {"half_width": deviation},
        right | {"half_width": deviation / math.sqrt(3)},
        right | {"shown": "no"},
        right | {second: right[second][:2]},
        right | {first: [scores[0]] * 3, second: [scores[0] - mean] * 3},
        example_report(first, second, shares, mean / 100, False),
        {key: value for key, value in right.items() if key != "shown"},
        {key: right[key] for key in ("mean", "half_width", "shown")},
        mean,
    ]


def _half_width(differences: NDArray[np.float64]) -> float:
    n = len(differences)
    spread = float(differences.std(ddof=1))
    return float(student_t_quantile(0.975, n - 1)) * spread / math.sqrt(n)


def _numbers(answer: Answer, key: str, value: Any) -> NDArray[np.float64]:
    values = value.detach().cpu() if isinstance(value, torch.Tensor) else value
    try:
        found = np.asarray(list(values), dtype=np.float64)
    except (TypeError, ValueError):
        answer.fail(f"{key!r} must be a list of numbers, one for each seed.")
    if found.ndim != 1 or not np.isfinite(found).all():
        answer.fail(f"{key!r} must be a list of finite numbers, one for each seed.")
    return found


def _near(answer: Answer, key: str, report: Mapping[str, Any], expected: float, hint: str) -> None:
    value = Answer(report[key]).value
    try:
        found = float(value)
    except (TypeError, ValueError):
        answer.fail(f"{key!r} must be a number.")
    if not abs(found - expected) <= PLACES * max(1.0, abs(expected)):
        answer.fail(f"{key!r} does not follow from the scores: got {found:.4g}.", hint)
