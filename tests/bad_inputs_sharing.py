"""Bad inputs of the ways of sharing that work between the layers of encoders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from bad_input_cases import (
    INF,
    NAN,
    NOT_CHOICES,
    NOT_COUNTS,
    NOT_FLAGS,
    NOT_OPTIONAL_SIZES,
    NOT_POSITIVE,
    NOT_PROBABILITIES,
    NOT_SIZES,
    NOT_TENSORS,
    EntryPoint,
    Within,
)

from mtl_utils import data, nn, sharing

NOT_ENCODERS = (None, 3, "encoder", torch.nn.Linear(2, 2))
NOT_NAMES = (None, 3, "a", [], [3], ["a", "a"], ["a.b"])
NOT_STRENGTHS = (-1.0, NAN, INF, "1", None, True, [1.0])
NOT_WEIGHTS = (-0.1, 1.5, NAN, INF, "0.1", None, True, [0.1])
NOT_BATCHES = (None, 3, "batch", [1])
_named = {"tasks": "tasks|task|names"}


def _encoder() -> nn.BiLSTMEncoder:
    return nn.BiLSTMEncoder(5, 4)


NOT_PARTS = (None, 3, "encoders", {}, [_encoder()], {"a": torch.nn.Linear(2, 2)}, {1: _encoder()})


def _encoders() -> dict[str, nn.BiLSTMEncoder]:
    return {"a": _encoder(), "b": _encoder()}


def _experts() -> list[nn.FeedForwardLayers]:
    return [nn.FeedForwardLayers(4, 3) for _ in range(2)]


NOT_EXPERTS = (None, 3, "experts", [], [3], [_encoder()])
_MIXED = {
    "per": NOT_CHOICES,
    "top_k": (*NOT_OPTIONAL_SIZES, 3),
    "noisy": (*NOT_FLAGS, True),
    "balance_strength": NOT_STRENGTHS,
}
_DRAWN = {
    "encoder": NOT_ENCODERS,
    "num_experts": NOT_SIZES,
    "num_expert_layers": (*NOT_SIZES, 9),
    **_MIXED,
}


def _of_tasks(**more: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {"encoder": _encoder(), "tasks": ["a", "b"], **more}


def _inputs() -> data.Inputs:
    return data.collate([data.Example([1, 2], {}), data.Example([3], {})]).inputs


ENTRY_POINTS = [
    EntryPoint(
        "HierarchicalSharing",
        sharing.HierarchicalSharing,
        lambda: {"encoder": _encoder(), "depth": {"a": 1}},
        {
            "encoder": NOT_ENCODERS,
            "depth": (None, 3, "a", [1], {}, {"a": 2}, {"a": -1}, {"a": "1"}, {"a": 1.5}, {1: 1}),
            "shortcuts": NOT_FLAGS,
            "successive_strength": NOT_STRENGTHS,
        },
    ),
    EntryPoint(
        "CrossStitch",
        sharing.CrossStitch,
        lambda: {"encoders": _encoders()},
        {"encoders": NOT_PARTS, "own": NOT_WEIGHTS},
        called={"encoders": "encoder"},
    ),
    EntryPoint(
        "CrossStitch.from_encoder",
        sharing.CrossStitch.from_encoder,
        _of_tasks(),
        {"encoder": NOT_ENCODERS, "tasks": (None, 3, "a", [3], ["a", "a"]), "own": NOT_WEIGHTS},
        called=_named,
    ),
    EntryPoint(
        "SluiceNetwork",
        sharing.SluiceNetwork,
        lambda: {"encoders": _encoders()},
        {
            "encoders": NOT_PARTS,
            "own": NOT_WEIGHTS,
            "subspaces": (*NOT_SIZES, 3),
            "orthogonality_strength": NOT_STRENGTHS,
        },
        called={"encoders": "encoder"},
    ),
    EntryPoint(
        "MixtureOfExperts",
        sharing.MixtureOfExperts,
        lambda: {"trunk": _encoder(), "experts": _experts()},
        {"trunk": NOT_ENCODERS, "experts": NOT_EXPERTS, **_MIXED},
    ),
    EntryPoint(
        "MixtureOfExperts.from_encoder",
        sharing.MixtureOfExperts.from_encoder,
        lambda: {"encoder": _encoder(), "num_experts": 2},
        _DRAWN,
    ),
    EntryPoint(
        "MMoE",
        sharing.MMoE,
        lambda: {"trunk": _encoder(), "experts": _experts(), "tasks": ["a", "b"]},
        {"trunk": NOT_ENCODERS, "experts": NOT_EXPERTS, "tasks": NOT_NAMES, **_MIXED},
        called=_named,
    ),
    EntryPoint(
        "MMoE.from_encoder",
        sharing.MMoE.from_encoder,
        _of_tasks(num_experts=2),
        {**_DRAWN, "tasks": NOT_NAMES},
        called=_named,
    ),
    EntryPoint(
        "PLE",
        sharing.PLE,
        lambda: {"trunk": _encoder(), "shared": [_experts()], "own": {"a": [_experts()]}},
        {
            "trunk": NOT_ENCODERS,
            "shared": (None, 3, "shared", [], [3], [[]], [[3]]),
            "own": (None, 3, "own", {}, [_experts()], {"a": 3}, {"a": [3]}, {"a": [[3]]}),
            "per": NOT_CHOICES,
            "top_k": NOT_OPTIONAL_SIZES,
            "noisy": (*NOT_FLAGS, True),
            "balance_strength": NOT_STRENGTHS,
        },
    ),
    EntryPoint(
        "PLE.from_encoder",
        sharing.PLE.from_encoder,
        _of_tasks(),
        {
            "encoder": NOT_ENCODERS,
            "tasks": NOT_NAMES,
            "num_levels": (*NOT_SIZES, 9),
            "num_shared_experts": NOT_SIZES,
            "num_task_experts": NOT_COUNTS,
            "per": NOT_CHOICES,
        },
        called=_named,
    ),
    *(
        EntryPoint(
            f"{kind.__name__}.gates",
            lambda batch, make=make: make().gates(batch),
            lambda: {"batch": data.Batch(_inputs())},
            {"batch": NOT_BATCHES},
            documented=kind.gates,
        )
        for kind, make in (
            (sharing.MixtureOfExperts, lambda: sharing.MixtureOfExperts(_encoder(), _experts())),
            (sharing.MMoE, lambda: sharing.MMoE(_encoder(), _experts(), ["a"])),
            (sharing.PLE, lambda: sharing.PLE(_encoder(), [_experts()], {"a": [[]]})),
        )
    ),
    EntryPoint(
        "load_balance",
        sharing.load_balance,
        lambda: {
            "weights": torch.full((2, 3, 4), 0.25),
            "probabilities": torch.full((2, 3, 4), 0.25),
            "counted": torch.ones(2, 3, dtype=torch.bool),
        },
        {
            "weights": (*NOT_TENSORS, torch.ones(3, 4), torch.ones(2, 3, 4).long()),
            "probabilities": (*NOT_TENSORS, torch.ones(3, 4), torch.ones(2, 3, 4).long()),
            "counted": (*NOT_TENSORS, torch.ones(2, 3), torch.ones(2, 4).bool()),
        },
    ),
    EntryPoint(
        "TaskAdapters",
        sharing.TaskAdapters,
        _of_tasks(),
        {
            "encoder": NOT_ENCODERS,
            "tasks": NOT_NAMES,
            "bottleneck": NOT_SIZES,
            "activation": NOT_CHOICES,
        },
        called=_named,
    ),
    EntryPoint(
        "LanguageAdapters",
        sharing.LanguageAdapters,
        lambda: {"encoder": _encoder(), "languages": ["a", "b"]},
        {
            "encoder": NOT_ENCODERS,
            "languages": NOT_NAMES,
            "bottleneck": NOT_SIZES,
            "activation": NOT_CHOICES,
        },
        called={"languages": "tasks|task|names"},
    ),
    EntryPoint(
        "LanguageAdapters.forward",
        sharing.LanguageAdapters(_encoder(), ["a", "b"], 2),
        lambda: {"inputs": replace(_inputs(), language_ids=torch.tensor([0, 1]))},
        {
            "inputs": (
                *(None, 3, "inputs", torch.ones(2, 2).long()),
                Within(replace(_inputs(), language_ids=torch.tensor([0, 2])), 2),
                Within(replace(_inputs(), language_ids=torch.tensor([-1, 0])), -1),
            )
        },
        called={"inputs": "inputs|language"},
    ),
    EntryPoint(
        "HyperAdapters",
        sharing.HyperAdapters,
        _of_tasks(),
        {
            "encoder": NOT_ENCODERS,
            "tasks": NOT_NAMES,
            "bottleneck": NOT_SIZES,
            "embedding_size": NOT_SIZES,
            "activation": NOT_CHOICES,
        },
        called=_named,
    ),
    EntryPoint(
        "TaskLoRA",
        sharing.TaskLoRA,
        _of_tasks(),
        {
            "encoder": NOT_ENCODERS,
            "tasks": NOT_NAMES,
            "rank": NOT_COUNTS,
            "alpha": NOT_POSITIVE,
            "on": (3, "lstm", [], [3], ["nothing"], [""]),
        },
        called=_named,
    ),
    *(
        EntryPoint(
            f"{kind.__name__}.encode",
            lambda inputs, tasks, kind=kind: kind(_encoder(), ["a", "b"]).encode(inputs, tasks),
            lambda: {"inputs": _inputs(), "tasks": ["b", "a"]},
            {
                "inputs": (None, 3, "inputs", torch.ones(2, 2).long()),
                "tasks": (None, 3, "ab", ["a"], Within(["a", "c"], "c"), Within([3, 4], 3)),
            },
            documented=kind.encode,
            called=_named,
        )
        for kind in (sharing.TaskAdapters, sharing.HyperAdapters, sharing.TaskLoRA)
    ),
    EntryPoint(
        "FeedForwardLayers",
        nn.FeedForwardLayers,
        lambda: {"width": 4},
        {
            "width": NOT_SIZES,
            "hidden_width": NOT_OPTIONAL_SIZES,
            "dropout": NOT_PROBABILITIES,
            "activation": NOT_CHOICES,
            "shortcut": NOT_FLAGS,
        },
    ),
    EntryPoint(
        "FeedForwardLayers.forward",
        nn.FeedForwardLayers(4, 3),
        lambda: {"hidden": torch.ones(2, 3, 4), "mask": torch.ones(2, 3, dtype=torch.bool)},
        {
            "hidden": (*NOT_TENSORS, torch.ones(2, 3, 5), torch.ones(2, 3, 4).long()),
            "mask": (*NOT_TENSORS, torch.ones(2, 3), torch.ones(2, 4).bool()),
        },
        documented=nn.FeedForwardLayers.forward,
    ),
]
