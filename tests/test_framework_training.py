"""Units of the BiLSTM framework on tiny data: what they train on and what they measure."""

import math

import pytest
from sacrebleu.metrics import BLEU
from seqeval.metrics import f1_score as strict_f1

from mtl_utils.experiments import atlas_tasks, joint_bilstm, joint_measures
from mtl_utils.experiments.atlas_tasks import corpus, examples_of, tokenizer
from mtl_utils.experiments.contenders import Unit
from mtl_utils.experiments.framework_training import FrameworkJudge, train_framework
from mtl_utils.models import BiLSTMFramework

ALL = ["tags", "translation", "language"]


@pytest.fixture(autouse=True)
def tiny_corpus(monkeypatch):
    for module in (corpus, tokenizer):
        module.cache_clear()
    monkeypatch.setattr(atlas_tasks, "CORPUS", 200)
    yield
    for module in (corpus, tokenizer):
        module.cache_clear()


def model_of(tasks=ALL):
    return BiLSTMFramework(tokenizer(0), atlas_tasks.NAMES, 8, tasks=tasks)


def test_examples_have_the_labels_that_are_asked_for():
    model, train = model_of(), corpus(0)["train"].first(5)
    assert [set(e.labels) for e in examples_of(model, train, ["tags"])] == [{"tags"}] * 5
    both = examples_of(model, train, ["language", "french"])
    assert [set(example.labels) for example in both] == [{"language"}] * 10
    decoded = [model.tokenizer.decode(example.input_ids) for example in both]
    assert decoded == [*(" ".join(words) for words in train.words), *train.french]
    assert len(examples_of(model, train, ["french"])) == 5


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
    tags = strict_f1(part.tags, model.tag(part.words))
    assert scores["tags"] == pytest.approx(100 * tags, abs=1e-9)
    bleu = BLEU().corpus_score(model.translate(part.words), [part.french]).score
    assert scores["translation"] == pytest.approx(bleu, abs=1e-9)
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
