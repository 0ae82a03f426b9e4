"""Maps of gains: the verdicts of all points together, and their picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from mtl_utils.experiments import gain_map, plot_gains, records
from mtl_utils.experiments.sharing_map import ALONE, AMOUNTS, SNIPS, setting_name

GAIN = {100: 9.0, 400: 3.0, 1600: 0.0, 6000: -6.0}
"""What intents are made to give to slots, by rows of slots."""


def record(folder: Path, name: str, seeds: range) -> None:
    for config in next(e for e in SNIPS.experiments() if e.name == name).configs:
        rows = next(n for n in AMOUNTS if setting_name(n, 64) == config["setting"])
        for seed in seeds:
            helped = config["contender"] != ALONE
            score = 50 + seed + helped * (GAIN[rows] + 0.1 * (seed - 1))
            run = records.make(name, config, seed, {"slots_f1": score}, 1.0)
            records.append(folder / f"{name}.jsonl", run)


def test_a_map_has_the_verdict_of_every_point(tmp_path: Path) -> None:
    record(tmp_path, SNIPS.name, range(3))
    record(tmp_path, f"{SNIPS.name}_doubled", range(2))
    found = gain_map(SNIPS.name, tmp_path)
    assert found["rows"].tolist() == list(AMOUNTS)
    assert set(found["width"]) == {64}
    assert set(found["beside"]) == {"with intent"}
    assert found["gain"].tolist() == pytest.approx([GAIN[rows] for rows in AMOUNTS], abs=1e-9)
    # Student's t for two degrees of freedom, 4.303, times a deviation of 0.1 over the root of 3
    assert found["half_width"].tolist() == pytest.approx([4.303 * 0.1 / 3**0.5] * 4, rel=1e-3)
    assert found["verdict"].tolist() == ["helps", "helps", "no difference shown", "hurts"]


def test_a_map_is_drawn_as_it_stands(tmp_path: Path) -> None:
    record(tmp_path, SNIPS.name, range(3))
    record(tmp_path, f"{SNIPS.name}_doubled", range(2))
    gains = gain_map(SNIPS.name, tmp_path)
    figure = plot_gains(gains)
    (panel,) = figure.axes
    assert [label.get_text() for label in panel.get_xticklabels()] == [
        "100",
        "400",
        "1,600",
        "6,000",
    ]
    assert gains["linear"].isna().all()  # no linear model is on record there, so none is drawn
    zero, line, *_ = panel.lines
    assert set(zero.get_ydata()) == {0}
    assert line.get_ydata().tolist() == gains["gain"].tolist()
    assert to_hex(line.get_markerfacecolor()) == "#ffffff"
    claimed = panel.lines[-1]
    assert claimed.get_ydata().tolist() == pytest.approx([9.0, 3.0, -6.0])
    assert claimed.get_color() == line.get_color()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["with intent"]
    plt.close(figure)


def test_what_was_withdrawn_stays_hollow() -> None:
    gains = gain_map("sharing_map_uner")
    assert gains["verdict"].tolist()[-1] == "withdrawn"
    assert not set(gains["verdict"]) & {"helps", "hurts"}
    figure = plot_gains(gains)
    filled = [line for line in figure.axes[0].lines if line.get_linestyle() == "None"]
    assert [len(line.get_xdata()) for line in filled] == [0]
    plt.close(figure)


def test_a_point_that_is_claimed_nowhere_stays_hollow(tmp_path: Path) -> None:
    record(tmp_path, SNIPS.name, range(3))  # no runs at twice the steps
    gains = gain_map(SNIPS.name, tmp_path)
    assert set(gains["verdict"]) == {"not doubled", "no difference shown"}
    figure = plot_gains(gains)
    assert len(figure.axes[0].lines[-1].get_ydata()) == 0
    plt.close(figure)


def test_a_linear_model_is_held_against_the_task_alone(tmp_path: Path) -> None:
    record(tmp_path, SNIPS.name, range(3))  # alone 50, 51 and 52 at every amount
    for rows, score in {100: 61.0, 400: 57.0}.items():
        config = {"data": "snips/slots/even", "rows": rows}
        for seed in range(2):
            line = records.make("linear_models", config, seed, {"slots_f1": score + seed}, 1.0)
            records.append(tmp_path / "linear_models.jsonl", line)
    gains = gain_map(SNIPS.name, tmp_path)
    missing = float("nan")
    wanted = pytest.approx([10.5, 6.5, missing, missing], nan_ok=True)
    assert gains["linear"].tolist() == wanted
    figure = plot_gains(gains)
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    drawn = lines["linear model of words, alone"]
    assert drawn.get_xdata().tolist() == [0, 1, 2, 3]
    assert drawn.get_ydata().tolist() == wanted
    assert len(figure.legends[0].get_texts()) == 2
    assert figure.axes[0].get_ylabel() == "gain of slots over training alone, points"
    plt.close(figure)


def test_what_is_no_map_is_refused() -> None:
    with pytest.raises(ValueError, match="takes all rows in"):
        gain_map("joint_transformer_snips")
    with pytest.raises(KeyError, match=r"no column .*verdict"):
        plot_gains(gain_map("sharing_map_snips").drop(columns="verdict"))
    with pytest.raises(ValueError, match="at least one row"):
        plot_gains(gain_map("sharing_map_snips").iloc[:0])
