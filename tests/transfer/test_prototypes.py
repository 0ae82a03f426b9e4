"""Prototypes against brute force, and against the linear layer that they are."""

import pytest
import torch
from torch.nn import functional

from mtl_utils.continual import add_labels
from mtl_utils.data import Example
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Tagging
from mtl_utils.transfer import (
    class_means,
    episode_loss,
    prototype_layer,
    prototype_logits,
    set_prototypes,
    task_features,
)

KINDS = ("a", "b", "c")


@pytest.fixture
def points():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(12, 5, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0, 0, -100, 1, 4, 0])
    return features, labels


def test_means_are_means_of_members(points):
    features, labels = points
    found = class_means(features, labels, 5)
    for name in (0, 1, 2, 4):
        torch.testing.assert_close(found[name], features[labels == name].mean(dim=0))
    assert found[3].isnan().all()


def test_logits_are_negative_squared_distances(points):
    features, labels = points
    prototypes = class_means(features, labels, 5)
    found = prototype_logits(features, prototypes, 0.7)
    for row in range(12):
        for name in (0, 1, 2, 4):
            distance = torch.dist(features[row], prototypes[name]) ** 2
            torch.testing.assert_close(found[row, name], -0.7 * distance)
    assert torch.isinf(found[:, 3]).all()


def test_a_linear_layer_gives_the_same_probabilities(points):
    features, labels = points
    prototypes = class_means(features, labels, 5)
    weight, bias = prototype_layer(prototypes, 0.7)
    expected = prototype_logits(features, prototypes, 0.7).softmax(dim=1)
    found = functional.linear(features, weight, bias).softmax(dim=1)
    torch.testing.assert_close(found, expected)


def test_every_row_of_an_episode_is_classified_by_the_others(points):
    features, labels = points
    losses = []
    for row in range(12):
        rest = [r for r in range(12) if r != row and labels[r] >= 0]
        if labels[row] < 0 or not (labels[rest] == labels[row]).any():
            continue
        names = [name for name in (0, 1, 2, 4) if (labels[rest] == name).any()]
        means = torch.stack([features[rest][labels[rest] == n].mean(dim=0) for n in names])
        logits = -0.7 * (features[row] - means).square().sum(dim=1)
        losses.append(-logits.log_softmax(0)[names.index(int(labels[row]))])
    assert len(losses) == 10  # one has no label, one is alone in its class
    torch.testing.assert_close(episode_loss(features, labels, 0.7), torch.stack(losses).mean())


def test_an_episode_of_strangers_costs_nothing():
    features = torch.randn(3, 2, requires_grad=True)
    loss = episode_loss(features, torch.arange(3))
    loss.backward()
    assert loss == 0
    assert not features.grad.any()
    assert episode_loss(torch.zeros(0, 2), torch.zeros(0).long()) == 0


def test_the_loss_of_an_episode_has_the_gradient_of_a_finite_difference(points):
    features, labels = points
    features = features.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: episode_loss(x, labels, 0.3), [features])


def _model(*, crf=False):
    torch.manual_seed(0)
    tasks = [Classification("kind", KINDS, pooling="mean", dropout=0.5)]
    tasks += [Tagging("tags", ["O", "B-x", "I-x"], crf=crf, constrained=False)]
    return MultiTaskModel(HardSharing(BiLSTMEncoder(20, 8, dropout=0.5)), tasks)


EXAMPLES = [
    Example([1, 2, 3], {"kind": 0, "tags": [0, 1, 2]}),
    Example([4, 5], {"kind": 1, "tags": [1, -100]}),
    Example([6, 7, 8, 9], {"kind": 0}),
    Example([10], {"tags": [0]}),
]


def test_a_head_of_prototypes_is_the_nearest_class_mean():
    model = _model()
    before = {name: value.clone() for name, value in model.sharing.state_dict().items()}
    prototypes = set_prototypes(model, "kind", EXAMPLES)
    assert prototypes[2].isnan().all()
    features, labels = task_features(model, "kind", EXAMPLES)
    assert labels.tolist() == [0, 1, 0]
    expected = prototype_logits(features, prototypes).argmax(dim=1).tolist()
    assert [found for found, _ in filter(None, model.compare(EXAMPLES)["kind"])] == expected
    assert all(torch.equal(before[k], v) for k, v in model.sharing.state_dict().items())


def test_prototypes_of_tags_are_means_over_words():
    model = _model().eval()
    prototypes = set_prototypes(model, "tags", EXAMPLES)
    features, labels = task_features(model, "tags", EXAMPLES)
    assert labels.tolist() == [0, 1, 2, 1, 0]  # in the order of the examples
    torch.testing.assert_close(prototypes, class_means(features, labels, 3))


def test_a_crf_has_no_layer_of_prototypes():
    with pytest.raises(TypeError, match="without a CRF"):
        set_prototypes(_model(crf=True), "tags", EXAMPLES)


def test_a_head_that_gained_labels_takes_prototypes_too():
    whole, grown = _model(), _model()
    add_labels(grown, "kind", ["later"])
    more = [*EXAMPLES, Example([2, 9], {"kind": 3})]
    set_prototypes(whole, "kind", EXAMPLES)
    prototypes = set_prototypes(grown, "kind", more)
    features, _ = task_features(grown, "kind", more)
    expected = prototype_logits(features, prototypes)
    said = grown.head("kind").output(features)
    same = prototypes.isfinite().all(dim=1)
    torch.testing.assert_close(said[:, same].softmax(1), expected[:, same].softmax(1))
    old = whole.head("kind").output(features)
    assert torch.equal(said[:, :2], old[:, :2])
