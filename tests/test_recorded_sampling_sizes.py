"""The table of samplers on tiny data: who contends, what each draws, what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtl_utils.experiments import estimate
from mtl_utils.experiments.contenders import overlaid
from mtl_utils.experiments.registry import find_comparison
from mtl_utils.experiments.sampling_sizes import (
    BANDIT,
    COMPARISON,
    METRICS,
    SETTING,
    SETTINGS,
    STEPS,
    UNIFORM_CONSTANT,
)
from mtl_utils.experiments.unit_training import train_unit
from mtl_utils.training import (
    AnnealedBatches,
    LearningProgressBatches,
    SampledBatches,
    Trainer,
    sampler_of,
)

TINY: dict[str, Any] = {
    "data": [["atlas_sentences:60@1/topic", None, 4], ["atlas_sentences:200@1/entities", 120, 4]],
    "tasks": ["topic", "entities"],
    "encoder": {"kind": "bilstm", "width": 8, "num_layers": 1, "dropout": 0.0},
    "vocab_size": 300,
    "steps": 8,
    "validations": 2,
    "training": {"learning_rate": 0.01, "warmup_steps": 1},
}
NAMES = [contender.name for contender in COMPARISON.contenders]


@pytest.mark.parametrize("name", NAMES)
def test_each_contender_draws_as_its_name_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Any] = []
    fit = Trainer.fit

    def noted(self: Trainer, train: Any, validation: Any = None) -> Any:
        read.append(train)
        return fit(self, train, validation)

    monkeypatch.setattr(Trainer, "fit", noted)
    contender = COMPARISON.contender(name)
    settings = overlaid(overlaid(SETTINGS[SETTING], contender.settings), TINY)
    units = contender.units(settings["tasks"])
    assert len(units) == (2 if name == "separate" else 1)
    for unit in units:
        trained = train_unit(settings, unit, 0, tmp_path / unit.name)
        assert trained.texts == 8 * 4
        assert set(trained.metrics) == set(unit.tasks)
    kinds: dict[str, Any] = {BANDIT: LearningProgressBatches, "annealed": AnnealedBatches}
    if name != "separate":
        (sampler,) = read
        assert type(sampler) is kinds.get(name, SampledBatches)
        assert sampler.num_batches == 4
        temperatures = {"proportional": 1.0, "square root": 2.0}
        temperatures |= dict.fromkeys(("uniform", UNIFORM_CONSTANT), float("inf"))
        assert getattr(sampler, "temperature", None) == temperatures.get(name)
        assert getattr(sampler, "epochs", 2) == 2


def test_the_bandit_is_compared_under_a_step_size_that_does_not_fall() -> None:
    schedules = {
        contender.name: overlaid(SETTINGS[SETTING], contender.settings)["training"]["schedule"]
        for contender in COMPARISON.contenders
    }
    constant = {name for name, schedule in schedules.items() if schedule == "constant"}
    assert constant == {BANDIT, UNIFORM_CONSTANT}
    for contrast in COMPARISON.contrasts[SETTING]:
        assert schedules[contrast.first] == schedules[contrast.second]


def test_all_have_as_many_steps_and_a_model_of_its_own_has_its_part() -> None:
    for contender in COMPARISON.contenders:
        steps = overlaid(SETTINGS[SETTING], contender.settings)["steps"]
        units = contender.units(SETTINGS[SETTING]["tasks"])
        assert steps * len(units) == STEPS
        assert steps % SETTINGS[SETTING]["validations"] == 0
    assert {batch for *_, batch in SETTINGS[SETTING]["data"]} == {16}
    assert list(METRICS) == SETTINGS[SETTING]["tasks"]


def test_it_costs_what_was_allowed_and_can_be_found(tmp_path: Path) -> None:
    costs = estimate([e.name for e in COMPARISON.experiments()], tmp_path)
    hours = sum(cost.hours for cost in costs)
    assert hours <= 3
    assert find_comparison("sampling_sizes") is COMPARISON
    assert all(len(several) <= 5 for several in COMPARISON.contrasts.values())


def test_a_sampler_of_the_table_needs_several_data_sets_only() -> None:
    with pytest.raises(TypeError, match="list of loaders"):
        sampler_of(3, "size")  # type: ignore[arg-type]
