"""The table of balancers on tiny data: who contends, what was drawn, what it costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mtl_utils import objectives
from mtl_utils.experiments import Place, balancers, balancers_real, estimate, records
from mtl_utils.experiments.balancers import (
    COMPARISON,
    CONFLICTING,
    MORE,
    SETTINGS,
    TUNED,
    Weighed,
)
from mtl_utils.experiments.balancing import balancer_of
from mtl_utils.experiments.contenders import Unit, overlaid
from mtl_utils.experiments.tuning import RATE
from mtl_utils.experiments.unit_training import train_unit

TINY: dict[str, Any] = {
    "data": [["atlas_sentences:60@1", None, 8]],
    "encoder": {"kind": "bilstm", "width": 8, "num_layers": 1, "dropout": 0.0},
    "vocab_size": 300,
    "steps": 2,
    "validations": 1,
    "training": {"learning_rate": 0.01, "warmup_steps": 1},
}
TASKS = ("topic", "event", "entities")
NAMES = [contender.name for contender in COMPARISON.contenders]


@pytest.mark.parametrize("name", NAMES)
def test_each_contender_learns_all_tasks_with_what_it_drew_last(name: str, tmp_path: Path) -> None:
    contender = COMPARISON.contender(name)
    settings = overlaid({**SETTINGS[CONFLICTING], **TINY}, contender.settings)
    settings = overlaid(settings, contender.trials[-1])
    units = contender.units(settings["tasks"])
    assert len(units) == (3 if name == "separate" else 1)
    metrics: dict[str, Any] = {}
    for unit in units:
        metrics |= train_unit(settings, unit, 0, tmp_path / unit.name).metrics
    assert set(metrics) == set(TASKS)


@pytest.mark.parametrize("name", NAMES)
def test_a_contender_is_what_its_name_says(name: str) -> None:
    contender = COMPARISON.contender(name)
    if name in (TUNED, "separate"):
        assert "balancer" not in contender.settings
        return
    trial = overlaid({"training": {}, **contender.settings}, contender.trials[0])
    made = balancer_of(trial["balancer"], TASKS, seed=3)
    known = {
        "IMTL-L": objectives.ImpartialLosses,
        "IMTL-G": objectives.IMTLG,
        "sum of logarithms": objectives.ScaleInvariantLog,
        "dynamic average": objectives.DynamicWeightAverage,
        "smooth maximum": objectives.SmoothChebyshev,
        "uncertainty": objectives.UncertaintyWeights,
    }
    expected = known.get(name) or getattr(
        objectives, "".join(part[0].upper() + part[1:] for part in name.split()).replace("-", "")
    )
    assert type(made) is expected
    for argument, value in contender.trials[0].items():
        if argument.startswith("balancer."):
            expected = tuple(value) if isinstance(value, list) else value
            assert getattr(made, argument.removeprefix("balancer.")) == expected


def test_what_draws_has_the_seed_of_the_run() -> None:
    first, again, other = (
        balancer_of({"kind": "RandomWeights"}, TASKS, seed).state_dict()["generator_state"]
        for seed in (0, 0, 1)
    )
    assert first.equal(again)
    assert not first.equal(other)


@pytest.mark.parametrize("kind", ["Losses", "classification_loss", "GradNrom"])
def test_what_is_no_balancer_is_refused(kind: str) -> None:
    with pytest.raises(KeyError, match=f"No balancer of the kind '{kind}'.*'GradNorm'"):
        balancer_of({"kind": kind}, TASKS, 0)


def test_all_draw_as_often_and_the_same_step_sizes() -> None:
    rates = [[trial[RATE] for trial in c.trials] for c in COMPARISON.contenders]
    assert all(found == rates[0] for found in rates)
    assert len(set(rates[0])) == 8
    assert all(0.003 <= rate <= 0.1 for rate in rates[0])
    drawn = [trial["weights"] for trial in COMPARISON.contender(TUNED).trials]
    assert all(set(weights) == set(TASKS) for weights in drawn)
    ratios = [weights["topic"] / weights["entities"] for weights in drawn]
    assert min(ratios) < 1 < max(ratios)


def test_five_go_on_drawing_where_they_stopped() -> None:
    names = [config["contender"] for config in MORE.configs]
    assert {name: names.count(name) for name in names} == dict.fromkeys(
        (TUNED, "uncertainty", "FAMO", "PCGrad", "UPGrad"), 24
    )
    assert {config["setting"] for config in MORE.configs} == {CONFLICTING}
    tried = [json.dumps(config["trial"], sort_keys=True) for config in MORE.configs]
    for contender in COMPARISON.contenders:
        ours = {json.dumps(dict(trial), sort_keys=True) for trial in contender.trials}
        theirs = [t for t, name in zip(tried, names, strict=True) if name == contender.name]
        assert not ours & set(theirs)
        assert len(set(theirs)) == len(theirs)
    trials = COMPARISON.experiments()[0]
    assert all("trial" in config and config not in trials.configs for config in MORE.configs)


def test_the_mean_over_tasks_is_of_shares_of_the_reference(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    planned = COMPARISON.experiments()[0].configs
    for contender in COMPARISON.contenders:
        units = contender.units(TASKS)
        for trial in contender.trials:
            named = {"setting": CONFLICTING, "contender": contender.name, "trial": dict(trial)}
            (config,) = (c for c in planned if named.items() <= c.items())
            metrics = {
                "tried": {unit.name: dict(trial) for unit in units},
                "curves": {"topic": [10.0, 40.0], "event": [50.0], "entities": [80.0]},
            }
            record = records.make("balancers_trials", config, 100, metrics, 1.0)
            records.append(tmp_path / "balancers_trials.jsonl", record)
    scores = {"topic_accuracy": 20.0, "event_accuracy": 50.0, "entities_f1": 60.0}
    monkeypatch.setattr(
        "mtl_utils.experiments.comparison.Comparison._measured", lambda *given: dict(scores)
    )
    config = {"setting": CONFLICTING, "contender": TUNED, "settings": {}}
    found = COMPARISON.run(config, 0, Place(tmp_path, tmp_path))
    assert found == {**scores, "relative": round(100 * (0.5 + 1.0 + 0.75) / 3, 2)}


def test_a_balancer_of_one_task_is_its_own(tmp_path: Path) -> None:
    settings = {**SETTINGS[CONFLICTING], **TINY}
    alone = train_unit(settings, Unit(("topic",)), 0, tmp_path / "a")
    equal = {**settings, "balancer": {"kind": "EqualWeights"}}
    same = train_unit(equal, Unit(("topic",)), 0, tmp_path / "b")
    assert alone.metrics == same.metrics
    assert alone.history["train_loss"].tolist() == same.history["train_loss"].tolist()


def test_the_whole_comparison_stays_under_its_cap(tmp_path: Path) -> None:
    costs = estimate([e.name for e in balancers.EXPERIMENTS], tmp_path)
    assert len(costs) == 4
    assert sum(cost.hours for cost in costs) <= 6
    assert all(cost.unknown == 0 for cost in costs)
    assert {e.priority for e in balancers.EXPERIMENTS} == {5}


@pytest.mark.parametrize("comparison", balancers_real.COMPARISONS, ids=lambda found: found.name)
def test_on_real_texts_all_draw_as_on_atlas(comparison: Weighed) -> None:
    (settings,) = comparison.settings.values()
    tasks = settings["tasks"]
    assert set(tasks) <= set(balancers_real.METRICS)
    rates = [trial[RATE] for trial in COMPARISON.contender(TUNED).trials]
    assert [c.name for c in comparison.contenders] == ["separate", TUNED, *balancers_real.BALANCERS]
    for contender in comparison.contenders:
        assert [trial[RATE] for trial in contender.trials] == rates
        if contender.name not in ("separate", TUNED):
            assert contender == COMPARISON.contender(contender.name)
    drawn = [trial["weights"] for trial in comparison.contender(TUNED).trials]
    assert all(list(weights) == tasks for weights in drawn)
    (named,) = comparison.contrasts.values()
    assert {contrast.second for contrast in named} == {TUNED}
    assert all(balancers_real.METRICS[task].startswith(task) for task in tasks)


def test_real_texts_stay_under_what_is_left_of_the_cap(tmp_path: Path) -> None:
    costs = estimate([e.name for e in balancers_real.EXPERIMENTS], tmp_path)
    assert sum(cost.hours for cost in costs) <= 4
    assert all(cost.unknown == 0 for cost in costs)
