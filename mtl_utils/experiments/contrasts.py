"""Differences between contenders, seed by seed, and what may be claimed of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import NoneType

import pandas as pd

from mtl_utils.arguments import check_kind, check_number, check_several, check_text, check_whole
from mtl_utils.experiments.analysis import student_t_distribution, student_t_quantile, summary
from mtl_utils.training.directions import direction_of

MOST_CONTRASTS = 5
"""Contrasts that a table may name for each setting, before it is run."""

ALPHA = 0.05

CLAIMED = ("first", "second")
"""Verdicts by which one side is better."""


@dataclass(frozen=True)
class Contrast:
    """A difference that a table is made for: of ``first`` over ``second`` on one metric.

    Args:
        first: Name of a contender.
        second: Name of another.
        metric: Column of the records.

    Raises:
        TypeError: If something is no string.
        ValueError: If a name is empty, or both are the same.
    """

    first: str
    second: str
    metric: str

    def __post_init__(self) -> None:
        for argument, name in vars(self).items():
            check_text(argument, name)
            if not name:
                raise ValueError(f"{argument} must be a name, got {name!r}")
        if self.first == self.second:
            raise ValueError(f"first and second must differ, got {self.first!r} twice")


@dataclass(frozen=True)
class PairedDifference:
    """The mean of differences between two contenders that saw the same seeds.

    Attributes:
        n: Number of seeds that both have.
        mean: Mean of first minus second.
        half_width: Half of the 95% Student t interval around it; nan with one seed.
        p: Two-sided probability of as great a mean were the true difference zero; nan with one
            seed, 0 where all differences are the same and not zero, 1 where all are zero.
    """

    n: int
    mean: float
    half_width: float
    p: float


def paired_difference(
    frame: pd.DataFrame, contrast: Contrast, by: str = "contender"
) -> PairedDifference:
    """Compare two contenders seed by seed.

    Args:
        frame: One row a run, as :func:`load_results` returns, of one setting.
        contrast: Which, and on what.
        by: The column that names the contender.

    Returns:
        The difference, over the seeds that both were run with.

    Raises:
        KeyError: If a column is missing, or a contender.
        ValueError: If a contender has a seed twice, or they have no seed in common.
        TypeError: If an argument is not of its kind.
    """
    check_kind("frame", frame, pd.DataFrame, "a DataFrame")
    check_kind("contrast", contrast, Contrast, "a Contrast")
    check_text("by", by)
    missing = [name for name in (by, "seed", contrast.metric) if name not in frame.columns]
    if missing:
        raise KeyError(f"No column {missing}; the results have {list(frame.columns)}")
    scores = []
    for name in (contrast.first, contrast.second):
        rows = frame[(frame[by] == name) & frame[contrast.metric].notna()]
        if rows.empty:
            raise KeyError(
                f"No run of {name!r} with {contrast.metric}; there are {sorted(set(frame[by]))}"
            )
        scores.append(rows.set_index("seed")[contrast.metric])
        if scores[-1].index.has_duplicates:
            raise ValueError(
                f"{name!r} has more than one run with a seed: the frame must be of one setting"
            )
    differences = (scores[0] - scores[1]).dropna()
    if differences.empty:
        raise ValueError(
            f"{contrast.first!r} and {contrast.second!r} have no seed in common: "
            f"{sorted(scores[0].index)} and {sorted(scores[1].index)}"
        )
    n, mean = len(differences), float(differences.mean())
    if n == 1:
        return PairedDifference(1, mean, math.nan, math.nan)
    error = float(differences.std()) / math.sqrt(n)
    half_width = student_t_quantile(1 - ALPHA / 2, n - 1) * error
    if error == 0:
        return PairedDifference(n, mean, half_width, 0.0 if mean else 1.0)
    tail = 1 - student_t_distribution(abs(mean) / error, n - 1)
    return PairedDifference(n, mean, half_width, 2 * tail)


def holm(probabilities: Sequence[float]) -> list[float]:
    """Adjust probabilities of several tests, so that at most one in twenty tables claims wrongly.

    The smallest of m is multiplied by m, the next by m - 1 and so on, and none is smaller than one
    before it (Holm, 1979).

    Args:
        probabilities: One a test; nan, where there was none to make, stays and does not count.

    Returns:
        Adjusted ones, in the order given.

    Raises:
        ValueError: If one lies outside [0, 1].
        TypeError: If they are no numbers.
    """
    check_several("probabilities", probabilities, "numbers")
    for place, value in enumerate(probabilities):
        if not _is_nan(value):
            check_number(f"probabilities[{place}]", value, least=0, most=1)
    tested = [place for place, value in enumerate(probabilities) if not _is_nan(value)]
    adjusted, largest = [math.nan] * len(probabilities), 0.0
    for rank, place in enumerate(sorted(tested, key=lambda place: probabilities[place])):
        largest = max(largest, min(1.0, probabilities[place] * (len(tested) - rank)))
        adjusted[place] = largest
    return adjusted


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def contrast_table(
    frame: pd.DataFrame,
    contrasts: Sequence[Contrast],
    doubled: pd.DataFrame | None = None,
    by: str = "contender",
) -> pd.DataFrame:
    r"""Say which of the named differences may be claimed.

    One is claimed if its probability, adjusted for all contrasts of the table (:func:`holm`), is
    below 0.05. With runs of twice the steps a claim must also be *settled*: the difference keeps
    its sign, and its mean over the seeds that were doubled moves by no more than the half-width of
    the interval.

    Args:
        frame: One row a run, of one setting.
        contrasts: At most five, all that were named before the table was run.
        doubled: Runs of twice the steps, with seeds that are in ``frame`` too.
        by: The column that names the contender.

    Returns:
        One row a contrast: ``first``, ``second``, ``metric``, ``n``, ``difference``,
        ``half_width``, ``p`` (adjusted), ``doubled``, the difference at twice the steps, and
        ``verdict``: ``"first"`` or ``"second"``, which is better, and that is the smaller one of
        what is called an error, a loss or the like; ``"no difference shown"``;
        ``"not settled"``; or ``"not doubled"`` for one that would be claimed and has no doubled
        runs.

    Raises:
        ValueError: If there are too many contrasts, or as :func:`paired_difference`.
        KeyError: As there.
        TypeError: If an argument is not of its kind.
    """
    check_several("contrasts", contrasts, "Contrasts")
    if not 0 < len(contrasts) <= MOST_CONTRASTS:
        raise ValueError(f"contrasts must be 1 to {MOST_CONTRASTS}, got {contrasts!r:.200}")
    check_kind("doubled", doubled, (pd.DataFrame, NoneType), "a DataFrame")
    found = [paired_difference(frame, contrast, by) for contrast in contrasts]
    adjusted = holm([difference.p for difference in found])
    rows = []
    for contrast, difference, p in zip(contrasts, found, adjusted, strict=True):
        again, moved = _doubled(frame, doubled, contrast, by)
        rows.append(
            {
                "first": contrast.first,
                "second": contrast.second,
                "metric": contrast.metric,
                "n": difference.n,
                "difference": difference.mean,
                "half_width": difference.half_width,
                "p": p,
                "doubled": again,
                "verdict": _verdict(contrast.metric, difference, p, again, moved),
            }
        )
    return pd.DataFrame(rows)


def _doubled(
    frame: pd.DataFrame, doubled: pd.DataFrame | None, contrast: Contrast, by: str
) -> tuple[float, float]:
    """Return the difference at twice the steps, and how far it moved on the same seeds."""
    if doubled is None or doubled.empty:
        return math.nan, math.nan
    try:
        again = paired_difference(doubled, contrast, by)
    except KeyError:
        return math.nan, math.nan
    seeds = set(doubled["seed"])
    same = paired_difference(frame[frame["seed"].isin(seeds)], contrast, by)
    return again.mean, abs(again.mean - same.mean)


def _verdict(
    metric: str, difference: PairedDifference, p: float, again: float, moved: float
) -> str:
    if not p < ALPHA:
        return "no difference shown"
    if math.isnan(again):
        return "not doubled"
    if again * difference.mean <= 0 or moved > difference.half_width:
        return "not settled"
    smaller = direction_of(metric) == "min"  # an error is better when smaller
    return "first" if (difference.mean > 0) is not smaller else "second"


def score_table(
    frame: pd.DataFrame,
    metrics: Sequence[str],
    by: str | Sequence[str] = "contender",
    digits: int = 1,
) -> pd.DataFrame:
    """Write means over seeds as readers want them, ``"77.8 ± 3.5"``.

    Args:
        frame: One row a run.
        metrics: Columns to summarise.
        by: The column or columns that say which rows belong together.
        digits: Digits after the point.

    Returns:
        One row a group, indexed by ``by``, with a column ``n`` of runs and a text for each metric:
        the mean, and half of its 95% interval, which is left out where there is one run; an empty
        text where there is none.

    Raises:
        KeyError: If a column is missing.
        ValueError: If ``metrics`` is empty or ``digits`` negative.
        TypeError: If an argument is not of its kind.
    """
    check_several("metrics", metrics, "names of columns", sized=False)
    check_whole("digits", digits, least=0)
    if not metrics:
        raise ValueError(f"metrics must name at least one column, got {metrics!r}")
    names = [by] if isinstance(by, str) else by
    check_several("by", names, "names of columns", sized=False)
    names = list(names)
    tables = [summary(frame, names, metric).set_index(names) for metric in metrics]
    texts = {"n": pd.concat([table["n"] for table in tables], axis=1).max(axis=1)}
    for metric, table in zip(metrics, tables, strict=True):
        texts[metric] = pd.Series(
            [
                plus_minus(mean, half_width, digits)
                for mean, half_width in zip(table["mean"], table["half_width"], strict=True)
            ],
            index=table.index,
        )
    return pd.DataFrame(texts)


def paired_table(
    frame: pd.DataFrame,
    contrasts: Sequence[Contrast],
    doubled: pd.DataFrame | None = None,
    by: str = "contender",
    digits: int = 1,
) -> pd.DataFrame:
    """Write :func:`contrast_table` as readers want it, with the scores that were compared.

    Args:
        frame: One row a run, of one setting.
        contrasts: At most five, all that were named before the table was run.
        doubled: Runs of twice the steps, with seeds that are in ``frame`` too.
        by: The column that names the contender.
        digits: Digits after the point.

    Returns:
        One row a contrast, indexed by ``metric``, of texts: what ``first`` and ``second`` scored
        (``"joint: 77.8 ± 3.5"``), their ``difference`` seed by seed (``"+1.2 ± 0.4"``), that
        ``at twice the steps``, empty where there is none, and the ``verdict``, where ``"first"``
        and ``"second"`` have become names. If all contrasts are of the same two contenders, their
        names are those of the columns instead.

    Raises:
        ValueError: As :func:`contrast_table` and :func:`score_table`.
        KeyError: As there.
        TypeError: As there.
    """
    found = contrast_table(frame, contrasts, doubled, by)
    scores = score_table(frame, list(dict.fromkeys(found["metric"])), by, digits)
    one_pair = len(set(zip(found["first"], found["second"], strict=True))) == 1
    rows = []
    for contrast in found.to_dict("records"):
        sides = {side: contrast[side] for side in ("first", "second")}
        texts = {side: scores.loc[name, contrast["metric"]] for side, name in sides.items()}
        verdict = contrast["verdict"]
        rows.append(
            {
                **(
                    {sides[side]: texts[side] for side in sides}
                    if one_pair
                    else {side: f"{sides[side]}: {texts[side]}" for side in sides}
                ),
                "difference": plus_minus(
                    contrast["difference"], contrast["half_width"], digits, sign="+"
                ),
                "at twice the steps": plus_minus(contrast["doubled"], math.nan, digits, sign="+"),
                "verdict": f"{sides[verdict]} is better" if verdict in sides else verdict,
            }
        )
    return pd.DataFrame(rows, index=pd.Index(found["metric"], name="metric"))


def plus_minus(mean: float, half_width: float, digits: int, sign: str = "") -> str:
    """Write a mean and half of its interval, ``"77.8 ± 3.5"``.

    Args:
        mean: The mean; not a number where there is none.
        half_width: Half of the interval; not a number where one value has none.
        digits: After the point.
        sign: ``"+"`` for a sign where it is positive too.
    """
    if math.isnan(mean):
        return ""
    if math.isnan(half_width):
        return f"{mean:{sign}.{digits}f}"
    return f"{mean:{sign}.{digits}f} ± {half_width:.{digits}f}"
