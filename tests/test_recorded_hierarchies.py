"""The comparison of chapter 09 on tiny data: who stands where, who contends, what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mtl_utils import atlas, sharing
from mtl_utils.experiments import estimate, hierarchies, sharings, text_sets
from mtl_utils.experiments.contenders import overlaid
from mtl_utils.experiments.hierarchies import COMPARISON, SETTINGS
from mtl_utils.experiments.unit_training import train_unit
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
    "pos inner": sharing.HierarchicalSharing,
    "pos outer": sharing.HierarchicalSharing,
    "cross-stitch": sharing.CrossStitch,
    "sluice": sharing.SluiceNetwork,
}
NAMES = [contender.name for contender in COMPARISON.contenders]


def way_of(name: str, trial: int | None = None) -> Any:
    contender = COMPARISON.contender(name)
    settings = overlaid(SETTINGS["UNER"], contender.settings)
    if trial is not None:
        settings = overlaid(settings, contender.trials[trial])
    return sharings.sharing_of(
        settings["sharing"], settings["tasks"], lambda: BiLSTMEncoder(9, 8, 2)
    )


@pytest.mark.parametrize("name", NAMES)
def test_each_contender_learns_both_tasks(name: str, tmp_path: Path) -> None:
    contender = COMPARISON.contender(name)
    settings = overlaid({**SETTINGS["Atlas"], **TINY}, contender.settings)
    units = contender.units(settings["tasks"])
    assert len(units) == (2 if name == "separate" else 1)
    metrics: dict[str, Any] = {}
    for unit in units:
        trained = train_unit(settings, unit, 0, tmp_path / unit.name)
        assert trained.texts == 2 * 8 * len(unit.tasks)  # each task brings rows of its own
        metrics |= trained.metrics
    assert {"pos", "entities"} == set(metrics)
    assert "f1" in metrics["entities"]
    assert "accuracy" in metrics["pos"]


@pytest.mark.parametrize("name", KINDS)
def test_a_contender_is_what_its_name_says(name: str) -> None:
    assert type(way_of(name)) is KINDS[name]


def test_inner_and_outer_are_one_ladder_and_its_reverse() -> None:
    inner, outer = way_of("pos inner").depth, way_of("pos outer").depth
    assert inner == {"pos": 1, "entities": 2}
    assert outer == {"pos": 2, "entities": 1}
    sizes = {
        name: sum(p.numel() for p in way_of(name).parameters())
        for name in ("hard", "pos inner", "pos outer")
    }
    assert len(set(sizes.values())) == 1


@pytest.mark.parametrize("name", ["cross-stitch", "sluice"])
def test_mixtures_try_how_much_of_its_own_a_task_begins_with(name: str) -> None:
    diagonals = [way_of(name, trial).stitches.diagonal(dim1=1, dim2=2) for trial in (None, 0, 1)]
    for diagonal, own in zip(diagonals, (0.9, 0.5, 0.7), strict=True):
        torch.testing.assert_close(diagonal, torch.full_like(diagonal, own))
    if name == "sluice":
        assert way_of(name).weights().shape == (2, 2, 2, 2, 2)
        assert way_of(name).orthogonality_strength == 0.01


def test_parts_of_speech_of_atlas_are_those_of_its_column() -> None:
    found = text_sets.load("atlas_sentences:60@1")
    rows = atlas.load(60, relatedness=1.0)["train"]
    assert [r.labels["pos"] for r in found.splits["train"]] == rows["pos_tags"][:]
    assert found.labels["pos"] == tuple(rows.features["pos_tags"].feature.names)


def test_the_whole_comparison_stays_under_its_cap(tmp_path: Path) -> None:
    names = [experiment.name for experiment in hierarchies.EXPERIMENTS]
    costs = [cost for cost in estimate(names, tmp_path) if cost.name in names]
    assert len(costs) == 4 + 1  # what its one loss rests on
    assert sum(cost.hours for cost in costs) <= 2.8
    assert all(cost.unknown == 0 for cost in costs)
    assert {e.priority for e in hierarchies.EXPERIMENTS} == {8}
