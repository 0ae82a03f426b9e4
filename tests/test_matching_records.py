"""Records are read as those of a comparison if it has their settings, and if none is missing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mtl_utils.experiments import (
    Place,
    change_table,
    comparison_table,
    contender_table,
    fresh_table,
    gain_map,
    plot_differences,
    records,
    step_size_table,
    verdicts,
)
from mtl_utils.experiments.__main__ import main
from mtl_utils.experiments.contenders import overlaid
from mtl_utils.experiments.joint_transformer import ON_ATLAS, ON_SNIPS
from mtl_utils.experiments.registry import comparisons

NAME = ON_SNIPS.name
Edit = Callable[[records.Record], records.Record | None]


def folder_with(folder: Path, edits: Mapping[str, Edit]) -> Path:
    """Copy the records of chapter 06, those of some files edited, or left out."""
    committed = records.repository() / "book" / "results"
    for path in committed.glob("joint_transformer_*.jsonl"):
        shutil.copy(path, folder)
    for part, edit in edits.items():
        path = folder / f"{part}.jsonl"
        edited = [edit(run) for run in records.read(path)]
        path.unlink()
        for run in edited:
            if run is not None:
                records.append(path, run)
    return folder


def of_other_settings(run: records.Record) -> records.Record:
    changed = {"settings": overlaid(run["config"]["settings"], {"vocab_size": 123})}
    return {**run, "config": {**run["config"], **changed}}


def chosen(folder: Path, contender: str) -> Any:
    return ON_SNIPS.tuning("SNIPS", Place(folder, folder)).chosen(contender)


def without(which: Callable[[Mapping[str, Any]], bool]) -> Edit:
    return lambda run: None if which(run["config"]) else run


def test_a_trial_that_is_missing_is_not_as_if_it_had_been_worse(tmp_path: Path) -> None:
    lost = without(lambda config: config["trial"] == {"head_dropout": 0.3})
    folder = folder_with(tmp_path, {f"{NAME}_trials": lost})
    with pytest.raises(ValueError, match=r"'separate' has no trial .* \[{'head_dropout': 0.3}\]"):
        chosen(folder, "separate")
    with pytest.raises(ValueError, match="'separate' has no trial"):  # it is the reference
        chosen(folder, "joint")
    assert len(step_size_table(NAME, "SNIPS", folder)) == len(ON_SNIPS.rates)


def test_a_step_size_that_a_trial_was_made_with_is_missing_all_the_same(tmp_path: Path) -> None:
    lost = without(lambda config: config["rate"] == 0.002)
    folder = folder_with(tmp_path, {f"{NAME}_rates": lost})
    with pytest.raises(ValueError, match=r"no trial on 'SNIPS' with the step sizes \[0.002\]"):
        chosen(folder, "joint")


def test_records_of_other_settings_are_refused(tmp_path: Path) -> None:
    parts = {
        part: tmp_path / f"with{part}"
        for part in ("_rates", "_trials", "", "_doubled", "_ablations")
    }
    for part, folder in parts.items():
        folder.mkdir()
        folder_with(folder, {f"{NAME}{part}": of_other_settings})
    with pytest.raises(ValueError, match=rf"{NAME}_rates has 14 records of settings that {NAME}"):
        chosen(parts["_rates"], "joint")
    with pytest.raises(ValueError, match=r"'rate': 0.001} with seed 100: delete them from"):
        step_size_table(NAME, "SNIPS", parts["_rates"])
    with pytest.raises(ValueError, match=rf"work {NAME}_trials`"):
        chosen(parts["_trials"], "joint")
    for part in ("", "_doubled"):
        for table in (verdicts, comparison_table):
            with pytest.raises(ValueError, match=rf"^{NAME}{part} has \d+ records"):
                table(NAME, "SNIPS", parts[part])
        with pytest.raises(ValueError, match=rf"^{NAME}{part} has \d+ records"):
            contender_table(NAME, ["slots_f1"], parts[part])
        with pytest.raises(ValueError, match=rf"^{NAME}{part} has \d+ records"):
            plot_differences(NAME, parts[part])
    with pytest.raises(ValueError, match=rf"^{NAME}_ablations has 9 records"):
        change_table(NAME, "SNIPS", ["slots_f1"], parts["_ablations"])


def test_a_change_of_the_same_name_that_changes_something_else_is_refused(tmp_path: Path) -> None:
    def other(run: records.Record) -> records.Record:
        return {**run, "config": {**run["config"], "changes": {"vocab_size": 5000}}}

    folder = folder_with(tmp_path, {f"{ON_ATLAS.name}_ablations": other})
    with pytest.raises(ValueError, match="has 3 records of settings"):
        change_table(ON_ATLAS.name, "Atlas", ["entities_f1"], folder)


def test_runs_with_further_seeds_are_left_out(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {})
    before = comparison_table(NAME, "SNIPS", folder)
    for run in records.read(folder / f"{NAME}.jsonl")[:2]:
        further = {"metrics": {**run["metrics"], "slots_f1": 0.0}, "seed": 77}
        records.append(folder / f"{NAME}.jsonl", {**run, **further})
    assert comparison_table(NAME, "SNIPS", folder).equals(before)


@pytest.mark.parametrize("comparison", comparisons(), ids=lambda comparison: comparison.name)
def test_all_records_of_the_book_are_of_settings_that_it_has(comparison: Any) -> None:
    folder = records.repository() / "book" / "results"
    for experiment in comparison.experiments():
        planned = {(records.canonical(config), seed) for config, seed in experiment.cells()}
        found = records.read(folder / f"{experiment.name}.jsonl")
        assert {(records.canonical(run["config"]), run["seed"]) for run in found} <= planned


def test_a_map_is_of_the_settings_that_it_has(tmp_path: Path) -> None:
    committed = records.repository() / "book" / "results"
    for part in ("", "_doubled"):
        shutil.copy(committed / f"sharing_map_snips{part}.jsonl", tmp_path)
    assert len(gain_map("sharing_map_snips", tmp_path)) == 4
    (run, *_) = records.read(tmp_path / "sharing_map_snips.jsonl")
    records.append(tmp_path / "sharing_map_snips.jsonl", of_other_settings(run))
    with pytest.raises(ValueError, match="sharing_map_snips has 1 records of settings"):
        gain_map("sharing_map_snips", tmp_path)


def seeds_of(contender: str, *seeds: int) -> Edit:
    """Leave out all runs of a contender but those of some seeds."""

    def edit(run: records.Record) -> records.Record | None:
        return None if run["config"]["contender"] == contender and run["seed"] not in seeds else run

    return edit


def test_nothing_is_said_of_half_a_record(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {NAME: seeds_of("joint", 0, 1, 3)})
    said = rf"{NAME} has no run of 'joint' on 'SNIPS' with the seeds \[2, 4\], and compares all of"
    for table in (verdicts, comparison_table):
        with pytest.raises(ValueError, match=said):
            table(NAME, "SNIPS", folder)
    with pytest.raises(ValueError, match=said):
        plot_differences(NAME, folder)
    assert contender_table(NAME, ["slots_f1"], folder)["n"].tolist() == [3, 5]
    assert main(["list", "--output", str(folder)]) == 0  # what is under way is listed


@pytest.mark.parametrize("contender", ["joint", "separate"])
def test_a_claim_needs_all_runs_of_both_sides_at_twice_the_steps(
    contender: str, tmp_path: Path
) -> None:
    whole = verdicts(NAME, "SNIPS")
    folder = folder_with(tmp_path, {f"{NAME}_doubled": seeds_of(contender, 1)})
    found = verdicts(NAME, "SNIPS", folder)
    assert found["doubled"].isna().all()
    claimed = whole["verdict"].isin(["first", "second"])
    assert claimed.any()
    assert set(found["verdict"][claimed]) == {"not doubled"}
    assert not found["withdrawn"].any()  # nothing would be claimed
    assert found["p"].equals(whole["p"])


def test_what_was_found_is_confirmed_by_all_fresh_seeds(tmp_path: Path) -> None:
    committed = records.repository() / "book" / "results"
    for part in ("", "_fresh"):
        shutil.copy(committed / f"sharing_map_uner{part}.jsonl", tmp_path)
    assert fresh_table("sharing_map_uner", tmp_path).equals(fresh_table("sharing_map_uner"))
    path = tmp_path / "sharing_map_uner_fresh.jsonl"
    *kept, last = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(kept), "utf-8")
    seed = json.loads(last)["seed"]
    with pytest.raises(ValueError, match=rf"sharing_map_uner_fresh has no run .* seeds \[{seed}\]"):
        fresh_table("sharing_map_uner", tmp_path)


def test_only_a_claim_is_withdrawn(tmp_path: Path) -> None:
    def level(run: records.Record) -> records.Record:
        return {**run, "metrics": {**run["metrics"], "slots_f1": 90.0 + run["seed"]}}

    folder = folder_with(tmp_path, {NAME: level})
    found = comparison_table(NAME, "SNIPS", folder)
    assert found.loc["slots_f1", "verdict"] == "no difference shown"
    assert verdicts(NAME, "SNIPS", folder)["withdrawn"].tolist() == [False, False, True]
    assert found.loc["snips_exact", "verdict"].endswith("is better, withdrawn")


def test_runs_with_other_seeds_alone_are_no_record(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {NAME: lambda run: {**run, "seed": run["seed"] + 50}})
    with pytest.raises(FileNotFoundError, match=rf"{NAME}' with the seeds \[0, 1, 2, 3, 4\]"):
        verdicts(NAME, "SNIPS", folder)


def test_a_comparison_that_names_no_difference_has_none_to_draw() -> None:
    with pytest.raises(KeyError, match="joint_transformer_atlas names no difference"):
        plot_differences("joint_transformer_atlas")
