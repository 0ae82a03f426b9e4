"""Data sets of texts with labels for one task or several, for experiments with many tasks."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import datasets
import numpy as np

from mtl_utils import atlas, corpora
from mtl_utils.corpora import schema
from mtl_utils.corpora.entry import SPLITS
from mtl_utils.data import Example, Tokenizer, encode_pair, encode_text
from mtl_utils.experiments.kept_sets import kept
from mtl_utils.experiments.text_set import Kind, Row, TextSet
from mtl_utils.tasks import Classification, PairClassification, Tagging


def examples(
    rows: Iterable[Row], tokenizer: Tokenizer, tasks: Sequence[str], max_length: int | None = None
) -> list[Example]:
    """Turn rows into ids, with the labels of some tasks.

    Args:
        rows: The rows.
        tokenizer: Of the model that is to read them.
        tasks: Whose labels to keep.
        max_length: Cut what is longer.

    Returns:
        One example a row; the first piece of a word has its label.
    """
    made = []
    for row in rows:
        if row.other is None:
            encoded = encode_text(tokenizer, row.text, max_length=max_length)
        else:
            encoded = encode_pair(tokenizer, row.text, row.other, max_length=max_length)
        labels: dict[str, int | Sequence[int]] = {}
        for task in tasks:
            if task in row.labels:
                label = row.labels[task]
                labels[task] = label if isinstance(label, int) else encoded.align(label)
        made.append(Example(encoded.input_ids, labels, encoded.segment_ids))
    return made


def load(name: str, size: int | None = None, seed: int = 0) -> TextSet:
    """Load a data set.

    Args:
        name: ``"snips"``, ``"universal_ner"``, ``"uner_ud"``, ``"sick"``, ``"trec"``,
            ``"cross_ner"`` (its texts on artificial intelligence), ``"uner_en"``, ``"uner_zh"``,
            ``"uner_da"``, ``"uner_sv"``, ``"uner_pt"`` (Universal NER by language; a quarter of
            the Swedish training rows are its validation, since the published one has 23 entities),
            ``"uner_pud_de"`` and the like (its parallel test sentences), ``"atlas"`` (pairs), or
            ``"atlas_sentences"``. Of the last and ``"atlas"`` another size than the recorded one
            may follow a colon, as in ``"atlas:20000"``: that of all splits together; and of the
            last a relatedness of topics, as in ``"atlas_sentences:20000@0.5"``. ``"snips/slots"``
            has the labels of one task alone, ``"snips/slots as frames"`` under another name, and
            ``"snips/slots/even"`` or
            ``".../odd"`` every other training row, so that two tasks have texts of their own.
        size: Use so many training rows, drawn with ``seed``; all of them if ``None``. Those of a
            smaller size are among those of a larger one. Validation and test stay whole.
        seed: Of the draw, and of Atlas itself.

    Raises:
        KeyError: If there is no such data set.
        ValueError: If there are fewer training rows than ``size``.
    """
    source, task, half = _parts(name)
    whole = _whole(source, seed if source.partition(":")[0] in _GENERATED else 0)
    if task:
        whole = _of_task(whole, name, task, half)
    if size is None:
        return whole
    train = whole.splits["train"]
    if size > len(train):
        raise ValueError(f"{name} has {len(train)} training rows, {size} were asked for")
    order = np.random.default_rng(seed).permutation(len(train))[:size]
    splits = {**whole.splits, "train": [train[index] for index in order]}
    return TextSet(whole.name, whole.kinds, whole.labels, splits)


def tasks_of(name: str, seed: int = 0) -> set[str]:
    """Name the tasks of a data set, without loading it where its name tells.

    Args:
        name: As for :func:`load`.
        seed: As for :func:`load`.

    Raises:
        KeyError: If there is no such data set.
    """
    _, task, _ = _parts(name)
    return {task.rpartition(" as ")[2]} if task else set(load(name, None, seed).kinds)


def _parts(name: str) -> tuple[str, str, str]:
    """Return the data set, the task and the half that a name asks for; empty where it does not."""
    source, task, half, *rest = [*name.split("/"), "", ""]
    if _NAME.fullmatch(source) and source.partition(":")[0] in _MAKERS:
        sized = ":" not in source or source.partition(":")[0] in _SIZES
        related = "@" not in source or source.startswith("atlas_sentences:")
        if sized and related and half in ("", *_HALVES) and not any(rest):
            return source, task, half
    raise KeyError(f"No data set named {name!r}; there are {sorted(_MAKERS)}")


def _of_task(text_set: TextSet, name: str, task: str, half: str) -> TextSet:
    old, _, new = task.partition(" as ")
    if old not in text_set.kinds:
        raise KeyError(f"{text_set.name!r} has no task {old!r}; it has {sorted(text_set.kinds)}")
    new = new or old
    splits = dict(text_set.splits)
    if half:
        splits["train"] = splits["train"][_HALVES[half] :: 2]
    named = {
        split: [Row(row.text, {new: row.labels[old]}, row.other) for row in rows]
        for split, rows in splits.items()
    }
    return TextSet(name, {new: text_set.kinds[old]}, {new: text_set.labels[old]}, named)


_NAME = re.compile(r"\w+(:\d+(@\d\.?\d*)?)?")
_HALVES = {"even": 0, "odd": 1}

ATLAS_PAIRS = 4000
"""Pairs of the Atlas corpus; 3,200 are training pairs."""


def _atlas(seed: int) -> TextSet:
    return _atlas_pairs(ATLAS_PAIRS, seed)


def _atlas_pairs(size: int, seed: int, name: str = "atlas") -> TextSet:
    columns = {"topic": "topic", "entities": "ner_tags", "inference": "label"}
    kinds: dict[str, Kind] = {
        "topic": Classification,
        "entities": Tagging,
        "inference": PairClassification,
    }
    dataset = atlas.load_inference(size, seed=seed)
    return _text_set(name, dataset, kinds, columns, text="tokens", other="hypothesis")


ATLAS_SENTENCES = 6000
"""Sentences of the Atlas corpus; 4,800 are training sentences."""


def _atlas_sentences(seed: int) -> TextSet:
    return _sentences_of_atlas(ATLAS_SENTENCES, seed)


def _sentences_of_atlas(size: int, seed: int, relatedness: float | None = None) -> TextSet:
    kinds: dict[str, Kind] = {"topic": Classification, "entities": Tagging}
    columns = {"topic": "topic", "entities": "ner_tags"}
    knobs: dict[str, Any] = {}
    if relatedness is not None:
        kinds = {**kinds, "event": Classification, "pos": Tagging}
        columns = {**columns, "event": "event", "pos": "pos_tags"}
        knobs = {"relatedness": relatedness}
    dataset = atlas.load(size, seed=seed, **knobs)
    return _text_set("atlas_sentences", dataset, kinds, columns, text="tokens")


def _snips(seed: int) -> TextSet:
    kinds: dict[str, Kind] = {"intent": Classification, "slots": Tagging}
    columns = {"intent": "intent", "slots": "slot_tags"}
    return _text_set("snips", corpora.load("snips"), kinds, columns, text="tokens")


def _universal_ner(seed: int, config: str = "en_ewt", name: str = "universal_ner") -> TextSet:
    dataset = corpora.load("universal_ner", config)
    columns = {"entities": "ner_tags"}
    return _text_set(name, dataset, {"entities": Tagging}, columns, text="tokens")


def _languages() -> dict[str, Callable[[int], TextSet]]:
    """Universal NER language by language; of German and of the parallel PUD there is only test."""
    configs = ("en_ewt", "zh_gsdsimp", "da_ddt", "sv_talbanken", "pt_bosque")
    named = {f"uner_{config[:2]}": config for config in configs}
    named |= {f"uner_pud_{code}": f"{code}_pud" for code in ("en", "de", "zh", "sv", "pt")}
    made: dict[str, Callable[[int], TextSet]] = {
        name: functools.partial(_universal_ner, config=config, name=name)
        for name, config in named.items()
    }
    return {**made, "uner_sv": _swedish}


def _swedish(seed: int) -> TextSet:
    # The published validation has 23 entities in 504 sentences: nothing can be chosen by them.
    published = corpora.load("universal_ner", "sv_talbanken")
    parts = datasets.DatasetDict({split: published[split] for split in ("train", "test")})
    dataset = corpora.carve_validation(parts, 0.25, seed=0)
    columns = {"entities": "ner_tags"}
    return _text_set("uner_sv", dataset, {"entities": Tagging}, columns, text="tokens")


def _uner_ud(seed: int) -> TextSet:
    kinds: dict[str, Kind] = {"entities": Tagging, "pos": Tagging}
    columns = {"entities": "ner_tags", "pos": "upos"}
    return _text_set("uner_ud", corpora.load("uner_ud", "en_ewt"), kinds, columns, text="tokens")


def _sick(seed: int) -> TextSet:
    kinds: dict[str, Kind] = {"inference": PairClassification}
    columns = {"inference": "label"}
    dataset = corpora.load("sick")
    return _text_set("sick", dataset, kinds, columns, text="sentence_A", other="sentence_B")


def _trec(seed: int) -> TextSet:
    # Row by row, as the recorded runs drew it: 12 of the 545 questions stand in train as well.
    dataset = corpora.carve_validation(corpora.load("trec"), 0.1, seed=0, texts=())
    columns = {"question": "coarse_label"}
    return _text_set("trec", dataset, {"question": Classification}, columns, text="text")


def _cross_ner(seed: int) -> TextSet:
    dataset = corpora.load("cross_ner", "ai")
    columns = {"entities": "ner_tags"}
    return _text_set("cross_ner", dataset, {"entities": Tagging}, columns, text="tokens")


_MAKERS: Mapping[str, Callable[[int], TextSet]] = {
    "atlas": _atlas,
    "atlas_sentences": _atlas_sentences,
    "snips": _snips,
    "universal_ner": _universal_ner,
    "uner_ud": _uner_ud,
    "sick": _sick,
    "trec": _trec,
    "cross_ner": _cross_ner,
    **_languages(),
}
_SIZES: Mapping[str, Callable[..., TextSet]] = {
    "atlas": _atlas_pairs,
    "atlas_sentences": _sentences_of_atlas,
}
_GENERATED = ("atlas", "atlas_sentences")


@functools.lru_cache(maxsize=8)
def _whole(name: str, seed: int) -> TextSet:
    kind, _, rest = name.partition(":")
    number, *related = rest.split("@")
    if not number:
        return _MAKERS[kind](seed)
    # Only sentences have a relatedness.
    given = (int(number), seed, *map(float, related))
    return kept(name, seed, lambda: _SIZES[kind](*given))


def _text_set(
    name: str,
    dataset: Mapping[str, Any],
    kinds: Mapping[str, Kind],
    columns: Mapping[str, str],
    text: str,
    other: str | None = None,
) -> TextSet:
    there = [split for split in SPLITS if split in dataset]
    features = dataset[there[0]].features
    labels = {}
    for task, column in columns.items():
        feature = features[column]
        labels[task] = tuple(getattr(feature, "feature", feature).names)
        for split in there:  # ids of one split mean the same in another
            schema.check_features(
                {column: dataset[split].features[column]}, {column: feature}, f"{name}, {split}"
            )
    splits = {split: _rows(dataset[split], columns, text, other) for split in there}
    return TextSet(name, kinds, labels, splits)


def _rows(rows: Any, columns: Mapping[str, str], text: str, other: str | None) -> list[Row]:
    table = {column: list(rows[column]) for column in {text, *columns.values()}}
    others = [None] * len(table[text]) if other is None else list(rows[other])
    return [
        Row(value, {task: table[column][index] for task, column in columns.items()}, second)
        for index, (value, second) in enumerate(zip(table[text], others, strict=True))
    ]
