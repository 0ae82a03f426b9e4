"""Bad inputs of the text model of any tasks, and of the columns that tasks read."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from bad_input_cases import (
    NAN,
    NOT_CHOICES,
    NOT_FLAGS,
    NOT_OPTIONAL_SIZES,
    NOT_POSITIVE,
    NOT_SIZES,
    EntryPoint,
    Within,
    temporary_folder,
)

from mtl_utils.data import BytePairTokenizer, encode_text
from mtl_utils.models import TextModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import (
    Classification,
    LanguageModeling,
    PairClassification,
    Tagging,
    TextTask,
    Translation,
)
from mtl_utils.training import TrainerConfig

TOPIC = Classification("topic", ("x", "y"), "mean")
NAMES = Tagging("names", ("O", "B-A"))
RELATION = PairClassification("relation", ("s", "t"), "compare")
ROWS = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]

NOT_SHARINGS = (None, 3, "hard", torch.nn.Linear(2, 2), HardSharing)
NOT_TASKS = (None, 3, "topic", [], [3], [None], ["topic"], [Classification])
NOT_TOKENIZERS = (3, "words", ["a"], BytePairTokenizer)
NOT_NAMES_OF_TASKS = (3, [], ["nothing"], [3], [None])
NOT_ROWS = (
    *(None, 3, "rows", [3], ["text"], {}, {3: ROWS}, {"topic": None}),
    Within({"nothing": ROWS}, "nothing"),
    *(Within([{"text": "a"}], "text"), Within([{"other": "a", "label": "x"}], "other")),
    *(Within([{"text": "a", "label": wrong}], wrong) for wrong in ("z", 7, -1, 0.5, True)),
    *(Within([{"text": wrong, "label": "x"}], wrong) for wrong in (None, 3, b"text", NAN)),
)
NOT_TEXTS = (None, 3, "one text", b"text", [3], [None], [[3]], {"text": "a"}, {"a"})
NOT_PATHS = (None, 3, 1.5, ["a"], "")
NOT_COLUMNS = (None, 3, b"text", "", ["text"], True)
NOT_PAIRS_OF_COLUMNS = (None, 3, "ab", (), ("a",), ("a", "a"), ("a", "b", "c"), ("a", ""))

#: Words by which messages name arguments that they tell from others by what stands around them.
CALLED = {
    "data": "rows|Rows|row|data|text|texts|column|columns|label|labels|name|tasks|examples|batches",
    "examples": "rows|Rows|row|data|text|texts|column|columns|label|labels|name|tasks|examples",
    "train": "rows|Rows|row|data|text|texts|column|columns|label|labels|name|tasks|examples|loader",
    "validation": "rows|Rows|row|data|text|column|columns|label|labels|tasks|examples|loader",
    "texts": "texts|text|words|tasks|row",
    "tasks": "tasks|task",
    "task": "task",
    "name": "task|name",
    "sharing": "sharing",
    "own": "own",
    "row": "row|column|columns|label|labels|text|words|tags",
    "tags": "tags|labels|label",
}


@cache
def _tokenizer() -> BytePairTokenizer:
    return BytePairTokenizer.train(["we see a sea", "a sea"], 270)


def _model(*tasks: Any) -> TextModel:
    encoder = BiLSTMEncoder(_tokenizer().vocab_size, 4)
    return TextModel(HardSharing(encoder), tasks or (TOPIC, NAMES), _tokenizer())


@cache
def _saved() -> Path:
    folder = temporary_folder()
    _model().save(folder)
    return folder


def _method(name: str, good: dict[str, Any], /, **bad: Any) -> EntryPoint:
    return EntryPoint(
        f"TextModel.{name}",
        lambda **given: getattr(_model(), name)(**given),
        lambda: dict(good),
        bad,
        documented=getattr(TextModel, name),
        called=CALLED,
    )


_BATCHES: dict[str, Any] = {
    "batch_size": NOT_OPTIONAL_SIZES,
    "max_tokens": NOT_OPTIONAL_SIZES,
    "sampling": ("nothing of the kind", "", None, True, 0, -1.0, NAN, ["size"]),
}
_QUICK: dict[str, Any] = {"config": TrainerConfig(epochs=1), "progress": False}

MODELS = [
    EntryPoint(
        "TextModel",
        TextModel,
        lambda: {
            "sharing": HardSharing(BiLSTMEncoder(_tokenizer().vocab_size, 4)),
            "tasks": [TOPIC],
            "tokenizer": _tokenizer(),
        },
        {
            "sharing": NOT_SHARINGS,
            "tasks": (
                *NOT_TASKS,
                Within([TOPIC, TOPIC], "topic"),
                Within([Classification("a.b", ("x", "y"))], "a.b"),
            ),
            "tokenizer": NOT_TOKENIZERS,
            "max_length": NOT_OPTIONAL_SIZES,
            "long": NOT_CHOICES,
            "picture": (3, b"picture", ["picture"], True),
            "picture_size": (*NOT_OPTIONAL_SIZES, 8),
            "language": (3, b"lang", ["lang"], True, "lang"),
            "languages": ("en", ["en", 3], ["en", "en"], [], ["en"]),
        },
        called=CALLED,
    ),
    _method(
        "examples",
        {"data": ROWS},
        data=NOT_ROWS,
        tasks=NOT_NAMES_OF_TASKS,
        truncate=("no", 0, 1.0, [True]),
    ),
    _method(
        "loader",
        {"data": ROWS},
        data=NOT_ROWS,
        **_BATCHES,
        shuffle=NOT_FLAGS,
        seed=(1.5, "3", None, True, NAN),
    ),
    _method(
        "fit",
        {"train": ROWS, "validation": ROWS, **_QUICK},
        train=NOT_ROWS,
        validation=NOT_ROWS[1:],
        config=(3, "config", {"epochs": 1}, TrainerConfig),
        balancer=(3, "equal", torch.nn.Linear(2, 2)),
        metric=(3, True, "topic_f1"),
        mode=("up", "", 3, True),
        **_BATCHES,
        head_learning_rate=tuple(value for value in NOT_POSITIVE if value is not None),
        checkpoint=(3, 1.5, ["a"], ""),
        on_other_run=NOT_CHOICES,
        progress=NOT_FLAGS,
        shares_every=(-1, 1.5, "50", True, [50], NAN),
    ),
    _method(
        "predict",
        {"texts": ["a sea"]},
        texts=(*NOT_TEXTS, Within([{"other": "a"}], "other"), Within(["\ud800"], "\ud800")),
        tasks=(3, "topic", [], ["nothing"], [3], [None]),
        second=(3, "one text", b"text", [None], [3], ["a", "b"]),
        probabilities=NOT_FLAGS,
        languages=(3, "en", ["en"], b"en"),
        max_tokens=NOT_SIZES,
    ),
    EntryPoint(
        "TextModel.predict of pairs",
        lambda **given: _model(RELATION).predict(**given),
        lambda: {"texts": ["a sea"], "second": ["a"]},
        {
            "texts": NOT_TEXTS,
            "second": (None, 3, "one text", b"text", [None], [3], ["a", "b"], []),
        },
        documented=TextModel.predict,
        called=CALLED,
    ),
    _method("evaluate", {"examples": ROWS}, examples=NOT_ROWS, max_tokens=NOT_SIZES),
    _method(
        "save",
        {"folder": temporary_folder()},
        folder=NOT_PATHS,
        data=(3, "Atlas", ["Atlas"], {3: "Atlas"}),
        scores=(3, "high", [0.5], {3: 0.5}, {"accuracy": "high"}, {"accuracy": None}),
    ),
    EntryPoint(
        "TextModel.load",
        TextModel.load,
        lambda: {"folder": _saved()},
        {"folder": NOT_PATHS, "own": (None, 3, "Twice", ["Twice"], [3], TextModel)},
        called=CALLED,
    ),
    _method("add_task", {"task": RELATION}, task=(None, 3, "topic", Classification, TOPIC)),
    _method("remove_task", {"name": "topic"}, name=(None, 3, "nothing", ["topic"], True)),
]


def _columns(kind: type, good: dict[str, Any], /, **bad: Any) -> EntryPoint:
    return EntryPoint(
        f"columns of {kind.__name__}", kind, lambda: dict(good), bad, called={"tags": "tags"}
    )


def _task(task: TextTask, method: str, good: dict[str, Any], /, **bad: Any) -> EntryPoint:
    name = f"{type(task).__name__}.{method} of rows"
    return EntryPoint(name, getattr(task, method), lambda: dict(good), bad, called=CALLED)


_NO_MAPPING = (None, 3, "text", ["a"])
_WORDS = encode_text(_tokenizer(), ["a", "sea"])

COLUMNS = [
    _columns(Classification, {"name": "a", "labels": ("x",)}, text=NOT_COLUMNS, label=NOT_COLUMNS),
    _columns(
        PairClassification,
        {"name": "a", "labels": ("x",)},
        texts=(*NOT_PAIRS_OF_COLUMNS, Within(("a", 3), 3)),
        label=NOT_COLUMNS,
    ),
    _columns(Tagging, {"name": "a", "labels": ("x",)}, tokens=NOT_COLUMNS, tags=NOT_COLUMNS),
    _columns(
        Translation,
        {"name": "a", "tokenizer": _tokenizer()},
        text=NOT_COLUMNS,
        written=NOT_COLUMNS,
    ),
    _columns(LanguageModeling, {"name": "a", "vocab_size": 9}, text=NOT_COLUMNS),
    *(
        _task(task, "read", {"row": row}, row=(*_NO_MAPPING, Within({"other": "a"}, "other")))
        for task, row in (
            (TOPIC, ROWS[0]),
            (NAMES, {"tokens": ["a"]}),
            (RELATION, {"premise": "a", "hypothesis": "b"}),
        )
    ),
    *(
        _task(task, "reference", {"row": ROWS[0]}, row=_NO_MAPPING)
        for task in (TOPIC, NAMES, RELATION)
    ),
    _task(
        TOPIC,
        "target",
        {"row": ROWS[0], "encoded": _WORDS},
        row=(
            *_NO_MAPPING,
            *(Within({"label": wrong}, wrong) for wrong in ("z", 7, -1, 0.5, ["x"])),
        ),
    ),
    _task(
        NAMES,
        "target",
        {"row": {"tags": ["O", "B-A"]}, "encoded": _WORDS},
        row=(
            *_NO_MAPPING,
            Within({"tags": "OO"}, "OO"),
            Within({"tags": ["O", "B-Z"]}, "B-Z"),
            Within({"tags": ["O", 7]}, 7),
            Within({"tags": ["O"]}, 1),
        ),
    ),
]

ENTRY_POINTS = [*MODELS, *COLUMNS]
