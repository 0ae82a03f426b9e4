"""The losses against their formula, torch's cross_entropy, and what mathematics says of them."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from mtl_utils.objectives import classification_loss, label_smoothing_loss

EXACT = {"atol": 1e-12, "rtol": 1e-12}
seeds = st.integers(0, 2**31)
smoothings = st.sampled_from([0.0, 0.1, 0.3, 1.0])


def draw(seed, rows, classes, scale=3.0):
    """Return logits and targets, some of which are missing."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, classes, generator=generator, dtype=torch.float64) * scale
    targets = torch.randint(classes, (rows,), generator=generator)
    missing = torch.rand(rows, generator=generator) < 0.3
    return logits.requires_grad_(), targets.masked_fill(missing, -100)


def smoothed(target, classes, smoothing):
    """Return the target distribution."""
    return [smoothing / classes + (1 - smoothing) * (c == target) for c in range(classes)]


def by_hand(logits, targets, smoothing):
    """Return the loss and its gradient, number by number."""
    counted = [(row, y) for row, y in zip(logits, targets, strict=True) if y != -100]
    loss, gradient = 0.0, []
    for row, y in zip(logits, targets, strict=True):
        largest = max(row)
        powers = [math.exp(z - largest) for z in row]
        log_total = math.log(sum(powers)) + largest
        if y == -100:
            gradient.append([0.0] * len(row))
            continue
        q = smoothed(y, len(row), smoothing)
        loss -= sum(qc * (z - log_total) for qc, z in zip(q, row, strict=True)) / len(counted)
        p = [power / sum(powers) for power in powers]
        gradient.append([(pc - qc) / len(counted) for pc, qc in zip(p, q, strict=True)])
    return loss, gradient


@settings(max_examples=60)
@given(seeds, st.integers(1, 6), st.integers(1, 5), smoothings)
def test_equals_the_formula(seed, rows, classes, smoothing):
    logits, targets = draw(seed, rows, classes)
    loss = label_smoothing_loss(logits, targets, smoothing)
    loss.backward()
    expected, gradient = by_hand(logits.tolist(), targets.tolist(), smoothing)
    assert loss.item() == pytest.approx(expected, abs=1e-12)
    torch.testing.assert_close(logits.grad, torch.tensor(gradient, dtype=torch.float64), **EXACT)
    if smoothing == 0:
        assert classification_loss(logits, targets).item() == loss.item()


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("ignore_index", [-100, 2])
def test_equals_torch(smoothing, ignore_index):
    logits, targets = draw(1, 20, 5)
    targets = targets.masked_fill(targets == -100, ignore_index)
    expected = functional.cross_entropy(
        logits, targets, label_smoothing=smoothing, ignore_index=ignore_index
    )
    loss = label_smoothing_loss(logits, targets, smoothing, ignore_index)
    torch.testing.assert_close(loss, expected, **EXACT)
    (found,), (reference,) = (torch.autograd.grad(x, logits) for x in (loss, expected))
    torch.testing.assert_close(found, reference, **EXACT)
    if smoothing == 0:
        torch.testing.assert_close(
            classification_loss(logits, targets, ignore_index), expected, **EXACT
        )


def test_a_hand_worked_number():
    """Three classes with probabilities 1/2, 1/4, 1/4; the first one is right."""
    logits = torch.tensor([[0.5, 0.25, 0.25]]).log()
    target = torch.tensor([0])
    assert classification_loss(logits, target).item() == pytest.approx(math.log(2))
    # 0.8 of the mass on ln 2, twice 0.1 on ln 4
    expected = 0.8 * math.log(2) + 0.2 * math.log(4)
    assert label_smoothing_loss(logits, target, 0.3).item() == pytest.approx(expected)


@settings(max_examples=30)
@given(seeds, smoothings)
def test_a_missing_label_costs_nothing_and_moves_nothing(seed, smoothing):
    logits, targets = draw(seed, 9, 4)
    loss = label_smoothing_loss(logits, targets, smoothing)
    loss.backward()
    counted = targets != -100
    kept = logits.detach()[counted].requires_grad_()
    alone = label_smoothing_loss(kept, targets[counted], smoothing)
    alone.backward()
    torch.testing.assert_close(loss, alone, **EXACT)
    torch.testing.assert_close(logits.grad[counted], kept.grad, **EXACT)
    assert not logits.grad[~counted].any()


@pytest.mark.parametrize("shape", [(), (3,), (2, 4), (0,), (2, 0)])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_nothing_counted_is_exactly_zero(shape, smoothing):
    logits = torch.randn(*shape, 5, requires_grad=True)
    loss = label_smoothing_loss(logits, torch.full(shape, -100), smoothing)
    loss.backward()
    assert loss.item() == 0
    assert loss.shape == ()
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("shape", [(12,), (3, 4), (2, 2, 3), (1, 12, 1)])
def test_leading_dimensions_are_one_long_row(shape):
    logits, targets = draw(3, 12, 5)
    expected = label_smoothing_loss(logits, targets, 0.1)
    loss = label_smoothing_loss(logits.view(*shape, 5), targets.view(shape), 0.1)
    torch.testing.assert_close(loss, expected, **EXACT)
    strided = logits.view(3, 4, 5).transpose(0, 1)  # not contiguous
    loss = label_smoothing_loss(strided, targets.view(3, 4).T, 0.1)
    torch.testing.assert_close(loss, expected, **EXACT)
    one = [classification_loss(row, target) for row, target in zip(logits, targets, strict=True)]
    mean = torch.stack(one).sum() / (targets != -100).sum()
    torch.testing.assert_close(mean, classification_loss(logits, targets), **EXACT)


@settings(max_examples=30)
@given(seeds, smoothings, st.floats(-500, 500))
def test_adding_a_constant_to_the_logits_changes_nothing(seed, smoothing, constant):
    logits, targets = draw(seed, 6, 4)
    loss = label_smoothing_loss(logits, targets, smoothing)
    moved = label_smoothing_loss(logits + constant, targets, smoothing)
    torch.testing.assert_close(moved, loss, atol=1e-10, rtol=1e-10)


@settings(max_examples=40)
@given(seeds, st.integers(2, 6), st.sampled_from([0.1, 0.3, 1.0]))
def test_the_least_loss_is_at_the_smoothed_distribution(seed, classes, smoothing):
    """What is above it is the Kullback-Leibler divergence from there."""
    logits, targets = draw(seed, 1, classes)
    targets = targets.clamp(min=0)
    target = smoothed(targets.item(), classes, smoothing)
    least = torch.tensor([target], dtype=torch.float64).log().requires_grad_()
    loss = label_smoothing_loss(least, targets, smoothing)
    loss.backward()
    assert least.grad.abs().max() < 1e-12
    assert loss.item() == pytest.approx(-sum(q * math.log(q) for q in target))  # its entropy
    probabilities = logits.softmax(-1)[0].tolist()
    divergence = sum(q * math.log(q / p) for q, p in zip(target, probabilities, strict=True))
    above = label_smoothing_loss(logits, targets, smoothing) - loss
    assert above.item() == pytest.approx(divergence, abs=1e-10)
    assert divergence >= -1e-12


@settings(max_examples=40)
@given(seeds, smoothings, st.floats(0, 1))
def test_the_loss_is_convex(seed, smoothing, share):
    left, targets = draw(seed, 5, 4)
    right, _ = draw(seed + 1, 5, 4)
    between = label_smoothing_loss(share * left + (1 - share) * right, targets, smoothing)
    chord = share * label_smoothing_loss(left, targets, smoothing) + (
        1 - share
    ) * label_smoothing_loss(right, targets, smoothing)
    assert between.item() <= chord.item() + 1e-10


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_gradient_is_right(smoothing):
    logits, targets = draw(5, 4, 3)
    assert torch.autograd.gradcheck(lambda z: label_smoothing_loss(z, targets, smoothing), logits)


def test_huge_logits_stay_finite():
    logits = torch.tensor([[1e30, 0.0], [-1e30, 1e30]], requires_grad=True)
    loss = classification_loss(logits, torch.tensor([0, 1]))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


@pytest.mark.parametrize(
    ("logits", "targets"),
    [((2, 3), (3,)), ((2, 3), (2, 1)), ((2, 3), (2, 3)), ((2, 4, 3), (2,)), ((3,), (3,))],
)
@pytest.mark.parametrize("loss", [classification_loss, label_smoothing_loss])
def test_shapes_that_do_not_fit(loss, logits, targets):
    with pytest.raises(ValueError, match=r"logits .* need targets"):
        loss(torch.zeros(logits), torch.zeros(targets, dtype=torch.long))


@pytest.mark.parametrize("wrong", [-1, 3, 1000])
def test_targets_that_are_no_class(wrong):
    targets = torch.tensor([0, -100, wrong, 2])
    with pytest.raises(ValueError, match=rf"Target {wrong} is not a class: 3 logits .* 0 to 2"):
        classification_loss(torch.zeros(4, 3), targets)


def test_targets_are_integers():
    with pytest.raises(
        TypeError, match=r"targets must be an integer tensor .* got numbers of torch.float32"
    ):
        classification_loss(torch.zeros(2, 3), torch.tensor([0.5, 1.7]))
    for dtype in (torch.int32, torch.uint8, torch.bool):
        targets = torch.tensor([1, 0]).to(dtype)
        assert classification_loss(torch.zeros(2, 3), targets).item() == pytest.approx(math.log(3))


@pytest.mark.parametrize("smoothing", [-0.1, 1.1, math.nan])
def test_smoothing_outside_its_range(smoothing):
    with pytest.raises(ValueError, match=r"smoothing must lie in \[0, 1\]"):
        label_smoothing_loss(torch.zeros(2, 3), torch.tensor([0, 1]), smoothing)
