"""The expected best of n against brute force: every choice of trials, counted one by one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, product
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils import tuning

SCORES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=5)
MATCHED = st.lists(st.tuples(*[st.integers(-4, 4).map(float)] * 2), min_size=1, max_size=5)


def _draws(count: int, n: int, replace: bool) -> Iterable[tuple[int, ...]]:
    return product(range(count), repeat=n) if replace else combinations(range(count), n)


@given(SCORES, st.integers(1, 4), st.booleans())
def test_the_expected_best_is_the_mean_over_all_draws(
    scores: list[float], n: int, replace: bool
) -> None:
    n = n if replace else min(n, len(scores))
    every = [max(scores[i] for i in drawn) for drawn in _draws(len(scores), n, replace)]
    assert tuning.expected_best(scores, n, replace=replace) == pytest.approx(fmean(every))


def test_resampling_comes_to_the_same() -> None:
    generator = np.random.default_rng(0)
    scores = generator.normal(size=64)
    for n in (1, 3, 16, 64):
        resampled = generator.choice(scores, (40_000, n)).max(1)
        error = 4 * resampled.std() / 200
        assert abs(tuning.expected_best(scores, n) - resampled.mean()) < error + 1e-12


@given(MATCHED, st.integers(1, 3), st.booleans())
def test_what_is_chosen_is_measured_elsewhere(
    pairs: list[tuple[float, float]], n: int, replace: bool
) -> None:
    n = n if replace else min(n, len(pairs))
    validation, test = map(list, zip(*pairs, strict=True))
    # Of equal trials the one that is drawn first would win, so every order counts the same: the
    # mean over all trials of the winning score.
    expected = []
    for drawn in _draws(len(pairs), n, replace):
        best = max(validation[i] for i in drawn)
        expected.append(fmean(t for v, t in pairs if v == best))
    found = tuning.expected_chosen(validation, test, n, replace=replace)
    assert found == pytest.approx(fmean(expected))


@given(SCORES, SCORES, st.integers(1, 3), st.booleans())
def test_winning_is_counted_over_all_pairs_of_draws(
    first: list[float], second: list[float], n: int, replace: bool
) -> None:
    n = n if replace else min(n, len(first), len(second))
    ours = [max(first[i] for i in d) for d in _draws(len(first), n, replace)]
    theirs = [max(second[i] for i in d) for d in _draws(len(second), n, replace)]
    wins = fmean((a > b) + (a == b) / 2 for a in ours for b in theirs)
    found = tuning.chance_of_winning(first, second, n, replace=replace)
    assert found == pytest.approx(wins)
    other = tuning.chance_of_winning(second, first, n, replace=replace)
    assert found + other == pytest.approx(1)


def test_without_replacement_all_trials_have_the_best_among_them() -> None:
    scores = list(np.random.default_rng(1).normal(size=200))
    assert tuning.expected_best(scores, 200, replace=False) == pytest.approx(max(scores))
    assert tuning.expected_best(scores, 200) < max(scores)
    assert tuning.expected_best(scores, 1) == pytest.approx(fmean(scores))


@pytest.mark.parametrize("score", [np.nan, -np.inf])
def test_of_a_trial_that_failed_the_error_says_what_to_give(score: float) -> None:
    with pytest.raises(ValueError, match=r"fillna\(floor\).*pruned trial has no final score"):
        tuning.expected_best([0.5, score], 1)


def test_what_chose_is_worth_less_elsewhere() -> None:
    generator = np.random.default_rng(2)
    truth = generator.normal(size=500)
    validation, test = (truth + generator.normal(size=500) for _ in range(2))
    gaps = [
        tuning.expected_best(validation, n) - tuning.expected_chosen(validation, test, n)
        for n in (1, 4, 16, 64)
    ]
    assert gaps == sorted(gaps)
    assert gaps[-1] > 1
    same: Any = tuning.expected_chosen(validation, validation, 16)
    assert same == pytest.approx(tuning.expected_best(validation, 16))
