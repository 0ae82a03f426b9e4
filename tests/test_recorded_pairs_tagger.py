"""The linear tagger that chapter 06 is held to reads the rows that its Transformers read."""

from __future__ import annotations

from pathlib import Path

import pytest
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2

from mtl_utils import atlas
from mtl_utils.experiments import atlas_difficulty
from mtl_utils.experiments.experiment import Place
from mtl_utils.experiments.text_sets import load

SIZE = 300


def test_it_is_measured_on_the_premises_of_the_same_pairs(tmp_path: Path, monkeypatch) -> None:
    seen = {}

    def noted(train, test, seed):
        seen.update(train=train, test=test, seed=seed)
        return 0.5

    monkeypatch.setattr(atlas_difficulty, "tagger_f1", noted)
    found = atlas_difficulty.run_on_pairs({"size": SIZE}, 3, Place(tmp_path, tmp_path))
    assert (found, seen["seed"]) == ({"entities_f1": 50.0}, 3)
    rows = load(f"atlas:{SIZE}", None, 3).splits
    for split in ("train", "test"):
        assert [list(row.text) for row in rows[split]] == [list(t) for t in seen[split]["tokens"]]
        assert [list(row.labels["entities"]) for row in rows[split]] == list(
            map(list, seen[split]["ner_tags"])
        )


def test_its_score_is_that_of_seqeval_on_what_it_learnt_by_heart() -> None:
    rows = atlas.load_inference(SIZE, seed=0)["train"].select(range(60))
    gold = [[atlas.NER_TAGS[tag] for tag in row] for row in rows["ner_tags"]]
    perfect = f1_score(gold, gold, mode="strict", scheme=IOB2)
    assert atlas_difficulty.tagger_f1(rows, rows, 0) == pytest.approx(perfect, abs=0.05)
