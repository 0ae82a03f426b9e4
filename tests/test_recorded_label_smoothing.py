"""The table of label smoothing on tiny data: what is trained, what is measured, what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from mtl_utils.experiments import estimate, label_smoothing
from mtl_utils.experiments.contenders import overlaid
from mtl_utils.experiments.label_smoothing import (
    BINS,
    COMPARISON,
    HARD,
    SCORES,
    SETTINGS,
    calibration_error,
    train_and_calibrate,
)
from mtl_utils.experiments.unit_training import prepare
from mtl_utils.tasks.temperature import fit_temperature
from mtl_utils.training import calibrate

TINY: dict[str, Any] = {
    "encoder": {"kind": "bilstm", "width": 8, "num_layers": 1, "dropout": 0.0},
    "head_dropout": 0.0,
    "vocab_size": 300,
    "steps": 8,
    "validations": 2,
    "training": {"learning_rate": 0.01, "warmup_steps": 1},
}
OF_TASK = {"topic": "atlas_sentences:200@1/topic", "entities": "atlas_sentences:200@1/entities"}


def tiny(task: str, name: str = HARD) -> dict[str, Any]:
    contender = COMPARISON.contender(name)
    base = overlaid(next(iter(SETTINGS.values())), contender.settings)
    return overlaid(base, {**TINY, "tasks": [task], "data": [[OF_TASK[task], None, 8]]})


def unit_of(task: str) -> Any:
    (unit,) = COMPARISON.contender(HARD).units([task])
    return unit


def _scored(model: Any, task: str, batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        outputs = model.head(task)(model.sharing(batch, [task]).hidden[task], batch)
    return outputs, batch.labels[task]


@pytest.mark.parametrize("contender", COMPARISON.contenders, ids=lambda one: one.name)
@pytest.mark.parametrize("task", OF_TASK)
def test_heads_smooth_as_the_names_say(task: str, contender: Any) -> None:
    made = prepare(tiny(task, contender.name), unit_of(task), 0)
    share = 0.0 if contender.name == HARD else float(contender.name.split()[-1])
    assert made.model.head(task).smoothing == share


@pytest.mark.parametrize("task", OF_TASK)
def test_the_error_is_that_of_every_prediction_one_by_one(task: str) -> None:
    made = prepare(tiny(task), unit_of(task), 0)
    (loader,) = made.loaders("test")
    model = made.model.eval()
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for example in loader.examples:
        (batch,) = type(loader)([example], batch_size=1)
        outputs, labels = _scored(model, task, batch)
        rows = outputs.softmax(-1).flatten(end_dim=-2).tolist()
        for row, label in zip(rows, labels.flatten().tolist(), strict=True):
            if label < 0:
                continue
            place = min(int(max(row) * BINS - 1e-9), BINS - 1)
            bins[place].append((max(row), row.index(max(row)) == label))
    count = sum(map(len, bins))
    gaps = [abs(sum(s for s, _ in b) - sum(r for _, r in b)) / count for b in bins]
    assert calibration_error(model, task, loader) == pytest.approx(sum(gaps), abs=1e-5)


def test_the_second_error_is_that_at_the_temperature_of_the_validation_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = "topic"
    seen: list[Any] = []

    def noted(*given: Any) -> dict[str, float]:
        seen.append((*given, calibrate(*given)))
        return seen[-1][-1]

    monkeypatch.setattr(label_smoothing, "calibrate", noted)
    trained = train_and_calibrate(tiny(task), unit_of(task), 0, tmp_path / "tested")
    unseen = train_and_calibrate(tiny(task), unit_of(task), 0, tmp_path / "tried", test=False)
    assert unseen.metrics == {}
    ((model, validation, tasks, temperatures),) = seen
    assert tasks == [task]
    parts = [_scored(model, task, batch) for batch in validation.once()]

    def likelihood(sharpness: torch.Tensor) -> torch.Tensor:
        losses = [cross_entropy(o.double() * sharpness, y, reduction="sum") for o, y in parts]
        return torch.stack(losses).sum()

    assert temperatures[task] == pytest.approx(fit_temperature(likelihood), rel=1e-3)
    made = prepare(tiny(task), unit_of(task), 0)
    (held_out,) = made.loaders("test")
    found = trained.metrics[task]
    assert found["ece_scaled"] == calibration_error(model, task, held_out)
    model.head(task).temperature = None
    assert found["ece"] == calibration_error(model, task, held_out)
    assert found["ece"] != found["ece_scaled"]


def test_what_is_claimed_is_named_before_it_is_run() -> None:
    for name, config in SETTINGS.items():
        (task,) = config["tasks"]
        contrasts = COMPARISON.contrasts[name]
        assert {c.second for c in contrasts} == {HARD}
        assert [c.metric for c in contrasts][3:] == [f"{task}_ece_scaled", SCORES[task]]


def test_it_costs_about_an_hour(tmp_path: Path) -> None:
    costs = estimate([e.name for e in COMPARISON.experiments()], tmp_path)
    assert sum(cost.hours for cost in costs) < 1.5
