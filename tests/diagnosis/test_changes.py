"""Changes of losses and their intervals, against SciPy, by hand and by properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mtl_utils.diagnosis import Change, excess, paired_change

LOSSES = st.lists(st.floats(0.01, 100), min_size=2, max_size=20)


def test_a_paired_change_by_hand():
    found = paired_change([1.0, 2.0, 3.0], [0.5, 2.0, 2.0], untrained=[4.0, 6.0])
    assert found.mean == pytest.approx(-0.5 / 5)
    error = np.std([-0.5, 0.0, -1.0], ddof=1) / math.sqrt(3)
    assert found.half_width == pytest.approx(1.96 * error / 5)
    assert (found.least, found.greatest) == (
        found.mean - found.half_width,
        found.mean + found.half_width,
    )


def test_what_all_rows_share_does_not_widen_a_paired_interval():
    before = np.array([0.1, 5.0, 50.0, 0.3])
    assert paired_change(before, before - 0.05, untrained=[1.0]).half_width < 1e-12


def test_one_block_has_no_interval():
    found = paired_change([1.0], [2.0], untrained=[1.0])
    assert found.half_width == math.inf
    assert str(found) == "+100%"
    assert str(Change(-0.12, 0.03)) == "-12% ± 3%"


def test_excess_is_the_statistic_of_mann_and_whitney():
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=30), generator.normal(0.5, size=20)
    statistic = stats.mannwhitneyu(second, first).statistic
    assert excess(first, second).mean == pytest.approx(2 * statistic / 600 - 1)


def test_the_interval_of_excess_is_that_of_equal_distributions():
    generator = np.random.default_rng(1)
    drawn = [excess(generator.random(40), generator.random(25)) for _ in range(2000)]
    assert 0.93 < np.mean([abs(of.mean) < of.half_width for of in drawn]) < 0.97


@given(LOSSES, LOSSES)
def test_excess_turns_round_and_sees_order_alone(first, second):
    found = excess(first, second).mean
    assert excess(second, first).mean == pytest.approx(-found)
    assert excess(np.exp2(first) if max(first) < 50 else first, second) is not None
    assert excess(np.array(first) * 8, np.array(second) * 8).mean == found
    assert -1 <= found <= 1


def test_excess_of_losses_that_all_are_greater():
    assert excess([1.0, 2.0], [3.0, 4.0]).mean == 1
    assert excess([1.0, 1.0], [1.0]).mean == 0
