"""The tagger of chapter 03's page: what it learns from, and that it is made."""

from __future__ import annotations

import random

import datasets
import pytest
import torch

from mtl_utils.data import BytePairTokenizer
from mtl_utils.deployment.live import names_data
from mtl_utils.deployment.live.names_data import Sentence, Varied, example_of
from mtl_utils.deployment.live.names_model import TAGS, NamesSizes, train_names_model
from mtl_utils.deployment.live.other_names import names_by_type, with_other_names
from mtl_utils.deployment.live.typed_words import words_of_tokens
from mtl_utils.tasks import Tagging
from mtl_utils.tasks.spans import to_spans

WORDS = ["Ada", "Byron", "left", "Oslo", "for", "Rome", "."]
NAMED = ["B-PER", "I-PER", "O", "B-LOC", "O", "B-LOC", "O"]
NAMES = {"PER": [("Bo",)], "LOC": [("New", "York")]}


def test_words_know_their_tokens() -> None:
    found = list(words_of_tokens("I don't  see U.S. law", ["I", "do", "n't", "see", "U.S.", "law"]))
    assert found == [
        *[("I", 0, True), ("don", 1, True), ("'", 2, False), ("t", 2, False), ("see", 3, True)],
        *[("U", 4, True), (".", 4, False), ("S", 4, False), (".", 4, False), ("law", 5, True)],
    ]
    with pytest.raises(ValueError, match="substring not found"):
        list(words_of_tokens("a b", ["b", "a"]))


def test_names_are_collected_by_type() -> None:
    found = names_by_type([(WORDS, NAMED), (["Rome"], ["B-LOC"])])
    assert found == {"LOC": [("Oslo",), ("Rome",)], "PER": [("Ada", "Byron")]}


def test_all_names_are_exchanged_or_none() -> None:
    words, tags, places = with_other_names(WORDS, NAMED, NAMES, 1.0, random.Random(0))
    assert words == ["Bo", "left", "New", "York", "for", "New", "York", "."]
    assert tags == ["B-PER", "O", "B-LOC", "I-LOC", "O", "B-LOC", "I-LOC", "O"]
    assert places == [None, 2, None, None, 4, None, None, 6]
    kept = with_other_names(WORDS, NAMED, NAMES, 0.0, random.Random(0))
    assert kept == (WORDS, NAMED, list(range(7)))
    without = with_other_names(WORDS, NAMED, {}, 1.0, random.Random(0))
    assert without == kept


def test_about_the_share_of_names_is_exchanged_and_types_stay() -> None:
    draw = random.Random(1)
    new = 0
    for _ in range(500):
        words, tags, _ = with_other_names(WORDS, NAMED, NAMES, 0.4, draw)
        assert [span.type for span in to_spans(tags)] == ["PER", "LOC", "LOC"]
        new += ("Bo" in words) + words.count("York")
    assert 500 < new < 700  # of 1,500 names two in five


def test_words_are_spelled_otherwise_and_are_the_same_words() -> None:
    tokenizer = BytePairTokenizer.train(["Oslo left Rome for Oslo . Ada Byron left"] * 5, 300)
    tasks = {"tags": Tagging("tags", TAGS, crf=True), "parts": Tagging("parts", ("PROPN", "X"))}
    sentence = Sentence(WORDS, NAMED, ["X"] * 7)
    labels = {"tags": NAMED, "parts": ["X"] * 7}
    plain = example_of(tokenizer, tasks, WORDS, labels)
    never = Varied(tokenizer, tasks, NAMES, (0.0, 0.0), random.Random(0)).example(sentence)
    assert never == plain
    varied = Varied(tokenizer, tasks, NAMES, (0.0, 1.0), random.Random(0))
    other = varied.example(sentence)
    assert len(other.input_ids) > len(plain.input_ids)
    assert tokenizer.decode(other.input_ids) == tokenizer.decode(plain.input_ids)
    firsts = other.first_pieces
    assert [other.labels["tags"][at] for at in firsts] == [TAGS.index(tag) for tag in NAMED]
    assert sum(label != -100 for label in other.labels["tags"]) == 7
    again = Varied(tokenizer, tasks, NAMES, (0.0, 1.0), random.Random(0)).example(sentence)
    assert again == other


def test_types_of_atlas_become_those_of_universal_ner() -> None:
    tags = ["B-GPE", "I-LOC", "B-MISC", "I-MISC", "O", "B-ORG"]
    assert [names_data._as_here(tag) for tag in tags] == ["B-LOC", "I-LOC", "O", "O", "O", "B-ORG"]


def test_a_small_one_is_made_again(monkeypatch) -> None:
    rows = [Sentence(WORDS, NAMED, ["PROPN"] * 7), Sentence(["Rain", "."], ["O", "O"], ["X", "X"])]
    for module in ("names_data", "names_model"):
        place = f"mtl_utils.deployment.live.{module}.english"
        monkeypatch.setattr(place, lambda split: rows * 20)
    monkeypatch.setattr(
        "mtl_utils.deployment.live.names_model.names_to_choose", lambda sentences, size: NAMES
    )
    sizes = NamesSizes(1, 2, 1, vocab_size=280, width=8, num_layers=2)
    first, second = (train_names_model(sizes, progress=False) for _ in range(2))
    assert list(first.tasks) == ["tags"]
    assert first.tasks["tags"].labels == TAGS
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    assert set(first.predict([WORDS])[0]["tags"]) <= {*TAGS}


def test_sentences_of_universal_ner_are_split_as_typed(monkeypatch) -> None:
    labels = datasets.Features(
        {
            "text": datasets.Value("string"),
            "tokens": datasets.Sequence(datasets.Value("string")),
            "upos": datasets.Sequence(datasets.ClassLabel(names=["X", "PROPN"])),
            "ner_tags": datasets.Sequence(datasets.ClassLabel(names=[*TAGS])),
        }
    )
    row = {
        "text": "U.S. law",
        "tokens": ["U.S.", "law"],
        "upos": [1, 0],
        "ner_tags": [TAGS.index("B-LOC"), 0],
    }
    rows = datasets.Dataset.from_list([row], features=labels)
    monkeypatch.setattr(
        names_data.corpora, "load", lambda name, config: {"train": rows, "test": rows}
    )
    (first, second) = names_data.english("train")
    assert first == second
    assert first.words == ["U", ".", "S", ".", "law"]
    assert first.tags == ["B-LOC", "I-LOC", "I-LOC", "I-LOC", "O"]
    assert first.parts == ["PROPN"] * 4 + ["X"]
    assert names_data.english("test") == [first]
