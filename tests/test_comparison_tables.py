"""Verdicts and curves of recorded comparisons, as chapters call them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from mtl_utils.experiments import (
    Contrast,
    ablation_table,
    change_table,
    comparison_table,
    contender_table,
    fresh_table,
    load_results,
    plot_curves,
    records,
    step_size_table,
    tables,
    verdicts,
)
from mtl_utils.experiments.joint_transformer import ON_SNIPS

CURVES = {
    "joint": [{"a": [10.0, 20.0, 30.0], "b": [5.0, 6.0, 7.0]}, {"a": [20.0, 30.0, 50.0]}],
    "separate": [{"a": [0.0, 40.0], "b": [1.0, 2.0]}],
}


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"contender": name, "seed": seed, "curves": curve}
            for name, several in CURVES.items()
            for seed, curve in enumerate(several)
        ]
    )


def test_curves_are_means_over_seeds_against_the_share_of_steps() -> None:
    figure = plot_curves(frame(), ["a", "b"])
    first, second = figure.axes
    assert [panel.get_title() for panel in figure.axes] == ["a", "b"]
    joint, separate = first.lines
    np.testing.assert_allclose(joint.get_xydata(), [[1 / 3, 15], [2 / 3, 25], [1, 40]])
    np.testing.assert_allclose(separate.get_xydata(), [[0.5, 0], [1, 40]])
    np.testing.assert_allclose(second.lines[0].get_ydata(), [5, 6, 7])
    band = first.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (10, 50)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["joint", "separate"]
    plt.close(figure)


def test_a_task_without_curves_is_refused() -> None:
    with pytest.raises(KeyError, match="no run has a curve of 'c'"):
        plot_curves(frame(), ["c"])
    with pytest.raises(KeyError, match="no column"):
        plot_curves(frame().drop(columns="curves"), ["a"])


def record(folder: Path, name: str, joint: float, seeds: range) -> None:
    """Write down runs in which the joint model is ahead by about so much."""
    for config in next(e for e in ON_SNIPS.experiments() if e.name == name).configs:
        lead = joint if config["contender"] == "joint" else 0.0
        for seed in seeds:
            scores = {m: 80 + seed + lead + 0.1 * (seed % 2) * bool(lead) for m in METRICS}
            scores["parameters"] = 7
            records.append(folder / f"{name}.jsonl", records.make(name, config, seed, scores, 1.0))


METRICS = ("intent_accuracy", "slots_f1", "snips_exact")


def test_verdicts_need_runs_at_twice_the_steps(tmp_path: Path) -> None:
    record(tmp_path, ON_SNIPS.name, 3.0, range(5))
    assert set(verdicts(ON_SNIPS.name, "SNIPS", tmp_path)["verdict"]) == {"not doubled"}
    record(tmp_path, f"{ON_SNIPS.name}_doubled", 3.0, range(2))
    table = verdicts(ON_SNIPS.name, "SNIPS", tmp_path)
    assert table["metric"].tolist() == list(METRICS)
    assert set(table["verdict"]) == {"first"}
    assert table["difference"].tolist() == pytest.approx([3.04] * 3)
    assert len(load_results(ON_SNIPS.name, tmp_path)) == 10
    readable = comparison_table(ON_SNIPS.name, "SNIPS", tmp_path)
    assert readable.index.tolist() == list(METRICS)
    assert readable.iloc[0].to_dict() == {
        "joint": "85.0 ± 2.0",
        "separate": "82.0 ± 2.0",
        "difference": "+3.0 ± 0.1",
        "at twice the steps": "+3.0",  # 3.0 and 3.1 on the two seeds
        "verdict": "joint is better",
    }
    assert table["withdrawn"].tolist() == [False, True, True]
    assert readable["verdict"].tolist()[1:] == ["joint is better, withdrawn"] * 2


def test_contenders_stand_in_their_order_with_the_longer_runs_beside(tmp_path: Path) -> None:
    record(tmp_path, ON_SNIPS.name, 3.0, range(5))
    table = contender_table(ON_SNIPS.name, ["slots_f1", "snips_exact"], tmp_path)
    assert table["slots_f1, twice"].isna().all()
    record(tmp_path, f"{ON_SNIPS.name}_doubled", 5.0, range(2))
    table = contender_table(ON_SNIPS.name, ["slots_f1", "snips_exact"], tmp_path)
    assert table.index.tolist() == [("SNIPS", "joint"), ("SNIPS", "separate")]
    assert table.loc[("SNIPS", "joint")].to_dict() == {
        "n": 5,
        "slots_f1": "85.0 ± 2.0",
        "snips_exact": "85.0 ± 2.0",
        "slots_f1, twice": 85.6,  # 85.0 and 86.1, in the mean
        "snips_exact, twice": 85.6,
        "parameters": 7,
    }
    assert table.loc[("SNIPS", "separate"), "slots_f1, twice"] == 80.5
    with pytest.raises(KeyError, match="slots_recall"):
        contender_table(ON_SNIPS.name, ["slots_recall"], tmp_path)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match=r"No comparison named 'snips'; there are .*sharing_map"):
        verdicts("snips", "SNIPS", tmp_path)
    with pytest.raises(KeyError, match="has no setting 'Atlas'"):
        verdicts(ON_SNIPS.name, "Atlas", tmp_path)
    with pytest.raises(KeyError, match="names no difference in 'SICK, TREC'"):
        verdicts("joint_pretrained_texts", "SICK, TREC")
    with pytest.raises(FileNotFoundError, match="No recorded results"):
        verdicts(ON_SNIPS.name, "SNIPS", tmp_path)


def test_fresh_seeds_confirm_or_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = (
        Contrast("joint", "separate", "slots_f1"),
        Contrast("separate", "joint", "intent_accuracy"),
    )
    again = replace(ON_SNIPS, found={"SNIPS": named})
    monkeypatch.setattr(tables, "find_comparison", lambda name: again)
    record(tmp_path, again.name, 3.0, range(5))
    with pytest.raises(FileNotFoundError, match="No recorded results"):
        fresh_table(again.name, tmp_path)
    fresh = again.experiments()[-1]
    for config in fresh.configs:
        for seed in fresh.seeds:
            lead = {"slots_f1": 2.0, "intent_accuracy": 1.0 if seed % 2 else -1.0}
            ours = config["contender"] == "joint"
            scores = {m: 80 + (lead[m] + 0.1 * (seed % 2)) * ours for m in lead}
            made = records.make(fresh.name, config, seed, scores, 1.0)
            records.append(tmp_path / f"{fresh.name}.jsonl", made)
    table = fresh_table(again.name, tmp_path)
    assert table["n"].tolist() == [5, 5]
    assert table["found"].tolist() == pytest.approx([3.04, -3.04])
    assert table["difference"].tolist() == pytest.approx([2.04, 0.16])
    assert table["confirmed"].tolist() == [True, False]
    assert table["p"].is_monotonic_increasing


def test_the_other_way_round_is_no_confirmation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = (Contrast("joint", "separate", "slots_f1"),)
    again = replace(ON_SNIPS, found={"SNIPS": named})
    monkeypatch.setattr(tables, "find_comparison", lambda name: again)
    record(tmp_path, again.name, 3.0, range(5))
    record(tmp_path, f"{again.name}_doubled", 3.0, range(2))
    fresh = again.experiments()[-1]
    for config in fresh.configs:
        for seed in fresh.seeds:
            score = 80 - 2 * (config["contender"] == "joint") + 0.1 * seed
            made = records.make(fresh.name, config, seed, {"slots_f1": score}, 1.0)
            records.append(tmp_path / f"{fresh.name}.jsonl", made)
    (row,) = fresh_table(again.name, tmp_path).to_dict("records")
    assert row["p"] < 0.05
    assert not row["confirmed"]


def test_step_sizes_show_what_would_be_stored(tmp_path: Path) -> None:
    """Slots count four times as much here: alone they reach 20, intents 80."""
    name = f"{ON_SNIPS.name}_rates"
    for config in next(e for e in ON_SNIPS.experiments() if e.name == name).configs:
        rate = config["rate"]
        curves = {"intent": [80.0, 40.0], "slots": [10.0, 20.0]}
        if config["contender"] == "joint":  # shares of the reference: 0.75, then 0.875
            curves = {"intent": [80.0, 60.0], "slots": [10.0, 20.0 + 100 * rate]}
        units = ["intent+slots"] if config["contender"] == "joint" else ["intent", "slots"]
        tried = {unit: {"training.learning_rate": rate} for unit in units}
        run = records.make(name, config, 100, {"tried": tried, "curves": curves}, 1.0)
        records.append(tmp_path / f"{name}.jsonl", run)
    table = step_size_table(ON_SNIPS.name, "SNIPS", tmp_path)
    assert table.index.tolist() == list(ON_SNIPS.rates)
    assert table["intent"]["separate"].tolist() == [80.0] * len(ON_SNIPS.rates)
    assert table["slots"]["separate"].tolist() == [20.0] * len(ON_SNIPS.rates)
    assert table["intent"]["joint"].tolist() == [60.0] * len(ON_SNIPS.rates)
    expected = [20 + 100 * rate for rate in ON_SNIPS.rates]
    assert table["slots"]["joint"].tolist() == pytest.approx(expected)


def test_a_random_search_has_no_grid_to_show() -> None:
    with pytest.raises(ValueError, match="got 'balancers', a search"):
        step_size_table("balancers", "Atlas, easy")


def _whole(record: records.Record) -> bool:
    """Say whether a change keeps all its seeds in a test that takes one of another's."""
    return record["config"]["ablation"] != "a BiLSTM"


def test_a_change_is_paired_with_what_was_tuned_on_its_seeds(tmp_path: Path) -> None:
    record(tmp_path, ON_SNIPS.name, 3.0, range(5))
    final = f"{ON_SNIPS.name}_ablations"
    effects = {"four times the steps": 2.0, "a BiLSTM": -1.0}
    effects["separate at the joint step size"] = 5.0  # beside the separate models as tuned
    for config in next(e for e in ON_SNIPS.experiments() if e.name == final).configs:
        for seed in range(3):
            joint = config["contender"] == "joint"
            tuned = 83 + seed + 0.1 * (seed % 2) if joint else 80 + seed
            scores = {"slots_f1": tuned + effects[config["ablation"]] + 0.05 * seed}
            made = records.make(final, config, seed, scores, 1.0)
            records.append(tmp_path / f"{final}.jsonl", made)
    table = ablation_table(ON_SNIPS.name, "SNIPS", "slots_f1", tmp_path).set_index("change")
    assert table["of"].tolist() == ["joint", "joint", "separate"]
    assert table["n"].tolist() == [3, 3, 3]  # of the five seeds of what was tuned
    assert table["difference"].tolist() == pytest.approx([2.05, -0.95, 5.05])
    assert table["as_tuned"].tolist() == pytest.approx([84 + 0.1 / 3] * 2 + [81])
    assert table["changed"].tolist() == pytest.approx([86.05 + 0.1 / 3, 83.05 + 0.1 / 3, 86.05])
    # Differences 2.0, 2.05 and 2.1: t = 2.05 / (0.05 / sqrt 3), two degrees of freedom.
    half_width = 4.302653 * 0.05 / 3**0.5
    assert table["half_width"].tolist() == pytest.approx([half_width] * 3)
    assert table["shown"].all()
    assert table["p"].iloc[0] == pytest.approx(
        2 * table["p"].iloc[1] * (0.95 / 2.05) ** 2, rel=0.02
    )
    written = change_table(ON_SNIPS.name, "SNIPS", ["slots_f1"], tmp_path)
    assert written.index.tolist() == [("slots_f1", change) for change in effects]
    differences = [f"{each:+.1f} ± {half_width:.1f}" for each in table["difference"]]
    assert written["difference"].tolist() == differences
    assert written["as tuned"].tolist() == ["84.0", "84.0", "81.0"]
    assert written["shown"].tolist() == [True, True, True]
    kept = [r for r in records.read(tmp_path / f"{final}.jsonl") if r["seed"] < 2 or _whole(r)]
    lines = "".join(f"{records.canonical(record)}\n" for record in kept)
    (tmp_path / f"{final}.jsonl").write_text(lines, "utf-8")
    fewer = ablation_table(ON_SNIPS.name, "SNIPS", "slots_f1", tmp_path)
    assert fewer["change"].tolist() == ["four times the steps", "separate at the joint step size"]
    with pytest.raises(KeyError, match="No change of"):
        ablation_table(ON_SNIPS.name, "SNIPS", "intent_accuracy", tmp_path)
    with pytest.raises(ValueError, match="with ablations"):
        ablation_table("sharing_map_snips", "100 rows, width 64", "slots_f1")
