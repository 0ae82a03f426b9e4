"""Groups of tasks: exact search against trying everything, clustering against SciPy."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from mtl_utils.relations import best_groups, cluster_tasks, pairwise_scores

seeds = st.integers(0, 2**31)


def table(seed, size):
    names = [f"t{place}" for place in range(size)]
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(size, size)), names, names)


def subsets(tasks):
    sizes = range(1, len(tasks) + 1)
    return [group for size in sizes for group in itertools.combinations(tasks, size)]


def drawn_scores(seed, tasks):
    generator = np.random.default_rng(seed)
    return {group: {task: generator.normal() for task in group} for group in subsets(tasks)}


def by_trying_everything(scores, tasks, most, disjoint):
    best = -math.inf
    for number in range(1, most + 1):
        for groups in itertools.combinations(scores, number):
            if disjoint and sum(map(len, groups)) != len(set().union(*groups)):
                continue
            answers = [[scores[group][task] for group in groups if task in group] for task in tasks]
            if all(answers):
                best = max(best, sum(map(max, answers)))
    return best


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(1, 4), st.integers(1, 3), st.booleans())
def test_no_choice_of_groups_is_better(seed, size, most, disjoint):
    tasks = [f"t{place}" for place in range(size)]
    scores = drawn_scores(seed, tasks)
    found = best_groups(scores, most, disjoint=disjoint)
    assert found.score == pytest.approx(by_trying_everything(scores, tasks, most, disjoint))
    assert len(found.groups) <= most
    assert list(found.serves) == tasks
    assert set(found.serves.values()) == set(found.groups)
    for task, group in found.serves.items():
        assert task in group
        others = [scores[other][task] for other in found.groups if task in other]
        assert scores[group][task] == max(others)
    assert found.score == pytest.approx(sum(scores[g][t] for t, g in found.serves.items()))
    if disjoint:
        assert sum(map(len, found.groups)) == size


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(1, 5))
def test_more_groups_are_never_worse_and_disjoint_ones_never_better(seed, size):
    scores = drawn_scores(seed, [f"t{place}" for place in range(size)])
    found = [best_groups(scores, most).score for most in range(1, size + 1)]
    apart = [best_groups(scores, most, disjoint=True).score for most in range(1, size + 1)]
    assert all(one <= other + 1e-12 for one, other in itertools.pairwise(found))
    assert all(one <= other + 1e-12 for one, other in zip(apart, found, strict=True))


def test_a_task_may_be_trained_for_the_sake_of_another():
    scores = {("a",): {"a": 3.0}, ("b",): {"b": 0.0}, ("a", "b"): {"a": 1.0, "b": 2.0}}
    found = best_groups(scores, 2)
    assert found.groups == (("a",), ("a", "b"))
    assert found.serves == {"a": ("a",), "b": ("a", "b")}
    assert found.score == 5
    assert best_groups(scores, 1).score == best_groups(scores, 2, disjoint=True).score == 3


def test_groups_that_were_not_measured_are_not_chosen():
    scores = {("a", "b"): {"a": 1.0, "b": 2.0}, ("c",): {"c": 1.0}}
    assert best_groups(scores, 3).groups == (("a", "b"), ("c",))
    with pytest.raises(ValueError, match=r"max_groups=1 .* cannot have all of \['a', 'b', 'c'\]"):
        best_groups(scores, 1)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_scores_of_groups_are_means_over_pairs(size):
    affinity = table(0, size)
    found = pairwise_scores(affinity, alone=0.25)
    assert list(found) == subsets(affinity.index)
    for group, by_task in found.items():
        for task, score in by_task.items():
            gains = [affinity.loc[other, task] for other in group if other != task]
            assert score == pytest.approx(np.mean(gains) if gains else 0.25)


def test_two_pairs_that_help_each_other_are_found():
    names = ["a", "b", "c", "d"]
    affinity = pd.DataFrame(-1.0, names, names)
    for one, other in (("a", "c"), ("b", "d")):
        affinity.loc[one, other] = affinity.loc[other, one] = 1.0
    assert best_groups(pairwise_scores(affinity), 2).groups == (("a", "c"), ("b", "d"))
    assert cluster_tasks(affinity, 2) == [("a", "c"), ("b", "d")]
    assert best_groups(pairwise_scores(affinity), 2).score == 4


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(2, 7), st.data())
def test_clusters_are_those_of_scipy(seed, size, data):
    affinity = table(seed, size)
    number = data.draw(st.integers(1, size))
    values = affinity.to_numpy()
    distance = 100 - (values + values.T) / 2
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance), "average")
    labels = fcluster(tree, number, "maxclust")
    expected = {
        tuple(task for task, mine in zip(affinity.index, labels, strict=True) if mine == label)
        for label in labels
    }
    found = cluster_tasks(affinity, number)
    assert set(found) == expected
    assert len(found) == number


def test_twelve_tasks_take_no_hours():
    found = best_groups(pairwise_scores(table(0, 12)), 3)
    assert len(found.serves) == 12
