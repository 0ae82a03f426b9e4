"""The comparison of chapter 18 on tiny data: who reads what, what is shuffled, what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtl_utils import atlas, nn
from mtl_utils.data import Example, Vocabulary
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
    "picture only": nn.LateFusion,
    "early, shuffled": nn.EarlyFusion,
    "late, shuffled": nn.LateFusion,
    "cross-attention, shuffled": nn.CrossAttentionFusion,
}
NAMES = [contender.name for contender in COMPARISON.contenders]


def settings_of(name: str) -> dict[str, Any]:
    tiny = overlaid(
        {**SETTINGS[SETTING], **TINY}, {"encoder.drawings": 40, "encoder.drawing_steps": 2}
    )
    return overlaid(tiny, COMPARISON.contender(name).settings)


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
    assert type(text_and_pictures.encoder_of(settings["encoder"], 9, 0)) is KINDS[name]


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
            for p in text_and_pictures.encoder_of(settings_of(name)["encoder"], 9, 0).parameters()
        )
        for name in NAMES
    }
    for fusion in ("early", "late", "cross-attention"):
        assert sizes[f"{fusion}, shuffled"] == sizes[fusion]
    assert sizes["text only"] < sizes["early"] < sizes["late"]


def test_all_of_a_seed_see_with_the_same_frozen_encoder_that_knows_drawings() -> None:
    early, late = (
        text_and_pictures.encoder_of(settings_of(name)["encoder"], 9, 0).train()
        for name in ("early", "late, shuffled")
    )
    assert early.pictures is not late.pictures
    for a, b in zip(early.pictures.parameters(), late.pictures.parameters(), strict=True):
        assert torch.equal(a, b)
        assert not a.requires_grad
    other = text_and_pictures.pictures_known(64, 40, 2, seed=1)
    assert not torch.equal(next(other.parameters()), next(early.pictures.parameters()))


def test_the_encoder_of_pictures_learns_from_its_drawings_and_leaves_the_random_state() -> None:
    before = torch.get_rng_state()
    fresh, taught = (text_and_pictures.pictures_known(16, 200, steps, 3) for steps in (1, 120))
    assert torch.equal(torch.get_rng_state(), before)
    shown = np.arange(100) % 5
    pixels = [atlas.draw_picture(atlas.MEANINGS[m], "train", n)[0] for n, m in enumerate(shown)]
    pictures = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2) / 255

    def told_apart(encoder: nn.ConvolutionalPictures) -> float:
        vectors = encoder(pictures).mean(1)
        means = torch.stack([vectors[shown == m].mean(0) for m in range(5)])
        spread = (vectors - means[shown]).pow(2).sum(1).mean()
        return float((means - means.mean(0)).pow(2).sum(1).mean() / spread)

    assert told_apart(taught) > 3 * told_apart(fresh)


def test_the_fusing_layers_of_all_ways_have_the_same_dropout() -> None:
    for fusion in ("late", "cross-attention"):
        encoder = text_and_pictures.encoder_of(settings_of(fusion)["encoder"], 9, 0)
        rates = [
            module.p
            for name, module in encoder.named_modules()
            if isinstance(module, torch.nn.Dropout) and not name.startswith("text.")
        ]
        assert not any(rates)


def test_picture_only_reads_where_the_name_stands_and_no_word() -> None:
    vocabulary = Vocabulary.from_tokens(["a", "film", "showed", "Jordan"])
    rows = [
        Example(vocabulary.encode(words), {"names": tags})
        for words, tags in ((["a", "film", "Jordan"], [0, 0, 3]), (["film", "a", "a"], [0, 0, 5]))
    ]
    first, second = (text_and_pictures.blind(row, vocabulary).input_ids for row in rows)
    assert list(first) == list(second)
    assert len(set(first)) == 2


def test_the_whole_comparison_stays_under_its_cap(tmp_path: Path) -> None:
    names = [experiment.name for experiment in text_and_pictures.EXPERIMENTS]
    costs = [cost for cost in estimate(names, tmp_path) if cost.name in names]
    assert len(costs) == 3
    assert sum(cost.hours for cost in costs) <= 1.5
    assert all(cost.unknown == 0 for cost in costs)
