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
from mtl_utils.deployment.export.onnx_model import OnnxModel
from mtl_utils.deployment.live.atlas_model import (
    TASKS,
    AtlasSizes,
    train_atlas_model,
    with_strange_words,
)
from mtl_utils.deployment.live.hand_written import read_sentences, tagged
from mtl_utils.deployment.live.names_model import TAGS
from mtl_utils.deployment.live.separate_models import train_separate_models, write_separate_models
from mtl_utils.deployment.live.text_page import measure_fresh, write_live_model
from mtl_utils.deployment.live.typed_words import as_typed
from mtl_utils.models import MultiTaskTransformer

SENTENCES = Path(__file__).parents[3] / "book/_static/live/atlas/sentences.txt"
PAGE = {"data": {"tags": "Atlas"}, "licence": "MIT", "title": "Box"}


def test_brackets_become_tags() -> None:
    found = tagged("[PER Ada Lovelace]'s friend left [GPE Rome].")
    assert found["text"] == "Ada Lovelace's friend left Rome."
    assert found["words"] == ["Ada", "Lovelace", "'", "s", "friend", "left", "Rome", "."]
    assert found["tags"] == ["B-PER", "I-PER", "O", "O", "O", "O", "B-GPE", "O"]


@pytest.mark.parametrize(
    ("first", "wrong"),
    [("a | b | c | d", "a | b"), ("a | b | c | d", "a"), ("a", "a | b"), ("a", "a | b | c | d")],
)
def test_a_line_of_another_number_of_columns_is_named(tmp_path, first: str, wrong: str) -> None:
    (tmp_path / "s.txt").write_text(f"{first}\n{wrong}\n", "utf-8")
    with pytest.raises(ValueError, match=r"s\.txt, line 2: expected a sentence alone or four"):
        read_sentences(tmp_path / "s.txt")


def test_sentences_may_stand_alone(tmp_path) -> None:
    (tmp_path / "s.txt").write_text("[PER Ada] left.\nRain fell.\n", "utf-8")
    rows = read_sentences(tmp_path / "s.txt")
    assert [row["tags"] for row in rows] == [["B-PER", "O", "O"], ["O", "O", "O"]]
    assert all("second" not in row for row in rows)


def test_sentences_with_names_are_a_hundred_of_known_types() -> None:
    rows = read_sentences(SENTENCES.parents[1] / "names/sentences.txt")
    assert len({row["text"] for row in rows}) == 100
    assert {tag for row in rows for tag in row["tags"]} == {*TAGS}
    assert 15 < sum(set(row["tags"]) == {"O"} for row in rows) < 30


def test_fresh_sentences_are_others() -> None:
    old, fresh = (read_sentences(path) for path in (SENTENCES, SENTENCES.with_name("fresh.txt")))
    assert not {row["text"] for row in old} & {row["text"] for row in fresh}


@pytest.mark.parametrize("file", ["sentences.txt", "fresh.txt"])
def test_the_sentences_of_the_page_are_a_hundred_with_known_labels(file: str) -> None:
    rows = read_sentences(SENTENCES.with_name(file))
    assert len({row["text"] for row in rows}) == 100
    assert {row["classification"] for row in rows} == {*atlas.TOPICS}
    assert {row["inference"] for row in rows} == {*INFERENCE}
    tags = {tag for row in rows for tag in row["tags"]}
    assert {f"B-{kind}" for kind in atlas.ENTITY_TYPES} < tags <= {*atlas.NER_TAGS}
    assert all("[" not in row["text"] + row["second"] for row in rows)


def test_tokens_are_split_as_a_reader_types_them() -> None:
    tags = ["B-ORG", "I-ORG", "O", "O", "O"]
    words, named = as_typed("F.C. Oslo won 3-2.", ["F.C.", "Oslo", "won", "3-2", "."], tags)
    assert words == ["F", ".", "C", ".", "Oslo", "won", "3", "-", "2", "."]
    assert named == ["B-ORG", "I-ORG", "I-ORG", "I-ORG", "I-ORG", "O", "O", "O", "O", "O"]


def test_strange_words_stand_where_no_name_is() -> None:
    words = ["Rain", "fell", "on", "Oslo", "in", "May", ",", "2019"] * 100
    tags = ["B-GPE" if word == "Oslo" else "O" for word in words]
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
    shutil.copy(SENTENCES, tmp_path / "fresh.txt")
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
    blind = facts["without_looking"]
    assert blind["classification_accuracy"] == pytest.approx(0.17)
    assert blind["inference_accuracy"] == pytest.approx(0.51)
    assert blind["tags_f1"] == 0
    outside = [tag == "O" for row in rows for tag in row["tags"]]
    assert blind["tags_accuracy"] == pytest.approx(sum(outside) / len(outside))
    assert facts["fresh"]["without_looking"] == blind
    now = measure_fresh(tmp_path)
    assert {f"{name} int8": value for name, value in now.items()} == facts["fresh"]["scores"]
    assert now["tags_f1"] == measured["tags_f1 int8"]
    assert (tmp_path / "words.txt").read_text("utf-8") == "a\nb\n"
    assert all((tmp_path / name).is_file() for name in facts["loads"])
    assert not (tmp_path / "model.onnx").exists()
    assert f"| inference_accuracy | {measured['inference_accuracy']:.4g} |" in (
        tmp_path / "README.md"
    ).read_text("utf-8")


def test_a_model_per_task_stands_beside_the_one_for_all(tmp_path) -> None:
    sizes = AtlasSizes(20, 20, 1, 1, 260, 4)
    joint = train_atlas_model(sizes, progress=False)
    models = train_separate_models(sizes, progress=False)
    assert {task: list(model.tasks) for task, model in models.items()} == {t: [t] for t in TASKS}
    for name in ("sentences.txt", "fresh.txt"):
        shutil.copy(SENTENCES, tmp_path / name)
    write_live_model(joint, tmp_path, ["a"], PAGE | {"data": dict.fromkeys(TASKS, "Atlas")})
    scores = write_separate_models(models, tmp_path)
    facts = json.loads((tmp_path / "live.json").read_text("utf-8"))
    assert facts["separate"]["scores"] == scores
    assert {"classification_accuracy int8", "tags_f1 int8", "inference_accuracy int8"} < {*scores}
    for task, folder in facts["separate"]["folders"].items():
        assert all((tmp_path / folder / name).is_file() for name in facts["separate"]["loads"])
        assert list(OnnxModel.load(tmp_path / folder, int8=True).tasks) == [task]
    (tmp_path / "tokenizer.json").write_text("{}", "utf-8")
    with pytest.raises(ValueError, match="another tokenizer than the one for all"):
        write_separate_models(models, tmp_path)
