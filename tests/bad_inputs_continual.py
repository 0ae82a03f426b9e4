"""Bad inputs of what tasks that come and go are treated with."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import pandas as pd
import torch
from bad_input_cases import (
    INF,
    NAN,
    NOT_CHOICES,
    NOT_COUNTS,
    NOT_OPTIONAL_SIZES,
    NOT_POSITIVE,
    NOT_SIZES,
    NOT_TENSORS,
    EntryPoint,
    Within,
)

from mtl_utils import continual, data, multitask, nn, sharing, tasks

NOT_MODELS = (None, 3, "model", torch.nn.Linear(2, 2))
NOT_LOADERS = (None, 3, "data", [1, 2])
NOT_NUMBERS = (NAN, INF, "1", None, True, [1.0])
NOT_STRENGTHS = (-1.0, *NOT_NUMBERS)
NOT_KEPT = (0, -0.1, 1.5, *NOT_NUMBERS)
NOT_LOSSES = (None, "losses", [], [NAN], ["a"], [[1.0]])
NOT_VECTORS = (*NOT_TENSORS, torch.ones(3), torch.ones(2, 3).long(), torch.ones(0, 3))
NOT_TASKS = (["nothing"], Within(["a", "nothing"], "nothing"))
TASK = tasks.Classification("c", ["x", "y"])


@cache
def _made() -> multitask.MultiTaskModel:
    both = [tasks.Classification(name, ["x", "y"]) for name in ("a", "b")]
    model = multitask.MultiTaskModel(sharing.HardSharing(nn.BiLSTMEncoder(5, 4)), both)
    model.note_start()
    return model


def _model() -> multitask.MultiTaskModel:
    return copy.deepcopy(_made())


def _rows() -> list[data.Example]:
    return [data.Example([1, 2], {"a": 0, "b": 1}), data.Example([3], {"a": 1, "b": 0})]


def _loader(*names: str) -> data.BatchLoader:
    rows = [data.Example(r.input_ids, {n: r.labels[n] for n in names}) for r in _rows()]
    return data.BatchLoader(rows if names else _rows(), batch_size=1)


def _table(value: float | None = None) -> pd.DataFrame:
    table = pd.DataFrame([[0.5, 0.1], [0.3, 0.6]], ["a", "b"], ["a", "b"])
    if value is not None:
        table.loc["b"] = value
    return table


def _ones(name: str = "w") -> dict[str, torch.Tensor]:
    return {name: torch.ones(2)}


def _entered(model: Any, term: Any) -> None:
    with continual.penalised(model, term):
        pass


def _anchor() -> continual.Anchor:
    return continual.Anchor(_ones(), _ones())


NOT_SQUARE = (
    None,
    3,
    "table",
    [[1.0]],
    Within(_table().rename(index={"b": "c"}), "c"),
    Within(_table(NAN), "NaN"),
)
_FISHER: dict[str, Any] = {
    "model": NOT_MODELS,
    "data": NOT_LOADERS,
    "tasks": NOT_TASKS,
    "labels": NOT_CHOICES,
    "max_rows": NOT_OPTIONAL_SIZES,
    "seed": NOT_COUNTS,
}
_TABLE_CALLED = {"scores": "scores"}

ENTRY_POINTS = [
    EntryPoint(
        "penalised",
        _entered,
        lambda: {"model": _model(), "term": continual.Elastic([_anchor()])},
        {"model": NOT_MODELS, "term": (None, 3, "term")},
        documented=continual.penalised,
        called={"term": "terms"},
    ),
    *(
        EntryPoint(
            function.__name__,
            function,
            lambda: {"model": _model(), "data": _loader()},
            _FISHER,
            called={"tasks": "task"},
        )
        for function in (continual.fisher_diagonal, continual.anchored)
    ),
    EntryPoint(
        "Anchor",
        continual.Anchor,
        lambda: {"weights": _ones(), "importance": _ones()},
        {
            "weights": (None, 3, "weights", {3: torch.ones(2)}, {"w": 3}),
            "importance": (
                None,
                3,
                "weights",
                {"w": 3},
                Within({"w": torch.ones(3)}, [3]),
                Within(_ones("v"), "v"),
            ),
        },
    ),
    EntryPoint(
        "Anchor.even",
        continual.Anchor.even,
        lambda: {"model": _model()},
        {"model": NOT_MODELS},
    ),
    EntryPoint(
        "Anchor.penalty",
        lambda **given: _anchor().penalty(**given),
        lambda: {"parameters": _ones()},
        {"parameters": (None, 3, "parameters", Within(_ones("v"), "v"))},
        documented=continual.Anchor.penalty,
    ),
    EntryPoint(
        "Elastic",
        continual.Elastic,
        lambda: {"anchors": [_anchor()]},
        {"anchors": (None, 3, "anchors", [], [3]), "strength": NOT_STRENGTHS},
    ),
    EntryPoint(
        "softened_divergence",
        continual.softened_divergence,
        lambda: {"logits": torch.ones(2, 3), "targets": torch.ones(2, 3)},
        {
            "logits": (*NOT_TENSORS, torch.ones(2, 3).long()),
            "targets": (*NOT_TENSORS, torch.ones(2, 3).long(), torch.ones(2, 4)),
            "temperature": NOT_POSITIVE,
        },
    ),
    EntryPoint(
        "Distilled",
        continual.Distilled,
        lambda: {"teacher": _model()},
        {"teacher": NOT_MODELS, "temperature": NOT_POSITIVE, "strength": NOT_STRENGTHS},
    ),
    EntryPoint(
        "taught_by",
        continual.taught_by,
        lambda: {"model": _model()},
        {"model": NOT_MODELS, "temperature": NOT_POSITIVE, "strength": NOT_STRENGTHS},
    ),
    EntryPoint(
        "Reservoir",
        continual.Reservoir,
        lambda: {"capacity": 2},
        {"capacity": NOT_SIZES, "seed": NOT_COUNTS},
    ),
    EntryPoint(
        "Reservoir.add",
        lambda **given: continual.Reservoir(2).add(**given),  # type: ignore[var-annotated]
        lambda: {"rows": [1]},
        {"rows": (None, 3, "rows")},
        documented=continual.Reservoir.add,
    ),
    EntryPoint(
        "replayed",
        continual.replayed,
        lambda: {"new": _loader("a"), "old": _rows()},
        {
            "new": NOT_LOADERS,
            "old": (None, 3, "rows", [], [3]),
            "batch_size": NOT_SIZES,
            "pad_id": NOT_COUNTS,
            "seed": ("3", None, True, 1.5),
        },
        called={"old": "old|examples"},
    ),
    *(
        EntryPoint(
            function.__name__, function, lambda: {"scores": _table()}, {"scores": NOT_SQUARE}
        )
        for function in (
            continual.average_score,
            continual.backward_transfer,
            continual.forgetting,
        )
    ),
    EntryPoint(
        "forward_transfer",
        continual.forward_transfer,
        lambda: {"scores": _table(), "untrained": {"b": 0.1}},
        {"scores": NOT_SQUARE[:-1], "untrained": (None, 3, "scores", {"a": 1.0}, {"b": "good"})},
    ),
    EntryPoint(
        "intransigence",
        continual.intransigence,
        lambda: {"scores": _table(), "alone": {"a": 0.1, "b": 0.2}},
        {"scores": NOT_SQUARE, "alone": (None, 3, "scores", {"a": 1.0})},
    ),
    EntryPoint(
        "add_labels",
        continual.add_labels,
        lambda: {"model": _model(), "task": "a", "labels": ["z"]},
        {
            "model": NOT_MODELS,
            "task": ("nothing", 3, None),
            "labels": (None, 3, "z", [], [3], ["x"], Within(["z", "z"], "z")),
        },
        called={"task": "task"},
    ),
    EntryPoint(
        "membership",
        continual.membership,
        lambda: {"members": [0.1, 0.2], "others": [0.3]},
        {"members": NOT_LOSSES, "others": NOT_LOSSES},
    ),
    EntryPoint(
        "row_losses",
        continual.row_losses,
        lambda: {"model": _model(), "rows": _rows(), "task": "a"},
        {
            "model": NOT_MODELS,
            "rows": (None, 3, "rows", [3], Within([data.Example([1], {"b": 0})], "a")),
            "task": ("nothing", 3, None),
        },
        called={"task": "task"},
    ),
    EntryPoint(
        "with_fresh_head",
        continual.with_fresh_head,
        lambda: {"model": _model(), "task": TASK},
        {"model": NOT_MODELS, "task": (None, 3, "c"), "part": (3, "part")},
        called={"task": "task|tasks", "part": "part"},
    ),
    EntryPoint(
        "merge_models",
        continual.merge_models,
        lambda: {"models": {"a": _model(), "b": _model()}, "base": _model()},
        {
            "models": (None, 3, "models", {}, {"a": 3}, Within({"c": _model()}, "c")),
            "base": (3, "base", torch.nn.Linear(2, 2)),
            "how": (3, "average", Within(continual.Average, "Average")),
        },
    ),
    EntryPoint(
        "task_vector",
        continual.task_vector,
        lambda: {"model": _model(), "base": _model()},
        {"model": NOT_MODELS, "base": NOT_MODELS},
    ),
    EntryPoint("TaskArithmetic", continual.TaskArithmetic, dict, {"scale": NOT_NUMBERS}),
    EntryPoint("TIES", continual.TIES, dict, {"keep": NOT_KEPT, "scale": NOT_NUMBERS}),
    *(
        EntryPoint(
            f"{type(how).__name__}.combine",
            how.combine,
            lambda: {"vectors": torch.ones(2, 3)},
            {"vectors": NOT_VECTORS},
        )
        for how in (continual.Average(), continual.TaskArithmetic(), continual.TIES())
    ),
    EntryPoint(
        "trimmed",
        continual.trimmed,
        lambda: {"vectors": torch.ones(2, 3), "keep": 0.5},
        {"vectors": NOT_VECTORS, "keep": NOT_KEPT},
    ),
    EntryPoint(
        "elected_signs",
        continual.elected_signs,
        lambda: {"vectors": torch.ones(2, 3)},
        {"vectors": NOT_VECTORS},
    ),
    EntryPoint(
        "disjoint_mean",
        continual.disjoint_mean,
        lambda: {"vectors": torch.ones(2, 3), "signs": torch.ones(3)},
        {
            "vectors": NOT_VECTORS,
            "signs": (*NOT_TENSORS, torch.ones(4), torch.ones(3).long()),
        },
    ),
    EntryPoint(
        "MultiTaskModel.add_task",
        lambda **given: _model().add_task(**given),
        lambda: {"task": TASK},
        {"part": (3, "part")},
        documented=multitask.MultiTaskModel.add_task,
    ),
    EntryPoint(
        "Sharing.add_task",
        lambda **given: _adapters().add_task(**given),
        lambda: {"task": "c"},
        {"task": ("a", 3, None, ""), "part": (3, "part")},
        documented=sharing.Sharing.add_task,
    ),
    EntryPoint(
        "Sharing.remove_task",
        lambda **given: _adapters().remove_task(**given),
        lambda: {"task": "a"},
        {"task": ("nothing", 3, None)},
        documented=sharing.Sharing.remove_task,
    ),
    *(
        EntryPoint(
            f"{kind.__name__}, added",
            kind,
            lambda: {"name": "a", "labels": ["x", "y"]},
            {"added": (None, 3, "one", [0], [1.5], ["one"], Within((2,), 2))},
        )
        for kind in (tasks.Classification, tasks.MultiLabel, tasks.Tagging)
    ),
]


def _adapters() -> sharing.TaskAdapters:
    return sharing.TaskAdapters(nn.BiLSTMEncoder(5, 4), ["a", "b"], 2)
