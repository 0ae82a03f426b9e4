"""Entropy and kurtosis of labels, against SciPy."""

import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mtl_utils.relations import label_distribution

columns = st.lists(st.integers(0, 6), min_size=1, max_size=60)


@given(columns)
def test_entropy_and_kurtosis_are_those_of_scipy(labels):
    counts = list(Counter(labels).values())
    found = label_distribution(labels)
    assert found.entropy == pytest.approx(stats.entropy(counts), abs=1e-12)
    assert (found.num_labels, found.num_tokens) == (len(counts), len(labels))
    if len(set(counts)) > 1:
        assert found.kurtosis == pytest.approx(stats.kurtosis(counts))
    else:
        assert math.isnan(found.kurtosis)


@given(columns)
def test_entropy_lies_between_none_and_that_of_equal_labels(labels):
    found = label_distribution(labels)
    assert -1e-12 <= found.entropy <= math.log(found.num_labels) + 1e-12
    renamed = label_distribution([f"label {label}" for label in reversed(labels)])
    assert renamed.entropy == pytest.approx(found.entropy, abs=1e-12)


@pytest.mark.parametrize("uniform", [1, 2, 5])
def test_equal_labels_have_the_greatest_entropy(uniform):
    assert label_distribution(list(range(uniform)) * 3).entropy == pytest.approx(math.log(uniform))


def test_texts_of_labels_missing_ones_and_other_kinds_of_numbers():
    plain = label_distribution(["O", "O", "B", "I"])
    assert plain.entropy == pytest.approx(-0.5 * math.log(0.5) - 0.5 * math.log(0.25))
    nested = [["O", "B"], [], ["O"], ["I", -100], None]
    assert label_distribution(nested) == plain
    numbers = [0, 0, 1, 2]
    assert label_distribution(torch.tensor([[0, 1], [0, 2], [-100, -100]])) == plain
    assert label_distribution(np.array(numbers)) == plain
    assert label_distribution([torch.tensor(label) for label in numbers]) == plain
    assert label_distribution(iter(numbers)) == plain
    assert label_distribution([np.array(label) for label in numbers]) == plain
    assert label_distribution(np.ma.array([*numbers, 7], mask=[0, 0, 0, 0, 1])) == plain


@pytest.mark.parametrize("kind", [object, "string", "category", "str"])
def test_a_column_of_a_table_that_has_no_label_in_some_rows(kind):
    column = pd.Series(["O", None, "O", "B", "I", None]).astype(kind)
    assert label_distribution(column) == label_distribution(["O", "O", "B", "I"])
