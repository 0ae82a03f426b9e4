"""The picture of the differences that a comparison named."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib import pyplot as plt

from mtl_utils.experiments import plot_differences, records
from mtl_utils.experiments.ways_of_sharing import COMPARISON

GAIN = {"separate": 0.0, "hard": 3.0, "branched": -2.0, "soft, distance": 0.0}
"""What contenders are made to have beside those that learn alone; others nothing."""
DOUBLED = {**GAIN, "branched": 2.0}


def record(folder: Path, part: str, seeds: range, gains: dict[str, float]) -> None:
    name = f"{COMPARISON.name}{part}"
    for config in next(e for e in COMPARISON.experiments() if e.name == name).configs:
        for seed in seeds:
            gain = gains.get(config["contender"], 0.0)
            score = 50 + seed + gain + 0.1 * gain * (seed - 2)
            run = records.make(name, config, seed, {"entities_f1": score}, 1.0)
            records.append(folder / f"{name}.jsonl", run)


def test_every_named_difference_is_drawn_as_it_stands(tmp_path: Path) -> None:
    record(tmp_path, "", range(5), GAIN)
    record(tmp_path, "_doubled", range(2), DOUBLED)
    figure = plot_differences(COMPARISON.name, tmp_path)
    assert [panel.get_title() for panel in figure.axes] == ["Atlas", "UNER"]
    for panel in figure.axes:
        contrasts = COMPARISON.contrasts[panel.get_title()]
        named = [f"{contrast.first} / {contrast.second}" for contrast in contrasts]
        zero, means, claimed, doubled = panel.lines
        assert set(zero.get_xdata()) == {0}
        assert means.get_xdata().tolist() == pytest.approx([3.0, -2.0, 0.0, 0.0, 0.0], abs=1e-9)
        # Student's t for four degrees of freedom, 2.776, times a deviation of 0.3 or 0.2 times the
        # root of 2.5, over the root of 5
        (bars,) = panel.collections
        widths = [abs(bar[1][0] - bar[0][0]) / 2 for bar in bars.get_segments()]
        one = 2.776 * 0.1 * 2.5**0.5 / 5**0.5
        assert widths == pytest.approx([3 * one, 2 * one, 0, 0, 0], rel=1e-3, abs=1e-9)
        assert claimed.get_xdata().tolist() == pytest.approx([3.0])  # the other turned its sign
        assert list(claimed.get_ydata()) == [0]
        assert doubled.get_xdata()[:2].tolist() == pytest.approx([3 * 0.85, 2 * 0.85])
        below = panel.yaxis_inverted()
        assert below
        assert list(panel.get_yticks()) == list(range(5))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == named
    plt.close(figure)


def test_metrics_are_named_where_there_are_several() -> None:
    figure = plot_differences("joint_transformer_snips")
    (panel,) = figure.axes
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert any(label.endswith(", slots f1") for label in labels)
    assert len(set(labels)) == len(labels)
    _, means, claimed, _ = panel.lines
    assert len(means.get_xdata()) == 3
    assert not len(claimed.get_xdata())  # both that would be are withdrawn
    plt.close(figure)


def test_what_is_not_on_record_is_not_drawn(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="ways_of_sharing"):
        plot_differences(COMPARISON.name, tmp_path)
