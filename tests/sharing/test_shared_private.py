"""Shared-private encoders: the two penalties, and which way the adversary pushes whom."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_sharing import (
    ALL,
    EXACT,
    ONE_EACH,
    TASKS,
    WIDTH,
    apart,
    batch_of,
    bilstm,
    encoders,
    gradient,
    model_of,
    moved,
)
from torch.nn import functional

from mtl_utils.data import Batch, Example, Inputs, collate
from mtl_utils.sharing import SharedPrivate, orthogonality_penalty

seeds = st.integers(0, 2**31)
# For each row the tasks that it has labels for.
labelled = st.lists(st.sets(st.sampled_from(TASKS)), min_size=1, max_size=5)


def make(encoder=bilstm, seed=0, **settings):
    torch.manual_seed(seed)
    private = {task: encoder(6) for task in TASKS}
    return SharedPrivate(encoder(), private, **settings).double()


# Orthogonality


@given(seeds, st.lists(st.integers(0, 4), min_size=1, max_size=3), st.integers(0, 2))
def test_orthogonality_is_the_formula_on_each_text_without_padding(seed, lengths, extra):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(max(lengths) + extra) < torch.tensor(lengths)[:, None]
    states = [
        torch.randn(*mask.shape, width, generator=generator, dtype=torch.float64)
        for width in (2, 3)
    ]
    states = [s.masked_fill(~mask[..., None], math.nan).requires_grad_() for s in states]
    found = orthogonality_penalty(*states, mask)
    for row, length in enumerate(lengths):
        shared, private = (s[row, :length].detach().numpy() for s in states)
        expected = np.linalg.norm(shared.T @ private) ** 2
        assert found[row].item() == pytest.approx(expected, abs=1e-12)
    for gradients in torch.autograd.grad(found.sum(), states):
        assert not gradients[~mask].any()


def test_states_that_share_no_token_are_orthogonal():
    shared = torch.tensor([[[1.0, 2.0], [0.0, 0.0]]])
    private = torch.tensor([[[0.0, 0.0], [3.0, 4.0]]])
    mask = torch.ones(1, 2, dtype=torch.bool)
    assert orthogonality_penalty(shared, private, mask).tolist() == [0.0]
    assert orthogonality_penalty(shared, shared, mask).tolist() == [25.0]


def test_orthogonality_of_states_that_do_not_fit():
    states, mask = torch.zeros(2, 3, 4), torch.ones(2, 3, dtype=torch.bool)
    for wrong in ((states[:1], states, mask), (states, states, mask[:, 1:])):
        with pytest.raises(ValueError, match=r"\[B, T, D_s\], private \[B, T, D_p\] and a mask"):
            orthogonality_penalty(*wrong)


def orthogonality_by_hand(sharing, batch):
    """Average over the texts of each task, one text at a time."""
    found = torch.zeros((), dtype=torch.float64)
    for task, part in apart(batch).items():
        values = []
        for row in range(len(part)):
            size = int(part.inputs.mask[row].sum())
            ids = part.inputs.input_ids[[row], :size]
            inputs = Inputs(ids, torch.ones_like(ids, dtype=torch.bool))
            shared, private = sharing.shared(inputs)[0], sharing.private[task](inputs)[0]
            values.append((shared.T @ private).norm() ** 2)
        found = found + sum(values) / len(values)
    return found


@encoders
@settings(max_examples=10)
@given(rows=labelled.filter(any), seed=seeds)
def test_the_penalty_without_an_adversary(encoder, rows, seed):
    sharing = make(encoder, seed, orthogonality_strength=0.3, adversary_strength=None)
    batch = batch_of(rows, seed)
    penalty, expected = sharing(batch, TASKS).penalty, 0.3 * orthogonality_by_hand(sharing, batch)
    torch.testing.assert_close(penalty, expected, **EXACT)
    torch.testing.assert_close(gradient(sharing, penalty), gradient(sharing, expected), **EXACT)


# The adversary


def surprise_by_hand(sharing, batch):
    """The cross-entropy of the adversary, without any reversal."""
    found = torch.zeros((), dtype=torch.float64)
    for task, part in apart(batch).items():
        mask = part.inputs.mask
        states = sharing.shared(part.inputs)
        means = torch.stack([row[kept].mean(dim=0) for row, kept in zip(states, mask, strict=True)])
        target = torch.full((len(part),), TASKS.index(task))
        found = found + functional.cross_entropy(sharing.adversary(means), target)
    return found


@encoders
@settings(max_examples=10)
@given(rows=labelled.filter(any), seed=seeds, strength=st.floats(0, 3))
def test_the_adversary_learns_and_the_shared_encoder_learns_the_opposite(
    encoder, rows, seed, strength
):
    sharing = make(encoder, seed, orthogonality_strength=0.0, adversary_strength=strength)
    batch = batch_of(rows, seed)
    penalty, plain = sharing(batch, TASKS).penalty, surprise_by_hand(sharing, batch)
    torch.testing.assert_close(penalty, plain, **EXACT)
    found, expected = gradient(sharing, penalty), gradient(sharing, plain)
    for name, value in found.items():
        if name.startswith("shared."):
            torch.testing.assert_close(value, -strength * expected[name], **EXACT)
        elif name.startswith("adversary."):
            assert value.any()
            torch.testing.assert_close(value, expected[name], **EXACT)
        else:
            assert not value.any()


def test_with_strength_zero_the_adversary_only_watches():
    sharing = make(orthogonality_strength=0.0, adversary_strength=0.0)
    found = moved(sharing, sharing(batch_of(ONE_EACH), TASKS).penalty)
    assert found == {"adversary.weight", "adversary.bias"}


def texts_of_each_task():
    """Make texts whose tokens tell the task."""
    return collate([Example([1 + i] * 3, {task: [0] * 3}) for i, task in enumerate(TASKS)])


def step(sharing, part, batch, rate):
    """Descend once, with one part alone; return by how much the adversary's loss grows."""
    before = sharing(batch, TASKS).penalty
    parameters = list(part.parameters())
    slopes = torch.autograd.grad(before, parameters)
    with torch.no_grad():
        for parameter, slope in zip(parameters, slopes, strict=True):
            parameter -= rate * slope
        return (sharing(batch, TASKS).penalty - before).item()


def test_the_adversary_finds_out_and_the_shared_encoder_misleads_it():
    sharing, batch = make(orthogonality_strength=0.0, adversary_strength=0.0), texts_of_each_task()
    optimizer = torch.optim.Adam(sharing.adversary.parameters(), lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        sharing(batch, TASKS).penalty.backward()
        optimizer.step()
    assert sharing(batch, TASKS).penalty.item() < 0.5 * len(TASKS) * math.log(len(TASKS))
    logits = sharing.task_logits(sharing.shared(batch.inputs), batch.inputs.mask)
    assert logits.argmax(dim=1).tolist() == [0, 1, 2]
    assert step(sharing, sharing.shared, batch, 1e-3) == 0
    sharing.adversary_strength = 1.0
    assert step(sharing, sharing.adversary, batch, 1e-3) < 0
    assert step(sharing, sharing.shared, batch, 1e-3) > 0


@pytest.mark.parametrize("adversary_strength", [None, 0.5])
def test_texts_without_labels_or_tokens_cost_nothing(adversary_strength):
    sharing = make(adversary_strength=adversary_strength)
    batch = batch_of([*ONE_EACH, set()])
    expected = sharing(batch_of(ONE_EACH), TASKS).penalty
    torch.testing.assert_close(sharing(batch, TASKS).penalty, expected, **EXACT)
    empty = batch_of()
    empty = Batch(Inputs(empty.inputs.input_ids, torch.zeros_like(empty.inputs.mask)), empty.labels)
    missing = {task: torch.full_like(labels, -100) for task, labels in batch.labels.items()}
    for nothing in (Batch(batch.inputs), Batch(batch.inputs, missing), empty):
        penalty = sharing(nothing, TASKS).penalty
        assert penalty.item() == 0
        assert moved(sharing, penalty) == set()


def test_a_label_may_be_one_a_text():
    sharing, batch = make(), batch_of(ALL)
    one_a_text = torch.tensor([1, -100, 0, -100])
    one_a_token = one_a_text[:, None].expand(batch.inputs.mask.shape)
    found, expected = (
        sharing(Batch(batch.inputs, {"ner": labels}), ["ner"]).penalty
        for labels in (one_a_text, one_a_token)
    )
    assert found.item() == expected.item() > 0


# Whole models


@encoders
def test_heads_read_shared_and_private_states_side_by_side(encoder):
    sharing, batch = make(encoder), batch_of()
    shared = sharing(batch, TASKS)
    assert sharing.width == WIDTH + 6
    for task in TASKS:
        expected = torch.cat(
            [sharing.shared(batch.inputs), sharing.private[task](batch.inputs)], dim=-1
        )
        torch.testing.assert_close(shared.hidden[task], expected, **EXACT)
    torch.testing.assert_close(shared.features, sharing.shared(batch.inputs), **EXACT)


@encoders
def test_the_penalty_of_a_task_moves_no_private_part_of_another(encoder):
    model = model_of(make(encoder, adversary_strength=0.5))
    batches = apart(batch_of(ONE_EACH))
    for task in TASKS:
        found = moved(model, model({task: batches[task]}).penalty)
        owners = {name.split(".")[2] for name in found if "private" in name}
        assert owners == {task}
        assert {name.split(".")[1] for name in found} == {"shared", "private", "adversary"}


def test_what_the_adversary_has_is_shared():
    sharing = make()
    shared = {id(parameter) for parameter in sharing.shared_parameters()}
    parts = (sharing.shared, sharing.adversary)
    assert shared == {id(parameter) for part in parts for parameter in part.parameters()}
    own = {id(parameter) for parameter in sharing.task_parameters("ner")}
    assert own == {id(parameter) for parameter in sharing.private["ner"].parameters()}


def test_there_may_be_no_adversary_to_ask():
    sharing, batch = make(adversary_strength=None), batch_of()
    with pytest.raises(ValueError, match="no adversary; make SharedPrivate with adversary_strengt"):
        sharing.task_logits(sharing.shared(batch.inputs), batch.inputs.mask)


def test_the_shared_encoder_is_not_private():
    encoder = bilstm()
    with pytest.raises(ValueError, match="given as a private one too; copy it first"):
        SharedPrivate(encoder, {"pos": encoder, "ner": bilstm()})


@pytest.mark.parametrize("name", ["orthogonality_strength", "adversary_strength"])
@pytest.mark.parametrize("strength", [-0.1, math.nan])
def test_strengths_that_are_refused(name, strength):
    with pytest.raises(ValueError, match=f"{name} must be finite and at least 0, got {strength}"):
        make(**{name: strength})
