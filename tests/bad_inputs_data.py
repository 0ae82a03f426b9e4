"""Bad inputs of vocabularies, tokenizers, examples, batches and the registry of data sets."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import tokenizers
import torch
from bad_input_cases import (
    INF,
    NAN,
    NOT_CHOICES,
    NOT_COUNTS,
    NOT_FLAGS,
    NOT_OPTIONAL_SIZES,
    NOT_SIZES,
    NOT_TENSORS,
    NOT_TEXTS,
    NOT_WORDS,
    EntryPoint,
    Within,
    temporary_folder,
)

from mtl_utils import corpora, data

CALLED = {
    "config": "config|configuration",
    "name": "name|registered|configuration",
    "name_or_folder": "name_or_folder|registered",
}
SPECIALS = ["<pad>", "<unk>", "<bos>", "<eos>"]
WORDS = data.WordTokenizer(data.Vocabulary.from_tokens(["a", "b"]))
NOT_TOKENIZERS = (None, 3, "words", ["a"])
NOT_IDS = (
    *(None, 3, "45", b"45", 1.5, [4.7], [True], ["5"], [None], [[4]], [-1], [999], {4: 1}),
    Within(torch.tensor([4.0]), 4.0),
    Within(torch.tensor([[4]]), [4]),
    Within(np.array([True]), True),
)
NOT_WHOLE = (1.5, "3", None, True, NAN, [3])
NOT_LISTS_OF_LABELS = (None, 3, "ab", [0], [0, 1, 0], {0: 1, 1: 0}, {0, 1})
NOT_INPUT_IDS = (None, 3, "text", b"text", {4: 1, 5: 2}, {4, 5})
NOT_PATHS = (None, 3, 1.5, ["a"])
NOT_FORMATS = (3, "csv", ["csv"], corpora.CsvFormat, {"delimiter": ","})


def _definition() -> str:
    words = {word: index for index, word in enumerate(["[UNK]", "[SEP]", "a", "b"])}
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return backend.to_str()


ROLES = {"unk_token": "[UNK]", "sep_token": "[SEP]"}
PRETRAINED = data.PretrainedTokenizer(_definition(), ROLES)


@cache
def _byte_pairs() -> data.BytePairTokenizer:
    return data.BytePairTokenizer.train(["a b a b"], 262)


@cache
def _made() -> Path:
    return temporary_folder()


@cache
def _written() -> dict[Any, Path]:
    paths = {
        data.Vocabulary: _made() / "words.json",
        data.BytePairTokenizer: _made() / "bytes.json",
    }
    for thing, path in zip((WORDS.vocabulary, _byte_pairs()), paths.values(), strict=True):
        thing.save(path)
    return paths


@cache
def _folder() -> Path:
    _fast().save_pretrained(_made() / "pretrained")
    return _made() / "pretrained"


@cache
def _csv() -> str:
    path = _made() / "train.csv"
    path.write_text("text,label\na,x\n", encoding="utf-8")
    return str(path)


@cache
def _parquet() -> Path:
    (_made() / "rows" / "default").mkdir(parents=True)
    _rows().to_parquet(_made() / "rows" / "default" / "train-00000-of-00001.parquet")
    return _made() / "rows"


def _text() -> dict[str, Any]:
    return {"text": "a"}


def _words() -> dict[str, Any]:
    return {"words": ["a"]}


def _tokenizer(name: str, tokenizer: Any) -> list[EntryPoint]:
    return [
        EntryPoint(f"{name}.encode", tokenizer.encode, _text, {"text": NOT_TEXTS}),
        EntryPoint(f"{name}.normalise", tokenizer.normalise, _text, {"text": NOT_TEXTS}),
        EntryPoint(f"{name}.decode", tokenizer.decode, lambda: {"ids": [2]}, {"ids": NOT_IDS}),
        EntryPoint(f"{name}.encode_words", tokenizer.encode_words, _words, {"words": NOT_WORDS}),
    ]


def _batches(name: str, tokenizer: Any) -> EntryPoint:
    good = lambda: {"texts": ["a"]}  # noqa: E731
    return EntryPoint(f"{name}.encode_batch", tokenizer.encode_batch, good, {"texts": NOT_WORDS})


FILES = [
    *(
        EntryPoint(
            f"{kind.__name__}.load",
            kind.load,
            lambda path=path: {"path": path},
            {"path": (*NOT_PATHS, "nowhere.json", Path("nowhere.json"), "")},
        )
        for kind, path in _written().items()
    ),
    *(
        EntryPoint(
            f"{type(thing).__name__}.save",
            thing.save,
            lambda path=path: {"path": path},
            {"path": (*NOT_PATHS, "")},
            called={"path": "path|file"},
        )
        for thing, path in zip((WORDS.vocabulary, _byte_pairs()), _written().values(), strict=True)
    ),
    EntryPoint(
        "PretrainedTokenizer.from_pretrained",
        data.PretrainedTokenizer.from_pretrained,
        lambda: {"name_or_folder": _folder(), "local_files_only": True},
        {
            "name_or_folder": (*NOT_PATHS, "", "./nowhere/at/all"),
            "revision": (3, b"main", ["main"]),
            "local_files_only": NOT_FLAGS,
        },
    ),
    EntryPoint(
        "corpora.load",
        corpora.load,
        lambda: {"name_or_folder": _parquet()},
        {
            "name_or_folder": (*NOT_PATHS, "", "no such data set", b"snips"),
            "config": (3, b"default", ["default"], "no such configuration", True),
            "schema": (3, "words", ["words"], {"words": "tokens"}),
            "format": NOT_FORMATS,
            "verify": NOT_FLAGS,
        },
        called=CALLED,
    ),
    EntryPoint(
        "corpora.guess_schema",
        corpora.guess_schema,
        lambda: {"name_or_folder": _parquet()},
        {
            "name_or_folder": (*NOT_PATHS, "", "no such data set", b"snips", "snips"),
            "config": (3, b"default", ["default"], "no such configuration", True),
            "format": NOT_FORMATS,
        },
        called=CALLED,
    ),
    EntryPoint(
        "corpora.write",
        corpora.write,
        lambda: {"path": _csv(), "like": _csv(), "predictions": {"label": ["x"]}},
        {
            "path": (*NOT_PATHS, ""),
            "like": (*NOT_PATHS, "", "no such file"),
            "predictions": (
                *(None, 3, "label", ["x"], {3: ["x"]}, {"label": 3}, {"label": "x"}),
                *({"label": wrong} for wrong in ([], ["x", "y"], [{"a": 1}], [["x"]])),
            ),
            "format": NOT_FORMATS,
        },
    ),
    EntryPoint(
        "corpora.CsvFormat",
        corpora.CsvFormat,
        lambda: {"delimiter": ",", "columns": ("text",), "lists": {"text": " "}},
        {
            "delimiter": (3, b",", [","], "", ",,", '"', "\n", True),
            "columns": (3, "text", [3], [None], ["a", "a"], {"a": 1}),
            "numbers": (3, "text", [3], [None], ["a", "a"], {"a": 1}),
            "lists": (None, 3, "text", ["text"], {3: " "}, {"text": 3}, {"text": ""}),
            "quotes": (3, "no", [True]),
        },
    ),
    EntryPoint(
        "corpora.ConllFormat",
        corpora.ConllFormat,
        lambda: {"columns": ("tokens", "tags")},
        {
            "columns": (3, "tokens", [3], ["tokens", "tokens"], ["words"], (), {"tokens": 1}),
            "separator": (3, "comma", "\t", "", True),
            "comments": (3, "no", [True]),
            "documents": NOT_FLAGS,
        },
    ),
    EntryPoint(
        "corpora.ConlluFormat",
        corpora.ConlluFormat,
        dict,
        {"multiword_tokens": NOT_CHOICES, "empty_nodes": NOT_FLAGS},
    ),
    EntryPoint(
        "corpora.label_names_of",
        corpora.label_names_of,
        lambda: {"dataset": corpora.load(_csv()), "column": "label"},
        {
            "dataset": (None, 3, "snips", ["a"], {"train": [1]}),
            "column": (None, 3, b"label", ["label"], "nothing", ""),
        },
    ),
]

TOKENIZERS = [
    EntryPoint(
        "split_words",
        data.split_words,
        lambda: {"text": "a b"},
        {"text": (*NOT_TEXTS, Within("a \ud83d", "\ud83d"))},
    ),
    EntryPoint(
        "Vocabulary",
        data.Vocabulary,
        lambda: {"tokens": SPECIALS},
        {
            "tokens": (
                *(None, 3, "abc", [], ["a"], [3], b"abc", dict.fromkeys(SPECIALS, 1)),
                Within([*SPECIALS, 3], 3),
                Within([*SPECIALS, None], None),
                Within([*SPECIALS, ["a"]], ["a"]),
                Within([*SPECIALS, "a", "a"], "a"),
            )
        },
    ),
    EntryPoint(
        "Vocabulary.from_tokens",
        data.Vocabulary.from_tokens,
        lambda: {"tokens": ["a"]},
        {
            "tokens": (None, 3, b"abc", [3], [None], [["a"]]),
            "min_count": NOT_SIZES,
            "max_size": (*NOT_OPTIONAL_SIZES, 3),
        },
    ),
    EntryPoint(
        "Vocabulary.id",
        WORDS.vocabulary.id,
        lambda: {"token": "a"},
        {"token": (None, 3, b"a", ["a"], {"a"})},
    ),
    EntryPoint(
        "Vocabulary.encode",
        WORDS.vocabulary.encode,
        lambda: {"tokens": ["a"]},
        {"tokens": (None, 3, b"abc", [3], [None], [["a"]])},
    ),
    EntryPoint(
        "Vocabulary.decode",
        WORDS.vocabulary.decode,
        lambda: {"ids": [4]},
        {"ids": NOT_IDS, "skip_special": NOT_FLAGS},
    ),
    EntryPoint(
        "WordTokenizer",
        data.WordTokenizer,
        lambda: {"vocabulary": WORDS.vocabulary},
        {"vocabulary": (None, 3, "text", ["a"], WORDS), "lowercase": NOT_FLAGS},
    ),
    *_tokenizer("WordTokenizer", WORDS),
    _batches("WordTokenizer", WORDS),
    EntryPoint(
        "BytePairTokenizer",
        data.BytePairTokenizer,
        lambda: {"vocabulary": _byte_pairs().vocabulary, "merges": ()},
        {
            "vocabulary": (None, 3, "text", ["a"], WORDS),
            "merges": (
                None,
                3,
                "ab",
                [3],
                ["ab"],
                [("a",)],
                [("a", 3)],
                Within([("a", "zz")], "zz"),
                {"a": "b"},
            ),
            "lowercase": NOT_FLAGS,
        },
    ),
    EntryPoint(
        "BytePairTokenizer.train",
        data.BytePairTokenizer.train,
        lambda: {"texts": ["a b"], "vocab_size": 260},
        {
            "texts": (*NOT_WORDS, [], [""]),
            "vocab_size": (*NOT_SIZES, 259),
            "lowercase": NOT_FLAGS,
            "min_count": NOT_SIZES,
        },
    ),
    *_tokenizer("BytePairTokenizer", _byte_pairs()),
    _batches("BytePairTokenizer", _byte_pairs()),
    EntryPoint(
        "PretrainedTokenizer",
        data.PretrainedTokenizer,
        lambda: {"definition": _definition(), "roles": ROLES},
        {
            "definition": (None, 3, b"{}", "text", "{}", "", []),
            "roles": (
                *(None, 3, "[SEP]", ["sep_token"], {}, {"unk_token": "[UNK]"}),
                *({"sep_token": "nope"}, {"sep_token": 3}, {"sep_token": None}),
            ),
        },
        called={"roles": "roles|sep_token"},
    ),
    EntryPoint(
        "PretrainedTokenizer.of",
        data.PretrainedTokenizer.of,
        lambda: {"tokenizer": _fast()},
        {"tokenizer": (None, 3, "bert", WORDS, tokenizers.Tokenizer.from_str(_definition()))},
    ),
    *_tokenizer("PretrainedTokenizer", PRETRAINED),
]


def _fast() -> Any:
    from transformers import PreTrainedTokenizerFast

    backend = tokenizers.Tokenizer.from_str(_definition())
    return PreTrainedTokenizerFast(tokenizer_object=backend, **ROLES)


NOT_PIECES = (None, 3, "ab", {0: 1}, {4})
PIECES = data.Pieces([4, 5], [0, 1])
ENCODED = data.encode_text(WORDS, ["a", "b"])

ENCODINGS = [
    EntryPoint(
        "Pieces",
        data.Pieces,
        lambda: {"ids": [4, 5], "word_ids": [0, 1]},
        {
            "ids": (*NOT_PIECES, [4]),
            "word_ids": (*NOT_PIECES, [0], [0, 2], [1, 1], [0, "a"], [None, 0], [0.5, 1]),
        },
        called={"ids": "ids|pieces", "word_ids": "word_ids|word"},
    ),
    *(
        EntryPoint(
            f"{type(holder).__name__}.align",
            holder.align,
            lambda: {"labels": [0, 1]},
            {"labels": NOT_LISTS_OF_LABELS},
        )
        for holder in (PIECES, ENCODED)
    ),
    EntryPoint(
        "EncodedText.of_words",
        ENCODED.of_words,
        lambda: {"values": [0, 1, 2, 3]},
        {"values": (None, 3, "abcd", [0], {0, 1, 2, 3})},
    ),
    EntryPoint(
        "EncodedText.example",
        ENCODED.example,
        dict,
        {"labels": (3, "topic", [1], {3: 1}, {None: 1})},
    ),
    EntryPoint(
        "EncodedText",
        data.EncodedText,
        lambda: {
            "input_ids": [2, 3],
            "word_ids": [None, None],
            "segment_ids": None,
            "num_words": 0,
            "num_cut": 0,
        },
        {
            "input_ids": (None, 3, "ab", {2: 3}, [2]),
            "word_ids": (None, 3, "ab", {2: 3}, [None]),
            "segment_ids": (3, "ab", [0], {0: 1}),
            "num_words": NOT_COUNTS,
            "num_cut": NOT_COUNTS,
        },
    ),
    EntryPoint(
        "SpecialTokens",
        data.SpecialTokens,
        lambda: {"start": (2,), "between": (3,), "end": (3,)},
        dict.fromkeys(("start", "between", "end"), (None, 3, "a", ["a"], [1.5], [True], [-1])),
    ),
    EntryPoint(
        "Window",
        data.Window,
        lambda: {"input_ids": [2, 4, 3], "segment_ids": None, "positions": [1]},
        {
            "input_ids": (None, 3, "abc"),
            "segment_ids": (3, "abc", [0]),
            "positions": (None, 3, "abc", [3], [-1], ["a"]),
        },
    ),
    EntryPoint(
        "encode_text",
        data.encode_text,
        lambda: {"tokenizer": WORDS, "text": "a"},
        {
            "tokenizer": NOT_TOKENIZERS,
            "text": (None, 3, 1.5, b"a", [3], [None], [["a"]], {"a": 1}, iter("a")),
            "max_length": (*NOT_OPTIONAL_SIZES, 1),
        },
        called={"text": "text|words"},
    ),
    EntryPoint(
        "encode_pair",
        data.encode_pair,
        lambda: {"tokenizer": WORDS, "first": "a", "second": ["b"]},
        {
            "tokenizer": NOT_TOKENIZERS,
            "first": (None, 3, 1.5, b"a", [3], [None], [["a"]], {"a": 1}),
            "second": (None, 3, 1.5, b"a", [3], [None], [["a"]], {"a": 1}),
            "max_length": (*NOT_OPTIONAL_SIZES, 2),
        },
        called={"first": "first|words", "second": "second|words"},
    ),
    EntryPoint(
        "fertility",
        data.fertility,
        lambda: {"tokenizer": WORDS, "sentences": [["a", "b"]]},
        {
            "tokenizer": NOT_TOKENIZERS,
            "sentences": (None, 3, "text", [3], Within(["ab"], "ab"), Within([["a", 3]], 3)),
        },
        called={"sentences": "sentences|words"},
    ),
    EntryPoint(
        "encode_windows",
        data.encode_windows,
        lambda: {"tokenizer": WORDS, "words": ["a", "b", "a", "b"], "max_length": 4, "stride": 1},
        {
            "tokenizer": NOT_TOKENIZERS,
            "words": NOT_WORDS,
            "second": (3, 1.5, b"a", [3], [None], [["a"]], {"a": 1}),
            "max_length": (*NOT_OPTIONAL_SIZES, 2),
            "stride": (*NOT_OPTIONAL_SIZES, 3),
        },
        called={"second": "second|words"},
    ),
    EntryPoint(
        "endless",
        data.endless,
        lambda: {"loader": data.BatchLoader([data.Example([4])], batch_size=1)},
        {"loader": (None, 3, "data", [], [data.Example([4])]), "start": (None, -1, 1.5, "0")},
    ),
]

IDS = torch.tensor([[2, 4, 3], [2, 3, 0]])
MASK = torch.tensor([[True, True, True], [True, True, False]])
INPUTS = data.Inputs(IDS, MASK)
EXAMPLES = [data.Example([2, 4, 3], {"t": 1}), data.Example([2, 3], {"t": 0})]
NOT_EXAMPLES = (None, 3, "text", [], [3], [None], [[2, 3]], {"a": EXAMPLES[0]}, EXAMPLES[0])
NOT_DEVICES = (None, 1.5, "nowhere", ["cpu"], "")
NOT_LABELS = (
    *(None, 3, "t", [1], {"t": 1}, {"t": [1, 0]}, {"t": None}),
    {"t": torch.zeros(3).long()},
    {"t": torch.tensor(1)},
    {3: torch.zeros(2).long()},
)


def _loader() -> data.BatchLoader:
    return data.BatchLoader(EXAMPLES, batch_size=1)


EPOCHS = (-1, *NOT_WHOLE)

BATCHES = [
    EntryPoint(
        "Inputs",
        data.Inputs,
        lambda: {"input_ids": IDS, "mask": MASK},
        {
            "input_ids": (*NOT_TENSORS, IDS[0], IDS.float(), IDS.bool(), IDS[:1], np.zeros((2, 3))),
            "mask": (*NOT_TENSORS, MASK[0], MASK.long(), MASK[:1], MASK.float()),
            "segment_ids": (*NOT_TENSORS[1:], IDS[0], IDS.float(), IDS.bool(), IDS[:1]),
            "character_ids": (*NOT_TENSORS[1:], IDS, IDS.float(), IDS[:1, :, None]),
            "first_pieces": (*NOT_TENSORS[1:], MASK[0], MASK.long(), MASK[:1]),
            "language_ids": (*NOT_TENSORS[1:], IDS, MASK[:, 0], IDS[:1, 0], IDS[:, 0].float()),
        },
    ),
    EntryPoint("Inputs.to", INPUTS.to, lambda: {"device": "cpu"}, {"device": NOT_DEVICES}),
    EntryPoint(
        "Inputs.rows",
        INPUTS.rows,
        lambda: {"indices": torch.tensor([0])},
        {"indices": (*NOT_TENSORS, torch.tensor(0), torch.tensor([0.0]), torch.tensor([2]))},
    ),
    EntryPoint("Inputs.columns", INPUTS.columns, lambda: {"length": 2}, {"length": NOT_COUNTS}),
    EntryPoint(
        "Batch",
        data.Batch,
        lambda: {"inputs": INPUTS},
        {"inputs": (None, 3, "text", IDS, [INPUTS]), "labels": NOT_LABELS, "lost": NOT_LABELS},
    ),
    EntryPoint(
        "has_label",
        data.has_label,
        lambda: {"labels": torch.tensor([1])},
        {"labels": NOT_TENSORS},
    ),
    EntryPoint(
        "Batch.to", data.Batch(INPUTS).to, lambda: {"device": "cpu"}, {"device": NOT_DEVICES}
    ),
    EntryPoint(
        "Example",
        data.Example,
        lambda: {"input_ids": [4, 5]},
        {
            "input_ids": NOT_INPUT_IDS,
            "labels": (None, 3, "topic", [1], {3: 1}, {None: 1}),
            "segment_ids": (3, "ab", [0], {0: 1}),
            "character_ids": (3, "ab", [[1]], {0: 1}),
            "first_pieces": (3, "ab", [2], [-1], [1.5], ["a"], [None], [True]),
            "lost": (None, 3, "topic", [1], {3: [1]}, {"t": 1}, {"t": "x"}),
            "language_id": (-1, 1.5, "en", True, [1], 2**63),
        },
        called={"labels": "labels|label"},
    ),
    EntryPoint(
        "collate",
        data.collate,
        lambda: {"examples": EXAMPLES},
        {"examples": (*NOT_EXAMPLES, iter(EXAMPLES)), "pad_id": (-1, *NOT_WHOLE, 2**63)},
    ),
    *(
        EntryPoint(
            f"collate of {argument}",
            lambda **parts: data.collate([data.Example(**parts)]),
            lambda: {"input_ids": [4]},
            {argument: bad},
            documented=data.collate,
        )
        for argument, bad in {
            "input_ids": (["a"], [1.5], [True], [None], [[1]], [2**63], np.array([1.5])),
            "labels": tuple(
                {"t": wrong} for wrong in ("x", INF, -1e39, 1j, True, [1.5], ["x"], [[1]], 2**63)
            ),
            "segment_ids": (["a"], [1.5], [True], [None], [[1]]),
            "character_ids": ([["a"]], [[1.5]], [3], ["a"], [None]),
            "lost": tuple({"t": wrong} for wrong in (["x"], [1.5], [True], [[1]])),
        }.items()
    ),
    EntryPoint(
        "BatchLoader",
        data.BatchLoader,
        lambda: {"examples": EXAMPLES, "batch_size": 1},
        {
            "examples": (*NOT_EXAMPLES, iter(EXAMPLES)),
            "batch_size": NOT_SIZES,
            "pad_id": (-1, *NOT_WHOLE),
            "shuffle": NOT_FLAGS,
            "seed": NOT_WHOLE,
            "uncounted": ("topic", 3, None),
        },
    ),
    EntryPoint(
        "BatchLoader of tokens",
        data.BatchLoader,
        lambda: {"examples": EXAMPLES, "max_tokens": 1},
        {"max_tokens": NOT_SIZES, "batch_size": (1,)},
    ),
    EntryPoint("BatchLoader.plan", _loader().plan, dict, {"epoch": EPOCHS}),
    EntryPoint("BatchLoader.padding_share", _loader().padding_share, dict, {"epoch": EPOCHS}),
    EntryPoint(
        "BatchLoader.batches",
        _loader().batches,
        dict,
        {
            "epoch": EPOCHS,
            "start": (-1, 3, *NOT_WHOLE),
            "rank": (-1, 1, *NOT_WHOLE),
            "world_size": (0, -1, *NOT_WHOLE),
        },
    ),
    EntryPoint(
        "named_labels",
        data.named_labels,
        lambda: {"column": [1]},
        {"column": (None, 3, "label", b"label", {"label": 1}, True)},
    ),
]


def _rows() -> datasets.Dataset:
    return datasets.Dataset.from_dict({"text": list("abcdefghij"), "label": [0, 1] * 5})


def _splits() -> datasets.DatasetDict:
    return datasets.DatasetDict({"train": _rows()})


def _registry(
    title: str, call: Callable[..., Any], bad: dict[str, Any], /, **good: Any
) -> EntryPoint:
    return EntryPoint(f"corpora.{title}", call, lambda: dict(good), bad, called=CALLED)


NOT_DATA_SETS = (3, b"snips", ["snips"], "no such data set", "", True)
NOT_CONFIGS = (3, b"default", ["default"], "no such configuration", True)
NOT_NAMES = (None, 3, b"a", ["a"], "")
NOT_LISTS_OF_NAMES = (None, 3, "ab", [3], [None], ["a", "a"], {"a": 1})
COLUMN = corpora.Column("text", "string", "the text")
CONFIG = corpora.Config((COLUMN,), {"train": 2})
ENTRY = {
    "name": "mine",
    "task": "none",
    "hub_id": None,
    "revision": None,
    "licence": "CC0 1.0",
    "is_open": "yes",
    "citations": (),
    "default_config": "default",
    "configs": {"default": CONFIG},
}

REGISTRY = [
    _registry("entry", corpora.entry, {"name": (None, *NOT_DATA_SETS)}, name="snips"),
    _registry(
        "has_copy",
        corpora.has_copy,
        {"name": (None, *NOT_DATA_SETS), "config": NOT_CONFIGS},
        name="snips",
    ),
    _registry("columns_table", corpora.columns_table, {"name": NOT_DATA_SETS}, name="snips"),
    _registry("caveats_table", corpora.caveats_table, {"name": NOT_DATA_SETS}, name="snips"),
    _registry("table", corpora.table, {"every_config": NOT_FLAGS}),
    _registry(
        "carve_validation",
        corpora.carve_validation,
        {
            "dataset": (None, 3, "snips", _rows(), {}, {"train": [1]}),
            "fraction": (0, 1, -0.5, NAN, INF, "0.1", None, True, [0.1], 1e-9),
            "seed": (-1, *NOT_WHOLE),
            "texts": (3, b"text", "nothing", ["nothing"], [3], ["text", "text"], {"text": 1}),
            "stratify": (3, "nothing", ["label"], True),
        },
        dataset=_splits(),
    ),
    _registry(
        "overlap",
        corpora.overlap,
        {
            "seen": (None, 3, "snips", ["a"], _splits()),
            "rows": (None, 3, "snips", ["a"], _splits()),
            "texts": (3, b"text", "nothing", ["nothing"], [3], ["text", "text"], {"text": 1}, ()),
        },
        seen=_rows(),
        rows=_rows(),
    ),
    _registry(
        "Column",
        corpora.Column,
        {
            "name": NOT_NAMES,
            "kind": (None, 3, "text", ["string"], ""),
            "meaning": NOT_TEXTS,
            "names": (None, 3, "ab", [3], [None], ["a", "a"], ()),
            "sequence": NOT_FLAGS,
            "unlabelled": (None, 3, "test", [3]),
            "bounds": (3, "ab", (1,), (2, 1), (NAN, 1), ("a", "b")),
            "nullable": NOT_FLAGS,
        },
        name="label",
        kind="label",
        meaning="what it is",
        names=("a", "b"),
    ),
    _registry(
        "Config",
        corpora.Config,
        {
            "columns": (None, 3, "text", ["text"], [3], COLUMN),
            "rows": (
                *(None, 3, "train", ["train"], {}, {3: 2}),
                *({"train": wrong} for wrong in (0, -1, 1.5, "2", None, True)),
            ),
            "source": (3, "github", ["a"]),
            "partial_copy": (3, "half", ["a"]),
        },
        columns=(COLUMN,),
        rows={"train": 2},
    ),
    _registry(
        "PartialCopy",
        corpora.PartialCopy,
        {
            "reason": NOT_TEXTS,
            "rows": (None, 3, "train", {3: 2}, {"train": 0}, {"train": "2"}, {"train": True}),
            "absent": (None, 3, "test", [3]),
        },
        reason="a part of it",
    ),
    _registry(
        "SourceFiles",
        corpora.SourceFiles,
        {
            "repository": NOT_NAMES,
            "commit": NOT_NAMES,
            "files": (None, 3, "train", {3: ("a",)}, {"train": "a"}, {"train": [3]}, {"train": 3}),
            "parse": (None, 3, "parse"),
        },
        repository="a/b",
        commit="0" * 40,
        files={"train": ("a",)},
        parse=dict,
    ),
    _registry(
        "Join",
        corpora.Join,
        {
            "entities": NOT_NAMES,
            "syntax": NOT_NAMES,
            "key": (None, 3, "id", ["idx"], ""),
        },
        entities="a",
        syntax="b",
        key="idx",
    ),
    _registry(
        "Entry",
        corpora.Entry,
        {
            **dict.fromkeys(("name", "task", "licence", "is_open"), NOT_NAMES),
            **dict.fromkeys(("hub_id", "revision"), (3, b"a", ["a"])),
            "citations": (None, 3, "ab", [3]),
            "default_config": (None, 3, "nothing", ["default"]),
            "configs": (None, 3, "default", {}, {"default": 3}, {"default": None}, ["default"]),
            "caveats": (None, 3, "ab", [3]),
        },
        **ENTRY,
    ),
    _registry("Entry.config", corpora.Entry(**ENTRY).config, {"name": NOT_CONFIGS}),
    _registry("Entry.origin", corpora.Entry(**ENTRY).origin, {"config": NOT_CONFIGS}),
    _registry(
        "Schema",
        corpora.Schema,
        {
            "words": (3, b"tokens", ["tokens"]),
            "per_word": NOT_LISTS_OF_NAMES,
            "labels": (None, 3, "tag", ["tag"], {3: None}, {"tag": "ab"}, {"tag": [3]}, {"tag": 3}),
        },
        words="tokens",
    ),
    _registry(
        "Overlap",
        corpora.Overlap,
        dict.fromkeys(
            ("rows", "exact", "normalised", "any_order", "any_text", "repeats"), NOT_COUNTS
        ),
        rows=1,
        exact=0,
        normalised=0,
        any_order=0,
        any_text=0,
        repeats=0,
    ),
]

ENTRY_POINTS = [*FILES, *TOKENIZERS, *ENCODINGS, *BATCHES, *REGISTRY]
