"""Bad inputs of training: settings, schedules, samplers, trainers, streams and checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    EntryPoint,
    temporary_folder,
)

from mtl_utils import training
from mtl_utils.data import BatchLoader, Example, Vocabulary
from mtl_utils.models import LSTMLanguageModel, MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification

NOT_SEEDS = (-1, 2**64, 1.5, "0", None, True, NAN)
NOT_WHOLE_OR_NONE = tuple(value for value in NOT_SIZES if value is not None)
NOT_POSITIVE_OR_NONE = tuple(value for value in NOT_POSITIVE if value is not None)
NOT_LOSSES = (-1.0, NAN, "2", None, True, [2.0])
NOT_DECAYS = (-0.1, NAN, INF, "0", None, True)
NOT_MODELS = (None, 3, "model", torch.nn.Linear(2, 2), MultiTaskModel)
NOT_LOADERS = (None, 3, "data", [], {})
NOT_SENTENCES = (None, 3, "two words", [3], ["two words"], [[3]], [None])
NOT_VOCABULARIES = (None, 3, "words", ["a"])
NOT_STREAMS = (*NOT_TENSORS, torch.zeros(2, 3).long(), torch.zeros(9), torch.zeros(9).bool())
NOT_PATHS = (None, 3, 1.5, ["a"])

VOCABULARY = Vocabulary.from_tokens(["a", "b"])
STREAM = torch.tensor([2, 3, 4, 5] * 4)


def _model() -> MultiTaskModel:
    return MultiTaskModel(HardSharing(BiLSTMEncoder(9, 4)), [Classification("topic", ("a", "b"))])


def _loader() -> BatchLoader:
    return BatchLoader([Example([1, 2], {"topic": 0}), Example([3], {"topic": 1})], batch_size=1)


def _language_model() -> LSTMLanguageModel:
    return LSTMLanguageModel(len(VOCABULARY), 4)


def _fit(train: Any, validation: Any = None) -> Any:
    trainer = training.Trainer(_model(), training.TrainerConfig(epochs=1), progress=False)
    return trainer.fit(train, validation)


def _chunks(**arguments: Any) -> list[Any]:
    return list(training.stream_chunks(**arguments))


NOT_STEPS = tuple(value for value in NOT_COUNTS if value != 1.5)  # a curve may be drawn between
_steps: dict[str, Any] = {"step": NOT_STEPS, "warmup_steps": NOT_STEPS}
_streams: dict[str, Any] = {"batch_size": NOT_SIZES, "chunk_length": NOT_SIZES}

ENTRY_POINTS = [
    EntryPoint(
        "TrainerConfig",
        training.TrainerConfig,
        dict,
        {
            "epochs": NOT_SIZES,
            "max_steps": NOT_WHOLE_OR_NONE,
            "learning_rate": NOT_POSITIVE,
            "optimizer": NOT_CHOICES,
            "betas": (None, 0.9, "ab", (0.9,), (0.9, 1.0), (-0.1, 0.9), (NAN, 0.9), ("a", 0.9)),
            "weight_decay": NOT_DECAYS,
            "clip_norm": NOT_POSITIVE_OR_NONE,
            "schedule": NOT_CHOICES,
            "warmup_steps": NOT_COUNTS,
            "patience": NOT_WHOLE_OR_NONE,
            "mixed_precision": NOT_CHOICES,
            "seed": NOT_SEEDS,
            "validate_every": NOT_SIZES,
            "checkpoint_every": NOT_WHOLE_OR_NONE,
            "accumulate": NOT_SIZES,
            "task_patience": NOT_WHOLE_OR_NONE,
        },
    ),
    EntryPoint(
        "TruncatedBPTTConfig",
        training.TruncatedBPTTConfig,
        dict,
        {
            "epochs": NOT_SIZES,
            "batch_size": NOT_SIZES,
            "chunk_length": NOT_SIZES,
            "learning_rate": NOT_POSITIVE,
            "weight_decay": NOT_DECAYS,
            "clip_norm": NOT_POSITIVE,
            "schedule": NOT_CHOICES,
            "warmup_steps": NOT_COUNTS,
            "patience": NOT_WHOLE_OR_NONE,
            "seed": NOT_SEEDS,
        },
    ),
    EntryPoint(
        "Trainer",
        training.Trainer,
        lambda: {"model": _model()},
        {
            "model": NOT_MODELS,
            "config": (3, "fast", {"epochs": 1}, training.TrainerConfig),
            "balancer": (3, "equal", {"topic": 1.0}),
            "evaluate": (3, "accuracy", {"accuracy": 1.0}),
            "metric": (None, 3, ["validation_loss"], "nothing_known"),
            "mode": ("least", "", 3, True),
            "checkpoint": (3, 1.5, ["a"]),
            "on_other_run": NOT_CHOICES,
            "parameter_groups": (3, "all", {"lr": 1.0}, [3], [{"lr": 0.1}]),
            "progress": (*NOT_FLAGS, "bar"),
            "shares_every": (-1, 1.5, "50", True, [50], NAN),
            "callbacks": (3, print, "print", [3], ["print"], [None], [training.EpochLines]),
            "task_metrics": (3, "topic_f1", {"topic": "topic_f1"}),
            "sharded": NOT_FLAGS,
        },
        called={"parameter_groups": "parameter_groups|params"},
    ),
    EntryPoint(
        "Trainer with task_patience",
        training.Trainer,
        lambda: {"model": _model(), "config": training.TrainerConfig(task_patience=1)},
        {
            "task_metrics": (
                *(3, "topic_f1", {"topics": "topic_f1"}, {3: "topic_f1"}, {"topic": 3}),
                {"topic": "topic_score"},
            )
        },
    ),
    EntryPoint(
        "EpochLines",
        training.EpochLines,
        dict,
        {"write": (3, "print", [print])},
    ),
    EntryPoint(
        "Trainer.fit",
        _fit,
        lambda: {"train": _loader()},
        {"train": NOT_LOADERS, "validation": NOT_LOADERS[1:]},
        documented=training.Trainer.fit,
    ),
    EntryPoint(
        "evaluate_losses",
        training.evaluate_losses,
        lambda: {"model": _model(), "loader": _loader()},
        {"model": NOT_MODELS, "loader": NOT_LOADERS},
    ),
    EntryPoint(
        "calibrate",
        training.calibrate,
        lambda: {"model": _model(), "loader": _loader()},
        {
            "model": NOT_MODELS,
            "loader": NOT_LOADERS,
            "tasks": (3, "topic", ["nothing"], [3], [None], {"topic": 1}),
        },
        called={"tasks": "tasks|task"},
    ),
    EntryPoint("perplexity", training.perplexity, lambda: {"loss": 2.0}, {"loss": NOT_LOSSES}),
    EntryPoint(
        "bits_per_token", training.bits_per_token, lambda: {"loss": 2.0}, {"loss": NOT_LOSSES}
    ),
    EntryPoint(
        "bits_per_character",
        training.bits_per_character,
        lambda: {"loss": 2.0},
        {"loss": NOT_LOSSES, "tokens_per_character": NOT_POSITIVE},
    ),
    EntryPoint("schedules.constant", training.schedules.constant, lambda: {"step": 1}, _steps),
    EntryPoint(
        "schedules.inverse_sqrt", training.schedules.inverse_sqrt, lambda: {"step": 1}, _steps
    ),
    *(
        EntryPoint(
            f"schedules.{function.__name__}",
            function,
            lambda: {"step": 1, "total_steps": 4},
            {**_steps, "total_steps": NOT_STEPS},
        )
        for function in (training.schedules.linear, training.schedules.cosine)
    ),
    EntryPoint(
        "schedules.factor",
        training.schedules.factor,
        lambda: {"name": "linear", "step": 1, "total_steps": 4},
        {"name": NOT_CHOICES, **_steps, "total_steps": NOT_STEPS},
        called={"name": "schedule"},
    ),
    EntryPoint(
        "schedules.depends_on_total",
        training.schedules.depends_on_total,
        lambda: {"name": "linear"},
        {"name": NOT_CHOICES},
        called={"name": "schedule"},
    ),
    EntryPoint(
        "layerwise_groups",
        lambda **given: _refused_for_no_encoder(**given),
        lambda: {"model": _model(), "learning_rate": 0.1},
        {
            "model": (None, 3, "model"),
            "learning_rate": NOT_POSITIVE,
            "decay": (*NOT_POSITIVE, 1.5),
            "head_learning_rate": NOT_POSITIVE_OR_NONE,
        },
        documented=training.layerwise_groups,
    ),
    EntryPoint(
        "save_checkpoint",
        training.save_checkpoint,
        lambda: {"path": temporary_folder() / "file", "state": {"step": 1}},
        {"path": NOT_PATHS, "state": (None, 3, "state", [1], {"a": object})},
    ),
    EntryPoint(
        "load_checkpoint",
        lambda path: None if path == "good" else training.load_checkpoint(path),
        lambda: {"path": "good"},
        {"path": (*NOT_PATHS, "nowhere", str(Path(__file__).parent))},
        documented=training.load_checkpoint,
        called={"path": "path|checkpoint"},
    ),
    EntryPoint(
        "sentence_stream",
        training.sentence_stream,
        lambda: {"sentences": [["a", "b"]], "vocabulary": VOCABULARY},
        {
            "sentences": NOT_SENTENCES,
            "vocabulary": NOT_VOCABULARIES,
            "seed": (-1, 2**64, 1.5, "0", True, NAN),
        },
        called={"sentences": "sentences|sentence|word|words|token|tokens"},
    ),
    EntryPoint(
        "stream_chunks",
        _chunks,
        lambda: {"stream": STREAM, "batch_size": 2, "chunk_length": 3},
        {"stream": NOT_STREAMS, "batch_size": (*NOT_SIZES, 16), "chunk_length": NOT_SIZES},
        documented=training.stream_chunks,
    ),
    EntryPoint(
        "stream_loss",
        training.stream_loss,
        lambda: {"model": _language_model(), "stream": STREAM},
        {"model": NOT_MODELS, "stream": NOT_STREAMS, **_streams},
    ),
    EntryPoint(
        "sentence_loss",
        training.sentence_loss,
        lambda: {
            "model": _language_model(),
            "sentences": [["a", "b"]],
            "vocabulary": VOCABULARY,
        },
        {
            "model": NOT_MODELS,
            "sentences": (*NOT_SENTENCES, []),
            "vocabulary": NOT_VOCABULARIES,
            "batch_size": NOT_SIZES,
        },
        called={"sentences": "sentences|sentence|word|words|token|tokens"},
    ),
    EntryPoint(
        "train_language_model",
        training.train_language_model,
        lambda: {
            "model": _language_model(),
            "train_stream": STREAM,
            "validation_stream": STREAM,
            "config": training.TruncatedBPTTConfig(epochs=1, batch_size=2),
            "progress": False,
        },
        {
            "model": NOT_MODELS,
            "train_stream": NOT_STREAMS,
            "validation_stream": NOT_STREAMS,
            "config": (3, "fast", {"epochs": 1}, training.TrainerConfig()),
            "progress": NOT_FLAGS,
        },
    ),
]


def _refused_for_no_encoder(**given: Any) -> None:
    """Call it with a model that has no pretrained encoder: that alone may be what is wrong."""
    try:
        training.layerwise_groups(**given)
    except ValueError as error:
        if "no PretrainedEncoder" not in str(error):
            raise
