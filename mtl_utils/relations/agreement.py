"""How far an estimate of relations agrees with another, or with what was measured."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mtl_utils.relations.square import check_square
from mtl_utils.tasks.correlation import spearman


def rank_agreement(first: pd.DataFrame, second: pd.DataFrame) -> float:
    """Return the rank correlation of two tables of relations, over pairs of different tasks.

    Args:
        first: ``[K, K]``, a row a giver, a column a receiver, such as gradient cosines.
        second: Another of the same tasks, in any order, such as the transfer matrix.

    Returns:
        Spearman's correlation from -1 to 1 over the pairs that have a finite number in both; 0
        where one table says the same of all pairs.

    Raises:
        ValueError: If they are not of the same tasks, or fewer than two pairs have numbers.
        TypeError: If one is no table of numbers.
    """
    tasks = check_square("first", first)
    others = check_square("second", second)
    if set(tasks) != set(others):
        raise ValueError(f"second must be of the tasks of first, {tasks}, got {others}")
    different = ~np.eye(len(tasks), dtype=bool)
    left = first.to_numpy(dtype=np.float64)[different]
    right = second.loc[tasks, tasks].to_numpy(dtype=np.float64)[different]
    there = np.isfinite(left) & np.isfinite(right)
    if there.sum() < 2:
        raise ValueError(
            f"first and second must have numbers for at least two pairs of tasks in common, got "
            f"{int(there.sum())}"
        )
    return spearman(left[there], right[there])
