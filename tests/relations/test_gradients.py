"""Gradients of tasks on what they share, and the angles between them."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_relations import Given, batch_of, missing, model_of

from mtl_utils.relations import cosines, gradient_cosines, task_gradients
from mtl_utils.training import AlternatingBatches, JointBatches

seeds = st.integers(0, 2**31)


def draw(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@given(seeds, st.integers(1, 4), st.integers(2, 6))
def test_cosines_are_those_of_pytorch_whatever_the_lengths(seed, tasks, size):
    gradients = draw(seed, tasks, size)
    found = cosines(gradients)
    expected = torch.nn.functional.cosine_similarity(gradients[:, None], gradients[None], dim=-1)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    lengths = torch.tensor([1e-200, 1e-3, 7.0, 1e150], dtype=torch.float64)[:tasks, None]
    torch.testing.assert_close(cosines(lengths * gradients), found, atol=1e-12, rtol=0)


def test_cosines_by_hand():
    found = cosines(torch.tensor([[1.0, 0.0], [1.0, 1.0], [-2.0, 0.0], [0.0, 0.0]]))
    half = math.sqrt(0.5)
    expected = torch.tensor([[1, half, -1], [half, 1, -half], [-1, -half, 1]])
    torch.testing.assert_close(found[:3, :3], expected)
    assert found[3].isnan().all()
    assert found[:, 3].isnan().all()


def by_backward(model, batch, task):
    """Take the gradient the plain way, on a copy without dropout."""
    twin = copy.deepcopy(model).eval()
    twin(batch).by_task[task].backward()
    return torch.cat([p.grad.flatten() for p in twin.shared_parameters()])


def test_gradients_are_those_of_a_backward_pass_and_leave_the_model_alone():
    model, batch = model_of(), batch_of()
    model.train()
    found = task_gradients(model, batch)
    assert list(found) == ["a", "b", "c"]
    for task, gradient in found.items():
        torch.testing.assert_close(gradient, by_backward(model, batch, task))
    assert model.training
    assert all(p.grad is None for p in model.parameters())


def test_one_batch_a_task_and_under_no_grad():
    model, batches = model_of(), {"a": batch_of(1), "b": batch_of(2)}
    with torch.no_grad():
        found = task_gradients(model, batches)
    assert list(found) == ["a", "b"]
    for task, batch in batches.items():
        torch.testing.assert_close(found[task], by_backward(model, batch, task))


def test_frozen_parameters_are_left_out():
    model = model_of()
    model.sharing.encoder.embedding.requires_grad_(False)
    sizes = {len(gradient) for gradient in task_gradients(model, batch_of()).values()}
    assert sizes == {sum(p.numel() for p in model.sharing.encoder.lstm.parameters())}


def test_cosines_are_averaged_over_the_batches_that_have_both():
    model = model_of()
    batches = [batch_of(1), missing(batch_of(2), "b"), batch_of(3, ("a", "b"))]
    found = gradient_cosines(model, Given(*batches))

    def cosine(one, other, batch):
        pair = torch.stack([by_backward(model, batch, task) for task in (one, other)])
        return float(torch.nn.functional.cosine_similarity(pair[0], pair[1], dim=0))

    expected = {
        ("a", "b"): [batches[0], batches[2]],
        ("a", "c"): [batches[0], batches[1]],
        ("b", "c"): [batches[0]],
    }
    for (one, other), there in expected.items():
        mean = np.mean([cosine(one, other, batch) for batch in there])
        assert found.loc[one, other] == pytest.approx(mean)
        assert found.loc[other, one] == pytest.approx(mean)
    assert np.diag(found) == pytest.approx(1)
    first = gradient_cosines(model, Given(*batches), max_batches=1)
    assert first.loc["a", "b"] == pytest.approx(cosine("a", "b", batches[0]))
    assert np.isnan(gradient_cosines(model, Given(batches[2])).loc["a", "c"])


def test_data_sets_that_share_no_text_are_read_side_by_side():
    model, alone = model_of(), [Given(batch_of(seed, task)) for seed, task in enumerate("abc")]
    found = gradient_cosines(model, JointBatches(alone))
    pair = torch.stack([by_backward(model, batch_of(s, t), t) for s, t in enumerate("ab")])
    expected = float(torch.nn.functional.cosine_similarity(pair[0], pair[1], dim=0))
    assert found.loc["a", "b"] == pytest.approx(expected)
    with pytest.raises(ValueError, match=r"a batch in which two of the tasks .*JointBatches"):
        gradient_cosines(model, AlternatingBatches(alone))
