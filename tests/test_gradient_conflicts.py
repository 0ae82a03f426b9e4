"""Cosines between gradients of tasks, on many rows and while the tuned sum is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from test_recorded_balancers import TASKS, TINY

from mtl_utils import data
from mtl_utils.experiments import gradient_conflicts, text_sets
from mtl_utils.experiments.balancers import COMPARISON, CONFLICTING, TUNED
from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Unit
from mtl_utils.experiments.experiment import Place
from mtl_utils.experiments.unit_training import prepare

SETTINGS: dict[str, Any] = {**COMPARISON.settings[CONFLICTING], **TINY}


def test_cosines_are_those_of_all_rows_at_once() -> None:
    made = prepare(SETTINGS, Unit(TASKS), 0)
    made.model.double().eval()
    (loader,) = made.loaders("train")
    assert loader.num_batches == gradient_conflicts.BATCHES
    found = gradient_conflicts.whole_cosines(made.model, loader)
    (text_set,) = made.sets
    rows = text_sets.examples(text_set.splits["train"], made.tokenizer, TASKS)
    assert len(rows) == 8 * loader.num_batches
    losses = made.model(data.collate(rows)).by_task
    shared = list(made.model.shared_parameters())
    flat = {
        task: torch.cat([g.flatten() for g in torch.autograd.grad(loss, shared, retain_graph=True)])
        for task, loss in losses.items()
    }
    assert set(found) == {"topic and event", "topic and entities", "event and entities"}
    for pair, cosine in found.items():
        one, other = pair.split(" and ")
        expected = torch.cosine_similarity(flat[one], flat[other], dim=0)
        assert cosine == pytest.approx(float(expected), abs=1e-3)


def test_they_are_measured_at_each_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tuned:
        def best(self, contender: str, unit: str) -> dict[str, float]:
            assert (contender, unit) == (TUNED, "topic+event+entities")
            return {"training.learning_rate": 0.02}

    monkeypatch.setattr(Comparison, "tuning", lambda *_: Tuned())
    tiny = {**SETTINGS, "steps": 6, "validations": 3}
    monkeypatch.setitem(COMPARISON.settings, CONFLICTING, tiny)
    (experiment,) = gradient_conflicts.EXPERIMENTS
    metrics = experiment.run({"setting": CONFLICTING}, 0, Place(tmp_path, tmp_path))
    noted = metrics["cosines"]
    assert len(noted) == 3
    assert noted[0] != noted[-1]
    assert all(-1 <= cosine <= 1 for row in noted for cosine in row.values())
