"""Bad inputs of whole models: how they are made, what they are given, where they are stored."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

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
    temporary_folder,
)

from mtl_utils import models
from mtl_utils.data import Batch, BytePairTokenizer, Example, Inputs, Vocabulary
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification

IDS = torch.tensor([[1, 4, 2], [1, 5, 2]])
WORDS = [["we", "see"], ["a", "sea"]]
NOT_TEXTS = (None, 3, "one text", [3], [None], [[3]])
NOT_SENTENCES = (*NOT_TEXTS, ["one text"])
NOT_TEXT = (None, 3, [3], [None])
NOT_WORDS = (None, 3, "one text", [3], [None])
NOT_TOKENIZERS = (None, 3, "words", ["a"], BytePairTokenizer)
NOT_VOCABULARIES = (None, 3, "words", ["a"])
NOT_LABELS = (None, 3, "O", [], [3], ["O", "O"], {"O": 0})
NOT_SHARINGS = (None, 3, "hard", torch.nn.Linear(2, 2), HardSharing)
NOT_TASKS = (None, 3, "topic", [], [3], [None], ["topic"])
NOT_BATCHES = (None, 3, "batch", IDS, [1], {}, {"topic": 3}, {"topic": IDS})
NOT_TASK_NAMES = (3, "topic", ["nothing"], [3], [None])
NOT_EXAMPLES = (None, 3, "examples", [], [3], ["text"])
NOT_PATHS = (None, 3, 1.5, ["a"], "")
NOT_SHARED = (-0.1, 1.5, NAN, "0.1", None, True)
NOT_PENALTIES = (NAN, INF, "1", None, True, [1.0])

_max_tokens: dict[str, Any] = {"max_tokens": NOT_SIZES}
_search: dict[str, Any] = {"beam_size": NOT_SIZES, "length_penalty": NOT_PENALTIES}
_draws: dict[str, Any] = {
    "temperature": tuple(value for value in NOT_POSITIVE if value != 0),
    "top_k": NOT_OPTIONAL_SIZES,
    "top_p": (0, -0.1, 1.5, NAN, "0.5", True, [0.5]),
    "generator": (3, "random", torch.Generator),
}
_sentences: dict[str, str] = dict.fromkeys(
    ("sentences", "texts", "premises", "hypotheses", "words", "text", "context", "prompt"),
    "sentences|sentence|texts|text|words|word|tokens|token|premises|hypotheses|hypothesis|context"
    "|prompt",
)
_labels: dict[str, str] = {"classes": "classes|labels", "tags": "tags|labels|label|tag"}
_called = {
    **_sentences,
    **_labels,
    "hypothesis": _sentences["texts"],
    "classification": "classification|labels|label",
    "inference": "inference|labels|label",
    "pooling": "pooling|poolings",
    "pair_pooling": "pair_pooling|pooling|poolings",
    "hidden_size": "hidden_size|width",
    "examples": "examples|rows",
    "task": "task|tasks",
    "tasks": "tasks|task",
    "word": "word|words",
    "batch": "batch|Batch",
    "target_language": "target_language|language",
    "translation": "translation|text",
    "input_ids": "input_ids|prompt|id",
}


@cache
def _tokenizer() -> BytePairTokenizer:
    return BytePairTokenizer.train(["we see a sea", "a sea"], 270)


@cache
def _multi() -> models.MultiTaskModel:
    return models.MultiTaskModel(HardSharing(BiLSTMEncoder(9, 4)), [_topic()])


def _topic() -> Classification:
    return Classification("topic", ("a", "b"))


@cache
def _text_model() -> models.ThreeTaskModel:
    sharing = HardSharing(BiLSTMEncoder(_tokenizer().vocab_size, 4))
    return models.ThreeTaskModel(
        sharing, ("x", "y"), ("O", "B-A", "I-A"), tokenizer=_tokenizer(), pair_pooling="compare"
    )


@cache
def _transformer() -> models.MultiTaskTransformer:
    return models.MultiTaskTransformer(
        2, 3, _tokenizer().vocab_size, 4, 1, 2, tokenizer=_tokenizer(), max_length=32
    )


@cache
def _framework() -> models.BiLSTMFramework:
    return models.BiLSTMFramework(_tokenizer(), ("O", "B-A", "I-A"), 4, max_length=5)


@cache
def _tagger() -> models.Tagger:
    return models.Tagger.from_sentences(WORDS, ("O", "X"), width=8, character_width=4)


@cache
def _translator() -> models.Seq2Seq:
    return models.Seq2Seq(_tokenizer(), _tokenizer(), 4, max_length=5)


@cache
def _language_model() -> models.LSTMLanguageModel:
    return models.LSTMLanguageModel(9, 4)


@cache
def _counts() -> models.NGramLanguageModel:
    return models.NGramLanguageModel(2).fit(WORDS)


def _batch() -> Batch:
    inputs = Inputs(IDS, torch.ones(2, 3, dtype=torch.bool))
    return Batch(inputs, {"topic": torch.tensor([0, 1])})


@cache
def _saved() -> Path:
    folder = temporary_folder() / "tagger"
    _tagger().save(folder)
    return folder


def _method(
    make: Callable[[], Any], name: str, good: dict[str, Any], bad: dict[str, Any]
) -> EntryPoint:
    """Call a method of a model that is made when it is first needed."""
    documented = getattr(get_type_hints(make)["return"], name)
    return EntryPoint(
        documented.__qualname__,
        lambda **given: getattr(make(), name)(**given),
        lambda: dict(good),
        bad,
        documented=documented,
        called=_called,
    )


def _made(kind: type, good: Callable[[], dict[str, Any]], bad: dict[str, Any]) -> EntryPoint:
    return EntryPoint(kind.__name__, kind, good, bad, called=_called)


CONSTRUCTORS = [
    _made(
        models.MultiTaskModel,
        lambda: {"sharing": HardSharing(BiLSTMEncoder(9, 4)), "tasks": [_topic()]},
        {"sharing": NOT_SHARINGS, "tasks": NOT_TASKS},
    ),
    _made(
        models.ThreeTaskModel,
        lambda: {
            "sharing": HardSharing(BiLSTMEncoder(9, 4)),
            "classes": ("x", "y"),
            "tags": ("O", "X"),
        },
        {
            "sharing": NOT_SHARINGS,
            "classes": NOT_LABELS,
            "tags": NOT_LABELS,
            "tokenizer": NOT_TOKENIZERS[1:],
            "max_length": NOT_OPTIONAL_SIZES,
            "pooling": NOT_CHOICES,
            "pair_pooling": NOT_CHOICES,
            "crf": NOT_FLAGS,
            "smoothing": NOT_SHARED,
            "dropout": NOT_PROBABILITIES,
            "long": NOT_CHOICES,
        },
    ),
    _made(
        models.MultiTaskTransformer,
        lambda: {
            "num_classes": 2,
            "num_entities": 3,
            "vocab_size": 9,
            "hidden_size": 4,
            "num_layers": 1,
            "num_heads": 2,
        },
        {
            "num_classes": NOT_SIZES,
            "num_entities": NOT_SIZES,
            "vocab_size": NOT_SIZES,
            "hidden_size": (*NOT_SIZES, 3),
            "num_layers": NOT_SIZES,
            "num_heads": (*NOT_SIZES, 3),
            "classes": (3, "xy", ["x"], ["x", "x"], [1, 2]),
            "tags": (3, "xyz", ["x"], ["x", "x", "y"], [1, 2, 3]),
            "tokenizer": NOT_TOKENIZERS[1:],
            "feedforward_width": NOT_OPTIONAL_SIZES,
            "dropout": NOT_PROBABILITIES,
            "token_dropout": NOT_PROBABILITIES,
            "smoothing": NOT_SHARED,
            "max_length": NOT_SIZES,
            "positions": NOT_CHOICES,
            "norm_first": NOT_FLAGS,
            "activation": NOT_CHOICES,
            "long": NOT_CHOICES,
        },
    ),
    EntryPoint(
        "MultiTaskTransformer.from_texts",
        models.MultiTaskTransformer.from_texts,
        lambda: {
            "texts": ["we see", "a sea"],
            "classes": ("x", "y"),
            "tags": ("O", "X"),
            "vocab_size": 270,
            "hidden_size": 4,
            "num_layers": 1,
            "num_heads": 2,
        },
        {
            "texts": NOT_TEXTS,
            "classes": NOT_LABELS,
            "tags": NOT_LABELS,
            "vocab_size": NOT_SIZES,
            "lowercase": NOT_FLAGS,
        },
        called=_called,
    ),
    _made(
        models.BiLSTMFramework,
        lambda: {"tokenizer": _tokenizer(), "labels": ("O", "X"), "width": 4},
        {
            "tokenizer": NOT_TOKENIZERS,
            "labels": NOT_LABELS,
            "width": (*NOT_SIZES, 3),
            "num_layers": NOT_SIZES,
            "dropout": NOT_PROBABILITIES,
            "smoothing": NOT_SHARED,
            "max_length": NOT_SIZES,
            "tasks": (None, 3, "tags", [], ["nothing"], [3], ["tags", "tags"]),
            "target_language": (3, "", ["de"], True),
        },
    ),
    EntryPoint(
        "BiLSTMFramework.train_tokenizer",
        models.BiLSTMFramework.train_tokenizer,
        lambda: {"sentences": WORDS, "translations": ["la mer"], "vocab_size": 270},
        {
            "sentences": NOT_SENTENCES,
            "translations": (None, 3, "one text", [3], [None]),
            "vocab_size": NOT_SIZES,
        },
        called={**_called, "translations": "translations|text|texts"},
    ),
    _made(
        models.Tagger,
        lambda: {
            "words": Vocabulary.from_tokens(["a"]),
            "characters": Vocabulary.from_tokens(["a"]),
            "labels": ("O", "X"),
            "width": 8,
            "character_width": 4,
        },
        {
            "words": NOT_VOCABULARIES,
            "characters": NOT_VOCABULARIES,
            "labels": NOT_LABELS,
            "width": (*NOT_SIZES, 3),
            "character_width": NOT_COUNTS,
            "num_layers": NOT_SIZES,
            "dropout": NOT_PROBABILITIES,
            "word_dropout": NOT_PROBABILITIES,
            "crf": NOT_FLAGS,
            "constrained": NOT_FLAGS,
        },
    ),
    EntryPoint(
        "Tagger.from_sentences",
        models.Tagger.from_sentences,
        lambda: {"sentences": WORDS, "labels": ("O", "X"), "width": 8, "character_width": 4},
        {"sentences": NOT_SENTENCES, "labels": NOT_LABELS, "min_count": NOT_SIZES},
        called=_called,
    ),
    _made(
        models.Seq2Seq,
        lambda: {"source": _tokenizer(), "target": _tokenizer(), "width": 4},
        {
            "source": NOT_TOKENIZERS,
            "target": NOT_TOKENIZERS,
            "width": (*NOT_SIZES, 3),
            "num_layers": NOT_SIZES,
            "dropout": NOT_PROBABILITIES,
            "smoothing": NOT_SHARED,
            "max_length": NOT_SIZES,
            "lowercase": NOT_FLAGS,
            "attention": NOT_FLAGS,
            "encoder": (3, "lstm", torch.nn.Linear(2, 2)),
            "decoder": (3, "lstm"),
            "tokenize": ("nothing of the kind", "", 3, True),
            "language": ("", 3, True, ["de"]),
        },
    ),
    _made(
        models.LSTMLanguageModel,
        lambda: {"vocab_size": 5, "width": 4},
        {
            "vocab_size": NOT_SIZES,
            "width": NOT_SIZES,
            "num_layers": NOT_SIZES,
            "dropout": NOT_PROBABILITIES,
            "tie_weights": NOT_FLAGS,
            "padding_id": (-1, 5, 1.5, "0", True, NAN),
            "vocabulary": (3, "ab", ["a"], Vocabulary.from_tokens("abc")),
        },
    ),
    _made(
        models.NGramLanguageModel,
        lambda: {"order": 1},
        {
            "order": NOT_COUNTS,
            "smoothing": NOT_CHOICES,
            "discounts": (None, "none", -0.1, 1.5, NAN, True, [2.0], ["a"]),
            "k": NOT_POSITIVE,
            "pad": NOT_FLAGS,
            "vocabulary": NOT_VOCABULARIES[1:],
        },
    ),
]

_on_texts: dict[str, Any] = {"texts": NOT_TEXTS, **_max_tokens}
_on_sentences: dict[str, Any] = {"sentences": NOT_SENTENCES, **_max_tokens}
_measured = {"examples": NOT_EXAMPLES, **_max_tokens}

METHODS = [
    EntryPoint(
        "MultiTaskModel.forward",
        lambda **given: _multi()(**given),
        lambda: {"batches": _batch()},
        {"batches": NOT_BATCHES},
        documented=models.MultiTaskModel.forward,
        called={"batches": "batches|batch|task"},
    ),
    _method(
        _multi,
        "predict",
        {"batch": _batch()},
        {"batch": NOT_BATCHES, "tasks": NOT_TASK_NAMES},
    ),
    _method(
        _text_model,
        "compare",
        {"examples": [Example([1, 4, 2], {"classification": 0})]},
        _measured,
    ),
    _method(
        _text_model,
        "evaluate",
        {"examples": [Example([1, 4, 2], {"classification": 0})]},
        _measured,
    ),
    _method(_multi, "head", {"task": "topic"}, {"task": (None, 3, "nothing", ["topic"])}),
    _method(
        _multi, "task_parameters", {"task": "topic"}, {"task": (None, 3, "nothing", ["topic"])}
    ),
    _method(_text_model, "classify", {"texts": ["a sea"]}, _on_texts),
    _method(_text_model, "tag", {"sentences": WORDS}, _on_sentences),
    _method(
        _text_model,
        "infer",
        {"premises": ["a"], "hypotheses": ["b"]},
        {"premises": NOT_TEXTS, "hypotheses": NOT_TEXTS, **_max_tokens},
    ),
    _method(
        _text_model,
        "analyse",
        {"premises": [["a", "sea"]], "hypotheses": ["b"]},
        {"premises": NOT_SENTENCES, "hypotheses": NOT_TEXTS, **_max_tokens},
    ),
    _method(
        _text_model,
        "example",
        {"text": ["sea"]},
        {
            "text": NOT_TEXT,
            "hypothesis": NOT_TEXT[1:],
            "classification": ("nothing", 2, -1, 1.5, True, ["x"]),
            "tags": (3, "O", ["nothing"], [3], [0.5]),
            "truncate": ("no", 0, 1.0, [True]),
        },
    ),
    _method(
        _text_model,
        "examples",
        {"texts": ["a sea"]},
        {
            "texts": NOT_TEXTS,
            "hypotheses": (3, "text", [3]),
            "classification": (3, "x", ["nothing"], [2], [1.5]),
            "tags": (3, "O"),
            "inference": (3, "neutral", ["neutral"]),
            "truncate": ("no", 0, 1.0, [True]),
        },
    ),
    _method(
        _text_model,
        "evaluate_texts",
        {"texts": ["a sea"], "classification": ["x"]},
        {"texts": NOT_TEXTS, "classification": (3, "x", ["nothing"]), **_max_tokens},
    ),
    _method(
        _transformer,
        "forward",
        {"input_ids": IDS},
        {
            "input_ids": (*NOT_TENSORS, IDS.float(), IDS[0], IDS.bool()),
            "mask": (3, "mask", IDS, torch.ones(2, 4).bool(), torch.ones(3).bool()),
            "segment_ids": (3, "ids", IDS.float(), torch.zeros(2, 4).long()),
        },
    ),
    _method(_transformer, "save", {"folder": temporary_folder() / "model"}, {"folder": NOT_PATHS}),
    *(
        EntryPoint(
            f"{kind.__name__}.load",
            lambda folder, kind=kind: None if folder == "good" else kind.load(folder),
            lambda: {"folder": "good"},
            {"folder": (*NOT_PATHS, "nowhere at all")},
            documented=kind.load,
            called={"folder": "folder|model"},
        )
        for kind in (
            *(models.MultiTaskTransformer, models.PretrainedTextModel, models.MultiTaskModel),
            *(models.BiLSTMFramework, models.Tagger, models.Seq2Seq),
            *(models.LSTMLanguageModel, models.NGramLanguageModel),
        )
    ),
    *(
        _method(
            make,
            "save",
            {"folder": temporary_folder() / make.__name__},
            {
                "folder": NOT_PATHS,
                "data": (3, "Atlas", ["Atlas"], {3: "Atlas"}),
                "scores": (3, "high", [0.5], {3: 0.5}, {"accuracy": "high"}),
            },
        )
        for make in (_framework, _tagger, _translator, _language_model)
    ),
    EntryPoint(
        "models.load",
        models.load,
        lambda: {"folder": _saved()},
        {
            "folder": (*NOT_PATHS, "nowhere at all"),
            "own": (None, 3, "Twice", ["Twice"], [3], models.Tagger),
        },
        called={"folder": "folder|model"},
    ),
    _method(_framework, "tag", {"sentences": WORDS}, _on_sentences),
    _method(_framework, "read", {"sentences": WORDS}, _on_sentences),
    _method(_framework, "translate", {"sentences": WORDS}, {**_on_sentences, **_search}),
    _method(
        _framework,
        "example",
        {"words": ["sea"]},
        {
            "words": NOT_WORDS,
            "tags": (3, "O", ["nothing"], [3], [0.5]),
            "translation": (3, ["text"], True),
        },
    ),
    _method(
        _framework, "text", {"text": "a sea"}, {"text": (None, 3, [1.5], ["a"], [-1], [10**6])}
    ),
    _method(
        _framework,
        "candidates",
        {"batch": _batch()},
        {"batch": (None, 3, "batch", IDS), **_search},
    ),
    _method(
        _framework,
        "score",
        {"batch": Batch(Inputs(IDS[:1], torch.ones(1, 3).bool())), "candidates": [[[4]]]},
        {
            "batch": (None, 3, "batch", IDS),
            "candidates": (None, 3, "text", [3], [[3]], [[["a"]]], [[[10**6]]]),
        },
    ),
    _method(
        _framework,
        "continue_text",
        {"text": "a", "max_new_tokens": 2},
        {"text": (None, 3, ["a"]), "max_new_tokens": NOT_COUNTS, **_draws},
    ),
    _method(
        _tagger,
        "example",
        {"words": ["sea"]},
        {"words": NOT_WORDS, "tags": (3, "O", ["nothing"], [3], [0.5])},
    ),
    _method(
        _tagger,
        "examples",
        {"sentences": [["sea"]], "tags": [["O"]]},
        {"sentences": NOT_SENTENCES, "tags": (3, "O", [3], [["nothing"]], [[3]])},
    ),
    _method(_tagger, "tag", {"sentences": WORDS}, _on_sentences),
    _method(_tagger, "normalise", {"word": "a"}, {"word": (None, 3, ["a"])}),
    _method(
        _translator,
        "translate",
        {"texts": ["a sea"]},
        {
            "texts": (*NOT_TEXTS[:5], [["a", "sea"]]),
            "max_length": NOT_OPTIONAL_SIZES,
            **_max_tokens,
            **_search,
        },
    ),
    _method(
        _translator,
        "search",
        {"batch": _batch()},
        {"batch": (None, 3, "batch", IDS), "max_length": NOT_OPTIONAL_SIZES, **_search},
    ),
    _method(
        _translator,
        "example",
        {"source": "a", "target": "b"},
        {"source": (None, 3, ["a"]), "target": (3, ["a"], True)},
    ),
    _method(
        _translator,
        "examples",
        {"sources": ["a"], "targets": ["b"]},
        {"sources": (None, 3, "text", [3]), "targets": (None, 3, "text", [3])},
    ),
    _method(
        _translator,
        "align",
        {"source": "a", "target": "b"},
        {"source": (None, 3, ["a"]), "target": (None, 3, ["a"], [1.5], [-1], [10**6])},
    ),
    EntryPoint(
        "LSTMLanguageModel.forward",
        lambda **given: _language_model()(**given),
        lambda: {"input_ids": IDS},
        {
            "input_ids": (*NOT_TENSORS, IDS.float(), IDS[0], IDS.bool()),
            "state": (3, "state", (torch.zeros(1, 2, 4),), torch.zeros(1, 2, 4)),
        },
        documented=models.LSTMLanguageModel.forward,
    ),
    _method(
        _language_model,
        "loss",
        {"input_ids": IDS, "targets": IDS},
        {
            "input_ids": (*NOT_TENSORS, IDS.float(), IDS[0]),
            "targets": (*NOT_TENSORS, IDS.float(), IDS[0]),
        },
    ),
    _method(
        _language_model,
        "sample",
        {"input_ids": IDS, "max_new_tokens": 2},
        {
            "input_ids": (*NOT_TENSORS, IDS.float(), IDS[0]),
            "max_new_tokens": NOT_COUNTS,
            "stop_id": (1.5, "2", True),
            **_draws,
        },
    ),
    _method(_counts, "fit", {"sentences": WORDS}, {"sentences": NOT_SENTENCES[:6]}),
    _method(_counts, "distribution", {"context": ["a"]}, {"context": (None, 3, [3])}),
    _method(
        _counts,
        "probability",
        {"word": "a"},
        {"word": (None, 3, ["a"]), "context": (None, 3, [3])},
    ),
    *(
        _method(_counts, name, {"sentence": ["a"]}, {"sentence": (None, 3, [3], [None])})
        for name in ("token_log_probabilities", "log_probability")
    ),
    *(
        _method(_counts, name, {"sentences": WORDS}, {"sentences": (*NOT_SENTENCES[:6], [])})
        for name in ("cross_entropy", "perplexity")
    ),
    _method(
        _counts,
        "step",
        {"input_ids": IDS},
        {
            "input_ids": (*NOT_TENSORS, IDS.float(), IDS[0], IDS.bool()),
            "state": (3, "state", IDS[:1], IDS.float()),
        },
    ),
    _method(
        _counts,
        "sample",
        {"max_tokens": 2},
        {"max_tokens": NOT_COUNTS, "prompt": (None, 3, [3]), **_draws},
    ),
]

ENTRY_POINTS = [*CONSTRUCTORS, *METHODS]
