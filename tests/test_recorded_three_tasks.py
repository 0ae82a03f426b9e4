"""The recorded runs of chapter 04 on tiny data: what they train on and what they measure."""

import math

import pytest

from mtl_utils.data import BytePairTokenizer
from mtl_utils.experiments import atlas_tasks, joint_bilstm, joint_measures, three_tasks
from mtl_utils.experiments.atlas_tasks import Labelled, corpus, examples_of, tokenizer
from mtl_utils.experiments.contenders import Unit
from mtl_utils.experiments.framework_training import FrameworkJudge, train_framework
from mtl_utils.models import BiLSTMFramework

ALL = ["tags", "translation", "language"]
CONFIGS = [*three_tasks._low_data(), *three_tasks._weights(), *three_tasks.LONGER_CONFIGS]


@pytest.fixture(autouse=True)
def tiny_corpus(monkeypatch):
    for module in (corpus, tokenizer):
        module.cache_clear()
    monkeypatch.setattr(atlas_tasks, "CORPUS", 200)
    monkeypatch.setattr(three_tasks, "MEASURED", 12)
    yield
    for module in (corpus, tokenizer):
        module.cache_clear()


def small(config):
    data = [[min(size, 24), labels, 300] for size, labels, _ in config["data"]]
    training = {**config["training"], "warmup_steps": 1}
    return {**config, "data": data, "steps": 8, "width": 8, "training": training}


def model_of(tasks=ALL):
    return BiLSTMFramework(tokenizer(0), atlas_tasks.NAMES, 8, tasks=tasks)


@pytest.mark.parametrize("config", CONFIGS[-3:], ids=lambda c: c["method"])
def test_a_run_measures_its_tasks_and_can_be_repeated(config, tmp_path):
    run = three_tasks.run_longer if config in three_tasks.LONGER_CONFIGS else three_tasks.run
    measured = run(small(config), 0, tmp_path)
    assert ("f1" in measured) == ("tags" in config["tasks"])
    assert ("bleu" in measured) == ("translation" in config["tasks"])
    assert ("language_loss" in measured) == ("language" in config["tasks"])
    for task in config["tasks"]:
        assert len(measured[f"{task}_curve"]) == config["validations"]
    assert {"probe_tags", "probe_pos", "probe_topic"} <= measured.keys()
    assert run(small(config), 0, tmp_path) == measured


def test_contenders_differ_in_what_their_names_say_and_nothing_else():
    same = ("width", "validations", "training")
    for config in CONFIGS:
        assert {key: config[key] for key in same} == {key: CONFIGS[0][key] for key in same}
    for config in three_tasks._low_data():
        assert config["steps"] == 400
        assert config["weights"] == three_tasks.WEIGHTS
        labelled = [task for _, tasks, _ in config["data"] for task in tasks]
        assert set(labelled) - {"french"} == set(config["tasks"])
        if config["method"].startswith(("joint", "tags")):
            assert config["data"][0][0] == config["size"]
    *weights, alternating = three_tasks._weights()
    assert {config["weights"]["tags"] for config in weights} == {0.1, 3.0}
    assert alternating["steps"] == 3 * weights[0]["steps"]  # each task has as many of its own


def test_examples_have_the_labels_that_are_asked_for():
    model, train = model_of(), corpus(0)["train"].first(5)
    assert [set(e.labels) for e in examples_of(model, train, ["tags"])] == [{"tags"}] * 5
    both = examples_of(model, train, ["language", "french"])
    assert [set(example.labels) for example in both] == [{"language"}] * 10
    decoded = [model.tokenizer.decode(example.input_ids) for example in both]
    assert decoded == [*(" ".join(words) for words in train.words), *train.french]
    assert len(examples_of(model, train, ["french"])) == 5


def test_each_task_keeps_the_weights_that_were_best_for_it(monkeypatch):
    model, part = model_of(), corpus(0)["validation"].first(4)
    kept = three_tasks.BestByTask(part, joint_measures._loader(model, part, "tags"))
    scripted = iter([(0.1, 5.0), (0.3, 6.0), (0.2, 4.0)])  # F1 and loss, epoch by epoch
    weight = model.heads["tags"].output.bias

    def losses(model, loader):
        return {"language": current[1], "tags": 9.0}

    monkeypatch.setattr(three_tasks, "evaluate_losses", losses)
    monkeypatch.setattr(three_tasks, "tagging_scores", lambda model, part: {"f1": current[0]})
    for epoch, current in enumerate(scripted):
        weight.data.fill_(float(epoch))
        assert kept(model) == {"best_language": -current[1], "best_tags": current[0]}
    assert kept.best == {"language": -4.0, "tags": 0.3}
    saved = {task: float(w["heads.tags.output.bias"][0]) for task, w in kept.weights.items()}
    assert saved == {"language": 2.0, "tags": 1.0}


def test_names_count_where_they_are_the_same_in_both_languages():
    part = Labelled(
        words=[["Ada", "Lind", "left", "London", "."], ["Rome", "grew", "."]],
        tags=[["B-PER", "I-PER", "O", "B-GPE", "O"], ["B-GPE", "O", "O"]],
        french=["Ada Lind a quitté Londres.", "Rome a grandi."],
        pos=[[0] * 5, [0] * 3],
        topics=[0, 0],
    )
    kept = joint_measures.names_kept(part, ["Ada Lind est partie.", "Paris a grandi."])
    assert kept == {"kept": 50.0, "kept_GPE": 0.0, "kept_PER": 100.0}


def test_names_are_looked_for_as_the_model_can_write_them():
    part = Labelled(
        words=[["Zoe\u0308", "left", "."]],
        tags=[["B-PER", "O", "O"]],
        french=["Zo\u00eb est partie."],
        pos=[[0] * 3],
        topics=[0],
    )
    lower = BytePairTokenizer.train(["zo\u00eb est partie."], 270, lowercase=True).normalise
    assert joint_measures.names_kept(part, ["zo\u00eb est partie."], lower)["kept"] == 100.0
    assert joint_measures.names_kept(part, ["zora est partie."], lower)["kept"] == 0.0


TINY = {
    **joint_bilstm._settings(40),
    "max_tokens": 300,
    "width": 8,
    "measured": 12,
    "steps": 4,
    "validations": 2,
}


def test_a_unit_of_the_framework_trains_its_tasks_and_is_judged_by_them(tmp_path):
    unit = Unit(("tags", "language"), ("tags",))
    found = train_framework(TINY, unit, 0, tmp_path, {"tags": 0.5})
    assert {"train_tags", "train_language", "tags_score"} <= set(found.history)
    assert "train_translation" not in found.history
    assert (found.history["judged"] == found.history["tags_score"] / 0.5).all()
    assert found.metrics.keys() == {"tags"}
    assert found.scores["tags"] == found.history["tags_score"][found.history["judged"].argmax()]
    again = train_framework(TINY, unit, 0, tmp_path / "again", {"tags": 0.5})
    assert again.metrics == found.metrics


def test_scores_of_the_framework_are_what_its_measures_say():
    model = model_of()
    part = corpus(0)["test"].first(6)
    scores = joint_measures.framework_scores(model, part)
    assert scores["tags"] == pytest.approx(joint_measures.measure_tags(model, part)["f1"], abs=0.01)
    bleu = joint_measures.measure_translation(model, part)["bleu"]
    assert scores["translation"] == pytest.approx(bleu, abs=0.01)
    loss = joint_measures.measure_language(model, part)["language_loss"]
    assert scores["language"] == pytest.approx(100 * math.exp(-loss), rel=1e-3)
    alone = joint_measures.framework_scores(model_of(["language"]), part)
    assert alone.keys() == {"language"}


def test_a_killed_unit_of_the_framework_goes_on(tmp_path, monkeypatch):
    whole = train_framework(TINY, Unit(("tags",)), 0, tmp_path / "whole")
    judge, calls = FrameworkJudge.__call__, []

    def killing(self, model):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return judge(self, model)

    monkeypatch.setattr(FrameworkJudge, "__call__", killing)
    with pytest.raises(KeyboardInterrupt):
        train_framework(TINY, Unit(("tags",)), 0, tmp_path / "part")
    resumed = train_framework(TINY, Unit(("tags",)), 0, tmp_path / "part")
    assert len(calls) == 3
    assert resumed.metrics == whole.metrics
    assert resumed.history["train_tags"].tolist() == whole.history["train_tags"].tolist()
