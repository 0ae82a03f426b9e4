"""Data sets of texts and their training, on tiny data: what is read, kept and measured."""

import pytest
import torch

from mtl_utils import atlas
from mtl_utils.data import BytePairTokenizer
from mtl_utils.experiments import text_sets, text_training
from mtl_utils.experiments.text_training import BestWeights, train_and_measure
from mtl_utils.sharing import HardSharing, SoftSharing

TASKS = ["topic", "entities", "inference"]
CONFIG = {
    "method": "joint",
    "data": [["atlas", 40, 8]],
    "tasks": TASKS,
    "vocab_size": 300,
    "encoder": {"kind": "transformer", "width": 16, "num_layers": 1, "num_heads": 2},
    "sharing": {"kind": "hard"},
    "head_dropout": 0.1,
    "steps": 6,
    "validations": 3,
    "choose": "mean",
    "training": {"learning_rate": 0.003},
}


@pytest.fixture(autouse=True)
def tiny_atlas(monkeypatch):
    monkeypatch.setattr(text_sets, "ATLAS_PAIRS", 100)
    text_sets._whole.cache_clear()
    yield
    text_sets._whole.cache_clear()


def test_rows_are_those_of_the_corpus():
    corpus = atlas.load_inference(100, seed=3)
    found = text_sets.load("atlas", seed=3)
    assert found.labels["inference"] == ("entailment", "neutral", "contradiction")
    for split in text_sets.SPLITS:
        rows = found.splits[split]
        assert [row.other for row in rows] == list(corpus[split]["hypothesis"])
        assert [list(row.text) for row in rows] == list(corpus[split]["tokens"])
        for task, column in (("topic", "topic"), ("entities", "ner_tags"), ("inference", "label")):
            assert [row.labels[task] for row in rows] == list(corpus[split][column])
    assert len(found.texts()) == 2 * len(corpus["train"])


def test_smaller_draws_are_within_larger_ones():
    few, more = (text_sets.load("atlas", size, seed=1).splits["train"] for size in (10, 30))
    assert list(few) == list(more[:10])
    assert text_sets.load("atlas", 10, seed=2).splits["train"] != few
    with pytest.raises(ValueError, match="80 training rows, 81"):
        text_sets.load("atlas", 81)
    with pytest.raises(KeyError, match="No data set named 'moon'; there are"):
        text_sets.load("moon")


def test_examples_have_the_labels_asked_for_on_first_pieces():
    rows = text_sets.load("atlas").splits["train"][:5]
    tokenizer = BytePairTokenizer.train(text_sets.load("atlas").texts(), 300)
    for row, example in zip(rows, text_sets.examples(rows, tokenizer, TASKS[:2]), strict=True):
        assert set(example.labels) == set(TASKS[:2])
        assert [t for t in example.labels["entities"] if t != -100] == row.labels["entities"]
        assert example.segment_ids is not None


def test_a_run_can_be_repeated_and_measures_what_the_model_says():
    model, measured = train_and_measure(CONFIG, 0)
    assert train_and_measure(CONFIG, 0)[1].keys() == measured.keys()
    again = train_and_measure(CONFIG, 0)[1]
    timing = {"training_seconds"}
    assert {k: v for k, v in again.items() if k not in timing} == {
        k: v for k, v in measured.items() if k not in timing
    }
    tokenizer = text_training.tokenizer_of(CONFIG, 0)
    rows = text_sets.load("atlas").splits["test"]
    found = model.evaluate(text_sets.examples(rows, tokenizer, TASKS))
    for name, value in found.items():
        assert measured[name] == pytest.approx(100 * value, abs=0.006)
    compared = model.compare(text_sets.examples(rows, tokenizer, TASKS))
    right = [all(p == t for p, t in row) for row in zip(*compared.values(), strict=True)]
    assert measured["atlas_exact"] == pytest.approx(100 * sum(right) / len(right), abs=0.006)
    assert all(len(curve) == 3 for curve in measured["curves"].values())


@pytest.mark.parametrize("kind", ["hard", "separate"])
def test_what_is_shared(kind):
    config = {**CONFIG, "sharing": {"kind": kind}, "choose": "each"}
    model, measured = train_and_measure(config, 0)
    assert isinstance(model.sharing, HardSharing if kind == "hard" else SoftSharing)
    encoders = len(TASKS) if kind == "separate" else 1
    encoder = text_training.encoder_of(CONFIG["encoder"], 300)
    heads = sum(p.numel() for task in TASKS for p in model.head(task).parameters())
    one = sum(p.numel() for p in encoder.parameters())
    assert measured["parameters"] == encoders * one + heads


def test_the_best_weights_of_each_task_and_of_the_mean_are_kept(monkeypatch):
    scores = iter(
        [
            {"topic_accuracy": 0.5, "entities_f1": 0.1},
            {"topic_accuracy": 0.4, "entities_f1": 0.3},
            {"topic_accuracy": 0.1, "entities_f1": 0.4},
        ]
    )
    monkeypatch.setattr(text_training, "measure", lambda model, loaders: next(scores))
    config = {**CONFIG, "tasks": TASKS[:2]}
    model = text_training.model_of(config, [text_sets.load("atlas")], 300)
    kept = BestWeights([])
    weight = next(model.parameters())
    for step in range(3):
        torch.nn.init.constant_(weight, float(step))
        kept(model)
    name = next(iter(model.state_dict()))
    stored = {task: float(state[name].flatten()[0]) for task, state in kept.weights.items()}
    assert stored == {"topic": 0.0, "entities": 2.0, "mean": 1.0}
