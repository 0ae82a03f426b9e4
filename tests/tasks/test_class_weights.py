"""Weights of labels in the loss: PyTorch's weighted mean, on every scale, whole and in parts."""

import math

import pytest
import torch
from torch.nn import functional

from mtl_utils.data import Example, collate
from mtl_utils.tasks import Classification, PairClassification, Tagging, mean_state
from mtl_utils.training.processes import BatchLosses

LABELS = ("a", "b", "c")
WEIGHTS = {"a": 0.25, "c": 0.1}
TENSOR = torch.tensor([0.25, 1.0, 0.1])


def states_of(batch, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (*batch.inputs.mask.shape, 4)
    return torch.randn(shape, generator=generator).requires_grad_()


def same(loss, expected, hidden):
    torch.testing.assert_close(loss, expected)
    mine, theirs = (torch.autograd.grad(value, hidden)[0] for value in (loss, expected))
    torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize(
    ("scale", "divisor"), [("token", 1), ("text", 1), ("uniform", math.log(3))]
)
def test_the_loss_of_classes_is_that_of_pytorch(smoothing, scale, divisor):
    task = Classification(
        "x", LABELS, pooling="mean", smoothing=smoothing, class_weights=WEIGHTS, scale=scale
    )
    head = task.head(4)
    batch = collate([Example([5, 6], {"x": n}) for n in (0, 2, 2, None)])
    hidden = states_of(batch)
    logits = head.output(mean_state(hidden, batch.inputs))
    expected = functional.cross_entropy(
        logits, batch.labels["x"], weight=TENSOR, label_smoothing=smoothing
    )
    same(
        head.loss(head(hidden, batch), batch),
        expected / (math.log(3) if scale == "uniform" else 1),
        hidden,
    )
    torch.testing.assert_close(head.count(batch), torch.tensor(0.45))


def test_the_loss_of_tags_is_that_of_pytorch():
    rows = [[0, 1, -100], [2], [-100, -100]]
    batch = collate([Example([5] * len(row), {"x": row}) for row in rows])
    hidden = states_of(batch)
    head = Tagging("x", LABELS, class_weights=WEIGHTS, scale="token").head(4)
    flat = head.output(hidden).flatten(0, 1)
    expected = functional.cross_entropy(flat, batch.labels["x"].flatten(), weight=TENSOR)
    same(head.loss(head(hidden, batch), batch), expected, hidden)
    torch.testing.assert_close(head.count(batch), torch.tensor(1.35))
    # A text counts as the mean weight of its labels.
    head = Tagging("x", LABELS, class_weights=WEIGHTS, scale="text").head(4)
    total = functional.cross_entropy(
        head.output(hidden).flatten(0, 1), batch.labels["x"].flatten(), TENSOR, reduction="sum"
    )
    same(head.loss(head(hidden, batch), batch), total / (1.25 / 2 + 0.1), hidden)
    torch.testing.assert_close(head.count(batch), torch.tensor(1.25 / 2 + 0.1))


@pytest.mark.parametrize("scale", ["token", "text", "uniform"])
def test_parts_of_a_batch_weighted_by_their_counts_make_the_whole(scale):
    rows = [[0, 1, 2], [2, -100, 0], [2, 2, 2], [-100] * 3]
    head = Tagging("x", LABELS, class_weights=WEIGHTS, scale=scale).head(4)
    whole = collate([Example([5] * 3, {"x": row}) for row in rows])
    hidden = states_of(whole)
    parts = [
        (states, collate([Example([5] * 3, {"x": row}) for row in half]))
        for states, half in ((hidden[:1], rows[:1]), (hidden[1:], rows[1:]))
    ]
    losses = [head.loss(head(states, part), part) for states, part in parts]
    counts = [head.count(part) for _, part in parts]
    together = sum(c * loss for c, loss in zip(counts, losses, strict=True)) / sum(counts)
    torch.testing.assert_close(together, head.loss(head(hidden, whole), whole))
    assert BatchLosses({"x": 0.9}, {"x": 0.45}, 0.0).means == {"x": 2.0}


def test_nothing_moves_where_all_is_missing():
    batch = collate([Example([5], {"x": None}), Example([6], {"x": 1})])
    batch.labels["x"][1] = -100
    head = Classification("x", LABELS, class_weights=WEIGHTS).head(4)
    hidden = states_of(batch)
    loss = head.loss(head(hidden, batch), batch)
    loss.backward()
    assert loss == 0
    assert head.count(batch) == 0
    assert not hidden.grad.any()


def test_weights_are_no_part_of_what_is_stored():
    weighted = PairClassification("x", LABELS, class_weights=WEIGHTS).head(4)
    plain = PairClassification("x", LABELS).head(4)
    assert weighted.state_dict().keys() == plain.state_dict().keys()


def test_a_crf_has_none_and_balanced_ones_are_made_of_the_data():
    with pytest.raises(ValueError, match=r"no label has a weight of its own.*or use crf=False"):
        Tagging("x", LABELS, crf=True, class_weights=WEIGHTS)
    with pytest.raises(TypeError, match=r"got 'balanced'.*class_weights=balanced_weights\("):
        Classification("x", LABELS, class_weights="balanced")
