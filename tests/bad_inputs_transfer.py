"""Bad inputs of what carries models to tasks with little data, and of soft prompts."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from bad_input_cases import (
    INF,
    NAN,
    NOT_CHOICES,
    NOT_COUNTS,
    NOT_FLAGS,
    NOT_POSITIVE,
    NOT_SIZES,
    NOT_TENSORS,
    NOT_TEXTS,
    EntryPoint,
    Within,
)

from mtl_utils import data, models, multitask, nn, sharing, tasks, transfer

NOT_MODELS = (None, 3, "model", torch.nn.Linear(2, 2))
NOT_LISTS = (None, 3, "rows", {"a": 1})
NOT_EXAMPLES = (*NOT_LISTS, Within([3], 3))
NOT_FEATURES = (*NOT_TENSORS, torch.ones(3), torch.ones(2, 3).long())
NOT_LABELS = (*NOT_TENSORS, torch.ones(2), torch.ones(3).long(), torch.ones(2, 3).long())
TOPIC = tasks.Classification("topic", ("x", "y"), pooling="mean")
NAMES = tasks.Tagging("names", ("O", "B-per", "I-per"))
EXAMPLES = [data.Example([1, 2], {"topic": 0}), data.Example([3], {"topic": 1})]


def _model() -> multitask.MultiTaskModel:
    return multitask.MultiTaskModel(sharing.HardSharing(nn.BiLSTMEncoder(5, 4)), [TOPIC])


def _writing() -> models.TextModel:
    tokenizer = data.WordTokenizer(data.Vocabulary.from_tokens(["a", "b", "x", "y"]))
    writing = tasks.Translation("text", tokenizer)
    encoder = nn.BiLSTMEncoder(tokenizer.vocab_size, 4)
    return models.TextModel(sharing.HardSharing(encoder), [writing], tokenizer)


def _with_model(**arguments: Any) -> Any:
    return lambda: {"model": _model(), **arguments}


def _taught(**given: Any) -> None:
    with transfer.taught(**given):
        pass


ENTRY_POINTS = [
    EntryPoint(
        "taught",
        _taught,
        lambda: {"student": _model(), "teachers": {"topic": _model()}},
        {
            "student": NOT_MODELS,
            "teachers": (None, 3, "topic", {}, Within({"no": _model()}, "no"), {"topic": 3}),
            "temperature": NOT_POSITIVE,
            "label_share": (-0.1, 1.5, NAN, "0.5", None, (0.0, 1.0), (0.5,)),
            "num_steps": (0, -1, 1.5, "3", True, 5),
        },
        documented=transfer.taught,
        called={"teachers": "teachers|task"},
    ),
    EntryPoint(
        "draw_rows",
        transfer.draw_rows,
        lambda: {"size": 3, "count": 2, "labels": ["a", "b", "a"]},
        {
            "size": NOT_SIZES,
            "count": (*NOT_COUNTS, 4),
            "seed": NOT_COUNTS,
            "labels": (3, "abc", {"a": 1}, Within(["a"], 1)),
        },
    ),
    EntryPoint(
        "spread_by_source",
        transfer.spread_by_source,
        lambda: {"scores": pd.DataFrame([[1.0, 2.0], [2.0, 4.0]])},
        {
            "scores": (
                None,
                3,
                "scores",
                [[1.0]],
                Within(pd.DataFrame([["good", 1.0], [1.0, 1.0]]), "good"),
                Within(pd.DataFrame([[1.0, 2.0]]), (1, 2)),
                Within(pd.DataFrame([[1.0, NAN], [1.0, 1.0]]), "NaN"),
            )
        },
    ),
    EntryPoint(
        "sentence_vectors",
        transfer.sentence_vectors,
        lambda: {"encoder": nn.BiLSTMEncoder(5, 4), "examples": EXAMPLES},
        {
            "encoder": NOT_MODELS,
            "examples": (*NOT_EXAMPLES, []),
            "max_tokens": NOT_SIZES,
        },
    ),
    EntryPoint(
        "retrieval_accuracy",
        transfer.retrieval_accuracy,
        lambda: {"queries": torch.eye(2), "candidates": torch.eye(2)},
        {
            "queries": (*NOT_FEATURES, torch.ones(0, 2)),
            "candidates": (*NOT_FEATURES, torch.ones(3, 2), torch.ones(2, 3)),
            "centred": NOT_FLAGS,
        },
    ),
    EntryPoint(
        "adapted",
        transfer.adapted,
        _with_model(task="topic"),
        {
            "model": NOT_MODELS,
            "task": ("nothing", None, 3, ["topic"], Within(TOPIC, "topic")),
            "moves": NOT_CHOICES,
        },
        called={"task": "task|tasks"},
    ),
    EntryPoint(
        "class_scaled_weights",
        transfer.class_scaled_weights,
        lambda: {"tasks": [TOPIC]},
        {"tasks": (None, 3, "tasks", [], [3], Within([TOPIC, TOPIC], "topic"))},
    ),
    EntryPoint(
        "class_means",
        transfer.class_means,
        lambda: {
            "features": torch.ones(2, 3),
            "labels": torch.zeros(2).long(),
            "num_classes": 2,
        },
        {
            "features": NOT_FEATURES,
            "labels": (*NOT_LABELS, Within(torch.tensor([0, 2]), 2)),
            "num_classes": NOT_SIZES,
        },
    ),
    EntryPoint(
        "episode_loss",
        transfer.episode_loss,
        lambda: {"features": torch.ones(2, 3), "labels": torch.zeros(2).long()},
        {"features": NOT_FEATURES, "labels": NOT_LABELS, "sharpness": NOT_POSITIVE},
    ),
    EntryPoint(
        "prototype_logits",
        transfer.prototype_logits,
        lambda: {"features": torch.ones(2, 3), "prototypes": torch.ones(4, 3)},
        {
            "features": NOT_FEATURES,
            "prototypes": (*NOT_FEATURES, torch.ones(4, 2)),
            "sharpness": NOT_POSITIVE,
        },
    ),
    EntryPoint(
        "prototype_layer",
        transfer.prototype_layer,
        lambda: {"prototypes": torch.ones(4, 3)},
        {"prototypes": NOT_FEATURES, "sharpness": NOT_POSITIVE},
    ),
    EntryPoint(
        "set_prototypes",
        transfer.set_prototypes,
        _with_model(task="topic", examples=EXAMPLES),
        {
            "model": NOT_MODELS,
            "task": ("nothing", None, 3),
            "examples": (*NOT_EXAMPLES, Within([data.Example([1])], "topic")),
            "sharpness": NOT_POSITIVE,
            "max_tokens": NOT_SIZES,
        },
    ),
    EntryPoint(
        "task_features",
        transfer.task_features,
        _with_model(task="topic", examples=EXAMPLES),
        {
            "model": NOT_MODELS,
            "task": ("nothing", None, 3),
            "examples": (*NOT_EXAMPLES, Within([data.Example([1])], "topic")),
            "max_tokens": NOT_SIZES,
        },
    ),
    EntryPoint(
        "pseudo_labelled",
        transfer.pseudo_labelled,
        _with_model(task="topic", examples=EXAMPLES),
        {
            "model": NOT_MODELS,
            "task": ("nothing", None, 3),
            "examples": NOT_EXAMPLES,
            "confidence": (-0.1, 1.5, NAN, INF, "0.1", None, True, [0.1]),
            "max_tokens": NOT_SIZES,
        },
    ),
    EntryPoint(
        "TextForm",
        transfer.TextForm,
        lambda: {"task": TOPIC},
        {
            "task": (
                None,
                3,
                "topic",
                Within(tasks.Tagging("pos", ("NOUN", "VERB")), "Tagging"),
            ),
            "prefix": (3, b"text", ["text"]),
            "words": (
                None,
                3,
                "words",
                Within({"nothing": "z"}, "nothing"),
                Within({"x": 3}, 3),
                Within({"x": "y"}, "y"),
                Within({"x": ""}, "x"),
            ),
        },
    ),
    EntryPoint(
        "TextForm.read",
        transfer.TextForm(TOPIC).read,
        lambda: {"written": "x", "row": {"text": "a b"}},
        {"written": NOT_TEXTS},
    ),
    EntryPoint(
        "TextForm.target",
        transfer.TextForm(TOPIC).target,
        lambda: {"row": {"text": "a b", "label": 0}},
        {"row": (None, 3, "row", Within({"text": "a", "label": None}, "None"))},
    ),
    EntryPoint(
        "TextForm.measure",
        transfer.TextForm(TOPIC).measure,
        lambda: {"written": ["x"], "rows": [{"text": "a b", "label": 0}]},
        {"written": (*NOT_LISTS, [], ["x", "y"], Within([3], 3)), "rows": (None, 3, "rows")},
    ),
    EntryPoint(
        "rank_labels",
        transfer.rank_labels,
        lambda: {
            "model": _writing(),
            "writing": "text",
            "form": transfer.TextForm(TOPIC),
            "rows": [{"text": "a b"}],
        },
        {
            "model": (*NOT_MODELS, _model()),
            "writing": ("nothing", None, 3),
            "form": (None, 3, "form", Within(transfer.TextForm(NAMES), "Tagging")),
            "rows": NOT_LISTS,
        },
        called={"writing": "writing|task"},
    ),
    EntryPoint(
        "SoftPrompts",
        sharing.SoftPrompts,
        lambda: {"encoder": nn.TransformerEncoder(5, 4, 1, 2, 4), "tasks": ["topic"]},
        {
            "encoder": (None, 3, "encoder", torch.nn.Linear(2, 2)),
            "tasks": (None, 3, "topic", [], ["a", "a"], [3]),
            "length": (*NOT_SIZES, 512),
            "shared": NOT_FLAGS,
            "seed": NOT_COUNTS,
        },
        called={"tasks": "tasks|task"},
    ),
]
