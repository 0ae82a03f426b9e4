"""Relative multi-task performance: by hand, by its properties, and seed by seed."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils.experiments import (
    ALL_TASKS,
    Contrast,
    paired_difference,
    relative_performance,
    relative_table,
)

SCORES = st.floats(0.1, 100)


def test_by_hand_with_a_metric_of_each_direction():
    scores = {"names_f1": 0.66, "language_perplexity": 90.0}
    baseline = {"names_f1": 0.60, "language_perplexity": 100.0}
    assert relative_performance(scores, baseline) == pytest.approx((0.10 + 0.10) / 2)


def test_a_name_that_does_not_tell_needs_a_mode():
    with pytest.raises(ValueError, match="does not tell"):
        relative_performance({"a": 1.0}, {"a": 2.0})
    assert relative_performance({"a": 1.0}, {"a": 2.0}, {"a": "min"}) == 0.5


@given(SCORES, SCORES, SCORES, SCORES, st.floats(0.1, 10))
def test_units_do_not_count_and_the_baseline_is_zero(a, b, c, d, unit):
    scores, baseline = {"x_f1": a, "y_loss": b}, {"x_f1": c, "y_loss": d}
    found = relative_performance(scores, baseline)
    of_unit = relative_performance(scores | {"x_f1": unit * a}, baseline | {"x_f1": unit * c})
    assert of_unit == pytest.approx(found, abs=1e-6)
    assert relative_performance(baseline, baseline) == 0


def test_the_table_pairs_seeds_and_ends_with_all_tasks():
    rows = [
        ("joint", 0, 60.0, 1.0),
        ("joint", 1, 50.0, 2.0),
        ("separate", 0, 50.0, 2.0),
        ("separate", 1, 50.0, 2.0),
        ("separate", 2, 10.0, 9.0),
    ]
    frame = pd.DataFrame(rows, columns=["contender", "seed", "a_f1", "b_loss"])
    table = relative_table(frame, "joint", "separate", ["a_f1", "b_loss"])
    assert list(table.index) == ["a_f1", "b_loss", ALL_TASKS]
    assert table["n"].tolist() == [2, 2, 2]
    # seed 0: (+20% and +50%) / 2, seed 1: nothing
    assert table.loc[ALL_TASKS, "difference"] == pytest.approx((35 + 0) / 2)
    expected = paired_difference(frame, Contrast("joint", "separate", "a_f1"))
    assert table.loc["a_f1", "half_width"] == pytest.approx(expected.half_width)
