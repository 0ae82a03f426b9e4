"""Bad inputs of what measures relations between tasks, and of sharing by a learnt covariance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import torch
from bad_input_cases import (
    INF,
    NAN,
    NOT_CHOICES,
    NOT_COUNTS,
    NOT_FLAGS,
    NOT_OPTIONAL_SIZES,
    NOT_POSITIVE,
    NOT_SIZES,
    NOT_TENSORS,
    EntryPoint,
    Within,
)

from mtl_utils import data, multitask, nn, relations, sharing, tasks

NOT_MODELS = (None, 3, "model", torch.nn.Linear(2, 2))
NOT_LOADERS = (None, 3, "data", [1, 2])
NOT_BATCHES = (None, 3, "batch", [1])
NOT_NUMBERS = (NAN, INF, "1", None, True, [1.0])
NOT_STRENGTHS = (-1.0, *NOT_NUMBERS)
NOT_PARTS = (None, 3, "encoders", {}, [1], {"a": torch.nn.Linear(2, 2)})


def _encoders() -> dict[str, nn.BiLSTMEncoder]:
    return {"a": nn.BiLSTMEncoder(5, 4), "b": nn.BiLSTMEncoder(5, 4)}


def _model() -> multitask.MultiTaskModel:
    both = [tasks.Classification(name, ["x", "y"]) for name in ("a", "b")]
    return multitask.MultiTaskModel(sharing.HardSharing(nn.BiLSTMEncoder(5, 4)), both)


def _loader() -> data.BatchLoader:
    rows = [data.Example([1, 2], {"a": 0, "b": 1}), data.Example([3], {"a": 1, "b": 0})]
    return data.BatchLoader(rows, batch_size=1)


def _batch() -> data.Batch:
    return data.collate([data.Example([1, 2], {"a": 0, "b": 1})])


def _runs() -> pd.DataFrame:
    rows = [("a", None, 0, 0.5), ("a", "b", 0, 0.6)]
    return pd.DataFrame(rows, columns=["task", "partner", "seed", "score"])


def _table(**entries: float) -> pd.DataFrame:
    table = pd.DataFrame([[0.0, 1.0], [2.0, 0.0]], ["a", "b"], ["a", "b"])
    for place, value in entries.items():
        table.loc[place[0], place[1]] = value
    return table


NOT_TABLES = (
    None,
    3,
    "table",
    [[1.0]],
    Within(_table().rename(index={"b": "c"}), "c"),
    Within(_table().rename(index={"b": 3}, columns={"b": 3}), 3),
)
NOT_AFFINITIES = (*NOT_TABLES, Within(_table(ab=NAN), NAN), Within(_table(ba=INF), INF))
_BASE = {"model": NOT_MODELS, "data": NOT_LOADERS, "max_batches": NOT_OPTIONAL_SIZES}


def _measured() -> Callable[..., Any]:
    tracker = relations.AffinityTracker(_model(), _loader())
    tracker.measured[10] = _table()
    return tracker.matrix


def _scores() -> dict[tuple[str, ...], dict[str, float]]:
    return {("a",): {"a": 1.0}, ("b",): {"b": 1.0}, ("a", "b"): {"a": 2.0, "b": 0.5}}


_MANY = pd.DataFrame(0.0, [f"t{n}" for n in range(13)], [f"t{n}" for n in range(13)])

ENTRY_POINTS = [
    *(
        EntryPoint(
            function.__name__,
            function,
            lambda: {"runs": _runs()},
            {
                "runs": (
                    None,
                    3,
                    "runs",
                    [1],
                    Within(_runs().drop(columns="seed"), "partner"),
                    Within(_runs()[:0], 0),
                    Within(_runs().assign(task=3), 3),
                    Within(_runs().assign(score="good"), "good"),
                    Within(_runs().assign(score=NAN), NAN),
                    Within(_runs().assign(partner="a"), "a"),
                    Within(pd.concat([_runs(), _runs()]), "a"),
                    Within(_runs()[1:], "b"),
                ),
                "mode": NOT_CHOICES,
                "relative": NOT_FLAGS,
            },
        )
        for function in (relations.transfer_matrix, relations.transfer_differences)
    ),
    EntryPoint(
        "task_gradients",
        relations.task_gradients,
        lambda: {"model": _model(), "batches": _batch()},
        {"model": NOT_MODELS, "batches": (*NOT_BATCHES, {"a": 3})},
    ),
    EntryPoint(
        "cosines",
        relations.cosines,
        lambda: {"gradients": torch.ones(2, 3)},
        {"gradients": (*NOT_TENSORS, torch.ones(3), torch.ones(2, 3).long())},
    ),
    EntryPoint(
        "gradient_cosines",
        relations.gradient_cosines,
        lambda: {"model": _model(), "data": _loader()},
        _BASE,
    ),
    EntryPoint(
        "task_embeddings",
        relations.task_embeddings,
        lambda: {"model": _model(), "data": _loader()},
        {**_BASE, "by_tensor": NOT_FLAGS},
    ),
    EntryPoint(
        "lookahead_affinity",
        relations.lookahead_affinity,
        lambda: {"model": _model(), "batches": _batch(), "learning_rate": 0.1},
        {
            "model": NOT_MODELS,
            "batches": (*NOT_BATCHES, {"a": 3}),
            "learning_rate": NOT_POSITIVE,
        },
    ),
    EntryPoint(
        "AffinityTracker",
        relations.AffinityTracker,
        lambda: {"model": _model(), "data": _loader()},
        {
            "model": NOT_MODELS,
            "data": NOT_LOADERS,
            "every": NOT_SIZES,
            "learning_rate": tuple(value for value in NOT_POSITIVE if value is not None),
        },
    ),
    EntryPoint(
        "AffinityTracker.matrix",
        _measured(),
        dict,
        {"after": (*NOT_COUNTS, 10)},
        documented=relations.AffinityTracker.matrix,
    ),
    EntryPoint(
        "label_distribution",
        relations.label_distribution,
        lambda: {"labels": ["a", "b"]},
        {"labels": (None, 3, "ab", [], [None], [0.5], Within([["a"], {"a": 1}], {"a": 1}))},
    ),
    EntryPoint(
        "pairwise_scores",
        relations.pairwise_scores,
        lambda: {"affinity": _table()},
        {"affinity": (*NOT_AFFINITIES, Within(_MANY, 13)), "alone": NOT_NUMBERS},
    ),
    EntryPoint(
        "best_groups",
        relations.best_groups,
        lambda: {"scores": _scores(), "max_groups": 2},
        {
            "scores": (
                None,
                3,
                "scores",
                [1],
                {},
                Within({"a": {"a": 1.0}}, "a"),
                Within({("a",): 3}, 3),
                Within({("a",): {"b": 1.0}}, "b"),
                Within({("a",): {"a": NAN}}, NAN),
                Within({("a", "a"): {"a": 1.0}}, "a"),
                Within({("a", "b"): {"a": 1.0, "b": 1.0}, ("b", "a"): {"a": 1.0, "b": 1.0}}, "b"),
                Within({(f"t{n}",): {f"t{n}": 1.0} for n in range(13)}, 13),
            ),
            "max_groups": NOT_SIZES,
            "disjoint": NOT_FLAGS,
        },
    ),
    EntryPoint(
        "cluster_tasks",
        relations.cluster_tasks,
        lambda: {"affinity": _table(), "num_groups": 1},
        {"affinity": NOT_AFFINITIES, "num_groups": (*NOT_SIZES, 3)},
    ),
    EntryPoint(
        "plot_relations",
        relations.plot_relations,
        lambda: {"table": _table()},
        {"table": NOT_TABLES, "half_width": NOT_TABLES[1:], "digits": (-1, 1.5, "1", True)},
    ),
    EntryPoint(
        "rank_agreement",
        relations.rank_agreement,
        lambda: {"first": _table(), "second": _table()},
        {"first": NOT_TABLES, "second": (*NOT_TABLES, Within(_table(ab=NAN), 1))},
    ),
    *(
        EntryPoint(
            function.__name__,
            function,
            lambda: {"weights": torch.ones(2, 3)},
            {
                "weights": (
                    *NOT_TENSORS,
                    torch.ones(3),
                    torch.ones(2, 3).long(),
                    Within(torch.ones(0, 3), "size=(0, 3)"),
                ),
                "smoothing": NOT_STRENGTHS,
            },
        )
        for function in (sharing.task_covariance, sharing.covariance_penalty)
    ),
    EntryPoint(
        "CovarianceSharing",
        sharing.CovarianceSharing,
        lambda: {"encoders": _encoders(), "tied": ["lstm"]},
        {
            "encoders": NOT_PARTS,
            "tied": (None, 3, "lstm", [], ["nothing"], [3]),
            "strength": NOT_STRENGTHS,
            "smoothing": NOT_POSITIVE,
        },
        called={"encoders": "encoder", "tied": "tied|Tie"},
    ),
]
