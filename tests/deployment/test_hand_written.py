"""Sentences written by hand: their brackets become tags, and a live model is measured on them."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
import torch
from exported_models import SECOND, TEXTS

from mtl_utils import atlas
from mtl_utils.corpora.labels import INFERENCE
from mtl_utils.deployment.atlas_model import as_typed, with_strange_words
from mtl_utils.deployment.hand_written import read_sentences, tagged
from mtl_utils.deployment.live_page import write_live_model
from mtl_utils.models import MultiTaskTransformer

SENTENCES = Path(__file__).parents[2] / "book/_static/live/atlas/sentences.txt"
PAGE = {"data": {"tags": "Atlas"}, "licence": "MIT", "title": "Box"}


def test_brackets_become_tags() -> None:
    found = tagged("[PER Ada Lovelace]'s friend left [GPE Rome].")
    assert found["text"] == "Ada Lovelace's friend left Rome."
    assert found["words"] == ["Ada", "Lovelace", "'", "s", "friend", "left", "Rome", "."]
    assert found["tags"] == ["B-PER", "I-PER", "O", "O", "O", "O", "B-GPE", "O"]


def test_a_line_without_four_columns_is_named(tmp_path) -> None:
    (tmp_path / "s.txt").write_text("a | b | c | d\na | b\n", "utf-8")
    with pytest.raises(ValueError, match=r"s\.txt, line 2: expected four columns, got 'a \| b'"):
        read_sentences(tmp_path / "s.txt")


def test_the_sentences_of_the_page_are_a_hundred_with_known_labels() -> None:
    rows = read_sentences(SENTENCES)
    assert len({row["text"] for row in rows}) == 100
    assert {row["classification"] for row in rows} == {*atlas.TOPICS}
    assert {row["inference"] for row in rows} == {*INFERENCE}
    tags = {tag for row in rows for tag in row["tags"]}
    assert {f"B-{kind}" for kind in atlas.ENTITY_TYPES} < tags < {*atlas.NER_TAGS}
    assert all("[" not in row["text"] + row["second"] for row in rows)


def test_tokens_are_split_as_a_reader_types_them() -> None:
    tags = [atlas.NER_TAGS.index(tag) for tag in ("B-ORG", "I-ORG", "O", "O", "O")]
    words, found = as_typed("F.C. Oslo won 3-2.", ["F.C.", "Oslo", "won", "3-2", "."], tags)
    assert words == ["F", ".", "C", ".", "Oslo", "won", "3", "-", "2", "."]
    named = [atlas.NER_TAGS[tag] for tag in found]
    assert named == ["B-ORG", "I-ORG", "I-ORG", "I-ORG", "I-ORG", "O", "O", "O", "O", "O"]


def test_strange_words_stand_where_no_name_is() -> None:
    words = ["Rain", "fell", "on", "Oslo", "in", "May", ",", "2019"] * 100
    tags = [atlas.NER_TAGS.index("B-GPE") if word == "Oslo" else 0 for word in words]
    found = with_strange_words(words, tags, random.Random(1))
    pairs = list(zip(words, found, strict=True))
    changed = [pair for pair in pairs if pair[0] != pair[1]]
    assert 100 < len(changed) < 200  # of 500 words that may change, about a third
    assert {old for old, _ in changed} == {"Rain", "fell", "on", "in", "May"}
    assert all(old.istitle() == new.istitle() for old, new in changed)
    assert found == with_strange_words(words, tags, random.Random(1))


def test_a_live_model_is_written_with_what_it_scores(tmp_path) -> None:
    torch.manual_seed(0)
    model = MultiTaskTransformer.from_texts(
        [*TEXTS, *SECOND],
        atlas.TOPICS,
        atlas.NER_TAGS,
        vocab_size=300,
        hidden_size=8,
        num_layers=1,
        num_heads=2,
    ).eval()
    shutil.copy(SENTENCES, tmp_path)
    measured = write_live_model(model, tmp_path, ["b", "a", "b"], PAGE)
    facts = json.loads((tmp_path / "live.json").read_text("utf-8"))
    rows = read_sentences(SENTENCES)
    words = [row["words"] for row in rows]
    said = model.analyse(words, [row["second"] for row in rows])
    pairs = zip(said, rows, strict=True)
    right = sum(one.classification == row["classification"] for one, row in pairs)
    assert measured["classification_accuracy"] == pytest.approx(right / 100)
    assert facts["scores"] == measured
    assert facts["sentences"] == 100
    assert facts["without_looking"] == {"classification_accuracy": 0.17, "inference_accuracy": 0.51}
    assert (tmp_path / "words.txt").read_text("utf-8") == "a\nb\n"
    assert all((tmp_path / name).is_file() for name in facts["loads"])
    assert not (tmp_path / "model.onnx").exists()
    assert f"| inference_accuracy | {measured['inference_accuracy']:.4g} |" in (
        tmp_path / "README.md"
    ).read_text("utf-8")
