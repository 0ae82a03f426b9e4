"""Pseudo-labels are what the teacher predicts, where its probability is high enough."""

import math

import pytest
import torch

from mtl_utils.data import Example
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Regression, Tagging
from mtl_utils.transfer import pseudo_labelled

TEXTS = [Example([n, n + 1, n + 2], {"kind": 1}, first_pieces=[0, 2]) for n in range(1, 15)]


@pytest.fixture
def model():
    torch.manual_seed(1)
    tasks = [
        Classification("kind", ("a", "b"), pooling="mean", dropout=0.5),
        Tagging("tags", ("O", "B-x", "I-x"), crf=True),
        Regression("likeness"),
    ]
    return MultiTaskModel(HardSharing(BiLSTMEncoder(20, 8, dropout=0.5)), tasks).eval()


def _brute_force(model, example):
    """Return the best class and its probability, from logits of the text alone."""
    from mtl_utils.data import collate

    batch = collate([example])
    logits = model.head("kind")(model.sharing(batch, ["kind"]).hidden["kind"], batch)[0]
    powers = [math.exp(value) for value in logits.tolist()]
    best = max(range(2), key=powers.__getitem__)
    return best, powers[best] / sum(powers)


def test_classes_above_a_confidence(model):
    expected = [_brute_force(model, example) for example in TEXTS]
    threshold = sorted(sure for _, sure in expected)[7] - 1e-6
    found = pseudo_labelled(model, "kind", TEXTS, threshold)
    kept = [(t, said) for t, said in zip(TEXTS, expected, strict=True) if said[1] >= threshold]
    assert [e.input_ids for e in found.examples] == [text.input_ids for text, _ in kept]
    assert [dict(e.labels) for e in found.examples] == [{"kind": label} for _, (label, _) in kept]
    assert found.confidences == pytest.approx([sure for _, (_, sure) in kept], abs=1e-5)
    assert found.rejected == len(TEXTS) - 7


def test_the_model_stays_as_it_was_and_labels_are_not_looked_at(model):
    model.train()
    bare = [Example(text.input_ids) for text in TEXTS]
    found = pseudo_labelled(model, "kind", bare, 0).examples
    assert [e.labels for e in found] == [
        e.labels for e in pseudo_labelled(model, "kind", TEXTS, 0).examples
    ]
    assert model.training


def test_tags_are_as_sure_as_the_least_sure_of_them(model):
    found = pseudo_labelled(model, "tags", TEXTS, 0)
    assert [len(e.labels["tags"]) for e in found.examples] == [3] * len(TEXTS)
    assert all(e.labels["tags"][1] == -100 for e in found.examples)  # no word begins there
    from mtl_utils.data import collate

    for example, sure in zip(found.examples, found.confidences, strict=True):
        batch = collate([Example(example.input_ids, first_pieces=[0, 2])])
        hidden = model.sharing(batch, ["tags"]).hidden["tags"]
        marginals = model.head("tags").probabilities(hidden, batch)[0]
        labels = example.labels["tags"]
        assert sure == pytest.approx(min(marginals[0][labels[0]], marginals[2][labels[2]]))
    above = sorted(found.confidences)[-3]
    assert len(pseudo_labelled(model, "tags", TEXTS, above).examples) == 3


def test_what_has_no_probabilities_is_refused(model):
    with pytest.raises(NotImplementedError, match="no probabilities"):
        pseudo_labelled(model, "likeness", TEXTS)


def test_no_texts_give_no_labels(model):
    assert pseudo_labelled(model, "kind", []).examples == ()
