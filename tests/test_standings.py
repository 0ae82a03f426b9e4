"""Every contender measured from one of them, in every setting."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from mtl_utils.experiments import plot_standings, standings

SCORES = {
    ("here", "sum"): (50.0, 52.0, 54.0),
    ("here", "joint"): (51.0, 54.0, 57.0),  # 1, 2 and 3 more
    ("here", "apart"): (49.0, 51.0, 53.0),  # always 1 less
    ("there", "sum"): (10.0, 10.0, 10.0),
    ("there", "joint"): (10.0, 11.0, 12.0),
}
RUNS = pd.DataFrame(
    [
        {"setting": setting, "contender": name, "seed": seed, "f1": score}
        for (setting, name), scores in SCORES.items()
        for seed, score in enumerate(scores)
    ]
)
# Student's t for two degrees of freedom, 4.303, times a deviation of 1, over the root of 3
WIDTH = 4.303 / 3**0.5


def test_differences_are_taken_seed_by_seed_in_each_setting() -> None:
    table = standings(RUNS, "sum", "f1")
    assert list(table.index) == ["joint", "apart"]  # as the runs have them
    assert list(table.columns.get_level_values(0).unique()) == ["here", "there"]
    assert table["here"]["mean"].tolist() == [2.0, -1.0]
    assert table["here"]["half_width"].tolist() == pytest.approx([WIDTH, 0.0], rel=1e-3)
    joint = {"mean": 1.0, "half_width": pytest.approx(WIDTH, rel=1e-3), "n": 3}
    assert table["there"].loc["joint"].to_dict() == joint
    assert table["there"].loc["apart"].isna().all()


def test_only_seeds_that_both_have_are_counted() -> None:
    fewer = RUNS.query("not (contender == 'joint' and seed == 2)")
    assert standings(fewer, "sum", "f1").loc["joint", ("here", "n")] == 2


def test_who_counts_as_zero_must_be_there_and_not_alone() -> None:
    with pytest.raises(KeyError, match=r"runs in there, as \['joint'\], got 'sum'"):
        standings(RUNS.query("setting == 'here' or contender != 'sum'"), "sum", "f1")
    with pytest.raises(ValueError, match="alone in here, got 'sum'"):
        standings(RUNS.query("contender == 'sum'"), "sum", "f1")


def test_what_has_no_score_has_no_standing() -> None:
    without = RUNS.assign(f1=RUNS["f1"].where(RUNS["contender"] != "apart"))
    table = standings(without, "sum", "f1")
    assert list(table.index) == ["joint", "apart"]
    assert table.loc["apart"].isna().all()
    assert table["here"].loc["joint", "mean"] == 2.0


def test_settings_are_told_apart_by_more_than_their_text() -> None:
    numbered = RUNS.assign(setting=RUNS["setting"].map({"here": 1, "there": "1"}))
    table = standings(numbered, "sum", "f1")
    assert table.loc["joint", (1, "mean")] == 2.0
    assert table.loc["joint", ("1", "mean")] == 1.0


def test_rows_that_cannot_be_placed_are_refused() -> None:
    with pytest.raises(ValueError, match="runs must have rows"):
        standings(RUNS[:0], "sum", "f1")
    with pytest.raises(ValueError, match="each with setting and contender"):
        standings(RUNS.assign(setting=RUNS["setting"].where(RUNS["seed"] > 0)), "sum", "f1")
    for metric in ("seed", "words"):
        with pytest.raises(TypeError, match="metric must be a column of scores"):
            standings(RUNS.assign(words="a"), "sum", metric)


def test_the_picture_shows_the_table() -> None:
    figure = plot_standings(RUNS, "sum", "f1")
    assert [panel.get_title() for panel in figure.axes] == ["here", "there"]
    zero, means = figure.axes[0].lines
    assert set(zero.get_xdata()) == {0}
    assert means.get_xdata().tolist() == [2.0, -1.0]
    (bars,) = figure.axes[0].collections
    widths = [abs(bar[1][0] - bar[0][0]) / 2 for bar in bars.get_segments()]
    assert widths == pytest.approx([WIDTH, 0.0], rel=1e-3)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["joint", "apart"]
    assert figure.axes[0].yaxis_inverted()
    assert figure.axes[1].get_xlabel() == "f1, minus sum"
    plt.close(figure)
