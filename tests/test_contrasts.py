"""Differences seed by seed, against SciPy; Holm's adjustment, by hand; what may be claimed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mtl_utils.experiments import (
    Contrast,
    PairedDifference,
    contrast_table,
    holm,
    paired_difference,
    paired_table,
    score_table,
    student_t_distribution,
)

JOINT_OVER_SEPARATE = Contrast("joint", "separate", "f1")


def runs(**scores: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"contender": name, "seed": seed, "f1": score}
            for name, values in scores.items()
            for seed, score in enumerate(values)
        ]
    )


def difference(frame: pd.DataFrame, first: str, second: str) -> PairedDifference:
    return paired_difference(frame, Contrast(first, second, "f1"))


@given(st.integers(0, 2**31), st.integers(2, 12))
def test_a_paired_difference_is_that_of_scipy(seed: int, n: int) -> None:
    first, second = np.random.default_rng(seed).normal(50, 5, (2, n))
    found = paired_difference(runs(joint=list(first), separate=list(second)), JOINT_OVER_SEPARATE)
    test = stats.ttest_rel(first, second)
    low, high = test.confidence_interval(0.95)
    assert (found.n, found.mean) == (n, pytest.approx((first - second).mean()))
    assert found.p == pytest.approx(test.pvalue, abs=1e-9)
    assert (found.mean - found.half_width, found.mean + found.half_width) == (
        pytest.approx(low),
        pytest.approx(high),
    )


def test_only_seeds_that_both_have_count() -> None:
    frame = runs(joint=[60.0, 61.0, 65.0, 90.0], separate=[50.0, 52.0, 54.0])
    found = paired_difference(frame.sample(frac=1, random_state=0), JOINT_OVER_SEPARATE)
    assert (found.n, found.mean) == (3, pytest.approx(10.0))
    one = paired_difference(frame[frame["seed"] == 1], JOINT_OVER_SEPARATE)
    assert (one.n, one.mean) == (1, 9.0)
    assert math.isnan(one.half_width)
    assert math.isnan(one.p)


def test_differences_without_spread_are_sure_or_none() -> None:
    assert (
        paired_difference(runs(joint=[2.0, 3.0], separate=[1.0, 2.0]), JOINT_OVER_SEPARATE).p == 0
    )
    assert (
        paired_difference(runs(joint=[1.0, 2.0], separate=[1.0, 2.0]), JOINT_OVER_SEPARATE).p == 1
    )


@given(st.integers(1, 40), st.floats(-30, 30))
def test_the_distribution_is_that_of_scipy(degrees: int, t: float) -> None:
    assert student_t_distribution(t, degrees) == pytest.approx(stats.t.cdf(t, degrees), abs=1e-9)


def test_holm_by_hand() -> None:
    # 0.01 x 4, 0.02 x 3, 0.03 x 2, 0.04 x 1 and no smaller than the one before
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    nan, low = holm([math.nan, 0.04])
    assert math.isnan(nan)
    assert low == 0.04


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_never_lowers_keeps_the_order_and_is_below_bonferroni(values: list[float]) -> None:
    adjusted = holm(values)
    for p, q in zip(values, adjusted, strict=True):
        assert p <= q <= min(1.0, len(values) * p) + 1e-12
    order = np.argsort(values, kind="stable")
    assert list(np.array(adjusted)[order]) == sorted(adjusted)


SURE = {"joint": [60.0, 61.0, 62.0, 60.5, 61.5], "separate": [50.0, 51.1, 52.0, 50.4, 51.5]}


@pytest.mark.parametrize(
    ("scores", "doubled", "verdict"),
    [
        (SURE, {"joint": [62.0, 63.0], "separate": [52.0, 53.1]}, "first"),
        (
            {"joint": SURE["separate"], "separate": SURE["joint"]},
            {"joint": [52.0, 53.1], "separate": [62.0, 63.0]},
            "second",
        ),
        (SURE, None, "not doubled"),
        (SURE, {"joint": [70.0, 71.0]}, "not doubled"),  # the other was not run again
        (SURE, {"joint": [52.0, 53.0], "separate": [53.0, 53.1]}, "not settled"),  # another sign
        (SURE, {"joint": [70.0, 71.0], "separate": [52.0, 53.0]}, "not settled"),  # much greater
        ({"joint": [60.0, 40.0], "separate": [50.0, 50.0]}, None, "no difference shown"),
        ({"joint": [60.0], "separate": [50.0]}, None, "no difference shown"),
    ],
)
def test_verdicts(scores: dict[str, Any], doubled: dict[str, Any] | None, verdict: str) -> None:
    again = None if doubled is None else runs(**doubled)
    table = contrast_table(runs(**scores), [JOINT_OVER_SEPARATE], again)
    assert table["verdict"].tolist() == [verdict]
    if verdict == "first":
        row = table.iloc[0]
        assert (row["difference"], row["doubled"]) == (pytest.approx(10.0), pytest.approx(9.95))
        assert row["half_width"] < 0.2


def test_of_errors_the_smaller_is_better() -> None:
    frame = runs(**SURE).rename(columns={"f1": "tags_ece"})
    again = runs(joint=[62.0, 63.0], separate=[52.0, 53.1]).rename(columns={"f1": "tags_ece"})
    table = contrast_table(frame, [Contrast("joint", "separate", "tags_ece")], again)
    row = table.iloc[0]
    assert (row["difference"], row["verdict"]) == (pytest.approx(10.0), "second")


def test_probabilities_are_adjusted_for_all_contrasts_of_a_table() -> None:
    scores = {"a": [1.0, 2.1, 3.0, 4.2], "b": [0.0, 1.0, 2.4, 3.1], "c": [1.2, 1.9, 3.3, 4.0]}
    contrasts = [Contrast("a", "b", "f1"), Contrast("a", "c", "f1"), Contrast("b", "c", "f1")]
    frame = runs(**scores)
    alone = [paired_difference(frame, contrast).p for contrast in contrasts]
    assert contrast_table(frame, contrasts)["p"].tolist() == pytest.approx(holm(alone))


def test_a_table_of_scores_reads_as_a_reader_would_write_it() -> None:
    frame = runs(joint=[77.0, 78.0, 79.0], alone=[50.0])
    half = stats.t.ppf(0.975, 2) / math.sqrt(3)
    table = score_table(frame, ["f1"])
    assert list(table.loc["joint"]) == [3, f"78.0 ± {half:.1f}"]
    assert list(table.loc["alone"]) == [1, "50.0"]
    assert score_table(frame, ["f1"], digits=0).loc["joint", "f1"] == "78 ± 2"


def test_differences_stand_beside_what_was_compared_as_texts() -> None:
    frame = runs(a=[3.0, 4.0, 5.0], b=[5.0, 6.0, 7.5], c=[50.0])
    half = stats.t.ppf(0.975, 2) * math.sqrt(1 / 12) / math.sqrt(3)
    contrasts = [Contrast("a", "b", "f1"), Contrast("c", "a", "f1")]
    table = paired_table(frame, contrasts, runs(a=[3.0, 5.0], b=[5.0, 6.0]), digits=2)
    assert table.index.tolist() == ["f1", "f1"]
    row = table.iloc[0].to_dict()
    assert (row["first"], row["second"]) == ("a: 4.00 ± 2.48", "b: 6.17 ± 3.13")
    assert row["difference"] == f"-2.17 ± {half:.2f}"
    assert (row["at twice the steps"], row["verdict"]) == ("-1.50", "b is better")
    alone = table.iloc[1].to_dict()
    assert (alone["first"], alone["difference"]) == ("c: 50.00", "+47.00")
    assert (alone["at twice the steps"], alone["verdict"]) == ("", "no difference shown")


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (
            KeyError,
            "No run of 'alone'",
            lambda f: paired_difference(f, Contrast("joint", "alone", "f1")),
        ),
        (KeyError, "No column", lambda f: paired_difference(f, Contrast("joint", "alone", "f2"))),
        (
            ValueError,
            "more than one run",
            lambda f: paired_difference(pd.concat([f, f]), JOINT_OVER_SEPARATE),
        ),
        (
            ValueError,
            "no seed in common",
            lambda f: difference(
                f[(f["seed"] == 0) == (f["contender"] == "joint")], "joint", "separate"
            ),
        ),
        (ValueError, "must be 1 to 5", lambda f: contrast_table(f, [JOINT_OVER_SEPARATE] * 6)),
        (ValueError, "must be 1 to 5", lambda f: contrast_table(f, [])),
        (ValueError, "must differ", lambda f: Contrast("joint", "joint", "f1")),
    ],
)
def test_what_is_refused(error: type[Exception], message: str, call: Any) -> None:
    with pytest.raises(error, match=message):
        call(runs(joint=[1.0, 2.0], separate=[2.0, 3.0]))
