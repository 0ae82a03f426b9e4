"""The comparisons of chapter 10 on tiny data: who contends, what is trained, what it costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_joint_pretrained import SETS as PRETRAINED_SETS

from mtl_utils import sharing
from mtl_utils.experiments import dynamic_sharing, estimate, sharings, unit_training
from mtl_utils.experiments.contenders import Unit, overlaid
from mtl_utils.experiments.dynamic_sharing import ON_BILSTMS, ON_PRETRAINED, SETTINGS, TAGS
from mtl_utils.experiments.text_training import groups_of, model_of
from mtl_utils.nn import BiLSTMEncoder

TINY: dict[str, Any] = {
    "data": [["atlas_sentences:60@1", None, 8]],
    "encoder": {"kind": "bilstm", "width": 8, "num_layers": 2, "dropout": 0.0},
    "vocab_size": 300,
    "steps": 2,
    "validations": 1,
    "training": {"learning_rate": 0.01, "warmup_steps": 1},
}
KINDS = {
    "hard": sharing.HardSharing,
    "one gate": sharing.MixtureOfExperts,
    "MMoE": sharing.MMoE,
    "CGC": sharing.PLE,
    "adapters": sharing.TaskAdapters,
}
ADDED = {
    "adapters": sharing.TaskAdapters,
    "hyper-adapters": sharing.HyperAdapters,
    "LoRA": sharing.TaskLoRA,
}


def way_of(name: str, trial: int | None = None, width: int = 64) -> Any:
    contender = ON_BILSTMS.contender(name)
    settings = overlaid(SETTINGS["UNER"], contender.settings)
    if trial is not None:
        settings = overlaid(settings, contender.trials[trial])
    return sharings.sharing_of(
        settings["sharing"], settings["tasks"], lambda: BiLSTMEncoder(1000, width, 2)
    )


def size_of(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", [contender.name for contender in ON_BILSTMS.contenders])
def test_each_contender_learns_both_tasks(name: str, tmp_path: Path) -> None:
    contender = ON_BILSTMS.contender(name)
    settings = overlaid({**SETTINGS["Atlas"], **TINY}, contender.settings)
    units = contender.units(settings["tasks"])
    assert len(units) == (2 if name == "separate" else 1)
    metrics: dict[str, Any] = {}
    for unit in units:
        trained = unit_training.train_unit(settings, unit, 0, tmp_path / unit.name)
        assert trained.texts == 2 * 8 * len(unit.tasks)  # each task brings rows of its own
        metrics |= trained.metrics
    assert {"pos", "entities"} == set(metrics)


@pytest.mark.parametrize("name", KINDS)
def test_a_contender_is_what_its_name_says(name: str) -> None:
    assert type(way_of(name, width=8)) is KINDS[name]


def test_four_experts_have_fewer_parameters_than_the_models_of_their_own() -> None:
    alone = size_of(BiLSTMEncoder(1000, 64, 2))
    for name in ("one gate", "MMoE", "CGC"):
        assert alone < size_of(way_of(name)) < 2 * alone
    assert len(way_of("MMoE").experts) == 4
    (level,) = way_of("CGC").levels
    assert len(list(level.experts())) == 4


@pytest.mark.parametrize("name", ["one gate", "MMoE", "CGC"])
def test_gates_also_try_texts(name: str) -> None:
    ways = [way_of(name, trial, width=8) for trial in (None, 1)]
    assert [way.per for way in ways] == ["token", "text"]


def test_adapters_also_try_a_greater_size() -> None:
    assert [way_of("adapters", trial, width=8).bottleneck for trial in (None, 1)] == [32, 128]


def test_whoever_contends_may_head_without_dropout() -> None:
    assert all({"head_dropout": 0.0} in contender.trials for contender in ON_BILSTMS.contenders)


def added(name: str) -> tuple[Any, dict[str, Any]]:
    settings = overlaid(TAGS, ON_PRETRAINED.contender(name).settings)
    return model_of(settings, list(PRETRAINED_SETS.values()), 30522), settings


@pytest.mark.parametrize("name", ADDED)
def test_additions_and_heads_alone_are_trained_at_the_rate_of_heads(name: str) -> None:
    model, settings = added(name)
    assert type(model.sharing) is ADDED[name]
    groups = groups_of(settings, model)
    assert groups is not None
    rate = TAGS["training"]["learning_rate"] * TAGS["layerwise"]["head_times"]
    assert [group["lr"] for group in groups] == [pytest.approx(rate)]
    trained = {id(p) for p in groups[0]["params"]}
    assert trained == {id(p) for p in model.parameters() if p.requires_grad}
    frozen = [p for p in model.parameters() if not p.requires_grad]
    assert sum(p.numel() for p in frozen) > 20 * sum(p.numel() for p in groups[0]["params"])


@pytest.mark.parametrize("name", ["separate", *ADDED])
def test_the_frozen_encoder_stays_and_the_additions_move(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_training, "load", lambda name, size, seed: PRETRAINED_SETS[name])
    monkeypatch.setattr(
        unit_training, "tasks_of", lambda name, seed: set(PRETRAINED_SETS[name].kinds)
    )
    data = [[one, None, 2] for one in PRETRAINED_SETS]
    changes = {"data": data, "steps": 1, "validations": 1, "training.warmup_steps": 1}
    contender = ON_PRETRAINED.contender(name)
    settings = overlaid(overlaid(TAGS, changes), contender.settings)
    kept: list[Any] = []
    fit = unit_training.fit_judged

    def noted(model: Any, *given: Any) -> Any:
        before = {key: value.clone() for key, value in model.named_parameters()}
        kept.append((before, model))
        return fit(model, *given)

    monkeypatch.setattr(unit_training, "fit_judged", noted)
    unit = contender.units(tuple(TAGS["tasks"]))[0]
    unit_training.train_unit(settings, unit, 0, tmp_path)
    ((before, model),) = kept
    moved = {key for key, p in model.named_parameters() if not torch.equal(p, before[key])}
    of_sharing = {key for key in moved if key.startswith("sharing.")}
    assert of_sharing
    if name != "separate":
        assert unit == Unit(("slots", "entities"))
        assert all(dict(model.named_parameters())[key].requires_grad for key in moved)


def test_both_comparisons_together_stay_under_their_cap(tmp_path: Path) -> None:
    names = [experiment.name for experiment in dynamic_sharing.EXPERIMENTS]
    costs = [cost for cost in estimate(names, tmp_path) if cost.name in names]
    assert len(costs) == 4 + 3  # without trials beside step sizes for the pretrained encoder
    assert sum(cost.hours for cost in costs) <= 4.6
    assert all(cost.unknown == 0 for cost in costs)
    assert {e.priority for e in dynamic_sharing.EXPERIMENTS} == {6}
    assert replace(ON_PRETRAINED, seeds=(7, 8, 9)).experiments()[-1].seeds == (7, 8)
