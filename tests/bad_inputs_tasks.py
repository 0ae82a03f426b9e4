"""Bad inputs of tasks, their heads and metrics, and of what reads tags and spans."""

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
    NOT_PROBABILITIES,
    NOT_SHARES,
    NOT_SIZES,
    NOT_TENSORS,
    NOT_TEXTS,
    EntryPoint,
    Within,
)

from mtl_utils import nn, tasks
from mtl_utils.data import Inputs, Vocabulary, WordTokenizer
from mtl_utils.data import Pieces as DataPieces

WORDS = WordTokenizer(Vocabulary.from_tokens(["a", "b"]))
TAGS = ("O", "B-PER", "I-PER")
NOT_NAMES = (None, 3, b"topic", ["topic"], True)
NOT_LABEL_SETS = (
    *(None, 3, "ab", b"ab", (), [3], [None], {"a", "b"}, {"a": 0}, ("a", "a")),
    iter(["a", "b"]),
)
#: Settings that tasks with labels have in common.
SETTINGS: dict[str, Any] = {
    "name": NOT_NAMES,
    "labels": NOT_LABEL_SETS,
    "smoothing": NOT_SHARES,
    "dropout": NOT_PROBABILITIES,
    "scale": NOT_CHOICES,
}
TOPIC = tasks.Classification("topic", ("a", "b"))
NER = tasks.Tagging("ner", TAGS)
LM = tasks.LanguageModeling("lm", 5)
FR = tasks.Translation("fr", WORDS)
NOT_COLUMNS = (None, 3, "a", b"a", {"a": 1}, [[0]], [2], [-1], ["x"], [1.5], [True])
NOT_ROWS = (None, 3, "O", [3], ["O"], {"O": 1}, [["x"]], [[9]], [[-1]], [[1.5]], [[True]], [{0: 1}])
NOT_WIDTHS = NOT_SIZES


#: Words by which messages name arguments that they tell from others by what stands around them.
CALLED = {
    "labels": "labels|label|tag|tags",
    "pooling": "poolings",
    "width": "width|memory_width",
    "predictions": "predictions|prediction|ids|Id|tag|tags",
    "references": "references|reference|tag|tags",
    "tags": "tags|tag",
    "rows": "rows|tags|tag",
    "targets": "targets|Target",
}


def _make(kind: type, bad: dict[str, Any], /, **good: Any) -> EntryPoint:
    return EntryPoint(f"tasks.{kind.__name__}", kind, lambda: dict(good), bad, called=CALLED)


CONSTRUCTORS = [
    *(
        _make(kind, {**SETTINGS, "pooling": NOT_CHOICES}, name="topic", labels=("a", "b"))
        for kind in (tasks.Classification, tasks.PairClassification)
    ),
    _make(
        tasks.Tagging,
        {
            **SETTINGS,
            "crf": NOT_FLAGS,
            "constrained": NOT_FLAGS,
            "scheme": NOT_CHOICES,
            "invalid": NOT_CHOICES,
        },
        name="ner",
        labels=TAGS,
    ),
    _make(
        tasks.LanguageModeling,
        {
            "name": NOT_NAMES,
            "vocab_size": NOT_SIZES,
            "smoothing": NOT_SHARES,
            "per": NOT_CHOICES,
            "scale": NOT_CHOICES,
        },
        name="lm",
        vocab_size=5,
    ),
    _make(
        tasks.Translation,
        {
            "name": NOT_NAMES,
            "tokenizer": (None, 3, "words", ["a"], WORDS.vocabulary, WordTokenizer),
            "width": NOT_OPTIONAL_SIZES,
            "embedding_width": NOT_OPTIONAL_SIZES,
            "dropout": NOT_PROBABILITIES,
            "smoothing": NOT_SHARES,
            "beam_size": NOT_SIZES,
            "length_penalty": (NAN, INF, "1", None, True, [1.0]),
            "max_length": NOT_SIZES,
            "lowercase": NOT_FLAGS,
            "attention": NOT_FLAGS,
            "own_decoder": NOT_FLAGS,
            "decoder": (3, "decoder", [nn.AttentionDecoder]),
            "tokenize": ("moses", "", 3, True, ["13a"]),
            "language": ("Chinese", "", 3, True, ["zh"]),
            "normalise": NOT_FLAGS,
            "scale": NOT_CHOICES,
        },
        name="fr",
        tokenizer=WORDS,
    ),
    _make(
        tasks.Pooling,
        {"pool": (None, 3, "first"), "factor": NOT_SIZES, "of_pairs": NOT_FLAGS},
        pool=tasks.first_state,
    ),
    _make(tasks.AlignedTexts, {"width": NOT_SIZES}, width=4),
    _make(
        tasks.Span,
        {
            "type": (None, 3, b"PER", ["PER"], ""),
            "start": NOT_COUNTS,
            "end": (0, -1, 1.5, "3", None, True, NAN, [3]),
        },
        type="PER",
        start=0,
        end=1,
    ),
    _make(
        tasks.SpanErrors,
        dict.fromkeys(
            ("correct", "wrong_type", "wrong_boundary", "wrong_both", "missed", "spurious"),
            NOT_COUNTS,
        ),
    ),
    _make(
        tasks.Calibration,
        dict.fromkeys(("confidence", "accuracy", "counts"), NOT_TENSORS),
        confidence=torch.ones(2),
        accuracy=torch.ones(2),
        counts=torch.ones(2).long(),
    ),
    _make(tasks.Head, {"task": NOT_NAMES}, task="topic"),
    _make(
        tasks.LabelledHead, {"task": NOT_NAMES, "labels": NOT_LABEL_SETS}, task="t", labels=("a",)
    ),
    *(
        _make(
            kind,
            {"task": (None, 3, "topic", ["topic"], other), "width": NOT_WIDTHS},
            task=task,
            width=4,
        )
        for kind, task, other in (
            (tasks.ClassificationHead, TOPIC, NER),
            (tasks.TaggingHead, NER, TOPIC),
            (tasks.LanguageModelingHead, LM, NER),
            (tasks.TranslationOutput, FR, NER),
        )
    ),
    _make(
        tasks.TranslationHead,
        {"task": (None, 3, "fr", NER), "memory_width": NOT_WIDTHS},
        task=FR,
        memory_width=4,
    ),
    _make(tasks.WritingHead, {"task": (None, 3, "fr", NER)}, task=FR),
]


def _method(task: Any, method: str, good: dict[str, Any], /, **bad: Any) -> EntryPoint:
    name = f"{type(task).__name__}.{method}"
    return EntryPoint(name, getattr(task, method), lambda: dict(good), bad, called=CALLED)


LABELS = [
    *(
        _method(task, "head", {"width": 4}, width=NOT_WIDTHS)
        for task in (TOPIC, NER, LM, FR, tasks.Translation("fr", WORDS, own_decoder=False))
    ),
    _method(TOPIC, "id_of", {"name": "a"}, name=("x", "", 2, -1, 1.5, True, ["a"], b"a")),
    _method(TOPIC, "names", {"ids": [0]}, ids=(*NOT_COLUMNS, [None], [-100])),
    _method(NER, "ids_of", {"tags": ["O"]}, tags=(*(v for v in NOT_COLUMNS if v != [2]), [9])),
    _method(NER, "names", {"ids": [0]}, ids=(*NOT_COLUMNS[:-5], [9], [-1], ["x"], [None], [-100])),
    _method(
        LM,
        "label",
        {"input_ids": [2, 3]},
        input_ids=(None, 3, "ab", b"ab", {2: 3}, [1.5], ["a"], [None], [True], [[2]]),
    ),
    _method(FR, "label", {"text": "a"}, text=NOT_TEXTS),
    _method(
        TOPIC,
        "metrics",
        {"predictions": [0], "references": [1]},
        predictions=(*NOT_COLUMNS, [None], [-100], [0, 1], []),
        references=(*NOT_COLUMNS, [0, 1], []),
    ),
    _method(
        NER,
        "metrics",
        {"predictions": [[0]], "references": [[1]]},
        predictions=(*NOT_ROWS, [[0], [0]], [[0, 0]], []),
        references=(*NOT_ROWS, [[0], [0]], [[0, 0]], [], [["I-PER"]]),
    ),
    _method(
        LM,
        "metrics",
        {"predictions": [[-1.0]], "references": [[2, 3]]},
        predictions=(
            *(None, 3, "ab", {0: 1}, [3], [None], ["ab"], [], [[-1.0, -1.0]]),
            *([["a"]], [[None]], [[True]]),
        ),
        references=(None, 3, "ab", {0: 1}, [3], [None], [[2]], [], [[2, 3, 3]]),
    ),
    _method(
        FR,
        "metrics",
        {"predictions": ["a"], "references": ["b"]},
        predictions=(
            *(None, 3, "a", b"a", {"a": 1}, [3], [None], [1.5], [[1.5]], [["a"]], [[99]]),
            *([], ["a", "b"]),
        ),
        references=(
            *(None, 3, "a", b"a", {"a": 1}, [3], [None], [b"a"], [[3]], [[None]], [[]], [{"a": 1}]),
            *([], ["a", "b"]),
        ),
    ),
    _method(
        FR,
        "signature",
        {"references": ["b"]},
        references=(3, "a", b"a", {"a": 1}, [3], [None], [b"a"], [[3]], [[None]], [[]]),
    ),
]

SPAN = tasks.Span("PER", 0, 1)
NOT_IOB2 = (
    *(None, 3, "O", b"O", [3], [None], [["O"]], ["B"], ["B-"], ["-PER"], ["S-PER"], [""], ["PER"]),
    *(["b-PER"], {"O": 1}),
    Within(["O", "X-PER"], "X-PER"),
)
NOT_SPANS = (
    *(None, 3, "PER", [3], [None], ["PER"], [("PER", 0, 1)], {SPAN: 1}),
    Within([SPAN, tasks.Span("ORG", 0, 2)], tasks.Span("ORG", 0, 2)),
    Within([SPAN, SPAN], SPAN),
)
NOT_SENTENCES = (
    *(None, 3, "O", b"O", ["O"], [3], [None], [[3]], [[None]], [["B"]], [["S-PER"]], {"O": 1}),
    *([{"O": 1}],),
)

TAGGING = [
    EntryPoint(
        "tasks.to_spans", tasks.to_spans, lambda: {"tags": ["O"]}, {"tags": NOT_IOB2}, called=CALLED
    ),
    EntryPoint(
        "tasks.iob2_constraints",
        tasks.iob2_constraints,
        lambda: {"labels": list(TAGS)},
        {"labels": (*NOT_IOB2, ["I-PER"], [], {"O"}, ["O", "O"])},
        called=CALLED,
    ),
    EntryPoint(
        "tasks.convert_tags",
        tasks.convert_tags,
        lambda: {"tags": ["O"], "source": "iob1"},
        {
            "tags": NOT_IOB2,
            "source": (*NOT_CHOICES, ["iob1"]),
            "target": (*NOT_CHOICES, ["iob1"]),
        },
        called=CALLED,
    ),
    EntryPoint(
        "tasks.repair_iob2",
        tasks.repair_iob2,
        lambda: {"rows": [["O"]]},
        {"rows": tuple(v for v in NOT_SENTENCES if v != [[None]])},
        called=CALLED,
    ),
    EntryPoint(
        "tasks.span_errors",
        tasks.span_errors,
        lambda: {"predictions": [["O"]], "references": [["O"]]},
        {
            "predictions": (*NOT_SENTENCES, [["O", "O"]], [["O"], ["O"]], []),
            "references": (*NOT_SENTENCES, [["O", "O"]], [["O"], ["O"]], [], [["I-PER"]]),
        },
        called=CALLED,
    ),
    EntryPoint(
        "tasks.match_spans",
        tasks.match_spans,
        lambda: {"predicted": [SPAN], "references": [SPAN]},
        {"predicted": NOT_SPANS, "references": NOT_SPANS},
    ),
    EntryPoint(
        "tasks.word_positions",
        tasks.word_positions,
        lambda: {"sentences": [DataPieces([4], [0])]},
        {
            "sentences": (None, 3, "words", [3], [None], [[4]], {"a": 1}, DataPieces([4], [0])),
            "length": (*NOT_OPTIONAL_SIZES, 0),
        },
    ),
    EntryPoint(
        "tasks.calibration",
        tasks.calibration,
        lambda: {"probabilities": torch.ones(3, 2) / 2, "targets": torch.tensor([0, 1, 0])},
        {
            "probabilities": (
                *(*NOT_TENSORS, torch.ones(2, 2) / 2, torch.tensor(0.5), torch.ones(3, 2).long()),
                *(torch.ones(3, 2), torch.full((3, 2), NAN), torch.tensor([[2.0, -1.0]] * 3)),
            ),
            "targets": (
                *(*NOT_TENSORS, torch.zeros(3), torch.zeros(2).long(), torch.zeros(3).bool()),
                *(torch.full((3,), -100), Within(torch.full((3,), 2), 2)),
                Within(torch.full((3,), -1), -1),
            ),
            "num_bins": NOT_SIZES,
        },
        called=CALLED,
    ),
]

HIDDEN = torch.zeros(2, 3, 4)
IDS = torch.tensor([[2, 4, 3], [2, 3, 0]])
MASK = torch.tensor([[True, True, True], [True, True, False]])
INPUTS = Inputs(IDS, MASK, torch.zeros_like(IDS))
NOT_STATES = (*NOT_TENSORS, torch.zeros(2, 4), torch.zeros(2, 2, 4), IDS[:, :, None])
NOT_INPUTS = (None, 3, "text", IDS)

POOLINGS = [
    EntryPoint(
        f"tasks.{pool.__name__}",
        pool,
        lambda: {"hidden": HIDDEN, "inputs": INPUTS},
        {"hidden": NOT_STATES, "inputs": NOT_INPUTS},
    )
    for pool in (tasks.first_state, tasks.mean_state, tasks.compared_means)
]

ENTRY_POINTS = [*CONSTRUCTORS, *LABELS, *TAGGING, *POOLINGS]
