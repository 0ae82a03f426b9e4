"""The comparison of chapter 18 on tiny data: who reads what, what is shuffled, what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtl_utils import atlas, nn
from mtl_utils.data import Vocabulary
from mtl_utils.data.pictures import picture_pixels
from mtl_utils.experiments import estimate, text_and_pictures
from mtl_utils.experiments.contenders import overlaid
from mtl_utils.experiments.registry import comparisons
from mtl_utils.experiments.text_and_pictures import COMPARISON, SETTING, SETTINGS

TINY: dict[str, Any] = {
    "corpus": {"size": 60, "ambiguity": 0.75, "picture_error": 0.1},
    "batch": 8,
    "steps": 2,
    "validations": 1,
    "training": {"learning_rate": 0.01, "warmup_steps": 1},
}
KINDS = {
    "text only": nn.TransformerEncoder,
    "early": nn.EarlyFusion,
    "late": nn.LateFusion,
    "cross-attention": nn.CrossAttentionFusion,
    "shuffled pictures": nn.CrossAttentionFusion,
}
NAMES = [contender.name for contender in COMPARISON.contenders]


def settings_of(name: str) -> dict[str, Any]:
    return overlaid({**SETTINGS[SETTING], **TINY}, COMPARISON.contender(name).settings)


def test_it_is_registered() -> None:
    assert COMPARISON in comparisons()
    assert set(KINDS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_contender_learns_and_is_what_its_name_says(name: str, tmp_path: Path) -> None:
    settings = settings_of(name)
    (unit,) = COMPARISON.contender(name).units(settings["tasks"])
    trained = text_and_pictures.train_unit(settings, unit, 0, tmp_path)
    assert set(trained.metrics) == {"names"}
    assert "f1" in trained.metrics["names"]
    assert trained.texts == 16
    assert type(text_and_pictures.encoder_of(settings["encoder"], 9)) is KINDS[name]


def test_shuffled_pictures_are_those_of_others_and_nothing_else_changes() -> None:
    rows = atlas.load(200, pictures=True)["train"]
    vocabulary = Vocabulary.from_tokens(word for words in rows["tokens"] for word in words)
    own, dealt = (
        text_and_pictures.examples_of(rows, vocabulary, shuffled) for shuffled in (None, 0)
    )
    pictures = [picture_pixels(cell) for cell in rows["picture"]]
    assert all(np.array_equal(row.picture, p) for row, p in zip(own, pictures, strict=True))
    assert [row.input_ids for row in own] == [row.input_ids for row in dealt]
    assert sorted(row.picture.tobytes() for row in own) == sorted(
        row.picture.tobytes() for row in dealt
    )
    stays = np.mean([np.array_equal(a.picture, b.picture) for a, b in zip(own, dealt, strict=True)])
    assert stays < 0.05


def test_the_control_has_as_many_parameters_as_what_it_is_held_against() -> None:
    sizes = {
        name: sum(
            p.numel()
            for p in text_and_pictures.encoder_of(settings_of(name)["encoder"], 9).parameters()
        )
        for name in NAMES
    }
    assert sizes["shuffled pictures"] == sizes["cross-attention"]
    assert sizes["text only"] < sizes["early"] < sizes["late"]


def test_the_whole_comparison_stays_under_its_cap(tmp_path: Path) -> None:
    names = [experiment.name for experiment in text_and_pictures.EXPERIMENTS]
    costs = [cost for cost in estimate(names, tmp_path) if cost.name in names]
    assert len(costs) == 3
    assert sum(cost.hours for cost in costs) <= 1.2
    assert all(cost.unknown == 0 for cost in costs)
