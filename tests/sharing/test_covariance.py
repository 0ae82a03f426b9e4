"""Sharing by a learnt covariance: its closed form is the best there is; its limits are exact."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from tiny_sharing import EXACT, PARTS, TASKS, apart, batch_of, bilstm, encoders, gradient, model_of

from mtl_utils.sharing import (
    CovarianceSharing,
    SoftSharing,
    covariance_penalty,
    task_covariance,
    trace_norm,
)

seeds = st.integers(0, 2**31)
numbers = st.integers(1, 4)
smoothings = pytest.mark.parametrize("smoothing", [0.0, 0.3])


def draw(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def misfit(covariance, weights, smoothing):
    identity = torch.eye(len(weights), dtype=torch.float64)
    gram = weights @ weights.T + smoothing * identity
    return torch.linalg.solve(covariance, gram).trace().item()


@smoothings
@given(seed=seeds, tasks=numbers, size=st.integers(4, 7))
def test_the_closed_form_is_that_of_scipys_root(seed, tasks, size, smoothing):
    weights = draw(seed, tasks, size)
    root = sqrtm(weights.numpy() @ weights.numpy().T + smoothing * np.eye(tasks)).real
    found = task_covariance(weights, smoothing)
    np.testing.assert_allclose(found.numpy(), root / np.trace(root), atol=1e-7)
    assert found.trace().item() == pytest.approx(1)
    torch.testing.assert_close(found, found.T, **EXACT)


@smoothings
@given(seed=seeds, tasks=numbers, size=st.integers(4, 7))
def test_no_other_covariance_suits_the_parameters_better(seed, tasks, size, smoothing):
    weights, other = draw(seed, tasks, size), draw(seed + 1, tasks, tasks + 1)
    other = other @ other.T
    best = misfit(task_covariance(weights, smoothing), weights, smoothing)
    assert best <= misfit(other / other.trace(), weights, smoothing) + 1e-9
    assert covariance_penalty(weights, smoothing).item() == pytest.approx(best, rel=1e-9)


def test_descent_on_covariances_ends_at_the_closed_form():
    weights = draw(3, 3, 5)
    factor = torch.eye(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([factor], max_iter=300, line_search_fn="strong_wolfe")

    def covariance():
        product = factor @ factor.T
        return product / product.trace()

    def closure():
        optimizer.zero_grad()
        loss = torch.linalg.solve(covariance(), weights @ weights.T).trace()
        loss.backward()
        return loss

    optimizer.step(closure)
    torch.testing.assert_close(covariance(), task_covariance(weights), atol=1e-5, rtol=0)


@given(seeds, numbers)
def test_without_smoothing_it_is_the_square_of_the_trace_norm(seed, tasks):
    weights = draw(seed, tasks, 6)
    expected = trace_norm(weights).item() ** 2
    assert covariance_penalty(weights).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("tasks", [1, 2, 4])
def test_limits_of_the_closed_form(tasks):
    identity = torch.eye(tasks, dtype=torch.float64)
    one = draw(0, 5)
    torch.testing.assert_close(task_covariance(3 * identity), identity / tasks, **EXACT)
    torch.testing.assert_close(task_covariance(0 * identity), identity / tasks, **EXACT)
    same = task_covariance(one.expand(tasks, 5))
    torch.testing.assert_close(same, torch.full_like(same, 1 / tasks), atol=1e-7, rtol=0)


def test_tasks_that_are_opposite_have_a_negative_covariance():
    one = draw(0, 5)
    found = task_covariance(torch.stack([one, -one, one]))
    signs = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(found, torch.outer(signs, signs) / 3, atol=1e-7, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_that_with_the_best_covariance_given(seed):
    weights, smoothing = draw(seed, 3, 5).requires_grad_(), 0.2
    (found,) = torch.autograd.grad(covariance_penalty(weights, smoothing), weights)
    given_best = 2 * torch.linalg.solve(task_covariance(weights.detach(), smoothing), weights)
    torch.testing.assert_close(found, given_best.detach(), **EXACT)
    assert torch.autograd.gradcheck(lambda w: covariance_penalty(w, smoothing), weights)


@pytest.mark.parametrize("smoothing", [0.0, 1e-14])
@pytest.mark.parametrize("seed", range(30))
def test_tasks_that_are_combinations_of_others_have_the_smallest_subgradient(seed, smoothing):
    few = draw(seed, 3, 8) * 10 ** (seed % 4 - 1)
    weights = (draw(seed + 100, 5, 3) @ few).requires_grad_()
    (found,) = torch.autograd.grad(covariance_penalty(weights, smoothing), weights)
    (expected,) = torch.autograd.grad(trace_norm(weights).square(), weights)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6 * expected.abs().max().item())


def test_nothing_has_no_gradient():
    weights = torch.zeros(3, 5, requires_grad=True)
    (found,) = torch.autograd.grad(covariance_penalty(weights), weights)
    assert torch.equal(found, torch.zeros_like(found))


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_no_error_of_a_decomposition(wrong):
    weights = torch.tensor([[1.0, wrong], [0.0, 1.0]], requires_grad=True)
    assert covariance_penalty(weights, 0.1).isnan()
    assert covariance_penalty(weights, 0.1).requires_grad
    assert task_covariance(weights.detach(), 0.1).isnan().all()


@given(seeds, st.permutations(range(3)))
def test_the_order_of_tasks_does_not_matter(seed, order):
    weights = draw(seed, 3, 5)
    found, again = task_covariance(weights, 0.1), task_covariance(weights[order], 0.1)
    torch.testing.assert_close(again, found[order][:, order], atol=1e-9, rtol=0)


# In a model


def make(encoder=bilstm, seed=0, **settings):
    torch.manual_seed(seed)
    settings = {"tied": PARTS[encoder], "strength": 0.5, "smoothing": 0.1, **settings}
    return model_of(CovarianceSharing({task: encoder() for task in TASKS}, **settings))


def rows_of(model, tied):
    """Stack parameters by hand."""
    by_task = [dict(model.sharing.encoders[task].named_parameters()) for task in TASKS]
    return torch.stack([torch.cat([p[name].flatten() for name in tied]) for p in by_task])


@encoders
def test_the_penalty_is_on_all_tied_parameters_at_once(encoder):
    model, batch = make(encoder), batch_of()
    rows = rows_of(model, model.sharing.tied)
    torch.testing.assert_close(model.sharing.weights(), rows, **EXACT)
    expected = 0.25 * covariance_penalty(rows, 0.1)
    for batches in (batch, apart(batch), {"pos": batch}):
        torch.testing.assert_close(model(batches).penalty, expected, **EXACT)
    torch.testing.assert_close(model.sharing.covariance(), task_covariance(rows, 0.1), **EXACT)


def test_correlations_are_scaled_covariances():
    sharing = make().sharing
    covariance = sharing.covariance()
    found = sharing.correlations()
    for i, j in itertools.product(range(3), repeat=2):
        expected = covariance[i, j] / (covariance[i, i] * covariance[j, j]).sqrt()
        assert found[i, j].item() == pytest.approx(expected.item())
    assert found.diagonal().tolist() == pytest.approx([1, 1, 1])


def test_without_a_strength_tasks_are_trained_apart():
    model, batch = make(strength=0.0), batch_of()
    soft = model_of(SoftSharing(copy.deepcopy(dict(model.sharing.encoders)), (), strength=0.0))
    soft.heads.load_state_dict(model.heads.state_dict())
    for one in (model, soft):
        optimizer = torch.optim.SGD(one.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            losses = one(batch)
            assert not losses.penalty.requires_grad
            sum(losses.by_task.values()).backward()
            optimizer.step()
    expected = soft.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())


def test_related_tasks_draw_together_and_opposite_ones_apart():
    """On a plane: the penalty alone moves a task along one like it, against one opposite to it."""
    one = torch.tensor([[1.0, 0.2], [1.0, -0.2], [-1.0, 0.0]], dtype=torch.float64)
    weights = one.clone().requires_grad_()
    (step,) = torch.autograd.grad(covariance_penalty(weights, 1e-3), weights)
    after = one - 1e-3 * step
    spread = (after[0] - after[1]).norm() / after.norm()
    assert spread < (one[0] - one[1]).norm() / one.norm()
    lines = task_covariance(after, 1e-3)
    assert lines[0, 1] > 0
    assert lines[0, 2] < 0
    assert lines[1, 2] < 0


def test_a_loss_moves_the_encoder_of_its_task_alone_and_the_penalty_all():
    model = make()
    losses = model(batch_of())
    for task, loss in losses.by_task.items():
        moved = {name for name, value in gradient(model.sharing, loss).items() if value.any()}
        assert moved
        assert all(name.startswith(f"encoders.{task}.") for name in moved)
    held = gradient(model.sharing, losses.penalty)
    assert all(held[f"encoders.{t}.{name}"].any() for t in TASKS for name in model.sharing.tied)


def test_training_learns_who_is_related():
    """Two tasks with the same labels end alike; a task with labels of its own does not."""
    torch.manual_seed(0)
    model = model_of(
        CovarianceSharing(
            {task: bilstm() for task in TASKS}, ["lstm"], strength=3e-3, smoothing=1e-3
        )
    )
    model.sharing.encoders["ner"].load_state_dict(model.sharing.encoders["pos"].state_dict())
    optimizer, batch = torch.optim.Adam(model.parameters(), lr=0.02), batch_of()
    batch.labels["ner"].copy_(batch.labels["pos"])
    model.heads["ner"].load_state_dict(model.heads["pos"].state_dict())
    for _ in range(30):
        optimizer.zero_grad()
        losses = model(batch)
        (sum(losses.by_task.values()) + losses.penalty).backward()
        optimizer.step()
    found = model.sharing.correlations()
    assert found[0, 1] > 0.99
    assert found[0, 2].abs() < 0.9


def test_nothing_tied_has_no_covariance():
    sharing = CovarianceSharing({"a": bilstm(), "b": bilstm()}, (), strength=0.0)
    with pytest.raises(ValueError, match="nothing to compare tasks by"):
        sharing.covariance()
