"""The linear tagger that chapter 06 is held to reads the rows that its Transformers read."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtl_utils import atlas
from mtl_utils.experiments import atlas_difficulty, joint_transformer, linear_models
from mtl_utils.experiments.experiment import Place
from mtl_utils.experiments.text_sets import load
from mtl_utils.experiments.word_windows import strict_f1

SIZE = 300


def test_its_pairs_are_those_of_the_transformer() -> None:
    tagger = next(e for e in linear_models.EXPERIMENTS if e.name == "atlas_pairs_tagger")
    ((pairs, rows, _),) = joint_transformer.ATLAS["data"]
    assert [c["data"] for c in tagger.configs] == [f"{pairs}/entities"]
    assert [c["rows"] for c in tagger.configs] == [rows]
    assert tagger.seeds == joint_transformer.ON_ATLAS.seeds
    assert len(tagger.cells()) == len(tagger.seeds)  # each seed has pairs of its own


def test_its_rows_are_the_premises_and_their_tags() -> None:
    rows = load(f"atlas:{SIZE}/entities", None, 3).splits
    pairs = atlas.load_inference(SIZE, seed=3)
    for split in ("train", "validation", "test"):
        assert [list(row.text) for row in rows[split]] == [list(t) for t in pairs[split]["tokens"]]
        tags = [list(row.labels["entities"]) for row in rows[split]]
        assert tags == [list(row) for row in pairs[split]["ner_tags"]]


def test_it_is_measured_on_all_of_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []

    def noted(predicted, gold, names):
        measured.append(len(gold))
        return strict_f1(predicted, gold, names)

    monkeypatch.setattr(linear_models, "strict_f1", noted)
    config = {"data": f"atlas:{SIZE}/entities", "rows": None, "epochs": 2}
    found = linear_models.run(config, 0, Place(tmp_path, tmp_path))
    assert measured == [30] * len(linear_models.PENALTIES) + [30]  # validation, then test once
    assert 0 < found["entities_f1"] < 100
    assert found["chosen"] in linear_models.PENALTIES


def test_its_score_is_that_of_seqeval_on_what_it_learnt_by_heart() -> None:
    rows = atlas.load_inference(SIZE, seed=0)["train"].select(range(60))
    assert atlas_difficulty.tagger_f1(rows, rows, 0) == pytest.approx(1.0, abs=0.05)
