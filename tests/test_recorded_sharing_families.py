"""The recorded runs of chapter 08 on tiny data: who contends, at what size, and what is chosen."""

import pytest

from mtl_utils import sharing
from mtl_utils.experiments import Place, records, sharings, text_sets, text_training
from mtl_utils.experiments import sharing_families as families
from mtl_utils.nn import BiLSTMEncoder

SETTING = "Atlas, little"
KINDS = {
    "separate": sharing.SoftSharing,
    "hard": sharing.HardSharing,
    "branched": sharing.BranchedSharing,
    "soft, distance": sharing.SoftSharing,
    "soft, trace norm": sharing.SoftSharing,
    "shared-private": sharing.SharedPrivate,
}


@pytest.fixture(autouse=True)
def tiny_corpus(monkeypatch):
    def clear():
        text_sets._whole.cache_clear()
        text_training._trained_tokenizer.cache_clear()

    clear()
    monkeypatch.setattr(text_sets, "ATLAS_SENTENCES", 300)
    settings = {**families.SETTINGS[SETTING], "data": [["atlas_sentences", 40, 4]]}
    monkeypatch.setattr(families, "SETTINGS", {SETTING: settings})
    yield
    clear()


def config_of(contender, **settings):
    return {"setting": SETTING, "contender": contender, "width": 8, "steps": 4, **settings}


def record_tuning(folder, scores):
    """Write a tuning in which each candidate has the score that is asked for."""
    path = folder / f"{families.TUNING}.jsonl"
    for (contender, rate, strength), score in scores.items():
        config = config_of(contender, learning_rate=rate, strength=strength)
        records.append(path, records.make(families.TUNING, config, 100, {"validation": score}, 1.0))


def place_in(folder):
    return Place(folder / "workspace", folder)


@pytest.mark.parametrize("contender", families.CONTENDERS)
def test_a_run_measures_both_tasks_with_what_the_tuning_chose(contender, tmp_path):
    strengths = families.STRENGTHS.get(contender, (None,))
    candidates = [(contender, r, s) for r in families.RATES for s in strengths]
    best = candidates[-2]
    record_tuning(tmp_path, {c: 60.0 if c == best else 50.0 for c in candidates})
    measured = families.run(config_of(contender), 0, place_in(tmp_path))
    assert (measured["learning_rate"], measured["strength"]) == best[1:]
    assert {"topic_accuracy", "entities_f1"} <= measured.keys()
    both = (measured["topic_accuracy"] + measured["entities_f1"]) / 2
    assert measured["test"] == pytest.approx(both, abs=0.01)
    tuned = families.run_tuning(config_of(contender, learning_rate=0.01, strength=best[2]), 0, None)
    assert 0 <= tuned["validation"] <= 100
    assert len(tuned["curve"]) == 4


def test_a_tuning_that_lacks_candidates_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="run sharing_tuning"):
        families.chosen(config_of("hard"), tmp_path)
    record_tuning(tmp_path, {("hard", 0.01, None): 50.0})
    with pytest.raises(ValueError, match=r"Expected 2 candidates of 'hard' .* got 1"):
        families.chosen(config_of("hard"), tmp_path)


@pytest.mark.parametrize("contender", families.CONTENDERS)
def test_at_equal_size_parameters_match_those_of_hard_sharing(contender):
    def model_of(name, width):
        config = families.whole(config_of(name, width=width), 0.01, 0.1)
        loaded = [text_sets.load("atlas_sentences", 40, 0)]
        return text_training.model_of(config, loaded, families.VOCABULARY)

    def size(model):
        return sum(parameter.numel() for parameter in model.parameters())

    model = model_of(contender, families.SAME_SIZE[contender])
    assert isinstance(model.sharing, KINDS[contender])
    assert abs(size(model) / size(model_of("hard", families.WIDTH)) - 1) < 0.05


def test_contenders_have_the_same_budget_and_as_many_step_sizes():
    tuning, final = (list(experiment.configs) for experiment in families.EXPERIMENTS)
    assert {config["steps"] for config in tuning + final} == {families.STEPS}
    assert {c["width"] for c in final if c["equal"] == "budget"} == {families.WIDTH}
    for contender in families.CONTENDERS:
        rates = {c["learning_rate"] for c in tuning if c["contender"] == contender}
        assert rates == set(families.RATES)
    assert not set(families.EXPERIMENTS[0].seeds) & set(families.EXPERIMENTS[1].seeds)
    assert families.whole(config_of("hard"), 0.01, None)["training"]["clip_norm"] is None


def test_rows_kept_apart_have_labels_of_one_task_each():
    config = families.whole(config_of("hard"), 0.01, None)
    loaded = [text_sets.load("atlas_sentences", 40, 0)]
    tokenizer = text_training.tokenizer_of(config, 0)
    train = text_training.loaders_of(config, loaded, tokenizer, "train", 0)
    assert [len(loader.examples) for loader in train] == [20, 20]
    for loader, task in zip(train, ["topic", "entities"], strict=True):
        assert all(set(example.labels) == {task} for example in loader.examples)
    texts = [{tuple(example.input_ids) for example in loader.examples} for loader in train]
    assert not texts[0] & texts[1]
    (test,) = text_training.loaders_of({**config, "max_test": 5}, loaded, tokenizer, "test", 0)
    assert [set(example.labels) for example in test.examples] == [{"topic", "entities"}] * 5


def test_a_kind_of_sharing_that_there_is_not():
    with pytest.raises(KeyError, match="expected 'hard', 'separate', 'branched', 'soft'"):
        sharings.sharing_of({"kind": "firm"}, ["a", "b"], lambda: BiLSTMEncoder(9, 4))
