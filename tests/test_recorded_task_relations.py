"""Relations of six real tasks, on tiny data: who meets whom, and what one training tells."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from mtl_utils.experiments import estimate, load_results, runner, task_relations
from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender, Unit
from mtl_utils.experiments.experiment import Place
from mtl_utils.experiments.task_relations import (
    EXPERIMENTS,
    PAIRS,
    SCORES,
    SETTING,
    TASKS,
    pair_runs,
    rounds,
    run_signs,
)
from mtl_utils.experiments.unit_training import train_unit
from mtl_utils.models import MultiTaskModel
from mtl_utils.relations import transfer_matrix

TINY: dict[str, Any] = {
    **PAIRS.settings[SETTING],
    "data": [["atlas_sentences:100@1", None, 8], ["atlas:100/inference", None, 8]],
    "tasks": ["topic", "event", "pos", "inference"],
    "encoder": {"kind": "bilstm", "width": 8, "num_layers": 1, "dropout": 0.1},
    "vocab_size": 300,
    "weights": {},
    "steps": 24,
    "validations": 2,
    "training": {"learning_rate": 0.03, "warmup_steps": 4, "schedule": "linear"},
}


@pytest.mark.parametrize("number", [2, 4, 6, 10])
def test_in_a_tournament_everyone_meets_everyone_once(number: int) -> None:
    tasks = [f"task {place}" for place in range(number)]
    found = rounds(tasks)
    assert len(found) == number - 1
    assert all(sorted(t for pair in pairs for t in pair) == sorted(tasks) for pairs in found)
    met = [frozenset(pair) for pairs in found for pair in pairs]
    assert len(set(met)) == len(met)
    assert set(met) == {frozenset(pair) for pair in combinations(tasks, 2)}


def test_an_odd_number_of_tasks_has_no_rounds_of_pairs() -> None:
    with pytest.raises(ValueError, match="even number"):
        rounds(["a", "b", "c"])


def test_groups_are_a_model_each() -> None:
    contender = Contender("groups", groups=(("a", "c"), ("b",)))
    assert contender.units(("a", "b", "c")) == (Unit(("a", "c")), Unit(("b",)))
    with pytest.raises(ValueError, match="must have the tasks"):
        contender.units(("a", "b", "c", "d"))
    with pytest.raises(ValueError, match="must have the tasks"):
        contender.units(("a", "b"))
    with pytest.raises(ValueError, match="each task once"):
        Contender("groups", groups=(("a", "b"), ("b",)))
    with pytest.raises(ValueError, match=r"groups\[1\] must have at least one"):
        Contender("groups", groups=(("a",), ()))
    with pytest.raises(TypeError, match=r"groups\[0\]"):
        Contender("groups", groups=("a",))  # type: ignore[arg-type]


def test_pairs_are_read_from_the_rounds(tmp_path: Path) -> None:
    """Scores are made so that what task i gives task j is known."""
    place = {task: number for number, task in enumerate(TASKS)}
    records = {}
    for contender in PAIRS.contenders:
        for seed in (0, 1):
            scores = {}
            for unit in contender.units(TASKS):
                for task in unit.tasks:
                    (other,) = [t for t in unit.tasks if t != task][:1] or [task]
                    gain = place[task] - 2 * place[other] if other != task else 0
                    scores[SCORES[task]] = 50.0 + seed + gain
            records[contender.name, seed] = scores
    experiment = next(found for found in EXPERIMENTS if found.name == PAIRS.name)
    made = replace(experiment, seeds=(0, 1), run=lambda c, s, _: records[c["contender"], s])
    runner.run(made, tmp_path, progress=False)
    matrix = transfer_matrix(pair_runs(tmp_path))
    for giver, receiver in combinations(TASKS, 2):
        assert matrix.loc[giver, receiver] == place[receiver] - 2 * place[giver]
        assert matrix.loc[receiver, giver] == place[giver] - 2 * place[receiver]


def test_signs_come_from_the_training_that_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tuned:
        def best(self, contender: str, unit: str) -> dict[str, float]:
            assert (contender, unit) == ("together", "topic+event+pos+inference")
            return {"training.learning_rate": 0.02}

    monkeypatch.setattr(Comparison, "tuning", lambda *_: Tuned())
    monkeypatch.setitem(PAIRS.settings, SETTING, TINY)
    found = run_signs({"settings": TINY}, 0, Place(tmp_path / "signs", tmp_path))
    tasks = TINY["tasks"]
    assert set(found["affinity"]) == set(found["cosines"]) == set(tasks)
    for one in tasks:
        assert found["cosines"][one][one] == pytest.approx(1.0, abs=1e-6)
        for other in tasks:
            assert found["cosines"][one][other] == found["cosines"][other][one]
            assert math.isfinite(found["affinity"][one][other])
    assert set(found["with_itself"]) == set(tasks)
    assert all(-1 <= cosine < 1 for cosine in found["with_itself"].values())
    assert 0 < found["entropy"]["inference"] <= math.log(3) + 1e-4
    settings = {**TINY, "training": {**TINY["training"], "learning_rate": 0.02}}
    trained = train_unit(settings, Unit(tuple(tasks)), 0, tmp_path / "unit", test=False)
    assert found["loss"] == [round(loss, 6) for loss in trained.history["train_loss"]]


def test_a_task_without_a_gradient_has_no_cosine_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head whose units are all off gives the encoder nothing: its cosines are not known."""

    def without_inference(model: MultiTaskModel, *_: Any, **__: Any) -> pd.DataFrame:
        tasks = list(model.tasks)
        table = pd.DataFrame(0.25, index=tasks, columns=tasks)
        table.loc["inference"] = table["inference"] = math.nan
        return table

    class Tuned:
        def best(self, *_: str) -> dict[str, float]:
            return {}

    monkeypatch.setattr(Comparison, "tuning", lambda *_: Tuned())
    monkeypatch.setitem(PAIRS.settings, SETTING, TINY)
    monkeypatch.setattr(task_relations, "gradient_cosines", without_inference)
    experiment = next(found for found in EXPERIMENTS if found.name == "task_signs")
    made = replace(experiment, configs=({"settings": TINY},), seeds=(0,), needs=())
    runner.run(made, tmp_path, progress=False)
    (record,) = load_results("task_signs", tmp_path).to_dict("records")
    assert record["cosines"]["topic"] == {
        "topic": 0.25,
        "event": 0.25,
        "pos": 0.25,
        "inference": None,
    }
    assert set(record["cosines"]["inference"].values()) == {None}


def test_it_costs_what_the_issue_allows(tmp_path: Path) -> None:
    names = [experiment.name for experiment in EXPERIMENTS]
    costs = [cost for cost in estimate(names, tmp_path) if cost.name in names]
    assert len(costs) == len(names) == 6
    assert sum(cost.hours for cost in costs) < 4


def test_a_task_is_held_against_itself_on_the_next_batch() -> None:
    """By hand, on gradients that are given."""

    class Given:
        def batches(self, epoch: int) -> list[int]:
            assert epoch == 0
            return [0, 1, 2]

    class Model:
        tasks = ("a", "b", "c")

    gradients = [
        {"a": torch.tensor([1.0, 0.0]), "b": torch.tensor([2.0, 0.0])},
        {"a": torch.tensor([1.0, 1.0]), "b": torch.tensor([-1.0, 0.0])},
        {"a": torch.tensor([0.0, 3.0])},
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task_relations, "task_gradients", lambda _, number: gradients[number])
        found = task_relations._with_itself(Model(), Given())  # type: ignore[arg-type]
    assert found == {"a": pytest.approx(math.sqrt(0.5), abs=1e-6), "b": -1.0, "c": None}
