"""Inter-task affinity by lookahead: against steps that are really made."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_relations import Given, batch_of, missing, model_of

from mtl_utils.relations import AffinityTracker, lookahead_affinity
from mtl_utils.training import StepReport, Trainer, TrainerConfig

RATE = 0.1


def by_steps(model, batches, giver, receiver, rate=RATE):
    """Train a copy for one step on one task with PyTorch's SGD, on what tasks share alone."""
    twin = copy.deepcopy(model).eval()
    optimizer = torch.optim.SGD(twin.shared_parameters(), lr=rate)
    before = twin(batches).by_task[receiver].item()
    twin(batches).by_task[giver].backward()
    optimizer.step()
    return 1 - twin(batches).by_task[receiver].item() / before


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("disjoint", [False, True])
def test_each_entry_is_what_a_step_does(seed, disjoint):
    model, batches = model_of(seed), batch_of(seed)
    if disjoint:
        batches = {task: batch_of(10 * seed + place) for place, task in enumerate("abc")}
    found = lookahead_affinity(model, batches, RATE)
    for giver in "abc":
        for receiver in "abc":
            expected = by_steps(model, batches, giver, receiver)
            assert found.loc[giver, receiver] == pytest.approx(expected, abs=1e-12)
    assert (np.diag(found) > 0).all(), "a small step for a task lowers its own loss"


def test_the_model_is_left_as_it_was():
    model, batch = model_of(), batch_of()
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    lookahead_affinity(model, batch, 3.0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    assert all(p.grad is None for p in model.parameters())


def test_the_model_is_left_as_it_was_when_a_lookahead_fails(monkeypatch):
    model, batch, calls = model_of(), batch_of(), []
    before = {name: value.clone() for name, value in model.state_dict().items()}
    forward = model.forward

    def failing(batches):
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("out of memory")
        return forward(batches)

    monkeypatch.setattr(model, "forward", failing)
    with pytest.raises(RuntimeError, match="out of memory"):
        lookahead_affinity(model, batch, 3.0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_to_first_order_it_is_the_dot_product_of_gradients_over_the_loss():
    model, batch, rate = model_of(), batch_of(), 1e-6
    found = lookahead_affinity(model, batch, rate)
    model.eval()
    losses, shared = model(batch).by_task, model.shared_parameters()
    gradients = {
        task: torch.cat([g.flatten() for g in torch.autograd.grad(loss, shared, retain_graph=True)])
        for task, loss in losses.items()
    }
    for giver, step in gradients.items():
        for receiver, slope in gradients.items():
            expected = float(rate * step @ slope / losses[receiver].detach())
            assert found.loc[giver, receiver] == pytest.approx(expected, rel=1e-3, abs=1e-12)


def test_tasks_without_labels_have_no_affinity():
    found = lookahead_affinity(model_of(), missing(batch_of(), "b"), RATE)
    assert found.loc["b"].isna().all()
    assert found["b"].isna().all()
    assert np.isfinite(found.loc[["a", "c"], ["a", "c"]]).all(axis=None)


def weights_after(tracked, steps=6):
    model, loader = model_of(), Given(batch_of(1), batch_of(2), batch_of(3))
    tracker = AffinityTracker(model, Given(batch_of(4), batch_of(5)), every=2)
    config = TrainerConfig(epochs=steps // 3, learning_rate=0.01, schedule="constant")
    callbacks = [tracker] if tracked else []
    Trainer(model, config, progress=False, callbacks=callbacks).fit(loader)
    return model.state_dict(), tracker


def test_tracking_changes_nothing_of_a_training():
    plain, _ = weights_after(tracked=False)
    tracked, tracker = weights_after(tracked=True)
    assert all(torch.equal(value, plain[name]) for name, value in tracked.items())
    assert list(tracker.measured) == [2, 4, 6]


def test_a_tracker_measures_with_the_step_size_on_one_batch_after_the_other():
    model, batches = model_of(), [batch_of(4), batch_of(5)]
    tracker = AffinityTracker(model, Given(*batches), every=2)
    for step in range(1, 7):
        tracker.on_step(StepReport(step, 1, {}, 0.0, RATE * step))
    expected = {
        step: lookahead_affinity(model, batches[place % 2], RATE * step)
        for place, step in enumerate((2, 4, 6))
    }
    for step, table in expected.items():
        pd.testing.assert_frame_equal(tracker.measured[step], table)
    pd.testing.assert_frame_equal(tracker.matrix(), sum(expected.values()) / 3)
    pd.testing.assert_frame_equal(tracker.matrix(after=2), (expected[4] + expected[6]) / 2)
    history = tracker.history()
    assert len(history) == 27
    row = history.query("step == 4 and giver == 'a' and receiver == 'c'")
    assert row["affinity"].item() == expected[4].loc["a", "c"]


def test_a_tracker_averages_what_there_is_and_skips_steps_of_no_size():
    model = model_of()
    batches = missing(batch_of(1), "b"), batch_of(2), missing(batch_of(3), "a")
    tracker = AffinityTracker(model, Given(*batches), every=1, learning_rate=RATE)
    for step in range(1, 4):
        tracker.on_step(StepReport(step, 1, {}, 0.0, 5.0))
    only = lookahead_affinity(model, batches[1], RATE)
    assert tracker.matrix().loc["a", "b"] == pytest.approx(only.loc["a", "b"])
    still = AffinityTracker(model, Given(*batches), every=1)
    still.on_step(StepReport(1, 1, {}, 0.0, 0.0))
    with pytest.raises(ValueError, match="nothing that was measured"):
        still.matrix()
