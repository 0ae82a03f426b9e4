"""The experiment on scales of losses: its draws, its reference, its table, a run on tiny data."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest
import torch

from mtl_utils.experiments import (
    crossner_files,
    find,
    load_results,
    loss_scales,
    records,
    runner,
    text_sets,
)
from mtl_utils.experiments.atlas_tasks import Labelled
from mtl_utils.experiments.joint_measures import measure_language
from mtl_utils.experiments.loss_scales import (
    DRAWS,
    MIXTURES,
    REFERENCE,
    SEARCH,
    best_draw,
    compared_scales,
    weights_drawn,
)
from mtl_utils.models import BiLSTMFramework

TINY: dict[str, Any] = {
    **loss_scales._TEXTS,
    "encoder": {"kind": "bilstm", "width": 8, "num_layers": 1, "dropout": 0.0},
    "data": [["atlas_sentences", 40, 8]],
    "tasks": ["topic", "entities"],
    "vocab_size": 300,
    "steps": 4,
    "validations": 2,
    "training": {"learning_rate": 0.01},
}


def test_weights_are_drawn_log_uniformly_and_the_same_every_time() -> None:
    for mixture, settings in MIXTURES.items():
        drawn = [weights_drawn(mixture, draw) for draw in range(DRAWS)]
        assert drawn == [weights_drawn(mixture, draw) for draw in range(DRAWS)]
        assert all(list(weights) == settings["tasks"] for weights in drawn)
        powers = [math.log10(weight) for weights in drawn for weight in weights.values()]
        assert all(-1 <= power <= 1 for power in powers)
        assert min(powers) < -0.7
        assert max(powers) > 0.7
        assert len(set(powers)) == len(powers)


def test_there_are_three_scales_and_a_reference_of_every_mixture_with_three_seeds() -> None:
    cells = find("loss_scales").cells()
    assert len(cells) == len(MIXTURES) * 4 * 3
    assert [config["contender"] for config, _ in cells[: 4 * len(MIXTURES) : len(MIXTURES)]] == [
        "token",
        "text",
        "uniform",
        REFERENCE,
    ]
    assert len(find(SEARCH).cells()) == len(MIXTURES) * DRAWS


def test_the_best_draw_is_the_one_with_the_best_mean_on_validation() -> None:
    rows = [
        {"mixture": mixture, "draw": draw, "validation": score + draw % 5}
        for mixture, score in (("SNIPS", 50.0), ("Atlas", 70.0))
        for draw in range(DRAWS)
    ]
    rows[7]["validation"] = 60.0
    frame = pd.DataFrame(rows)
    assert best_draw(frame, "SNIPS") == 7
    assert best_draw(frame, "Atlas") == 4
    with pytest.raises(ValueError, match=r"has the draws .* of 'SNIPS', and needs 16"):
        best_draw(frame[1:], "SNIPS")


def made_up(contender: str, seed: int, intent: float, slots: float) -> dict[str, Any]:
    return {
        "mixture": "SNIPS",
        "contender": contender,
        "seed": seed,
        "intent_test": intent,
        "slots_test": slots,
    }


def test_scales_are_compared_with_the_reference_by_mixture_and_task() -> None:
    frame = pd.DataFrame(
        [
            made_up("token", 0, 90.0, 40.0),
            made_up("token", 1, 94.0, 44.0),
            made_up("text", 0, 96.0, 79.0),
            made_up("text", 1, 90.0, 73.0),
            made_up(REFERENCE, 0, 95.0, 80.0),
            made_up(REFERENCE, 1, 97.0, 80.0),
        ]
    )
    table = compared_scales(frame).set_index("task")
    assert list(table.index) == ["intent", "slots"]
    assert list(table["mixture"]) == ["SNIPS", "SNIPS"]
    assert list(table["reference"]) == [96.0, 80.0]
    assert list(table["token"]) == [92.0, 42.0]
    assert table.loc["intent", "token_ratio"] == pytest.approx(92 / 96)
    assert table.loc["slots", "token_ratio"] == pytest.approx(0.525)
    assert table.loc["slots", "text_ratio"] == pytest.approx(0.95)
    assert table["uniform"].isna().all()
    assert table["uniform_ratio"].isna().all()


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_sets, "ATLAS_SENTENCES", 80)
    monkeypatch.setitem(loss_scales.MIXTURES, "SNIPS", TINY)  # type: ignore[arg-type]
    text_sets._whole.cache_clear()


def test_the_reference_is_what_was_best_in_the_search(tiny: None, tmp_path: Path) -> None:
    """From the records of a search to a run with those weights, on tiny data."""
    for draw in range(DRAWS):
        config = {"mixture": "SNIPS", "draw": draw}
        record = records.make(SEARCH, config, 0, {"validation": 30.0 + (draw == 5)}, 1.0)
        records.append(tmp_path / f"{SEARCH}.jsonl", record)
    experiment = loss_scales.Experiment(
        name="loss_scales",
        description="Tiny.",
        configs=tuple({"mixture": "SNIPS", "contender": c, **TINY} for c in ("text", REFERENCE)),
        seeds=(0,),
        run=loss_scales.run,
    )
    runner.run(experiment, tmp_path, progress=False)
    frame = load_results("loss_scales", tmp_path).set_index("contender")
    assert frame.loc["text", "weights"] == {"topic": 1.0, "entities": 1.0}
    assert frame.loc[REFERENCE, "weights"] == weights_drawn("SNIPS", 5)
    for _, row in frame.iterrows():
        assert row["entities_test"] == row["entities_f1"]
        assert row["test"] == pytest.approx((row["topic_test"] + row["entities_test"]) / 2, abs=0.1)
    assert list(compared_scales(frame.reset_index())["task"]) == ["topic", "entities"]
    text_sets._whole.cache_clear()


def test_losses_a_token_are_measured_alike_on_every_scale() -> None:
    words = [["a", "b", "c"], ["b"]]
    part = Labelled(words, [["O"] * 3, ["O"]], ["x y", "y z x"], [[0] * 3, [0]], [0, 1])
    tokenizer = BiLSTMFramework.train_tokenizer(part.words, part.french, 270)
    found = []
    for scale in ("token", "text", "uniform"):
        torch.manual_seed(0)
        model = BiLSTMFramework(tokenizer, ("O", "B-X", "I-X"), 8, scale=scale)
        found.append(measure_language(model, part)["language_loss"])
    assert found == pytest.approx([found[0]] * 3, abs=1e-4)
    assert 0 < found[0] < 2 * math.log(tokenizer.vocab_size)


def test_the_framework_gives_a_scale_to_all_its_tasks() -> None:
    tokenizer = BiLSTMFramework.train_tokenizer([["a"]], ["x"], 260)
    scales = {}
    for settings in ({}, {"scale": "uniform"}):
        model = BiLSTMFramework(tokenizer, ("O", "B-X", "I-X"), 8, **settings)
        scales[len(settings)] = {model.head(name).scale for name in model.tasks}
    assert scales == {0: {"text"}, 1: {"uniform"}}


def test_crossner_goes_through_files_unchanged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Tags in CoNLL and types in CSV are those of the sentences, of all domains and one by one."""
    names = ["O", "B-person", "I-person", "B-academicjournal"]
    sentences = [(["A", '"', "b,"], [1, 2, 0]), (["#", "O"], [0, 0]), (["x", "y"], [3, 1])]
    features = datasets.Features(
        tokens=datasets.List(datasets.Value("string")),
        ner_tags=datasets.List(datasets.ClassLabel(names=names)),
    )
    columns = {"tokens": [w for w, _ in sentences], "ner_tags": [t for _, t in sentences]}
    rows = datasets.Dataset.from_dict(columns, features=features)
    splits = datasets.DatasetDict(dict.fromkeys(("train", "validation", "test"), rows))
    monkeypatch.setattr(crossner_files, "_domain", lambda name: splits)
    crossner_files.write_files(tmp_path)
    read = crossner_files.read_files(tmp_path)
    times = len(crossner_files.DOMAINS)
    for split in splits:
        words, types = read["entities"][split], read["types"][split]
        assert list(words["tokens"]) == [words for words, _ in sentences] * times
        tags = [[names[tag] for tag in tags] for _, tags in sentences]
        assert list(words["tags"]) == tags * times
        assert list(types["text"]) == ['A " b,', "# O", "x y"] * times
        assert list(types["types"]) == [["person"], [], ["academicjournal", "person"]] * times
