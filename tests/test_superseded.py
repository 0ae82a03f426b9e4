"""Runs that were made before something better was tried: found, deleted, and none in the book."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtl_utils.experiments import records
from mtl_utils.experiments.__main__ import main
from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender
from mtl_utils.experiments.registry import comparisons
from mtl_utils.experiments.superseded import delete_superseded, superseded
from mtl_utils.experiments.tuning import RATE

LOUD = {"weights": {"entities": 3.0}}
QUIET = {"weights": {"entities": 0.1}}
COMPARISON = Comparison(
    name="tried",
    description="Tried.",
    settings={"Atlas": {"tasks": ["topic", "entities"], "training": {}, "steps": 4}},
    contenders=(
        Contender("joint", trials=(LOUD,)),
        Contender("separate", "apart", trials=({"head_dropout": 0.1},)),
    ),
    rates=(0.001, 0.003, 0.01, 0.03),
    seeds=(0, 1),
    contrasts={},
)
TRIED_LATER = replace(
    COMPARISON,
    contenders=(
        Contender("joint", trials=(LOUD, QUIET)),
        Contender("separate", "apart", trials=({"head_dropout": 0.1}, {"head_dropout": 0.2})),
    ),
)
BEST = {
    "joint": {"topic+entities": {RATE: 0.003, **LOUD}},
    "separate": {"topic": {RATE: 0.01}, "entities": {RATE: 0.01}},
}


def tried(folder: Path, contender: str, part: str, settings: dict[str, Any], score: float) -> None:
    """Record a trial of all units of a contender."""
    units = BEST[contender]
    metrics = {
        "tried": dict.fromkeys(units, settings),
        "curves": {task: [score] for task in ("topic", "entities")},
    }
    (config,) = (c for c in COMPARISON.configs() if c["contender"] == contender)
    beside = {name: value for name, value in settings.items() if name != RATE}
    config |= {"trial": beside} if part == "_trials" else {"rate": settings[RATE]}
    made = records.make(f"tried{part}", config, 100, metrics, 1.0)
    records.append(folder / f"tried{part}.jsonl", made)


def tried_later(folder: Path) -> None:
    """Record what was tried when everything was run: one trial is better than all before."""
    tried(folder, "joint", "_trials", {RATE: 0.003, **QUIET}, 80.0)
    tried(folder, "separate", "_trials", {RATE: 0.01, "head_dropout": 0.2}, 30.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Records of a comparison of which everything was run with its best settings."""
    for contender, best in (("joint", 0.003), ("separate", 0.01)):
        for rate in COMPARISON.rates:
            score = 60.0 if rate == best else 50.0
            tried(tmp_path, contender, "_rates", {RATE: rate}, score)
    tried(tmp_path, "joint", "_trials", {RATE: 0.003, **LOUD}, 70.0)
    tried(tmp_path, "separate", "_trials", {RATE: 0.01, "head_dropout": 0.1}, 40.0)
    for experiment in COMPARISON.experiments()[2:]:
        for config, seed in experiment.cells():
            metrics = {"chosen": BEST[config["contender"]]}
            made = records.make(experiment.name, config, seed, metrics, 1.0)
            records.append(tmp_path / f"{experiment.name}.jsonl", made)
    return tmp_path


def seeds_of(folder: Path, name: str) -> list[tuple[str, int]]:
    read = records.read(folder / f"{name}.jsonl")
    return [(record["config"]["contender"], record["seed"]) for record in read]


def test_what_ran_with_the_best_is_not_superseded(folder: Path) -> None:
    assert superseded(COMPARISON, folder) == {}
    assert delete_superseded(COMPARISON, folder) == {}
    assert len(seeds_of(folder, "tried")) == 4


def test_a_better_trial_supersedes_the_runs_of_its_contender_alone(folder: Path) -> None:
    tried_later(folder)
    found = superseded(TRIED_LATER, folder)
    assert {name: len(old) for name, old in found.items()} == {"tried": 2, "tried_doubled": 2}
    assert {record["config"]["contender"] for old in found.values() for record in old} == {"joint"}
    assert delete_superseded(TRIED_LATER, folder) == {"tried": 2, "tried_doubled": 2}
    for name in found:
        assert seeds_of(folder, name) == [("separate", 0), ("separate", 1)]
    assert superseded(TRIED_LATER, folder) == {}


def test_nothing_is_said_before_all_was_tried(folder: Path) -> None:
    wider = replace(TRIED_LATER, rates=(*COMPARISON.rates, 0.1))
    assert superseded(TRIED_LATER, folder) == {}
    tried_later(folder)
    assert superseded(wider, folder) == {}


def test_the_command_names_files_and_deletes_when_told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried_later(folder)
    monkeypatch.setattr("mtl_utils.experiments.__main__.find_comparison", lambda name: TRIED_LATER)
    assert main(["superseded", "tried", "--output", str(folder)]) == 0
    assert capsys.readouterr().out == "tried: 2 superseded\ntried_doubled: 2 superseded\n"
    assert main(["superseded", "tried", "--output", str(folder), "--delete"]) == 0
    assert capsys.readouterr().out == "tried: 2 deleted\ntried_doubled: 2 deleted\n"
    assert main(["superseded", "tried", "--output", str(folder)]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("comparison", comparisons(), ids=lambda comparison: comparison.name)
def test_no_run_of_the_book_is_superseded(comparison: Comparison) -> None:
    assert superseded(comparison, records.repository() / "book" / "results") == {}
