"""The recorded trainings on tiny data: what they measure, and that a killed one goes on."""

import pytest

from mtl_utils import atlas
from mtl_utils.experiments import Place, named_entities, transformer, translation
from mtl_utils.experiments.named_entities import Tagged
from mtl_utils.experiments.translation import Pairs


@pytest.fixture
def pairs(monkeypatch):
    """Three tiny splits in place of Multi30k."""
    corpus = atlas.load(160)
    splits = {
        split: Pairs(*([row[side] for row in rows["translation"]] for side in ("en", "fr")))
        for split, rows in corpus.items()
    }
    monkeypatch.setattr(translation, "multi30k", lambda pair: splits)
    return splits


@pytest.fixture
def tagged(monkeypatch):
    """Three tiny splits in place of Universal NER."""
    corpus = atlas.load(160)
    labels = tuple(atlas.NER_TAGS)
    splits = {
        split: Tagged(
            [list(words) for words in rows["tokens"]],
            [[labels[index] for index in tags] for tags in rows["ner_tags"]],
        )
        for split, rows in corpus.items()
    }
    monkeypatch.setattr(named_entities, "universal_ner", lambda: (splits, labels))
    return splits


def tiny(config, **settings):
    training = {**config["training"], "epochs": 2, "warmup_steps": 2}
    return {**config, "training": training, **settings}


TRANSLATOR = tiny(
    translation.MULTI30K_CONFIGS[0], width=8, vocab_size=400, num_layers=1, max_tokens=600
)
TAGGER = tiny(
    named_entities.CONFIGS[2],
    model_settings={"width": 8, "character_width": 2, "crf": True, "min_count": 2},
)


def killed_and_resumed(monkeypatch, module, name, run, workspace):
    """Return the metrics of a run that was killed while it validated for the second time."""
    measure, calls = getattr(module, name), []

    def interrupted(*arguments, **named):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measure(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(workspace)
    assert (workspace / "checkpoint.pt").is_file()
    return run(workspace)


def without_time(metrics):
    return {k: v for k, v in metrics.items() if k not in ("seconds", "seconds_curve")}


def test_a_translator_is_measured_and_a_killed_run_ends_the_same(pairs, monkeypatch, tmp_path):
    def run(workspace):
        workspace.mkdir(exist_ok=True)
        return translation.run_multi30k(TRANSLATOR, 0, Place(workspace, workspace))

    whole = run(tmp_path / "whole")
    resumed = killed_and_resumed(monkeypatch, translation, "quality", run, tmp_path / "killed")
    assert without_time(resumed) == without_time(whole)
    assert list(whole["validation_bleu_by_beam"]) == ["1", "2", "5", "10"]
    assert whole["validation_bleu_by_beam"]["5"] == whole["validation_bleu"]
    assert max(whole["bleu_curve"]) == whole["validation_bleu_by_beam"]["1"]
    assert len(whole["bleu_curve"]) == len(whole["seconds_curve"]) == 2
    assert whole["train_curve"][1] < whole["train_curve"][0]
    assert whole["seconds"] >= whole["seconds_curve"][-1]


def test_attention_adds_parameters_and_changes_what_is_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(translation, "TEST_SIZE", 400)
    found = {}
    for config in translation.ATLAS_CONFIGS:
        small = tiny(config, size=160, width=8, vocab_size=400, max_tokens=600)
        workspace = tmp_path / str(config["attention"])
        workspace.mkdir()
        found[config["attention"]] = translation.run_atlas(small, 0, Place(workspace, workspace))
    assert found[True]["parameters"] == found[False]["parameters"] + 2 * 8 * 8 + 2 * 8
    assert found[True]["bleu_curve"] != found[False]["bleu_curve"]
    lengths = [f"{low}-{high}" for low, high in translation.LENGTHS]
    assert all(list(metrics["bleu_by_length"]) == lengths for metrics in found.values())


def test_both_models_on_atlas_have_the_same_budget():
    with_attention, without = translation.ATLAS_CONFIGS
    assert {**with_attention, "attention": False} == without


def test_a_transformer_is_measured_in_the_same_way(pairs, tmp_path):
    (experiment, *_) = [e for e in transformer.EXPERIMENTS if e.name == "transformer_multi30k"]
    sizes = {"width": 8, "num_layers": 1, "num_heads": 2, "feedforward_width": 16}
    config = tiny(experiment.configs[0], **sizes, vocab_size=400, max_tokens=600)
    metrics = experiment.run(config, 0, Place(tmp_path, tmp_path))
    assert list(metrics["validation_bleu_by_beam"]) == ["1", "2", "5", "10"]
    assert metrics["train_curve"][1] < metrics["train_curve"][0]
    assert metrics["size"] < 20_000


def test_a_transformer_and_a_bilstm_differ_in_their_sizes_and_step_sizes_alone(monkeypatch):
    def rest(config):
        training = {k: v for k, v in config["training"].items() if k != "learning_rate"}
        sizes = {"model", *transformer.SIZES[config["model"]]}
        return {k: v for k, v in config.items() if k not in sizes} | {"training": training}

    first, second, *longer = transformer.ATLAS_CONFIGS
    assert rest(first) == rest(second)
    assert rest(longer[0]) == rest(longer[1])
    made = []
    for make in ("bilstm", "transformer"):
        monkeypatch.setattr(transformer, make, lambda *_, make=make: made.append(make))
    for config in transformer.ATLAS_CONFIGS:
        transformer.contender(config, None, None)
    assert made == ["bilstm", "transformer"] * 2


def test_a_tagger_is_measured_and_a_killed_run_ends_the_same(tagged, monkeypatch, tmp_path):
    def run(workspace):
        workspace.mkdir(exist_ok=True)
        return named_entities.run(TAGGER, 0, Place(workspace, workspace))

    whole = run(tmp_path / "whole")
    resumed = killed_and_resumed(monkeypatch, named_entities, "_measure", run, tmp_path / "killed")
    assert without_time(resumed) == without_time(whole)
    assert max(whole["f1_curve"]) == whole["validation_f1"]
    spans = sum(tag.startswith("B-") for tags in tagged["test"].tags for tag in tags)
    errors = whole["test_errors"]
    assert spans == sum(count for kind, count in errors.items() if kind != "spurious")
    assert whole["test_recall"] == pytest.approx(100 * errors["correct"] / spans, abs=0.01)


def test_taggers_differ_in_what_their_names_say_and_nothing_else():
    models = [config["model_settings"] for config in named_entities.CONFIGS]
    words, characters, crf = models
    assert {**crf, "crf": False} == characters
    assert {**characters, "character_width": 0, "word_dropout": 0.0} == words
    trainings = [config["training"] for config in named_entities.CONFIGS]
    assert trainings[0] == trainings[1] == trainings[2]
