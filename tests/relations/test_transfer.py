"""The transfer matrix: differences seed by seed, by hand and by a loop."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils.relations import transfer_differences, transfer_matrix

TASKS = ("a", "b", "c")


def runs_of(seed, seeds=(0, 1), tasks=TASKS):
    """Draw a score for each task alone and for each in each pair, in a random order of rows."""
    generator = np.random.default_rng(seed)
    rows = [(task, None, s, generator.normal()) for task in tasks for s in seeds]
    pairs = itertools.permutations(tasks, 2)
    rows += [(task, other, s, generator.normal()) for task, other in pairs for s in seeds]
    frame = pd.DataFrame(rows, columns=["task", "partner", "seed", "score"])
    return frame.sample(frac=1, random_state=seed)


def by_hand():
    rows = [
        ("a", None, 0, 0.8),
        ("a", None, 1, 0.6),
        ("b", None, 0, 0.5),
        ("a", "b", 0, 0.9),
        ("a", "b", 1, 0.8),
        ("b", "a", 0, 0.4),
    ]
    return pd.DataFrame(rows, columns=["task", "partner", "seed", "score"])


def test_joint_less_alone_by_hand():
    matrix = transfer_matrix(by_hand())
    assert matrix.loc["b", "a"] == pytest.approx(0.15)
    assert matrix.loc["a", "b"] == pytest.approx(-0.1)
    assert matrix.loc["a", "a"] == matrix.loc["b", "b"] == 0
    assert (matrix.index.name, matrix.columns.name) == ("giver", "receiver")


def test_relative_to_the_score_alone_and_smaller_is_better():
    assert transfer_matrix(by_hand(), relative=True).loc["b", "a"] == pytest.approx(
        (0.1 / 0.8 + 0.2 / 0.6) / 2
    )
    assert transfer_matrix(by_hand(), mode="min").loc["b", "a"] == pytest.approx(-0.15)
    negative = by_hand().assign(score=lambda frame: -frame["score"])
    found = transfer_matrix(negative, mode="min", relative=True)
    pd.testing.assert_frame_equal(found, transfer_matrix(by_hand(), relative=True))


@given(st.integers(0, 2**31))
def test_each_entry_is_the_mean_of_paired_differences(seed):
    runs = runs_of(seed)
    matrix, differences = transfer_matrix(runs), transfer_differences(runs)
    score = {row[:3]: row[3] for row in runs.fillna({"partner": ""}).itertuples(index=False)}
    for giver, receiver in itertools.permutations(TASKS, 2):
        expected = [score[receiver, giver, s] - score[receiver, "", s] for s in (0, 1)]
        assert matrix.loc[giver, receiver] == pytest.approx(np.mean(expected))
        rows = differences.query("giver == @giver and receiver == @receiver").sort_values("seed")
        assert rows["difference"].tolist() == pytest.approx(expected)


def test_seeds_without_a_run_alone_do_not_count_and_missing_pairs_stay_missing():
    runs = by_hand()
    runs.loc[len(runs)] = ("a", "b", 7, 100.0)
    runs.loc[len(runs)] = ("c", None, 0, 1.0)
    matrix = transfer_matrix(runs)
    assert matrix.loc["b", "a"] == pytest.approx(0.15)
    assert np.isnan(matrix.loc["c", "a"])
    assert np.isnan(matrix.loc["a", "c"])


def test_a_pair_without_a_run_alone_is_refused():
    runs = by_hand()
    with pytest.raises(ValueError, match=r"'b' alone.*seeds \[0\] with it and \[\] alone"):
        transfer_matrix(runs[~((runs["task"] == "b") & runs["partner"].isna())])


def test_no_part_of_zero_is_taken():
    runs = by_hand().assign(score=0.0)
    with pytest.raises(ValueError, match="alone, which is 0"):
        transfer_matrix(runs, relative=True)
