"""The recorded runs of chapter 07 on tiny data: what they train on, and what is compared."""

import dataclasses

import pytest

from mtl_utils.experiments import pretrained, text_sets, text_training
from mtl_utils.experiments.pretrained import CONFIGS, TASKS
from mtl_utils.experiments.text_set import Row, TextSet
from mtl_utils.tasks import Classification, PairClassification, Tagging

WORDS = ["Ada", "left", "Rome"]
SETS = {
    "snips": TextSet(
        "snips",
        {"intent": Classification, "slots": Tagging},
        {"intent": ("go", "stay"), "slots": ("O", "B-city")},
        {s: [Row(WORDS, {"intent": 0, "slots": [0, 0, 1]})] * 3 for s in text_sets.SPLITS},
    ),
    "sick": TextSet(
        "sick",
        {"inference": PairClassification},
        {"inference": ("entailment", "neutral")},
        {s: [Row("Ada left.", {"inference": 1}, "She went.")] * 3 for s in text_sets.SPLITS},
    ),
}


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(text_training, "load", lambda name, size, seed: SETS[name])


def small(config, names):
    return {
        **config,
        "data": [[name, None, 2] for name in names],
        "tasks": [task for name in names for task in TASKS[name]],
        "steps": 2,
        "validations": 1,
        "training": {**config["training"], "warmup_steps": 1},
    }


@pytest.mark.parametrize("method", ["joint", "joint, frozen"])
def test_a_run_measures_its_tasks(tiny, method, tmp_path):
    config = next(config for config in CONFIGS if config["method"] == method)
    measured = pretrained.run(small(config, ["snips", "sick"]), 0, tmp_path)
    assert {"intent_accuracy", "slots_f1", "snips_exact", "inference_accuracy"} <= measured.keys()
    assert "entities_f1" not in measured


def test_frozen_layers_do_not_move_and_heads_read_means(tiny):
    config = small(CONFIGS[-1], ["snips", "sick"])
    model, _ = text_training.train_and_measure(config, 0)
    encoder = model.sharing.encoder
    trained = [p for p in encoder.parameters() if p.requires_grad]
    assert not trained
    assert model.tasks["intent"].pooling == "mean"
    assert model.tasks["inference"].pooling == "compare"


def test_validation_is_cut_and_test_is_not(tiny):
    config = {**small(CONFIGS[0], ["snips"]), "max_validation": 2}
    tokenizer = text_training.tokenizer_of(config, 0)
    sets = [SETS["snips"]]
    counts = {
        split: len(text_training.loaders_of(config, sets, tokenizer, split, 0)[0].examples)
        for split in text_sets.SPLITS
    }
    assert counts == {"train": 3, "validation": 2, "test": 3}


@pytest.mark.parametrize("step_size", pretrained.STEP_SIZES)
def test_every_run_sees_the_same_of_each_data_set(step_size):
    alike = [c for c in CONFIGS if c["training"]["learning_rate"] == step_size]
    joint, *singles = [config for config in alike if config["method"] in ("joint", "single")]
    assert [name for name, _, _ in joint["data"]] == list(TASKS)
    assert [config["data"] for config in singles] == [[row] for row in joint["data"]]
    for config in alike:
        same = {key: value for key, value in config.items() if key not in ("data", "tasks")}
        wanted = {key: joint[key] for key in same}
        differs = {key for key in same if same[key] != wanted[key]}
        allowed = {"joint, one rate": {"layerwise"}, "joint, frozen": {"encoder"}}
        assert differs - {"method"} == allowed.get(config["method"], set())


def test_both_step_sizes_are_tried_on_the_same_runs():
    first, second = (
        [{**c, "training": None} for c in CONFIGS if c["training"]["learning_rate"] == step_size]
        for step_size in pretrained.STEP_SIZES
    )
    assert second == first[: len(second)]
    assert len(second) == 1 + len(TASKS)


def test_one_rate_means_one_rate():
    config = next(config for config in CONFIGS if config["method"] == "joint, one rate")
    assert config["layerwise"]["decay"] == 1.0
    assert dataclasses.asdict(pretrained.EXPERIMENTS[0])["seeds"] == (0, 1, 2)
