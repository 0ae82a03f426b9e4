"""Bad inputs of what exports models and runs them."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from bad_input_cases import (
    INF,
    NAN,
    NOT_COUNTS,
    NOT_FLAGS,
    NOT_SIZES,
    EntryPoint,
    Within,
    temporary_folder,
)

from mtl_utils import data, deployment, models, nn, sharing, tasks

_FOLDER = temporary_folder()
_ROWS = [{"text": "a b", "label": "x"}, {"text": "b", "label": "y"}]
NOT_MODELS = (None, 3, "model", torch.nn.Linear(2, 2))
NOT_PATHS = (None, 3, "", b"folder")


def _model() -> models.TextModel:
    tokenizer = data.WordTokenizer(data.Vocabulary.from_tokens("ab"))
    encoder = nn.LSTMEncoder(tokenizer.vocab_size, 4)
    topic = tasks.Classification("topic", ("x", "y"))
    return models.TextModel(sharing.HardSharing(encoder), [topic], tokenizer)


@cache
def _exported() -> deployment.OnnxModel:
    deployment.export_onnx(_model(), _FOLDER / "exported")
    return deployment.OnnxModel.load(_FOLDER / "exported")


def _loading() -> dict[str, Any]:
    _exported()
    return {"folder": _FOLDER / "exported"}


def _translator() -> models.Seq2Seq:
    tokenizer = data.WordTokenizer(data.Vocabulary.from_tokens("ab"))
    return models.Seq2Seq(tokenizer, tokenizer, 4, max_length=5).eval()


@cache
def _writer() -> deployment.OnnxWriter:
    deployment.export_translator(_translator(), _FOLDER / "writer", ["a b"], int8=True)
    return deployment.OnnxWriter.load(_FOLDER / "writer")


def _loading_writer() -> dict[str, Any]:
    _writer()
    return {"folder": _FOLDER / "writer"}


def _language_model() -> models.LSTMLanguageModel:
    vocabulary = data.Vocabulary.from_tokens("ab")
    return models.LSTMLanguageModel(len(vocabulary), 4, vocabulary=vocabulary)


@cache
def _exported_language_model() -> deployment.OnnxLanguageModel:
    deployment.export_language_model(_language_model(), _FOLDER / "language", int8=True)
    return deployment.OnnxLanguageModel.load(_FOLDER / "language")


def _loading_language_model() -> dict[str, Any]:
    _exported_language_model()
    return {"folder": _FOLDER / "language"}


_NOTES: dict[str, Any] = {
    "data": (3, "Atlas", ["Atlas"]),
    "scores": (3, "f1", [0.5], Within({"f1": "good"}, "good")),
    "licence": (3, ["MIT"], True),
}
_OTHER_STATE = Within((torch.zeros(1, 2, 4),) * 2, torch.zeros(1, 2, 4))
_NOT_IDS = (None, 3, [[0]], "text", torch.zeros(1, 2), torch.zeros(2).long())


def _serve(**given: Any) -> None:
    """Call it, unless all that was given is good: it would not come back."""
    if given != _SERVED:
        deployment.serve(**{"model": _model()} | given)


_SERVED: dict[str, Any] = {"host": "127.0.0.1", "port": 0}
_SAID = [{"topic": {"x": 0.75, "y": 0.25}}, {"topic": {"x": 0.25, "y": 0.75}}]
NOT_PREDICTIONS = (None, 3, "rows", [], [{}], [3])

ENTRY_POINTS = [
    EntryPoint(
        "create_app",
        deployment.create_app,
        lambda: {"model": _model()},
        {
            "model": NOT_MODELS,
            "limits": (3, "few", {"max_texts": 3}),
            "one_pass": NOT_FLAGS,
        },
    ),
    EntryPoint(
        "serve",
        _serve,
        lambda: dict(_SERVED),
        {
            "model": (None, 3, "", b"folder", "nowhere", torch.nn.Linear(2, 2)),
            "host": (None, 3, b"here"),
            "port": (-1, 1.5, "8000", None, True, 65536),
            "limits": (3, "few", {"max_texts": 3}),
            "one_pass": NOT_FLAGS,
        },
        documented=deployment.serve,
        called={"model": "model|folder"},
    ),
    EntryPoint(
        "ServerLimits",
        deployment.ServerLimits,
        dict,
        dict.fromkeys(
            ("max_texts", "max_length", "max_body", "max_batch", "max_waiting"), NOT_SIZES
        )
        | {"max_wait_ms": (-1.0, 60_001.0, NAN, INF, "5", None, True, [5.0])},
    ),
    EntryPoint(
        "drift",
        deployment.drift,
        lambda: {"reference": _SAID, "live": _SAID},
        {
            "reference": NOT_PREDICTIONS,
            "live": (*NOT_PREDICTIONS, Within([{"no": {"x": 1.0}}], "no")),
            "level": (0, 1, -0.1, NAN, "0.05", None, True),
        },
    ),
    EntryPoint(
        "export_onnx",
        deployment.export_onnx,
        lambda: {"model": _model(), "folder": _FOLDER / "made"},
        {
            "model": NOT_MODELS,
            "folder": NOT_PATHS,
            "int8": NOT_FLAGS,
        }
        | _NOTES,
    ),
    EntryPoint(
        "OnnxModel.load",
        deployment.OnnxModel.load,
        _loading,
        {"folder": (*NOT_PATHS, "nowhere"), "int8": NOT_FLAGS},
    ),
    EntryPoint(
        "export_translator",
        deployment.export_translator,
        lambda: {"model": _translator(), "folder": _FOLDER / "two graphs", "texts": ["a b"]},
        {
            "model": (*NOT_MODELS, _model()),
            "folder": NOT_PATHS,
            "texts": (3, "a text", [3], []),
            "int8": NOT_FLAGS,
        }
        | _NOTES,
        called={"texts": "texts|text"},
    ),
    EntryPoint(
        "OnnxWriter.load",
        deployment.OnnxWriter.load,
        _loading_writer,
        {"folder": (*NOT_PATHS, "nowhere"), "int8": NOT_FLAGS},
    ),
    EntryPoint(
        "OnnxWriter.write",
        lambda **given: _writer().write(**given),
        lambda: {"text": "a b"},
        {"text": (None, 3, ["a text"])},
        documented=deployment.OnnxWriter.write,
    ),
    EntryPoint(
        "OnnxWriter.translate",
        lambda **given: _writer().translate(**given),
        lambda: {"texts": ["a b"]},
        {"texts": (None, 3, "a text", [3])},
        documented=deployment.OnnxWriter.translate,
    ),
    EntryPoint(
        "export_language_model",
        deployment.export_language_model,
        lambda: {"model": _language_model(), "folder": _FOLDER / "one graph"},
        {"model": (*NOT_MODELS, _model()), "folder": NOT_PATHS, "int8": NOT_FLAGS} | _NOTES,
    ),
    EntryPoint(
        "OnnxLanguageModel.load",
        deployment.OnnxLanguageModel.load,
        _loading_language_model,
        {"folder": (*NOT_PATHS, "nowhere"), "int8": NOT_FLAGS},
    ),
    EntryPoint(
        "OnnxLanguageModel.score",
        lambda **given: _exported_language_model().score(**given),
        lambda: {"input_ids": torch.zeros(1, 2).long()},
        {
            "input_ids": (*_NOT_IDS, torch.zeros(1, 0).long()),
            "state": (3, "state", torch.zeros(1, 1, 4), (3, 4), _OTHER_STATE),
        },
        documented=deployment.OnnxLanguageModel.score,
    ),
    EntryPoint(
        "OnnxLanguageModel.perplexity",
        lambda **given: _exported_language_model().perplexity(**given),
        lambda: {"sentences": [["a", "b"]]},
        {"sentences": (None, 3, "a b", [[3]], [])},
        documented=deployment.OnnxLanguageModel.perplexity,
        called={"sentences": "sentences|tokens"},
    ),
    EntryPoint(
        "OnnxLanguageModel.sample",
        lambda **given: _exported_language_model().sample(**given),
        lambda: {"input_ids": torch.zeros(1, 2).long(), "max_new_tokens": 2},
        {
            "input_ids": (*_NOT_IDS, torch.zeros(1, 0).long()),
            "max_new_tokens": NOT_COUNTS,
            "temperature": (-1.0, NAN, "1", None, True),
            "top_k": tuple(value for value in NOT_SIZES if value is not None),
            "top_p": (0, 1.5, NAN, "0.5", True),
            "stop_id": (-1, 1.5, "3", True, 99),
            "forbidden_ids": (None, 3, "ab", [-1], [1.5], [99]),
            "generator": (3, "seed"),
        },
        documented=deployment.OnnxLanguageModel.sample,
        called={"input_ids": "prompt|input_ids"},
    ),
    EntryPoint(
        "OnnxModel.predict",
        lambda **given: _exported().predict(**given),
        lambda: {"texts": ["a b"]},
        {
            "texts": (None, 3, "a text", [3]),
            "tasks": (3, ["no"], "no", []),
            "second": (3, "a text", ["b"]),
            "pictures": (3, "picture", ["a"]),
            "languages": (3, "en", ["en"]),
            "probabilities": NOT_FLAGS,
            "one_pass": NOT_FLAGS,
            "max_tokens": NOT_SIZES,
        },
        documented=deployment.OnnxModel.predict,
        called={"texts": "texts|text", "tasks": "tasks|task"},
    ),
    EntryPoint(
        "measured",
        deployment.measured,
        lambda: {"model": _exported(), "tasks": _model().text_tasks, "rows": _ROWS},
        {
            "model": NOT_MODELS,
            "tasks": (None, 3, "topic", ["topic"], Within({"no": None}, "no")),
            "rows": (None, 3, "rows"),
        },
        called={"tasks": "tasks|task"},
    ),
    EntryPoint(
        "AtlasSizes",
        deployment.AtlasSizes,
        dict,
        dict.fromkeys(
            ("pairs", "sentences", "steps", "strange_steps", "vocab_size", "width"), NOT_SIZES
        ),
    ),
    EntryPoint(
        "train_atlas_model",
        lambda **given: deployment.train_atlas_model(**{"progress": False} | given),
        lambda: {"sizes": deployment.AtlasSizes(20, 20, 1, 1, 260, 4)},
        {"sizes": (3, "small", {"steps": 1}), "seed": NOT_COUNTS, "progress": NOT_FLAGS},
        documented=deployment.train_atlas_model,
    ),
]
