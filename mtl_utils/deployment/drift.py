"""Drift: whether what a model says of today's texts is what it said of those it was measured on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from mtl_utils.arguments import check_number, check_several, shown

#: The least number of labels that a count is to be expected to have (Cochran, 1954).
LEAST_EXPECTED = 5

Row = Mapping[str, Any]


def drift(reference: Sequence[Row], live: Sequence[Row], *, level: float = 0.05) -> pd.DataFrame:
    """Compare predictions for live texts with those for reference texts, task by task.

    No label of the live texts is needed. Two tests a task, after Lipton et al. (2018) and Rabanser
    et al. (2019), who test the outputs of a classifier:

    - *labels*: a chi-squared test on how often each label is predicted; labels too rare for it
      are taken together. For tags it is how many words of a text have another label than the most
      frequent one, for several labels a text how many are expected; these, and numbers that are
      predicted, by a two-sample Kolmogorov-Smirnov test.
    - *confidence*: a Kolmogorov-Smirnov test on the probability of the best label; of tags, and of
      several labels a text, on its mean.

    A text is one observation, however many words it has: the words of a text are not independent
    of one another. All tests of one call are corrected together for the rate of false discoveries
    (Benjamini and Hochberg, 1995), which among texts like the reference is the chance of any alarm.
    A check that is repeated raises false alarms as often as it is repeated.

    Args:
        reference: What ``predict(..., probabilities=True)`` gave for texts that the model was
            measured on and not trained on: of its training texts it is surer.
        live: What it gave for the texts in question.
        level: Below which adjusted probability there is drift.

    Returns:
        A row a task and test, ``task`` and ``test`` as index: ``statistic``, ``p``, ``adjusted``
        and ``drift``.

    Raises:
        ValueError: If there are no texts, tasks differ, an output is neither probabilities nor a
            number, or the level is outside (0, 1).
        TypeError: If something is not of its kind.
    """
    check_number("level", level, above=0, below=1)
    for name, rows in (("reference", reference), ("live", live)):
        check_several(name, rows, "rows of predictions, mappings from tasks to probabilities")
        if not len(rows) or not all(isinstance(row, Mapping) and row for row in rows):
            raise ValueError(f"{name} must be predictions of one text or more, got {shown(rows)}")
    names = list(reference[0])
    for name, rows in (("reference", reference), ("live", live)):
        for place, row in enumerate(rows):
            if list(row) != names:
                raise ValueError(f"{name}[{place}] has the tasks {list(row)}; expected {names}")
    found = [row for task in names for row in _tests(task, reference, live)]
    table = pd.DataFrame(found, columns=["task", "test", "statistic", "p"])
    table["adjusted"] = stats.false_discovery_control(table["p"], method="bh")
    table["drift"] = table["adjusted"] < level
    return table.set_index(["task", "test"])


def _tests(
    task: str, reference: Sequence[Row], live: Sequence[Row]
) -> list[tuple[str, str, float, float]]:
    sides = ([row[task] for row in reference], [row[task] for row in live])
    said = sides[0] + sides[1]
    if all(isinstance(output, float | int) for output in said):
        return [(task, "labels", *_smirnov(*map(np.asarray, sides)))]
    if all(_is_distribution(output) for output in said):
        best = [list(map(_best, side)) for side in sides]
        sure = [np.array([max(output.values()) for output in side]) for side in sides]
        return [(task, "labels", *_chi_squared(*best)), (task, "confidence", *_smirnov(*sure))]
    if all(isinstance(output, Mapping) and output for output in said):
        several = [[_several(output) for output in side] for side in sides]
        return _of_pairs(task, several)
    if all(isinstance(output, list) and all(map(_is_distribution, output)) for output in said):
        words = Counter(_best(word) for output in sides[0] for word in output)
        usual = words.most_common(1)[0][0] if words else None
        tags = [[_tags(output, usual) for output in side if output] for side in sides]
        if all(tags):
            return _of_pairs(task, tags)
    raise ValueError(
        f"The predictions of {task!r} must be probabilities of labels or numbers, as "
        f"predict(..., probabilities=True) gives them, got {shown(said[0])}"
    )


def _of_pairs(
    task: str, sides: Sequence[Sequence[tuple[float, float]]]
) -> list[tuple[str, str, float, float]]:
    columns = [np.array(side).T for side in sides]
    pairs = zip(("labels", "confidence"), *columns, strict=True)
    return [(task, test, *_smirnov(first, second)) for test, first, second in pairs]


def _is_distribution(output: Any) -> bool:
    return isinstance(output, Mapping) and bool(output) and abs(sum(output.values()) - 1) < 1e-3


def _best(output: Mapping[str, float]) -> str:
    return max(output, key=output.__getitem__)


def _several(output: Mapping[str, float]) -> tuple[float, float]:
    """Return how many labels are expected, and how sure each is in the mean."""
    chances = np.array(list(output.values()))
    return float(chances.sum()), float(np.maximum(chances, 1 - chances).mean())


def _tags(output: Sequence[Mapping[str, float]], usual: str | None) -> tuple[float, float]:
    """Return how many words have another label than the usual one, and the mean confidence."""
    other = sum(_best(word) != usual for word in output)
    return float(other), float(np.mean([max(word.values()) for word in output]))


def _smirnov(first: NDArray[Any], second: NDArray[Any]) -> tuple[float, float]:
    # The exact distribution is slow where there are many texts, and fails now and then.
    found = stats.ks_2samp(first, second, method="asymp")
    return float(found.statistic), float(found.pvalue)


def _chi_squared(first: Sequence[str], second: Sequence[str]) -> tuple[float, float]:
    counts = [Counter(first), Counter(second)]
    labels = sorted(set(first) | set(second))
    table = np.array([[count[label] for label in labels] for count in counts])
    share = table.sum(axis=0) * min(len(first), len(second)) / table.sum()
    rare = share < LEAST_EXPECTED
    kept = [table[:, ~rare]]
    if rare.any():
        kept.append(table[:, rare].sum(axis=1, keepdims=True))
    table = np.hstack(kept)
    if table.shape[1] < 2:
        return 0.0, 1.0
    found = stats.chi2_contingency(table, correction=False)
    return float(found.statistic), float(found.pvalue)
