"""The runs of tasks in sequence on tiny data: what each remedy trains, and what is chosen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mtl_utils import continual
from mtl_utils.experiments import Place, estimate, tasks_in_sequence
from mtl_utils.experiments.tasks_in_sequence import (
    DOUBLED,
    EXPERIMENTS,
    ORDER,
    REMEDIES,
    SEQUENCES,
    TRIALS,
    best_of,
    run,
    score_table,
    sequence_data,
)

TINY = {"steps": 2, "rate": 0.01, "rows": 8, "measured": 6, "width": 8}
AT_ONCE = ("separate", "joint", "task arithmetic", "TIES")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "workspace", tmp_path)


@pytest.mark.parametrize("remedy", REMEDIES, ids=lambda remedy: remedy.name)
def test_each_remedy_measures_what_it_has_learnt(remedy: Any, place: Place) -> None:
    config = {**TINY, "remedy": remedy.name}
    if remedy.strengths:
        config["strength"] = remedy.strengths[0]
    found = run(config, 0, place)
    json.dumps(found)
    rows = found["test"]["rows"]
    if remedy.name in AT_ONCE:
        assert [set(row) for row in rows] == [set(ORDER)]
        assert "forgetting" not in found
        return
    assert [list(row) for row in rows] == [list(ORDER[: n + 1]) for n in range(4)]
    table = score_table(rows)
    assert found["forgetting"] == pytest.approx(continual.forgetting(table))
    assert found["test"]["average"] == pytest.approx(table.loc["entities"].mean())
    if remedy.name in ("frozen", "adapters", "LoRA"):  # nothing old can be lost
        assert found["forgetting"] == 0.0
        assert found["backward_transfer"] == 0.0


def test_no_task_has_the_sentences_of_another() -> None:
    sets, corpus = sequence_data(0, 20, 6)
    texts = [{tuple(row.input_ids) for row in sets["train"][task]} for task in ORDER]
    assert all(not a & b for n, a in enumerate(texts) for b in texts[:n])
    assert all(list(row.labels) == [task] for task in ORDER for row in sets["test"][task])
    assert [corpus.task(task).name for task in ORDER] == list(ORDER)


def test_every_remedy_has_as_many_trials_and_the_best_is_taken(tmp_path: Path) -> None:
    assert {len(remedy.trials()) for remedy in REMEDIES} == {12}
    assert len(TRIALS.configs) == 12 * len(REMEDIES)
    assert set(TRIALS.seeds) & {*SEQUENCES.seeds, *DOUBLED.seeds} == set()
    frame = pd.DataFrame(
        [
            {"remedy": "EWC", "rate": 0.1, "strength": 1.0, "validation": {"average": 3.0}},
            {"remedy": "EWC", "rate": 0.2, "strength": 9.0, "validation": {"average": 4.0}},
            {"remedy": "joint", "rate": 0.3, "strength": None, "validation": {"average": 9.0}},
        ]
    )
    assert best_of("EWC", frame) == {"rate": 0.2, "strength": 9.0}
    assert best_of("joint", frame) == {"rate": 0.3}


def test_what_is_recorded_takes_the_best_of_the_trials(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame(
        [{"remedy": "LwF", "rate": 0.02, "strength": 3.0, "validation": {"average": 1.0}}]
    )
    monkeypatch.setattr(tasks_in_sequence, "load_results", lambda name, folder: frame)
    config = {k: v for k, v in TINY.items() if k != "rate"} | {"remedy": "LwF"}
    found = run(config, 0, place)
    assert (found["rate"], found["strength"]) == (0.02, 3.0)


def test_all_together_stay_under_their_cap(tmp_path: Path) -> None:
    names = [experiment.name for experiment in EXPERIMENTS]
    costs = [cost for cost in estimate(names, tmp_path) if cost.name in names]
    assert len(costs) == 3
    assert sum(cost.hours for cost in costs) <= 2.0
