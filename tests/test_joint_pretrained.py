"""The comparison of chapter 07: what each contender trains and how fast, on tiny data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mtl_utils.experiments import estimate, text_sets, unit_training
from mtl_utils.experiments.contenders import Unit, overlaid
from mtl_utils.experiments.joint_pretrained import COMPARISONS, ON_TEXTS, ON_WORDS, WORDS
from mtl_utils.experiments.text_set import Row, TextSet
from mtl_utils.experiments.text_training import groups_of, model_of
from mtl_utils.nn import PretrainedEncoder
from mtl_utils.tasks import Classification, Tagging
from mtl_utils.training import layerwise_groups

WORDS_OF_A_ROW = ["Ada", "left", "Rome"]
SETS = {
    "snips": TextSet(
        "snips",
        {"intent": Classification, "slots": Tagging},
        {"intent": ("go", "stay"), "slots": ("O", "B-city")},
        {s: [Row(WORDS_OF_A_ROW, {"intent": 0, "slots": [0, 0, 1]})] * 4 for s in text_sets.SPLITS},
    ),
    "uner_ud": TextSet(
        "uner_ud",
        {"entities": Tagging},
        {"entities": ("O", "B-PER", "B-LOC")},
        {s: [Row(WORDS_OF_A_ROW, {"entities": [1, 0, 2]})] * 4 for s in text_sets.SPLITS},
    ),
}
RATE = 0.001


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(unit_training, "load", lambda name, size, seed: SETS[name])
    monkeypatch.setattr(unit_training, "tasks_of", lambda name, seed: set(SETS[name].kinds))
    data = [[name, None, 2] for name in SETS]
    return overlaid(WORDS, {"data": data, "steps": 2, "validations": 1, "training.warmup_steps": 1})


def groups_for(name: str) -> tuple[Any, list[dict[str, Any]]]:
    settings = overlaid(
        overlaid(WORDS, ON_WORDS.contender(name).settings), {"training.learning_rate": RATE}
    )
    model = model_of(settings, list(SETS.values()), 30522)
    groups = groups_of(settings, model)
    assert groups is not None
    return model, groups


def test_one_rate_means_one_and_heads_are_faster() -> None:
    _, groups = groups_for("joint")
    assert [group["lr"] for group in groups] == [RATE] * 7 + [4 * RATE]


def test_rates_by_depth_fall_from_the_top() -> None:
    _, groups = groups_for("joint, by depth")
    wanted = [RATE * 0.8**above for above in range(6, -1, -1)] + [4 * RATE]
    assert [group["lr"] for group in groups] == pytest.approx(wanted, rel=1e-12)


def test_beside_a_frozen_encoder_the_step_size_is_that_of_the_heads() -> None:
    model, groups = groups_for("joint, frozen")
    assert [group["lr"] for group in groups] == [15 * RATE]
    heads = {p for name, p in model.named_parameters() if not name.startswith("sharing.")}
    assert set(groups[0]["params"]) == heads
    assert not any(p.requires_grad for p in model.sharing.parameters())


def test_other_settings_of_groups_are_those_of_layerwise_groups() -> None:
    settings = overlaid(WORDS, {"layerwise": {"decay": 0.5, "head_learning_rate": 0.3}})
    model = model_of(settings, list(SETS.values()), 30522)
    rate = settings["training"]["learning_rate"]
    wanted = layerwise_groups(model, rate, 0.5, head_learning_rate=0.3)
    found = groups_of(settings, model)
    assert [g["lr"] for g in found or []] == [g["lr"] for g in wanted]
    assert groups_of({"encoder": {"kind": "bilstm"}}, model) is None


def test_each_task_alone_reads_its_own_data_and_the_joint_model_all(
    tiny: dict[str, Any], tmp_path: Path
) -> None:
    found = {
        unit.name: unit_training.train_unit(tiny, unit, 0, tmp_path / contender)
        for contender in ("joint", "separate")
        for unit in ON_WORDS.contender(contender).units(tuple(tiny["tasks"]))
    }
    texts = {name: trained.texts for name, trained in found.items()}
    assert texts == {"intent+slots+entities": 2 * 4, "intent": 4, "slots": 4, "entities": 4}
    assert list(found["slots"].metrics) == ["slots"]
    assert set(found["intent+slots+entities"].metrics) == set(tiny["tasks"])


def test_a_frozen_encoder_stays_as_it_was_read(
    tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Any] = []
    fit = unit_training.fit_judged

    def noted(model: Any, *given: Any) -> Any:
        before = {name: value.clone() for name, value in model.state_dict().items()}
        kept.append((before, model))
        return fit(model, *given)

    monkeypatch.setattr(unit_training, "fit_judged", noted)
    frozen = overlaid(tiny, ON_WORDS.contender("joint, frozen").settings)
    unit_training.train_unit(frozen, Unit(tuple(tiny["tasks"])), 0, tmp_path)
    ((before, model),) = kept
    assert isinstance(model.sharing.encoder, PretrainedEncoder)
    moved = {
        name for name, value in model.state_dict().items() if not torch.equal(value, before[name])
    }
    assert moved
    assert not any(name.startswith("sharing.") for name in moved)


def test_one_seed_is_doubled_with_that_seed() -> None:
    assert [e.seeds for e in ON_TEXTS.experiments()] == [(100,), (0,), (0,)]
    assert replace(ON_TEXTS, seeds=(3, 4, 5)).experiments()[-1].seeds == (3, 4)


def test_all_of_it_is_expected_within_seven_hours(tmp_path: Path) -> None:
    names = [e.name for comparison in COMPARISONS for e in comparison.experiments()]
    costs = estimate(names, tmp_path)
    assert [cost.name for cost in costs if cost.unknown] == []
    # Five were meant; four times the steps, where doubling adds little, take the rest.
    assert sum(cost.hours for cost in costs) <= 7.0
