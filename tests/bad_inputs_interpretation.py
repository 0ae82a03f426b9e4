"""Bad inputs of what says what features know."""

from __future__ import annotations

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
    NOT_SIZES,
    NOT_TENSORS,
    EntryPoint,
    Within,
)

from mtl_utils import data, interpretation, multitask, nn, sharing, tasks

NOT_MODELS = (None, 3, "model", torch.nn.Linear(2, 2))
NOT_EXAMPLES = (3, "data", [1], [])
NOT_INPUTS = (None, 3, "inputs", [1])
NOT_STATES = (*NOT_TENSORS, torch.ones(3), torch.ones(4, 2).long())
NOT_LABELS = (*NOT_TENSORS, torch.ones(3).long(), torch.ones(4), torch.tensor([-100, 0, 1, 1]))
NOT_TARGETS = (None, 3, "topic", [3], [], Within([interpretation.Target("no")], "no"))
NOT_STRENGTHS = (-1.0, NAN, INF, "1", None, True, [1.0])
NOT_SHARES = (None, 3, "all", [], [0.5], [0.0, 1.0], [1.5], Within([0.7, 0.6, 1.0], "0.7, 0.6"))
NOT_SEEDS = (-1, 1.5, "3", None, True, 2**63)
NOT_LAYERS = (3, -1, 1.5, "1", True)


def _model(encoder: nn.Encoder | None = None) -> multitask.MultiTaskModel:
    of = nn.TransformerEncoder(9, 8, 2, 2) if encoder is None else encoder
    wanted = [tasks.Classification("topic", ["x", "y"]), tasks.Tagging("tags", ["a", "b"])]
    return multitask.MultiTaskModel(sharing.HardSharing(of), wanted)


def _examples() -> list[data.Example]:
    rows = [([1, 2, 3], 0, [0, 1, 1]), ([4, 5], 1, [1, 0])]
    return [data.Example(ids, {"topic": topic, "tags": tags}) for ids, topic, tags in rows]


def _inputs() -> data.Inputs:
    return data.collate(_examples()).inputs


def _states() -> torch.Tensor:
    return torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0], [1.0, 3.0]])


def _pairs(**more: Any) -> dict[str, Any]:
    return {"states": _states(), "labels": torch.tensor([0, 1, 0, 1]), **more}


def _probed() -> tuple[torch.Tensor, torch.Tensor, list[str]]:
    return _states(), torch.tensor([0, 1, 0, 1]), ["a", "b", "c", "d"]


def _block(function: Any) -> Any:
    """Enter a block and leave it again."""

    def call(**arguments: Any) -> None:
        with function(**arguments):
            pass

    return call


_OF_PAIRS = {"states": NOT_STATES, "labels": NOT_LABELS, "num_labels": (0, 1, 1.5, "3", True)}

ENTRY_POINTS = [
    EntryPoint(
        "Target",
        interpretation.Target,
        lambda: {"task": "topic"},
        {
            "task": (None, 3, ["topic"]),
            "label": (1.5, [0.5]),
            "position": (-1, 1.5, [-1], ["first"]),
            "score": NOT_CHOICES,
        },
    ),
    EntryPoint(
        "integrated_gradients",
        interpretation.integrated_gradients,
        lambda: {
            "model": _model(),
            "inputs": _inputs(),
            "targets": [interpretation.Target("topic")],
            "steps": 2,
        },
        {
            "model": NOT_MODELS,
            "inputs": NOT_INPUTS,
            "targets": NOT_TARGETS,
            "baseline": (3, "inputs", Within(data.collate(_examples()[1:]).inputs, "[1, 2]")),
            "steps": NOT_SIZES,
            "rule": NOT_CHOICES,
            "max_tokens": NOT_SIZES,
        },
    ),
    EntryPoint(
        "without_words",
        interpretation.without_words,
        lambda: {"inputs": _inputs(), "filler": 1},
        {"inputs": NOT_INPUTS, "filler": NOT_COUNTS, "kept": (None, 3, "ids", [-1], ["a"])},
    ),
    EntryPoint(
        "deletion_curve",
        interpretation.deletion_curve,
        lambda: {
            "model": _model(),
            "inputs": _inputs(),
            "target": interpretation.Target("topic"),
            "scores": torch.rand(2, 3),
            "filler": 1,
        },
        {
            "model": NOT_MODELS,
            "inputs": NOT_INPUTS,
            "target": (None, 3, "topic", Within(interpretation.Target("no"), "no")),
            "scores": (*NOT_TENSORS, torch.ones(3), torch.ones(2, 3).long(), torch.rand(2, 2)),
            "filler": NOT_COUNTS,
            "most": NOT_OPTIONAL_SIZES,
            "max_tokens": NOT_SIZES,
        },
    ),
    EntryPoint(
        "mean_drop",
        interpretation.mean_drop,
        lambda: {"curve": torch.rand(2, 3)},
        {"curve": (*NOT_TENSORS, torch.ones(3), torch.ones(2, 1), torch.ones(2, 3).long())},
    ),
    EntryPoint(
        "collect_states",
        interpretation.collect_states,
        lambda: {"model": _model(), "examples": _examples()},
        {
            "model": NOT_MODELS,
            "examples": (None, *NOT_EXAMPLES),
            "max_tokens": NOT_SIZES,
        },
    ),
    EntryPoint(
        "States.of",
        interpretation.collect_states(_model(), _examples()).of,
        lambda: {"task": "topic", "layer": "layer 1"},
        {"task": ("no", ""), "layer": ("layer 3", "")},
        documented=interpretation.States.of,
    ),
    EntryPoint(
        "fit_probe",
        interpretation.fit_probe,
        _pairs,
        {
            **_OF_PAIRS,
            "strength": NOT_STRENGTHS,
            "tolerance": NOT_POSITIVE,
            "max_iterations": NOT_SIZES,
        },
    ),
    EntryPoint(
        "LinearProbe.accuracy",
        interpretation.fit_probe(**_pairs()).accuracy,
        _pairs,
        {"states": (*NOT_STATES, torch.ones(4, 3)), "labels": NOT_LABELS},
        documented=interpretation.LinearProbe.accuracy,
    ),
    EntryPoint(
        "LinearProbe.loss",
        interpretation.fit_probe(**_pairs()).loss,
        _pairs,
        {"states": (*NOT_STATES, torch.ones(4, 3)), "labels": NOT_LABELS},
        documented=interpretation.LinearProbe.loss,
    ),
    EntryPoint(
        "LinearProbe.log_probabilities",
        interpretation.fit_probe(**_pairs()).log_probabilities,
        lambda: {"states": _states()},
        {"states": (*NOT_STATES, torch.ones(4, 3))},
        documented=interpretation.LinearProbe.log_probabilities,
    ),
    EntryPoint(
        "probe_scores",
        interpretation.probe_scores,
        lambda: dict.fromkeys(
            ("train", "test"), interpretation.collect_states(_model(), _examples())
        ),
        {
            "train": (None, 3, "states"),
            "test": (None, 3, "states"),
            "tasks": (3, "topic", ["no"]),
            "layers": (3, "layer 1", ["no"]),
            "strength": NOT_STRENGTHS,
        },
    ),
    EntryPoint(
        "control_labels",
        interpretation.control_labels,
        lambda: {"word_types": ["a", "b"], "labels": torch.tensor([0, 1])},
        {
            "word_types": (None, 3, "ab", ["a"]),
            "labels": (*NOT_TENSORS, torch.ones(2), torch.tensor([-100, 1])),
            "seed": NOT_SEEDS,
        },
        called={"labels": "labels"},
    ),
    EntryPoint(
        "selectivity",
        interpretation.selectivity,
        lambda: {"train": _probed(), "test": _probed()},
        {
            "train": (None, 3, "states", [3]),
            "test": (None, 3, "states", [3]),
            "strength": NOT_STRENGTHS,
            "seed": NOT_SEEDS,
        },
        called={"train": "train|parts"},
    ),
    EntryPoint(
        "online_code",
        interpretation.online_code,
        _pairs,
        {**_OF_PAIRS, "shares": NOT_SHARES, "strength": NOT_STRENGTHS},
    ),
    EntryPoint(
        "linear_cka",
        interpretation.linear_cka,
        lambda: {"first": _states(), "second": _states()},
        {"first": NOT_STATES, "second": NOT_STATES, "debiased": NOT_FLAGS},
    ),
    EntryPoint(
        "fit_eraser",
        interpretation.fit_eraser,
        _pairs,
        {**_OF_PAIRS, "tolerance": (*NOT_POSITIVE, 1.0)},
    ),
    EntryPoint(
        "random_eraser",
        interpretation.random_eraser,
        lambda: {"states": _states(), "rank": 1},
        {
            "states": (*NOT_TENSORS, torch.ones(3), torch.ones(4, 2).long(), torch.ones(0, 2)),
            "rank": (*NOT_COUNTS, 3),
            "seed": NOT_SEEDS,
            "tolerance": (*NOT_POSITIVE, 1.0),
        },
    ),
    EntryPoint(
        "Eraser",
        interpretation.fit_eraser(**_pairs()),
        lambda: {"states": _states()},
        {"states": (*NOT_TENSORS, torch.ones(4, 3), torch.ones(4, 2).long())},
        documented=interpretation.Eraser.__call__,
    ),
    EntryPoint(
        "changed_states",
        _block(interpretation.changed_states),
        lambda: {"model": _model(), "change": torch.zeros_like},
        {"model": NOT_MODELS, "change": (None, 3, "zero"), "layer": NOT_LAYERS},
        documented=interpretation.changed_states,
    ),
    EntryPoint(
        "without_head",
        _block(interpretation.without_head),
        lambda: {"model": _model(), "layer": 1, "head": 0},
        {
            "model": (*NOT_MODELS, Within(_model(nn.BiLSTMEncoder(9, 8)), "BiLSTMEncoder")),
            "layer": (0, *NOT_LAYERS),
            "head": (2, -1, 1.5, "1", None, True),
        },
        documented=interpretation.without_head,
    ),
    EntryPoint(
        "without_layer",
        _block(interpretation.without_layer),
        lambda: {"model": _model(), "layer": 1},
        {
            "model": (*NOT_MODELS, Within(_model(nn.BiLSTMEncoder(9, 8)), "BiLSTMEncoder")),
            "layer": (0, *NOT_LAYERS),
        },
        documented=interpretation.without_layer,
    ),
    *(
        EntryPoint(
            function.__name__,
            function,
            lambda: {"model": _model(), "examples": _examples()},
            {"model": NOT_MODELS, "examples": (None, *NOT_EXAMPLES)},
        )
        for function in (
            interpretation.task_losses,
            interpretation.head_importance,
            interpretation.layer_importance,
        )
    ),
]
