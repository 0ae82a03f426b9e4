"""Groups of any number of tasks, by joining those that are nearest."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from mtl_utils.arguments import check_whole
from mtl_utils.relations.square import check_square


def cluster_tasks(affinity: pd.DataFrame, num_groups: int) -> list[tuple[str, ...]]:
    r"""Group tasks by agglomerative clustering with average linkage (Sokal & Michener, 1958).

    Each task begins as a group, and the two groups are joined, again and again, between whose tasks
    the mean of the affinities is greatest, in both directions:

    .. math:: a(G, H) = \frac{1}{2 |G| |H|} \sum_{i \in G} \sum_{j \in H}
        \left(Z_{i \to j} + Z_{j \to i}\right)

    It takes of the order of :math:`K^3` steps for K tasks and looks at pairs only; see
    :func:`best_groups` for an exact search over few.

    Args:
        affinity: ``[K, K]``, symmetric or not; the diagonal is not looked at.
        num_groups: How many groups to end with.

    Returns:
        The groups, tasks in the order of the table; of groups that are equally near the first are
        joined.

    Raises:
        ValueError: If rows and columns are not the same tasks, a pair has no finite number, or
            ``num_groups`` is not from 1 to K.
        TypeError: If ``affinity`` is no table of numbers, or ``num_groups`` no whole number.
    """
    tasks = check_square("affinity", affinity)
    check_whole("num_groups", num_groups, least=1, most=len(tasks))
    values = affinity.to_numpy(dtype=np.float64)
    between = (values + values.T) / 2
    for i, j in combinations(range(len(tasks)), 2):
        if not np.isfinite(between[i, j]):
            raise ValueError(
                f"affinity must have a finite number for each pair, got {values[i, j]} from "
                f"{tasks[i]!r} to {tasks[j]!r} and {values[j, i]} back"
            )
    groups = [[place] for place in range(len(tasks))]
    while len(groups) > num_groups:
        pairs = combinations(range(len(groups)), 2)
        one, other = max(pairs, key=lambda pair: _nearness(between, *(groups[g] for g in pair)))
        groups[one] = sorted([*groups[one], *groups.pop(other)])
    return [tuple(tasks[place] for place in group) for group in sorted(groups)]


def _nearness(between: np.ndarray, one: list[int], other: list[int]) -> float:
    return float(between[np.ix_(one, other)].mean())
