"""The transfer matrix: what a task gains when it is trained together with another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pandas as pd

from mtl_utils.arguments import check_choice, check_flag, check_kind
from mtl_utils.relations.square import GIVER, RECEIVER, square

_COLUMNS = ("task", "partner", "seed", "score")
_SIGNS = {"max": 1.0, "min": -1.0}


def transfer_differences(
    runs: pd.DataFrame, *, mode: Literal["max", "min"] = "max", relative: bool = False
) -> pd.DataFrame:
    r"""Return what each task gained from each partner, seed by seed.

    .. math:: \tau_{i \to j} = s_j(\{i, j\}) - s_j(\{j\})

    for giver i and receiver j: the score of j where both were trained together, less its score
    where it was trained alone with the same seed.

    Args:
        runs: One row a score: ``task``, whose score it is; ``partner``, the other task of the run,
            or what pandas takes for missing where the task was trained alone; ``seed``; ``score``.
            A run of two tasks has two rows.
        mode: Whether a score is better when greater, ``"max"``, or when smaller, ``"min"``; then
            differences are turned round, so that gains are positive.
        relative: Whether to divide by the size of the score of the task alone.

    Returns:
        ``giver``, ``receiver``, ``seed`` and ``difference``, over the seeds that both runs have.

    Raises:
        KeyError: If a column is missing.
        ValueError: If there is no row, ``mode`` is something else, a score is no finite number or
            occurs twice, a task is its own partner, has no run alone, or none with a seed of a run
            with its partner, or a score of 0 is to be divided by.
        TypeError: If ``runs`` is no table, its scores are no numbers, names of tasks are no
            strings, or ``relative`` is no flag.
    """
    check_choice("mode", mode, list(_SIGNS))
    check_flag("relative", relative)
    _check(runs)
    there = runs["partner"].isna()
    alone = {(task, seed): score for task, _, seed, score in _rows(runs[there])}
    rows: list[tuple[str, str, Any, float]] = []
    seeds: dict[tuple[str, str], list[Any]] = {}
    for receiver, giver, seed, score in _rows(runs[~there]):
        seeds.setdefault((giver, receiver), []).append(seed)
        before = alone.get((receiver, seed))
        if before is not None:
            gain = _SIGNS[mode] * (score - before)
            rows.append((giver, receiver, seed, gain / _size(before, receiver, relative)))
    compared = {row[:2] for row in rows}
    for giver, receiver in seeds.keys() - compared:
        raise ValueError(
            f"runs must have {receiver!r} alone, with a missing partner, for a seed that it has "
            f"with {giver!r}, got the seeds {sorted(seeds[giver, receiver])} with it and "
            f"{[seed for task, seed in alone if task == receiver]} alone"
        )
    return pd.DataFrame(rows, columns=[GIVER, RECEIVER, "seed", "difference"])


def transfer_matrix(
    runs: pd.DataFrame, *, mode: Literal["max", "min"] = "max", relative: bool = False
) -> pd.DataFrame:
    """Return what each task gains from each other on average over seeds.

    It is the measured truth that cheaper estimates of relatedness are held against (Standley et
    al., 2020).

    Args:
        runs: See :func:`transfer_differences`.
        mode: Likewise.
        relative: Likewise.

    Returns:
        ``[K, K]``, a row a giver, a column a receiver; 0 on the diagonal, since a task alone is
        what is compared with; nan where two tasks were not trained together.

    Raises:
        KeyError: As :func:`transfer_differences`.
        ValueError: Likewise.
        TypeError: Likewise.
    """
    differences = transfer_differences(runs, mode=mode, relative=relative)
    tasks = list(dict.fromkeys([*runs["task"], *runs["partner"].dropna()]))
    matrix = square(np.full((len(tasks), len(tasks)), np.nan), tasks)
    for task in tasks:
        matrix.loc[task, task] = 0.0
    means = differences.groupby([GIVER, RECEIVER])["difference"].mean()
    for giver, receiver in means.index:
        matrix.loc[giver, receiver] = means[giver, receiver]
    return matrix


def _rows(runs: pd.DataFrame) -> Iterator[tuple[str, str, Any, float]]:
    """Yield task, partner, seed and score of each run."""
    columns = (runs[name].tolist() for name in _COLUMNS)
    yield from zip(*columns, strict=True)


def _size(before: float, task: str, relative: bool) -> float:
    if relative and before == 0:
        raise ValueError(
            f"relative=True divides by the score of {task!r} alone, which is 0 in runs; use "
            "relative=False"
        )
    return abs(before) if relative else 1.0


def _check(runs: pd.DataFrame) -> None:
    check_kind("runs", runs, pd.DataFrame, f"a DataFrame with the columns {list(_COLUMNS)}")
    missing = [name for name in _COLUMNS if name not in runs.columns]
    if missing:
        raise KeyError(f"runs must have the columns {list(_COLUMNS)}, got {list(runs.columns)}")
    if runs.empty:
        raise ValueError(f"runs must have at least one row, got {len(runs)}")
    names = [*runs["task"], *runs["partner"].dropna()]
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong:
        raise TypeError(f"runs must have names of tasks as task and partner, got {wrong[0]!r}")
    if not pd.api.types.is_numeric_dtype(runs["score"]):
        raise TypeError(f"runs must have numbers as score, got {runs['score'].iloc[0]!r}")
    if not np.isfinite(runs["score"].to_numpy(dtype=np.float64)).all():
        raise ValueError(f"runs must have finite scores, got {runs['score'].tolist()!r:.60}")
    if (runs["task"] == runs["partner"]).any():
        own = runs.loc[runs["task"] == runs["partner"], "task"].iloc[0]
        raise ValueError(
            f"runs must leave the partner of a task alone missing, got {own!r} as its own partner"
        )
    keys = runs[["task", "partner", "seed"]]
    if keys.duplicated().any():
        twice = keys[keys.duplicated()].iloc[0].to_dict()
        raise ValueError(f"runs must have each score once, got {twice} twice")
