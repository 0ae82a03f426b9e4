"""From recorded runs to tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mtl_utils.arguments import (
    check_file_name,
    check_kind,
    check_number,
    check_several,
    check_sizes,
    check_text,
)
from mtl_utils.experiments import records


def load_results(name: str, folder: str | Path | None = None) -> pd.DataFrame:
    """Read the recorded runs of an experiment.

    Args:
        name: Name of the experiment.
        folder: Where its results file is; see :func:`results_folder` for where it is looked for
            without one.

    Returns:
        One row a run: a column for each setting and each metric (empty where a run has none), then
        ``seed``, ``seconds``, ``commit`` and ``date``.

    Raises:
        FileNotFoundError: If there is no results file.
        ValueError: If it is damaged, or the name is a path.
        TypeError: If an argument is not of its kind.
    """
    return as_frame(read_results(name, folder))


def read_results(name: str, folder: str | Path | None = None) -> list[records.Record]:
    """Read the records of an experiment.

    Args:
        name: Name of the experiment.
        folder: Where its results file is; see :func:`load_results`.

    Raises:
        FileNotFoundError: As :func:`load_results`.
        ValueError: Likewise.
        TypeError: Likewise.
    """
    check_file_name("name", name)
    path = records.results_folder(folder) / f"{name}.jsonl"
    if not path.is_file():
        there = sorted(file.stem for file in path.parent.glob("*.jsonl"))
        raise FileNotFoundError(
            f"No recorded results of {name!r} in {path.parent}, which has "
            f"{', '.join(there) or 'none'}. Record them with "
            f"`python -m mtl_utils.experiments run {name}`."
        )
    return records.read(path)


def as_frame(runs: Sequence[records.Record]) -> pd.DataFrame:
    """Return one row a run, as :func:`load_results` does.

    Args:
        runs: Their records.
    """
    rows = [
        {
            **record["config"],
            **record["metrics"],
            "seed": record["seed"],
            "seconds": record["seconds"],
            "commit": record["commit"],
            "date": record.get("date"),
        }
        for record in runs
    ]
    return pd.DataFrame(rows)


def summary(
    frame: pd.DataFrame, by: str | Sequence[str], metric: str, confidence: float = 0.95
) -> pd.DataFrame:
    """Summarise a metric over seeds by its mean and a Student t interval.

    Args:
        frame: One row a run, as :func:`load_results` returns.
        by: The column, or columns, that say which rows belong together. Missing values form a
            group of their own.
        metric: The column to summarise.
        confidence: Coverage of the interval.

    Returns:
        One row a group, in order of appearance: the columns of ``by``, then ``n``, ``mean``,
        ``std`` (sample standard deviation), ``half_width``, ``low`` and ``high``. With a single
        run, ``std`` and the interval are missing.

    Raises:
        KeyError: If a column is missing.
        ValueError: If ``confidence`` is outside (0, 1), or ``by`` names no column or one twice.
        TypeError: If an argument is not of its kind, or the metric is no number.
    """
    check_kind("frame", frame, pd.DataFrame, "a DataFrame")
    check_number("confidence", confidence)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie in (0, 1), got {confidence}")
    by = [by] if isinstance(by, str) else by
    check_several("by", by, "names of columns", sized=False)
    by = list(by)
    check_text("metric", metric)
    missing = [name for name in [*by, metric] if name not in frame.columns]
    if missing:
        raise KeyError(f"No column {missing}; the results have {list(frame.columns)}")
    if not by or len({*by, metric}) <= len(by):
        raise ValueError(
            f"by must name at least one column, none twice and not the metric {metric!r}, got {by}"
        )
    groups = frame.groupby(by, dropna=False, sort=False)[metric]
    try:
        result = groups.agg(n="count", mean="mean", std="std").reset_index()
    except TypeError as error:
        raise TypeError(
            f"metric must be a column of numbers, got {metric!r} of {frame[metric].dtype}"
        ) from error
    result["half_width"] = [
        student_t_quantile(0.5 + confidence / 2, n - 1) * std / math.sqrt(n) if n > 1 else math.nan
        for n, std in zip(result["n"], result["std"], strict=True)
    ]
    result["low"] = result["mean"] - result["half_width"]
    result["high"] = result["mean"] + result["half_width"]
    return result


def student_t_quantile(probability: float, degrees: int) -> float:
    """Invert Student's t distribution function.

    Args:
        probability: In (0, 1).
        degrees: Degrees of freedom, at least 1.

    Returns:
        The t below which a share ``probability`` of the distribution lies.

    Raises:
        ValueError: If an argument is outside its range.
        TypeError: If the probability is no number, or the degrees no whole one.
    """
    check_number("probability", probability)
    if not 0 < probability < 1:
        raise ValueError(f"A probability strictly between 0 and 1 is needed, got {probability}")
    check_sizes(degrees=degrees)
    if probability < 0.5:
        return -student_t_quantile(1 - probability, degrees)
    low, high = 0.0, 1.0
    while student_t_distribution(high, degrees) < probability:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        below = student_t_distribution(middle, degrees) < probability
        low, high = (middle, high) if below else (low, middle)
    return (low + high) / 2


def student_t_distribution(t: float, degrees: int) -> float:
    """Return the share of Student's t distribution that lies below a value.

    The series is finite for whole degrees of freedom (Abramowitz & Stegun, 1964, 26.7.3 and 4).

    Args:
        t: The value.
        degrees: Degrees of freedom, at least 1.

    Raises:
        ValueError: If there are fewer than 1.
        TypeError: If ``t`` is no number, or the degrees no whole one.
    """
    check_number("t", t)
    check_sizes(degrees=degrees)
    angle = math.atan2(t, math.sqrt(degrees))
    cosine = math.cos(angle)
    odd = degrees % 2 == 1
    term, total = (cosine, 0.0) if odd else (1.0, 0.0)
    for power in range(1 if odd else 0, degrees - 1, 2):
        total += term
        term *= cosine**2 * (power + 1) / (power + 2)
    central = 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total
    return 0.5 * (1 + central)
