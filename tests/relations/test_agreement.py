"""Rank agreement of two tables, against SciPy."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from mtl_utils.relations import rank_agreement


def table(seed, names):
    values = np.random.default_rng(seed).integers(0, 4, size=(len(names), len(names)))
    return pd.DataFrame(values.astype(float), names, names)


@given(st.integers(0, 2**31), st.permutations(["a", "b", "c", "d"]))
def test_it_is_spearmans_over_pairs_of_different_tasks(seed, order):
    first, second = table(seed, ["a", "b", "c", "d"]), table(seed + 1, order)
    pairs = [(g, r) for g in first for r in first if g != r]
    columns = [[t.loc[pair] for pair in pairs] for t in (first, second)]
    if all(len(set(column)) > 1 for column in columns):
        expected = spearmanr(*columns).statistic
        assert rank_agreement(first, second) == pytest.approx(expected, abs=1e-12)
    assert rank_agreement(first, first.loc[order, order]) == pytest.approx(1)


def test_pairs_without_a_number_are_left_out():
    first = table(1, ["a", "b", "c"])
    second = -first
    second.loc["a", "b"] = np.nan
    assert rank_agreement(first, second) == pytest.approx(-1)
    with pytest.raises(ValueError, match="at least two pairs"):
        rank_agreement(first, second * np.nan)
    with pytest.raises(ValueError, match=r"of the tasks of first.*'z'"):
        rank_agreement(first, table(1, ["a", "b", "z"]))
