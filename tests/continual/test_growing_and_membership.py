"""Labels that come later leave old logits as they were; losses tell who was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from small_models import EVENT, NAMES, ROWS, TEXTS, TOPIC, config, fitted, hard

from mtl_utils.continual import add_labels, membership, row_losses, with_fresh_head
from mtl_utils.data import Example, collate
from mtl_utils.models import TextModel
from mtl_utils.tasks import Classification, MultiLabel, PairClassification, Tagging
from mtl_utils.training import calibrate

KINDS: dict[str, Any] = {
    "classification": Classification("task", ("x", "y"), "mean"),
    "weighted": Classification("task", ("x", "y"), "mean", class_weights={"x": 2.0}),
    "pairs": PairClassification("task", ("x", "y"), "align"),
    "several": MultiLabel("task", ("x", "y"), pooling="mean"),
    "tags": Tagging("task", ("O", "B-A", "I-A")),
    "CRF": Tagging("task", ("O", "B-A", "I-A"), crf=True),
}


def model_with(kind: str) -> TextModel:
    model = hard(KINDS[kind], TOPIC)
    with torch.no_grad():
        for parameter in model.heads.parameters():
            parameter.add_(torch.randn(parameter.shape))
    return model


def outputs(model: TextModel) -> torch.Tensor:
    rows = [
        Example([5, 6, 7, 8], {}, segment_ids=[0, 0, 1, 1]),
        Example([9, 10, 5], {}, segment_ids=[0, 1, 1]),
    ]
    batch = collate(rows)
    with torch.no_grad():
        return model.head("task")(model.sharing(batch, ["task"]).hidden["task"], batch)


@pytest.mark.parametrize("kind", KINDS)
def test_old_logits_stay_to_the_last_bit_also_when_stored(kind: str, tmp_path: Path) -> None:
    model = model_with(kind)
    before, number = outputs(model), len(KINDS[kind].labels)
    later = (["B-C", "I-C"], ["B-D"]) if number == 3 else (["z"], ["v", "w"])
    for labels in later:
        add_labels(model, "task", labels)
        assert torch.equal(outputs(model)[..., :number], before)
    task = model.tasks["task"]
    assert task.labels == (*KINDS[kind].labels, *later[0], *later[1])
    assert task.added == tuple(map(len, later))
    model.save(tmp_path)
    found = TextModel.load(tmp_path)
    assert found.tasks["task"] == task
    assert torch.equal(outputs(found), outputs(model))
    assert task.labels[-1] in (tmp_path / "README.md").read_text()


def test_a_crf_scores_old_sequences_as_before() -> None:
    model = model_with("CRF")
    head = model.head("task")
    tags, mask = torch.tensor([[0, 1, 2, 0]]), torch.ones(1, 4, dtype=torch.bool)

    def score(emissions: torch.Tensor) -> torch.Tensor:
        crf = model.head("task").crf
        path = crf.start[tags[0, 0]] + crf.end[tags[0, -1]]
        path = path + crf.transitions[tags[0, :-1], tags[0, 1:]].sum()
        return path + emissions[0].gather(1, tags[0].unsqueeze(1)).sum()

    before = score(outputs(model)[:1])
    add_labels(model, "task", ["B-C", "I-C"])
    assert torch.equal(score(outputs(model)[:1]), before)
    assert model.head("task") is not head
    assert model.head("task").crf.log_likelihood(outputs(model)[:1], tags, mask).shape == (1,)


def test_a_label_that_came_later_is_learnt() -> None:
    model = hard(TOPIC)
    add_labels(model, "topic", ["z"])
    rows = [{"text": text, "label": "z"} for text in TEXTS]
    model.fit(rows, config=config(epochs=10), progress=False)
    assert {row["topic"] for row in model.predict(TEXTS)} == {"z"}


def test_a_temperature_and_what_is_frozen_come_along() -> None:
    model = fitted(hard(TOPIC, NAMES), "topic", epochs=1)
    calibrate(model, model.loader({"topic": ROWS["topic"]}))
    temperature = model.head("topic").temperature
    model.head("topic").requires_grad_(False)
    add_labels(model, "topic", ["z"])
    head = model.head("topic")
    assert torch.equal(head.temperature, temperature)
    assert [p.requires_grad for p in head.output[0].parameters()] == [False, False]
    assert [p.requires_grad for p in head.output[1].parameters()] == [True, True]


def test_labels_that_are_there_or_none_are_refused() -> None:
    with pytest.raises(ValueError, match="labels must be new ones of 'topic'"):
        add_labels(hard(), "topic", ["z", "x"])
    with pytest.raises(ValueError, match="labels must be new ones of 'topic'"):
        add_labels(hard(), "topic", [])
    with pytest.raises(ValueError, match="leave one of the 2 labels"):
        Classification("topic", ("x", "y"), added=(2,))


# --- membership -----------------------------------------------------------------------------------


def test_membership_by_hand() -> None:
    found = membership([0.1, 0.2, 0.6], [0.25, 0.5, 0.9, 0.3])
    # Of twelve pairs the member has the smaller loss in 4 + 4 + 1.
    assert found.auc == pytest.approx(9 / 12)
    # The mean of members is 0.3: two of three are below it, and two of four others, 0.3 included.
    assert found.advantage == pytest.approx(2 / 3 - 2 / 4)


losses = st.lists(st.integers(0, 20).map(lambda n: n / 10), min_size=1, max_size=12)


@given(losses, losses)
@settings(max_examples=50, deadline=None)
def test_the_auc_is_that_of_scikit_learn(members: list[float], others: list[float]) -> None:
    scores = [-loss for loss in [*members, *others]]
    expected = roc_auc_score([1] * len(members) + [0] * len(others), scores)
    assert membership(members, others).auc == pytest.approx(expected)
    assert membership(members, members).auc == pytest.approx(0.5)
    assert membership(others, members).auc == pytest.approx(1 - expected)


def test_losses_of_rows_are_those_of_batches_of_one() -> None:
    model = hard(TOPIC, NAMES)
    rows = model.examples(ROWS["topic"], ["topic"])
    found = row_losses(model, [*rows, Example([5], {})], "topic")
    expected = [float(model(collate([row])).by_task["topic"].detach()) for row in rows]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    with pytest.raises(ValueError, match="label of 'names'"):
        row_losses(model, rows, "names")


@pytest.mark.parametrize("tasks", [(TOPIC,), (TOPIC, NAMES), (EVENT,)])
def test_only_a_fresh_head_is_trained_over_frozen_features(tasks: tuple[Any, ...]) -> None:
    model = hard(*tasks)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    probe = with_fresh_head(model, TOPIC)
    moving = [name for name, p in probe.named_parameters() if p.requires_grad]
    assert moving == ["heads.topic.output.weight", "heads.topic.output.bias"]
    fitted(probe, "topic", epochs=1)
    now = probe.shared_weights()
    assert all(torch.equal(now[name], value) for name, value in model.shared_weights().items())
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert list(model.tasks) == [task.name for task in tasks]
    if TOPIC in tasks:
        assert not torch.equal(probe.head("topic").output.weight, model.head("topic").output.weight)
