"""Which tasks to train together: exact search over small sets of tasks."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pandas as pd

from mtl_utils.arguments import check_flag, check_kind, check_number, check_whole, shown
from mtl_utils.relations.square import check_square

#: Beyond this many tasks an exact search takes minutes, and then hours.
MOST_TASKS = 12

Scores = Mapping[tuple[str, ...], Mapping[str, float]]


@dataclass(frozen=True)
class Grouping:
    """Which tasks are trained together, and which model answers for which task.

    Args:
        groups: The groups, a model each.
        serves: By task, the group whose model is used for it.
        score: The sum over tasks of their scores in these.
    """

    groups: tuple[tuple[str, ...], ...]
    serves: Mapping[str, tuple[str, ...]]
    score: float


def pairwise_scores(
    affinity: pd.DataFrame, *, alone: float = 0.0
) -> dict[tuple[str, ...], dict[str, float]]:
    r"""Guess how tasks fare in each group from what they get from each other in pairs.

    .. math:: s_j(G) = \frac{1}{|G| - 1} \sum_{i \in G,\, i \ne j} Z_{i \to j}

    Standley et al. (2020) take the mean over pairs for a higher order, and so do Fifty et al.
    (2021). What tasks of a group do to each other in threes is not seen.

    Args:
        affinity: ``[K, K]``, a row a giver, a column a receiver; see :func:`transfer_matrix` and
            :meth:`AffinityTracker.matrix`. The diagonal is not looked at.
        alone: The score of a task that is trained alone: 0 of differences to that. An affinity by
            lookahead does not know it, and with 0 a task is left alone if the others harm it.

    Returns:
        By group, the score by task, for all groups of K tasks: what :func:`best_groups` reads.

    Raises:
        ValueError: If rows and columns are not the same tasks, there are more than 12, or a pair
            has no finite number.
        TypeError: If ``affinity`` is no table of numbers, or ``alone`` no number.
    """
    tasks = check_square("affinity", affinity)
    check_number("alone", alone)
    _check_few("affinity", tasks)
    values = affinity.to_numpy(dtype=float)
    for i, j in combinations(range(len(tasks)), 2):
        if not (math.isfinite(values[i, j]) and math.isfinite(values[j, i])):
            raise ValueError(
                f"affinity must have a finite number for each pair, got {values[i, j]} from "
                f"{tasks[i]!r} to {tasks[j]!r} and {values[j, i]} back"
            )
    scores = {}
    for group in _subsets(range(len(tasks))):
        scores[tuple(tasks[i] for i in group)] = {
            tasks[j]: alone
            if len(group) == 1
            else math.fsum(values[i, j] for i in group if i != j) / (len(group) - 1)
            for j in group
        }
    return scores


def best_groups(
    scores: Mapping[tuple[str, ...], Mapping[str, float]],
    max_groups: int,
    *,
    disjoint: bool = False,
) -> Grouping:
    r"""Choose the groups of tasks that are best in sum, by exact search (Standley et al., 2020).

    .. math:: \max_{G_1, \dots, G_b} \sum_j \max_{i:\, j \in G_i} s_j(G_i)

    A task may be trained in several groups, where it helps others, and is answered for by the model
    that does best for it. With ``disjoint`` each is trained once. It takes of the order of
    :math:`3^K b` steps for K tasks and b groups.

    Args:
        scores: By group, the score of each of its tasks, greater being better; groups that were not
            measured may be left out. A model of a group costs the same whatever its size.
        max_groups: The most groups to have, b.
        disjoint: Whether groups may have no task in common.

    Raises:
        ValueError: If there is no score, more than 12 tasks, a group has a task twice or scores of
            others than its tasks, the same group is there twice, a score is not finite,
            ``max_groups`` is below 1, or no such groups have every task.
        TypeError: If ``scores`` is no mapping from groups to scores by task, ``max_groups`` no
            whole number, or ``disjoint`` no flag.
    """
    tasks = _check_scores(scores)
    check_whole("max_groups", max_groups, least=1)
    check_flag("disjoint", disjoint)
    bits = {task: 1 << place for place, task in enumerate(tasks)}
    best = _best_served(scores, bits, disjoint)
    chosen = _best_partition(best, (1 << len(tasks)) - 1, max_groups)
    if chosen is None:
        raise ValueError(
            f"max_groups={max_groups} groups of scores cannot have all of {tasks}"
            + (" without a task in two of them" if disjoint else "")
        )
    serves = {t: best[part][1] for part in chosen for t in tasks if bits[t] & part}
    groups = tuple(dict.fromkeys(serves[task] for task in tasks))
    score = math.fsum(scores[serves[task]][task] for task in tasks)
    return Grouping(groups, {task: serves[task] for task in tasks}, score)


def _best_served(
    scores: Scores, bits: Mapping[str, int], disjoint: bool
) -> dict[int, tuple[float, tuple[str, ...]]]:
    """Return for each set of tasks the group that serves it best, and how well."""
    best: dict[int, tuple[float, tuple[str, ...]]] = {}
    for group, by_task in scores.items():
        for served in [group] if disjoint else _subsets(group):
            value = math.fsum(by_task[task] for task in served)
            part = sum(bits[task] for task in served)
            if part not in best or value > best[part][0]:
                best[part] = value, group
    return best


def _best_partition(
    best: Mapping[int, tuple[float, Any]], everything: int, most: int
) -> list[int] | None:
    """Cut all tasks into at most so many sets whose values have the greatest sum."""
    found: dict[int, tuple[float, list[int]]] = {0: (0.0, [])}
    winner: tuple[float, list[int]] | None = None
    for _ in range(min(most, everything.bit_length())):
        following: dict[int, tuple[float, list[int]]] = {}
        for covered, (value, parts) in found.items():
            left = everything & ~covered
            first = left & -left  # the next set has the first task that is left: no order twice
            for part in _parts_with(first, left):
                if part in best:
                    reached, total = covered | part, value + best[part][0]
                    if reached not in following or total > following[reached][0]:
                        following[reached] = total, [*parts, part]
        whole = following.pop(everything, None)
        if whole is not None and (winner is None or whole[0] > winner[0]):
            winner = whole
        found = following
    return None if winner is None else winner[1]


def _parts_with(first: int, left: int) -> Iterator[int]:
    rest = left & ~first
    part = rest
    while True:
        yield part | first
        if part == 0:
            return
        part = (part - 1) & rest


def _subsets(items: Collection[Any]) -> Iterator[tuple[Any, ...]]:
    for size in range(1, len(items) + 1):
        yield from combinations(items, size)


def _check_few(name: str, tasks: Sequence[str]) -> None:
    if len(tasks) > MOST_TASKS:
        raise ValueError(
            f"{name} must have at most {MOST_TASKS} tasks for an exact search, got {len(tasks)}; "
            "cluster_tasks takes any number"
        )


def _check_scores(scores: Scores) -> list[str]:
    """Return all tasks, in the order in which groups name them."""
    check_kind(
        "scores", scores, Mapping, "a mapping from groups, tuples of names, to scores by task"
    )
    seen: set[frozenset[str]] = set()
    for group, by_task in scores.items():
        if not isinstance(group, tuple) or not all(isinstance(task, str) for task in group):
            raise TypeError(f"scores must have groups as tuples of names, got {shown(group)}")
        check_kind(f"scores[{group!r}]", by_task, Mapping, "a mapping from tasks to scores")
        if not group or len(set(group)) < len(group) or set(by_task) != set(group):
            raise ValueError(
                f"scores must have a score for each task of a group, got {dict(by_task)!r:.60} for "
                f"{group!r:.60}"
            )
        if frozenset(group) in seen:
            raise ValueError(f"scores must have each group once, got {group!r} in another order")
        seen.add(frozenset(group))
        for task, score in by_task.items():
            check_number(f"scores[{group!r}][{task!r}]", score)
    tasks = list(dict.fromkeys(task for group in scores for task in group))
    if not tasks:
        raise ValueError(f"scores must have at least one group, got {scores!r}")
    _check_few("scores", tasks)
    return tasks
