"""Bad inputs of what tells causes of negative transfer apart, and of relative performance."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from bad_input_cases import (
    INF,
    NAN,
    NOT_COUNTS,
    NOT_FLAGS,
    NOT_SIZES,
    EntryPoint,
    Within,
)

from mtl_utils import data, diagnosis, experiments, multitask, nn, sharing, tasks

NOT_MODELS = (None, 3, "model", torch.nn.Linear(2, 2))
NOT_NUMBERS = (NAN, INF, "1", None, True, [1.0])
NOT_OPTIONAL_NUMBERS = (NAN, INF, "1", True, [1.0])
NOT_LIMITS = (-1.0, *NOT_NUMBERS)
NOT_LOSSES = (None, 3, "losses", [], [NAN], ["a"], [[1.0]])
NOT_CHANGES = (3, 0.5, "change", [1.0])


def _model() -> multitask.MultiTaskModel:
    both = [tasks.Classification(name, ["x", "y"]) for name in ("a", "b")]
    return multitask.MultiTaskModel(sharing.HardSharing(nn.BiLSTMEncoder(5, 4)), both)


def _alone() -> multitask.MultiTaskModel:
    model = _model()
    model.remove_task("b")
    return model


def _rows() -> list[data.Example]:
    return [data.Example([1, 2], {"a": 0, "b": 1}), data.Example([3], {"a": 1, "b": 0})] * 2


def _batches() -> list[data.Batch]:
    return [data.collate(_rows()), data.collate(_rows())]


def _evidence() -> diagnosis.Evidence:
    return diagnosis.Evidence(share=1.0)


def _settings() -> dict[str, Any]:
    from mtl_utils.training import TrainerConfig

    config = TrainerConfig(max_steps=8, epochs=8)
    return {"model": _model(), "train": _rows(), "validation": _rows(), "config": config}


_NOT_DATA = (None, 3, "rows", Within([{"a": 1}], {"a": 1}), Within({"c": [1]}, "c"))
_RUNS = pd.DataFrame(
    [(name, seed, 1.0 + seed) for name in ("joint", "separate") for seed in range(3)],
    columns=["contender", "seed", "f1"],
)
_NOT_SCORES = (
    None,
    3,
    "scores",
    [1.0],
    {},
    Within({"f1": "good"}, "good"),
    Within({"f1": NAN}, NAN),
    Within({"f2": 0.5}, "f2"),
)

ENTRY_POINTS = [
    EntryPoint(
        "Change",
        diagnosis.Change,
        lambda: {"mean": 0.1, "half_width": 0.1},
        {"mean": NOT_NUMBERS, "half_width": (-1.0, NAN, "1", None, True, [1.0])},
    ),
    EntryPoint(
        "paired_change",
        diagnosis.paired_change,
        lambda: {"before": [1.0, 2.0], "after": [1.0, 1.0], "untrained": [2.0]},
        {
            "before": NOT_LOSSES,
            "after": (*NOT_LOSSES, [1.0]),
            "untrained": (*NOT_LOSSES, [0.0]),
        },
    ),
    EntryPoint(
        "excess",
        diagnosis.excess,
        lambda: {"first": [1.0, 2.0], "second": [1.0, 1.0]},
        {"first": NOT_LOSSES, "second": NOT_LOSSES},
    ),
    EntryPoint(
        "Evidence",
        diagnosis.Evidence,
        dict,
        {
            "share": (-1.0, *NOT_OPTIONAL_NUMBERS),
            **dict.fromkeys(
                ("equalised", "held_out", "longer", "wider", "beside", "partner_beside"),
                NOT_CHANGES,
            ),
            "late": NOT_OPTIONAL_NUMBERS,
            "unlearnt": (-1.0, *NOT_OPTIONAL_NUMBERS),
            "partner": (3, b"a", ["a"]),
            "agreement": NOT_OPTIONAL_NUMBERS,
        },
    ),
    EntryPoint(
        "Thresholds",
        diagnosis.Thresholds,
        dict,
        dict.fromkeys(vars(diagnosis.Thresholds()), NOT_LIMITS),
    ),
    EntryPoint(
        "cause_of",
        diagnosis.cause_of,
        lambda: {"evidence": _evidence()},
        {"evidence": (None, 3, "evidence", {"share": 1.0}), "thresholds": (3, "limits", [1.0])},
    ),
    EntryPoint(
        "Diagnosis",
        diagnosis.Diagnosis,
        lambda: {
            "evidence": {"a": _evidence()},
            "thresholds": diagnosis.Thresholds(),
            "trainings": 2.5,
            "steps": 10,
        },
        {
            "evidence": (None, 3, "evidence", {}, Within({"a": 3}, 3)),
            "thresholds": (None, 3, "limits"),
            "trainings": NOT_LIMITS,
            "steps": NOT_SIZES,
            "untested": (None, 3, "width", ["width"]),
        },
    ),
    EntryPoint(
        "row_agreement",
        diagnosis.row_agreement,
        lambda: {"model": _model(), "batches": _batches()},
        {
            "model": NOT_MODELS,
            "batches": (None, 3, "batches", [], Within(_batches()[:1], 1), Within([3, 4], 3)),
        },
    ),
    EntryPoint(
        "widened",
        diagnosis.widened,
        lambda: {"model": _model()},
        {"model": NOT_MODELS, "seed": NOT_COUNTS},
    ),
    EntryPoint(
        "diagnose",
        lambda **given: diagnosis.diagnose(**{"progress": False, "held_out": 0.0} | given),
        _settings,
        {
            "model": (*NOT_MODELS, Within(_alone(), ["a"])),
            "train": _NOT_DATA,
            "validation": _NOT_DATA,
            "config": (3, "config", {"epochs": 1}),
            "balancer": (3, "sum", torch.nn.Linear(2, 2)),
            "batch_size": (0, -1, 1.5, "3", True),
            "max_tokens": (0, -1, 1.5, "3", True),
            "head_learning_rate": (0, -1.0, NAN, "0.1", True),
            "held_out": (-0.1, 0.6, NAN, "0.1", None, True),
            "thresholds": (3, "limits", {"share": 1.0}),
            "progress": NOT_FLAGS,
        },
        documented=diagnosis.diagnose,
        called={"train": "train|data", "validation": "validation|data"},
    ),
    EntryPoint(
        "relative_performance",
        experiments.relative_performance,
        lambda: {"scores": {"f1": 0.5}, "baseline": {"f1": 0.4}},
        {
            "scores": _NOT_SCORES,
            "baseline": (*_NOT_SCORES, Within({"f1": 0.0}, 0.0)),
            "modes": (
                3,
                "max",
                Within({"f2": "max"}, "f2"),
                Within({"f1": "up"}, "up"),
                Within({"f1": "min"}, "min"),
            ),
        },
        called={"modes": "modes|mode"},
    ),
    EntryPoint(
        "relative_table",
        experiments.relative_table,
        lambda: {"frame": _RUNS, "first": "joint", "second": "separate", "metrics": ["f1"]},
        {
            "frame": (None, 3, "runs", [1]),
            "first": (None, 3, "", "nobody", "separate"),
            "second": (None, 3, "", "nobody", "joint"),
            "metrics": (None, 3, "f1", [], [3], ["f2"]),
            "by": (None, 3, "method"),
        },
        called={
            "first": "first|run",
            "second": "second|run",
            "metrics": "metrics|column",
            "by": "by|column",
        },
    ),
]
