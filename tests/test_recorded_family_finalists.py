"""The best families on commands: who they are and what their steps cost follows from records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import median

import pandas as pd
import pytest

from mtl_utils.experiments import family_finalists, load_results, standings, verdicts
from mtl_utils.experiments.contenders import overlaid
from mtl_utils.experiments.experiment import Place
from mtl_utils.experiments.family_finalists import (
    COMPARISON,
    FINALISTS,
    MEMORY,
    SECONDS,
    SETTING,
    STEP_TIMES,
    run_times,
)
from mtl_utils.experiments.ways_of_sharing import CONTENDERS as WAYS
from mtl_utils.sharing import SharedPrivate
from mtl_utils.training import JointBatches, Trainer

CONTROLS = ("separate", "separate, wider", "hard")


def test_finalists_are_those_that_were_best_on_validation_of_atlas() -> None:
    means: dict[str, float] = {}
    for name in ("ways_of_sharing", "hierarchies", "dynamic_sharing"):
        frame = load_results(name).query("setting == 'Atlas'")
        means |= frame.groupby("contender")["entities_validation"].mean().to_dict()
    others = {name: mean for name, mean in means.items() if name not in CONTROLS}
    assert tuple(sorted(others, key=others.__getitem__, reverse=True)[:5]) == FINALISTS
    assert {of.name for of in COMPARISON.contenders} == {*CONTROLS, *FINALISTS}


def test_seconds_are_those_on_record() -> None:
    measured = list(load_results(STEP_TIMES.name)["step_seconds"])
    for name, ratio in SECONDS.items():
        found = median(times[name] / times["separate"] for times in measured)
        assert round(found, 2) == ratio


def test_memory_grows_with_what_a_way_keeps() -> None:
    (counted,) = load_results(MEMORY.name)["megabytes"]
    assert set(counted) == {contender.name for contender in COMPARISON.contenders}
    assert counted["separate"] < counted["separate, wider"] < counted["shared-private"]
    times = {name: round(size / counted["separate"], 1) for name, size in counted.items()}
    assert {times["hard"], times["branched"]} == {1.4}
    several = [times[name] for name in FINALISTS if name != "branched"]
    assert (min(several), max(several)) == (2.5, 3.3)
    # Four numbers of four bytes a weight, and what is kept for the pass back beside them
    weights = load_results(COMPARISON.name).groupby("contender")["parameters"].first()
    for name in ("hard", "branched", "soft, trace norm", "shared-private", "sluice"):
        assert counted[name] > 16 * weights[name] / 1e6


def test_equal_seconds_leave_more_steps_to_whose_steps_are_cheap() -> None:
    settings = COMPARISON.settings[SETTING]
    timed = [a for a in COMPARISON.ablations if a.name == f"{a.of}, equal seconds"]
    assert {ablation.of for ablation in timed} == set(SECONDS)
    for ablation in timed:
        changed = overlaid(settings, ablation.changes)
        assert changed["steps"] % changed["validations"] == 0
        spent = changed["steps"] * SECONDS[ablation.of]
        assert spent == pytest.approx(settings["steps"], rel=0.01)
        warm = [of["training"]["warmup_steps"] / of["steps"] for of in (settings, changed)]
        assert warm[0] == pytest.approx(warm[1], rel=0.02)


def test_families_are_those_of_the_earlier_comparisons() -> None:
    before = {of.name: of for of in WAYS}
    for contender in COMPARISON.contenders:
        if contender.name in before:
            known = before[contender.name]
            assert replace(contender, trials=()) == replace(known, trials=())
        for trial in contender.trials:
            assert {"pos", "entities"}.isdisjoint(trial.get("weights", {}))


def test_what_the_chapter_says_beside_its_cells_follows_from_records() -> None:
    runs, changed = (load_results(f"{COMPARISON.name}{part}") for part in ("", "_ablations"))

    def ahead(first: str, second: str) -> tuple[float, float]:
        """Of slots, each a contender as it was tuned or the name of a change."""
        named = changed.assign(contender=changed["ablation"])
        table = standings(pd.concat([runs, named]), second, "slots_f1")[SETTING].loc[first]
        return round(table["mean"], 1), round(table["half_width"], 1)

    assert ahead("shared-private", "separate, wider") == (1.0, 0.7)
    assert ahead("soft, trace norm", "separate") == (2.4, 1.5)
    assert ahead("sluice", "separate") == (1.2, 1.2)
    assert ahead("trace norm of each encoder alone", "separate") == (2.4, 1.3)
    left = ahead("soft, trace norm", "trace norm of each encoder alone")
    assert (abs(left[0]), left[1]) == (0, 1.5)
    assert ahead("weight decay of 0.1", "separate") == (2.2, 1.2)
    told = verdicts(COMPARISON.name, SETTING)
    assert set(told["verdict"]) == {"no difference shown"}
    lead = told[told["first"].isin(["soft, trace norm", "sluice", "shared-private"])]
    assert (lead["doubled"] > lead["difference"]).all()
    for way in ("soft, trace norm", "soft, distance"):
        mean, half_width = ahead(f"{way}, equal seconds", "separate")
        assert mean + half_width < 0
    for way in ("shared-private", "sluice"):
        mean, half_width = ahead(f"{way}, equal seconds", "separate")
        assert 0.9 < mean < half_width + 0.1
    names = ("ways_of_sharing", "hierarchies", "dynamic_sharing")
    everyone = pd.concat([load_results(name) for name in names])
    table = standings(everyone, "hard", "entities_f1")
    web = table["UNER"][["mean", "half_width"]]
    assert web.loc["soft, trace norm"].tolist() == pytest.approx([4.374, 2.702], abs=0.001)
    assert web.loc["soft, distance"].tolist() == pytest.approx([4.3, 2.5], abs=0.051)
    assert web.loc["sluice"].tolist() == pytest.approx([3.948, 1.621], abs=0.001)
    assert web.loc["separate, wider"].tolist() == pytest.approx([2.8, 1.8], abs=0.051)
    assert table["Atlas"]["mean"].between(-0.35, 2.0).all()
    linear = load_results("linear_models").query("data == 'snips/slots/even' and rows == 6000")
    assert round(linear["slots_f1"].mean()) == 83


def test_every_contender_is_timed_as_it_was_tuned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: dict[str, tuple[float, object]] = {}

    def seen(self: Trainer, data: JointBatches) -> None:
        sharing = self.model.sharing
        read["+".join(self.model.tasks)] = (self.config.learning_rate, sharing)
        if isinstance(sharing, SharedPrivate):
            adversaries.append(sharing.adversary_strength)

    adversaries: list[object] = []
    monkeypatch.setattr(family_finalists, "ROUNDS", 1)
    monkeypatch.setattr(Trainer, "fit", seen)
    changes = {"data": [["atlas_sentences:200@1", 60, 4]], "tasks": ["pos", "entities"]}
    small = overlaid(COMPARISON.settings[SETTING], {**changes, "vocab_size": 300})
    monkeypatch.setitem(COMPARISON.settings, SETTING, small)
    chosen = {"training.learning_rate": 0.007}

    class Tuned:
        def chosen(self, name: str) -> dict[str, dict[str, object]]:
            of = chosen if name != "shared-private" else {**chosen, "sharing.adversary": None}
            return dict.fromkeys(("pos", "entities", "pos+entities"), of)

    monkeypatch.setattr(type(COMPARISON), "tuning", lambda self, setting, place: Tuned())
    found = run_times({"setting": SETTING}, 0, Place(tmp_path, tmp_path))["step_seconds"]
    assert set(found) == {contender.name for contender in COMPARISON.contenders}
    assert {rate for rate, _ in read.values()} == {0.007}
    assert set(read) == {"pos", "entities", "pos+entities"}
    assert adversaries == [None]
