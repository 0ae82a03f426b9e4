"""What is minimised without anything being learnt: geometric mean, logarithms, smooth maximum."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from weighing import Parts, weights_by_gradient

from mtl_utils.objectives import (
    FAMO,
    GeometricMean,
    GradNorm,
    ScaleInvariantLog,
    SmoothChebyshev,
    famo_weights,
    geometric_mean,
    log_sum,
    smooth_chebyshev,
)

LOSSES = {"ner": 8.0, "topic": 1.0, "fr": 0.125}
positive = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=8)


def vector(*values: float, dtype: Any = torch.float64) -> torch.Tensor:
    return torch.tensor(values, dtype=dtype)


def test_the_geometric_mean_by_hand() -> None:
    """The cube root of 8 · 2 · 4 is 4; its slope by the second is 4 / (3 · 2)."""
    losses = vector(8.0, 2.0, 4.0).requires_grad_()
    mean = geometric_mean(losses)
    assert mean.item() == pytest.approx(4.0)
    (slopes,) = torch.autograd.grad(mean, losses)
    assert slopes.tolist() == pytest.approx([4 / 24, 4 / 6, 4 / 12])


@settings(max_examples=30, deadline=None)
@given(positive)
def test_the_geometric_mean_is_the_root_of_the_product(values: list[float]) -> None:
    expected = math.exp(math.fsum(map(math.log, values)) / len(values))
    assert float(geometric_mean(vector(*values))) == pytest.approx(expected, rel=1e-9)


def test_a_product_that_would_overflow_or_vanish() -> None:
    for loss in (1e-30, 1e30):
        losses = torch.full((6,), loss).requires_grad_()
        mean = geometric_mean(losses)
        assert mean.item() == pytest.approx(loss, rel=1e-4)
        (slopes,) = torch.autograd.grad(mean, losses)
        assert slopes.tolist() == pytest.approx([1 / 6] * 6, rel=1e-4)


def test_weighted_losses_are_equal() -> None:
    weights = weights_by_gradient(GeometricMean(), LOSSES)
    assert [weights[t] * loss for t, loss in LOSSES.items()] == pytest.approx([1 / 3] * 3)
    weights = weights_by_gradient(ScaleInvariantLog(), LOSSES)
    assert [weights[t] * loss for t, loss in LOSSES.items()] == pytest.approx([1.0] * 3)


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-3, 1e3))
def test_logarithms_know_no_units(factor: float) -> None:
    """A loss in other units gives the same gradient: the gradient of a loss of s·w is s."""
    model, other = Parts(ner=2.0, topic=3.0), Parts(ner=2.0 * factor, topic=3.0)
    for each in (model, other):
        ScaleInvariantLog().backward(each.losses(), each)
    torch.testing.assert_close(model.vector.grad, other.vector.grad)


def test_logarithms_by_hand() -> None:
    assert float(log_sum(vector(2.0, 3.0))) == pytest.approx(math.log(6.0))


@pytest.mark.parametrize("balancer", [GeometricMean(), ScaleInvariantLog()])
@pytest.mark.parametrize("nothing", [0.0, 1e-310])
def test_a_loss_of_zero_is_left_out(balancer: Any, nothing: float) -> None:
    """As if its task were absent: others are weighed by themselves."""
    found = weights_by_gradient(balancer, {"ner": 4.0, "topic": 9.0})
    model = Parts(ner=4.0, topic=9.0, fr=nothing)
    told = balancer.backward(model.losses(), model)
    assert told == pytest.approx({**found, "fr": 0.0})
    assert torch.isfinite(model.vector.grad).all()
    nowhere = Parts(ner=0.0, topic=0.0)
    assert balancer.backward(nowhere.losses(penalty=1.0), nowhere) == {"ner": 0.0, "topic": 0.0}
    assert nowhere.vector.grad.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_seen(broken: float) -> None:
    """Left out as a loss of 0 is, it would go unnoticed in a loop of one's own."""
    losses = vector(2.0, broken)
    for function in (geometric_mean, log_sum):
        assert not math.isfinite(function(losses))
    # A weight of 0 of an infinite loss is the formula's.
    weighted = famo_weights(losses, vector(0.0, 0.0)) * losses
    assert not torch.isfinite(weighted.sum())
    tasks = ["ner", "topic"]
    for balancer in (GeometricMean(), ScaleInvariantLog(), FAMO(tasks), GradNorm(tasks)):
        model = Parts(ner=2.0, topic=broken)
        balancer.backward(model.losses(), model)
        assert not torch.isfinite(model.vector.grad).all()


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_no_first_loss_is_kept_that_is_not_finite(broken: float) -> None:
    for balancer in (SmoothChebyshev(["ner", "topic"]), GradNorm(["ner", "topic"])):
        for topic in (broken, 4.0):
            model = Parts(ner=2.0, topic=topic)
            balancer.backward(model.losses(), model)
        assert balancer.first.tolist() == [2.0, 4.0]


def test_one_task_at_hand() -> None:
    assert weights_by_gradient(GeometricMean(), LOSSES, ["ner"]) == pytest.approx({"ner": 1.0})
    assert weights_by_gradient(ScaleInvariantLog(), LOSSES, ["ner"]) == {"ner": 1 / 8}
    chosen = SmoothChebyshev(list(LOSSES), relative=False)
    assert weights_by_gradient(chosen, LOSSES, ["ner"]) == pytest.approx({"ner": 1.0})


@pytest.mark.parametrize("balancer", [GeometricMean(), ScaleInvariantLog()])
def test_half_precision_and_negative_losses(balancer: Any) -> None:
    weights_by_gradient(balancer, {"ner": 4.0, "topic": 0.5}, dtype=torch.bfloat16)
    model = Parts(ner=1.0, topic=-0.5)
    with pytest.raises(ValueError, match=r"loss of 'topic' is -0.5.*needs losses"):
        balancer.backward(model.losses(), model)
    assert model.vector.grad is None


def test_the_smooth_maximum_by_hand() -> None:
    """μ log(e^(λ₁ L₁/μ) + e^(λ₂ (L₂ - z₂)/μ)) with λ = (1, 2), L = (3, 2), z = (0, 1), μ = 1/2."""
    losses = vector(3.0, 2.0).requires_grad_()
    found = smooth_chebyshev(losses, vector(1.0, 2.0), vector(0.0, 1.0), 0.5)
    assert found.item() == pytest.approx(0.5 * math.log(math.exp(6.0) + math.exp(4.0)))
    (slopes,) = torch.autograd.grad(found, losses)
    share = math.exp(6.0) / (math.exp(6.0) + math.exp(4.0))
    assert slopes.tolist() == pytest.approx([share, 2 * (1 - share)])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=6), st.floats(1e-3, 10))
def test_it_is_above_the_maximum_by_no_more_than_the_logarithm(
    values: list[float], smoothing: float
) -> None:
    ones = torch.ones(len(values), dtype=torch.float64)
    found = float(smooth_chebyshev(vector(*values), ones, 0 * ones, smoothing))
    assert max(values) - 1e-9 <= found <= max(values) + smoothing * math.log(len(values)) + 1e-9


def test_a_front_with_a_hollow_is_traced_where_no_weighted_sum_gets() -> None:
    """Losses (x², and 1 - x² mixed to a hollow): a sum finds ends alone, the maximum the middle."""
    x = torch.linspace(0, 1, 1001, dtype=torch.float64)
    first, second = torch.sqrt(x), torch.sqrt(1 - x)  # above the line between its ends
    for weight in (0.3, 0.5, 0.7):
        place = int((weight * first + (1 - weight) * second).argmin())
        assert place in (0, 1000)
    values = [
        float(smooth_chebyshev(vector(a, b), vector(1.0, 1.0), vector(0.0, 0.0), 0.01))
        for a, b in zip(first.tolist(), second.tolist(), strict=True)
    ]
    assert int(torch.tensor(values).argmin()) == pytest.approx(500, abs=2)


def test_losses_are_compared_by_what_is_left_of_them() -> None:
    tasks = list(LOSSES)
    balancer = SmoothChebyshev(tasks, smoothing=0.5)
    first = weights_by_gradient(balancer, LOSSES)
    assert [first[t] * loss for t, loss in LOSSES.items()] == pytest.approx([1.0] * 3)
    later = {"ner": 4.0, "topic": 1.0, "fr": 0.125}
    second = weights_by_gradient(balancer, later)
    parts = torch.softmax(vector(0.5, 1.0, 1.0) / 0.5, 0).tolist()
    expected = {t: 3 * part / LOSSES[t] for t, part in zip(tasks, parts, strict=True)}
    assert second == pytest.approx(expected)


def test_the_first_loss_is_the_first_that_is_not_zero() -> None:
    balancer = SmoothChebyshev(["ner", "topic"], relative=True)
    model = Parts(ner=0.0, topic=2.0)
    told = balancer.backward(model.losses(), model)
    assert all(map(math.isfinite, told.values()))
    assert balancer.first.isnan().tolist() == [True, False]
    weights_by_gradient(balancer, {"ner": 5.0, "topic": 2.0})
    assert balancer.first.tolist() == [5.0, 2.0]


def test_preferences_and_least_losses_reach_the_formula() -> None:
    balancer = SmoothChebyshev(
        ["ner", "topic"],
        {"topic": 2.0},
        ideal={"topic": 1.0},
        smoothing=0.5,
        relative=False,
    )
    share = math.exp(6.0) / (math.exp(6.0) + math.exp(4.0))
    found = weights_by_gradient(balancer, {"ner": 3.0, "topic": 2.0})
    assert found == pytest.approx({"ner": 2 * share, "topic": 4 * (1 - share)})
    with pytest.raises(KeyError, match="'fr'"):
        SmoothChebyshev(["ner"], {"fr": 1.0})
