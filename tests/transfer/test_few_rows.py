"""Draws of few rows are nested and even, and their spread is told from that of the weights."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils.transfer import draw_rows, spread_by_source

LABELS = st.lists(st.sampled_from("abc"), min_size=1, max_size=30)


@given(LABELS, st.integers(0, 5), st.booleans(), st.data())
def test_a_smaller_draw_is_the_beginning_of_a_larger_one(labels, seed, even, data):
    few = data.draw(st.integers(0, len(labels)))
    given_labels = labels if even else None
    whole = draw_rows(len(labels), len(labels), seed, labels=given_labels)
    assert draw_rows(len(labels), few, seed, labels=given_labels) == whole[:few]
    assert sorted(whole) == list(range(len(labels)))


@given(LABELS, st.integers(0, 5), st.data())
def test_with_labels_every_one_has_as_many_rows_as_it_can(labels, seed, data):
    count = data.draw(st.integers(0, len(labels)))
    drawn = Counter(labels[row] for row in draw_rows(len(labels), count, seed, labels=labels))
    there = Counter(labels)
    for label, number in drawn.items():
        for other in there:
            assert number <= drawn[other] + 1 or drawn[other] == there[other], label


def test_without_labels_all_rows_are_drawn_alike():
    drawn = Counter(row for seed in range(3000) for row in draw_rows(5, 2, seed))
    assert set(drawn) == set(range(5))
    assert all(abs(count / 3000 - 0.4) < 0.04 for count in drawn.values())


def test_other_seeds_draw_other_rows():
    assert draw_rows(100, 10, 0) != draw_rows(100, 10, 1)


def test_the_spread_of_sums_is_taken_apart_exactly():
    rows, weights = np.array([0.0, 3.0, -2.0]), np.array([1.0, 5.0])
    found = spread_by_source(pd.DataFrame(50 + rows[:, None] + weights))
    assert found.rest == pytest.approx(0, abs=1e-12)
    assert found.rows == pytest.approx(rows.std(ddof=1))
    assert found.weights == pytest.approx(weights.std(ddof=1))


def test_each_source_is_found_again_on_average():
    draw = np.random.default_rng(0)
    found = [
        spread_by_source(
            pd.DataFrame(
                draw.normal(0, 4, (12, 1)) + draw.normal(0, 1, 12) + draw.normal(0, 2, (12, 12))
            )
        )
        for _ in range(200)
    ]
    means = np.mean([[f.rows**2, f.weights**2, f.rest**2] for f in found], axis=0)
    np.testing.assert_allclose(means, [16, 1, 4], rtol=0.12)


def test_a_negative_estimate_is_zero():
    assert spread_by_source(pd.DataFrame([[1.0, -1.0], [-1.0, 1.0]])).rows == 0
