"""Bad inputs of the kinds of task beside classification and tagging, and of their heads."""

from __future__ import annotations

from typing import Any

from bad_input_cases import (
    INF,
    NAN,
    NOT_CHOICES,
    NOT_FLAGS,
    NOT_POSITIVE,
    NOT_PROBABILITIES,
    NOT_SIZES,
    EntryPoint,
    Within,
)

from mtl_utils import data, tasks

WORDS = data.WordTokenizer(data.Vocabulary.from_tokens(["a", "b"]))
ENCODED = data.encode_text(WORDS, "a b")
NOT_NAMES = (None, 3, b"score", ["score"], True)
NOT_NUMBERS = (NAN, INF, "1", None, True, [1.0])
NOT_ROWS = (None, 3, "text", ["a"])
NOT_COLUMNS = (None, 3, "text", b"text", (), [3], [None], {"text": 1})
NOT_LISTS_OF_NUMBERS = (None, 3, "1", b"1", {1: 1.0}, ["1"], [True], [[1.0]], {1.0})
SCORE = tasks.Regression("score", bounds=(0, 5))

#: Words by which messages name arguments that they tell from others by what stands around them.
CALLED = {
    "row": "row|column|columns|label|labels|text",
    "given": "labels|label",
    "labels": "labels|label",
    "column": "column|label|labels",
    "predictions": "predictions|prediction",
    "references": "references|reference",
}


def _make(kind: type, bad: dict[str, Any], /, **good: Any) -> EntryPoint:
    return EntryPoint(f"tasks.{kind.__name__}", kind, lambda: dict(good), bad, called=CALLED)


def _method(task: Any, method: str, good: dict[str, Any], /, **bad: Any) -> EntryPoint:
    name = f"{type(task).__name__}.{method}"
    return EntryPoint(name, getattr(task, method), lambda: dict(good), bad, called=CALLED)


REGRESSION = [
    _make(
        tasks.Regression,
        {
            "name": NOT_NAMES,
            "texts": (*NOT_COLUMNS, ("a", "b", "c")),
            "value": NOT_NAMES,
            "pooling": (*NOT_CHOICES, "compare"),
            "dropout": NOT_PROBABILITIES,
            "bounds": (
                *(3, "ab", (1,), (1, 1), (2, 1), {0: 1}),
                *(Within((0, wrong), wrong) for wrong in (NAN, "1", True)),
            ),
            "mean": NOT_NUMBERS,
            "spread": NOT_POSITIVE,
            "scale": NOT_CHOICES,
        },
        name="score",
    ),
    _make(
        tasks.RegressionHead,
        {"task": (None, 3, "score", tasks.Classification("a", ["x"])), "width": NOT_SIZES},
        task=SCORE,
        width=4,
    ),
    _method(SCORE, "head", {"width": 4}, width=NOT_SIZES),
    _method(
        SCORE,
        "read",
        {"row": {"text": "a"}},
        row=(*NOT_ROWS, Within({"other": "a"}, "other"), Within({"text": 3}, 3)),
    ),
    _method(
        SCORE,
        "target",
        {"row": {"value": 1.0}, "encoded": ENCODED},
        row=(
            *NOT_ROWS,
            *(Within({"value": wrong}, wrong) for wrong in ("1.5", True, INF, -0.5, 5.5, [1.0])),
        ),
    ),
    _method(
        SCORE,
        "standardised",
        {"values": [1.0, 2.0]},
        values=(*NOT_LISTS_OF_NUMBERS, [], [1.0], [1.0, 1.0], [1.0, INF], [None, 1.0]),
    ),
    _method(SCORE, "named", {"predictions": [1.0]}, predictions=(*NOT_LISTS_OF_NUMBERS, [None])),
    _method(
        SCORE,
        "metrics",
        {"predictions": [1.0], "references": [2.0]},
        predictions=(*NOT_LISTS_OF_NUMBERS, [None], [], [1.0, 2.0]),
        references=(*NOT_LISTS_OF_NUMBERS, [None], [NAN], [], [1.0, 2.0]),
    ),
]

NOT_LABEL_SETS = (None, 3, "ab", b"ab", (), [3], {"a", "b"}, {"a": 0}, ("a", "a"))
NOT_WEIGHTS = (
    *(3, "balanced", ["a"], {3: 1.0}),
    *(Within({"a": wrong}, wrong) for wrong in (0, -1.0, NAN, INF, "1", None, True)),
    Within({"x": 1.0}, "x"),
)
NOT_LISTS_OF_LABELS = (None, 3, "a", b"a", {"a": 1}, [2], [-1], ["x"], [1.5], ["a", 0], [True])
NOT_ROWS_OF_LABELS = (None, 3, "a", b"a", {"a": 1}, ["a"], [3], [[2]], [[-1]], [["x"]], [[1.5]])
MOODS = tasks.MultiLabel("moods", ("a", "b"))

MULTI_LABEL = [
    _make(
        tasks.MultiLabel,
        {
            "name": NOT_NAMES,
            "labels": NOT_LABEL_SETS,
            "text": NOT_NAMES,
            "labels_column": NOT_NAMES,
            "vector": NOT_FLAGS,
            "pooling": (*NOT_CHOICES, "compare"),
            "dropout": NOT_PROBABILITIES,
            "threshold": (0, 1, -0.1, NAN, "0.1", None, True, [0.1]),
            "positive_weights": NOT_WEIGHTS,
            "scale": NOT_CHOICES,
        },
        name="moods",
        labels=("a", "b"),
    ),
    _make(
        tasks.MultiLabelHead,
        {"task": (None, 3, "moods", SCORE), "width": NOT_SIZES},
        task=MOODS,
        width=4,
    ),
    _method(MOODS, "head", {"width": 4}, width=NOT_SIZES),
    _method(MOODS, "label", {"given": ["a"]}, given=NOT_LISTS_OF_LABELS),
    _method(
        MOODS,
        "read",
        {"row": {"text": "a"}},
        row=(*NOT_ROWS, Within({"other": "a"}, "other"), Within({"text": 3}, 3)),
    ),
    _method(
        MOODS,
        "target",
        {"row": {"labels": ["a"]}, "encoded": ENCODED},
        row=(
            *NOT_ROWS,
            *(Within({"labels": wrong}, wrong) for wrong in NOT_LISTS_OF_LABELS[1:]),
        ),
    ),
    _method(
        tasks.MultiLabel("moods", ("a", "b"), vector=True),
        "target",
        {"row": {"labels": [1, 0]}, "encoded": ENCODED},
        row=(
            *(Within({"labels": v}, v) for v in (3, "ab", {"a": 1}, [1], [1, 0, 1])),
            *(Within({"labels": v}, v[0]) for v in (["a", "b"], [0.5, 1], [2, 0])),
        ),
    ),
    _method(MOODS, "named", {"predictions": [[0]]}, predictions=NOT_ROWS_OF_LABELS),
    _method(
        MOODS,
        "metrics",
        {"predictions": [[0]], "references": [[1]]},
        predictions=(*NOT_ROWS_OF_LABELS, [None], [], [[0], [0]], [[0, 0]]),
        references=(*NOT_ROWS_OF_LABELS, [None], [], [[0], [0]], [["a", 0]]),
    ),
    EntryPoint(
        "tasks.balanced_weights",
        tasks.balanced_weights,
        lambda: {"labels": ("a", "b"), "column": ["a"]},
        {
            "labels": NOT_LABEL_SETS,
            "column": (*NOT_LISTS_OF_LABELS[:-2], [True], [], [None], ["a", ["b"]], [["x"]]),
        },
        called=CALLED,
    ),
]

CLASS_WEIGHTS = [
    _make(kind, {"class_weights": NOT_WEIGHTS}, name="topic", labels=("a", "b"))
    for kind in (tasks.Classification, tasks.PairClassification, tasks.Tagging)
]
CLASS_WEIGHTS += [
    _make(tasks.Tagging, {"class_weights": ({"a": 1.0},)}, name="t", labels=("a",), crf=True),
    EntryPoint(
        "tasks.LabelledHead",
        tasks.LabelledHead,
        lambda: {"task": "topic", "labels": ("a", "b")},
        {"class_weights": NOT_WEIGHTS},
    ),
]

MLM = tasks.MaskedLanguageModeling("mlm", 9, 4, special_ids=(0, 1, 2, 3))
EXAMPLES = [data.Example([5, 6, 7])]
LOADER = data.BatchLoader(EXAMPLES, batch_size=1)
NOT_SEEDS = (-1, 1.5, "3", None, True, NAN, [3])
NOT_ROWS_OF_IDS = (None, 3, "ab", {0: 1}, [3], [None], ["ab"], [], [[5, 6]], [[]])

MASKED = [
    _make(
        tasks.MaskedLanguageModeling,
        {
            "name": NOT_NAMES,
            "vocab_size": NOT_SIZES,
            "mask_id": (9, -1, 1.5, "3", None, True, [3]),
            "share": (0, -0.1, 1.5, NAN, "0.1", None, True, [0.1]),
            "text": NOT_NAMES,
            "special_ids": (3, "ab", [9], [-1], ["a"], [1.5], [True], [None]),
            "scale": NOT_CHOICES,
        },
        name="mlm",
        vocab_size=9,
        mask_id=4,
    ),
    _make(tasks.MaskedLanguageModeling, {"special_ids": ([0],)}, name="m", vocab_size=2, mask_id=1),
    _make(
        tasks.MaskedLanguageModelingHead,
        {"task": (None, 3, "mlm", SCORE), "width": NOT_SIZES},
        task=MLM,
        width=4,
    ),
    _method(MLM, "head", {"width": 4}, width=NOT_SIZES),
    _method(
        MLM,
        "metrics",
        {"predictions": [[5]], "references": [[6]]},
        predictions=NOT_ROWS_OF_IDS,
        references=NOT_ROWS_OF_IDS,
    ),
    EntryPoint(
        "tasks.masked",
        tasks.masked,
        lambda: {"examples": EXAMPLES, "task": MLM},
        {
            "examples": (None, 3, "ab", [3], [None], [[5]], {"a": 1}),
            "task": (None, 3, "mlm", SCORE),
            "seed": NOT_SEEDS,
        },
    ),
    _make(
        tasks.MaskedBatches,
        {"loader": (None, 3, EXAMPLES), "task": (None, 3, "mlm", SCORE), "seed": NOT_SEEDS},
        loader=LOADER,
        task=MLM,
    ),
    _method(
        tasks.MaskedBatches(LOADER, MLM),
        "batches",
        {},
        epoch=NOT_SEEDS,
        start=(-1, 2, 1.5, "3", None, True),
        rank=(-1, 1, 1.5, "3", None, True),
        world_size=(0, 1.5, "3", None, True),
    ),
]

ENTRY_POINTS = [*REGRESSION, *MULTI_LABEL, *CLASS_WEIGHTS, *MASKED]
