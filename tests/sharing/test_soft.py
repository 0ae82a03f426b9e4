"""Soft sharing: no penalty decouples the tasks, a great one comes close to hard sharing."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_sharing import (
    EXACT,
    PARTS,
    TASKS,
    apart,
    batch_of,
    bilstm,
    encoders,
    gradient,
    model_of,
    moved,
    total,
    transformer,
)

from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing, SoftSharing, squared_distance, trace_norm

seeds = st.integers(0, 2**31)
sizes = st.lists(st.integers(1, 4), max_size=2)
penalties = pytest.mark.parametrize("penalty", [squared_distance, trace_norm])


def draw(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# The penalties, as functions


@given(seeds, st.integers(1, 4), sizes)
def test_the_distance_is_that_of_all_pairs(seed, num_tasks, size):
    copies = draw(seed, num_tasks, *size)
    pairs = itertools.product(copies.flatten(1) if size else copies[:, None], repeat=2)
    expected = sum(float(((a - b) ** 2).sum()) for a, b in pairs) / (2 * num_tasks)
    assert squared_distance(copies).item() == pytest.approx(expected, abs=1e-12)


@given(seeds, st.integers(1, 4), sizes)
def test_the_distance_does_not_move_the_mean(seed, num_tasks, size):
    copies = draw(seed, num_tasks, *size).requires_grad_()
    (found,) = torch.autograd.grad(squared_distance(copies), copies)
    torch.testing.assert_close(found, 2 * (copies - copies.mean(dim=0)).detach(), **EXACT)
    assert found.sum(dim=0).abs().max() < 1e-12


def by_numpy(copies):
    return np.linalg.svd(copies.reshape(len(copies), -1), compute_uv=False).sum()


@given(seeds, st.integers(1, 4), sizes)
def test_the_trace_norm_is_the_sum_of_singular_values_and_so_is_its_gradient(seed, num_tasks, size):
    copies = draw(seed, num_tasks, *size).requires_grad_()
    norm = trace_norm(copies)
    values = copies.detach().numpy()
    assert norm.item() == pytest.approx(by_numpy(values), rel=1e-12)
    (found,) = torch.autograd.grad(norm, copies)
    step = 1e-6
    for place in np.ndindex(values.shape):
        up, down = values.copy(), values.copy()
        up[place] += step
        down[place] -= step
        slope = (by_numpy(up) - by_numpy(down)) / (2 * step)
        assert found[place].item() == pytest.approx(slope, abs=1e-4)


@penalties
@pytest.mark.parametrize("seed", range(3))
def test_gradients_by_finite_differences(penalty, seed):
    assert torch.autograd.gradcheck(penalty, draw(seed, 3, 2, 4).requires_grad_())


@pytest.mark.parametrize("num_tasks", [1, 2, 3])
def test_the_trace_norm_of_equal_copies_and_of_nothing(num_tasks):
    """A matrix of rank 1: its gradient is the same for all rows, and so keeps them equal."""
    one = draw(0, 5)
    copies = one.expand(num_tasks, 5).clone().requires_grad_()
    norm = trace_norm(copies)
    assert norm.item() == pytest.approx(math.sqrt(num_tasks) * one.norm().item(), rel=1e-12)
    (found,) = torch.autograd.grad(norm, copies)
    expected = (one / one.norm() / math.sqrt(num_tasks)).expand_as(found)
    torch.testing.assert_close(found, expected, **EXACT)
    nothing = torch.zeros(num_tasks, 5, dtype=torch.float64, requires_grad=True)
    assert trace_norm(nothing).item() == 0
    assert not torch.autograd.grad(trace_norm(nothing), nothing)[0].any()


@pytest.mark.parametrize("apart", [1.0, 1e-2, 1e-4])
@pytest.mark.parametrize("num_tasks", [1, 2, 5])
def test_the_trace_norm_of_numbers_of_32_bits_is_that_of_64(num_tasks, apart):
    """Also where copies of a large parameter hardly differ: that is no rounding."""
    one = draw(0, 40, 1000)
    exact = (one + apart * draw(1, num_tasks, 40, 1000)).float().double().requires_grad_()
    copies = exact.detach().float().requires_grad_()
    found, expected = trace_norm(copies), trace_norm(exact)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    pair = [torch.autograd.grad(n, c)[0] for n, c in ((found, copies), (expected, exact))]
    assert (pair[0] - pair[1]).norm() < 5e-3 * pair[1].norm()  # 1e-7 over what they differ by
    if num_tasks > 1:  # a pull along what they differ by
        between = pair[1] - pair[1].mean(dim=0)
        assert between.norm() > 0.5


def test_the_trace_norm_of_equal_copies_of_32_bits_has_no_direction_between_them():
    one = draw(0, 64000).float()
    copies = one.expand(2, 64000).clone().requires_grad_()
    (found,) = torch.autograd.grad(3 * trace_norm(copies), copies)
    torch.testing.assert_close(found, (3 * one / one.norm() / math.sqrt(2)).expand_as(found))
    assert torch.equal(found[0], found[1])
    nothing = torch.zeros(2, 5, requires_grad=True)
    assert not torch.autograd.grad(trace_norm(nothing), nothing)[0].any()


def test_the_trace_norm_of_32_bits_may_be_differentiated_twice():
    exact = draw(0, 2, 5).float().double().requires_grad_()
    copies = exact.detach().float().requires_grad_()
    found = []
    for numbers in (copies, exact):
        loss = numbers.square().sum() + trace_norm(numbers)
        (slope,) = torch.autograd.grad(loss, numbers, create_graph=True)
        found.append(torch.autograd.grad(slope.square().sum(), numbers)[0])
    torch.testing.assert_close(found[0].double(), found[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_trace_norm_of_numbers_of_16_bits(dtype):
    copies = draw(0, 3, 2, 4).to(dtype).requires_grad_()
    exact = copies.detach().double().requires_grad_()
    found, expected = trace_norm(copies), trace_norm(exact)
    assert found.dtype == dtype
    assert found.item() == pytest.approx(expected.item(), rel=1e-2)
    pair = [torch.autograd.grad(n, c)[0] for n, c in ((found, copies), (expected, exact))]
    torch.testing.assert_close(pair[0].double(), pair[1], atol=1e-2, rtol=0)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_no_error_of_a_decomposition(wrong):
    copies = torch.tensor([[1.0, wrong], [0.0, 1.0]], requires_grad=True)
    assert trace_norm(copies).isnan()
    assert trace_norm(copies).requires_grad


# Training


def make(encoder=bilstm, seed=0, **settings):
    torch.manual_seed(seed)
    settings = {"tied": PARTS[encoder], **settings}
    return model_of(SoftSharing({task: encoder() for task in TASKS}, **settings))


def alone(model, task):
    """Copy the encoder and the head of one task into a model of its own."""
    single = model_of(HardSharing(copy.deepcopy(model.sharing.encoders[task])), [task])
    single.heads[task].load_state_dict(model.heads[task].state_dict())
    return single


def train(model, batches, steps=3):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    for seed in range(steps):
        optimizer.zero_grad()
        total(model(batches(seed))).backward()
        optimizer.step()


@encoders
@penalties
@pytest.mark.parametrize("disjoint", [False, True])
def test_without_a_penalty_tasks_are_trained_apart(encoder, penalty, disjoint):
    """Bit for bit the weights of models that have never heard of one another."""

    def batches(seed):
        batch = batch_of(seed=seed)
        return apart(batch) if disjoint else batch

    model = make(encoder, penalty=penalty, strength=0.0)
    coupled = make(encoder, penalty=penalty, strength=0.1)
    singles = {task: alone(model, task) for task in TASKS}
    train(model, batches)
    train(coupled, batches)
    for task, single in singles.items():
        train(single, lambda seed, task=task: apart(batch_of(seed=seed))[task])
        for name, parameter in single.sharing.encoder.named_parameters():
            assert torch.equal(model.sharing.encoders[task].get_parameter(name), parameter), name
        for name, parameter in single.heads[task].named_parameters():
            assert torch.equal(model.heads[task].get_parameter(name), parameter), name
    assert not torch.equal(
        coupled.sharing.encoders[TASKS[0]].embedding.weight,
        model.sharing.encoders[TASKS[0]].embedding.weight,
    )


def descend(model, rates, steps):
    """Descend with one rate for the encoders and one for the heads."""
    groups = [{"params": list(model.sharing.parameters()), "lr": rates[0]}]
    groups.append({"params": list(model.heads.parameters()), "lr": rates[1]})
    optimizer, batch = torch.optim.SGD(groups), batch_of()
    for _ in range(steps):
        optimizer.zero_grad()
        total(model(batch)).backward()
        optimizer.step()


@encoders
def test_a_great_strength_comes_close_to_hard_sharing(encoder):
    r"""Descent for a fixed time t = n η, from equal encoders, at strength 1 / (2 η).

    Each step then sets every encoder back to the mean of all and adds its own gradient, so the mean
    follows the mean of the gradients, as one encoder does at the rate η / K. Both the distance from
    the mean and the difference of the scores are of the order of η: four times the strength makes
    them four times smaller. Halves are what the test asks for.
    """
    torch.manual_seed(0)
    first, batch = encoder(), batch_of()

    def run(rate, strength):
        torch.manual_seed(1)
        copies = {task: copy.deepcopy(first) for task in TASKS}
        soft = model_of(SoftSharing(copies, PARTS[encoder], strength=strength))
        hard = model_of(HardSharing(copy.deepcopy(first)))
        hard.heads.load_state_dict(soft.heads.state_dict())
        steps = round(0.8 / rate)
        descend(soft, (rate, rate), steps)
        descend(hard, (rate / len(TASKS), rate), steps)
        soft.sharing.strength = 1.0
        with torch.no_grad():
            ways = [model.sharing(batch, TASKS).hidden for model in (soft, hard)]
            scores = [
                [model.head(task)(hidden[task], batch)[batch.inputs.mask] for task in TASKS]
                for model, hidden in zip((soft, hard), ways, strict=True)
            ]
            gaps = [(a - b).abs().max().item() for a, b in zip(*scores, strict=True)]
        return soft.sharing.distance().sqrt().item(), max(gaps)

    rates = (0.2, 0.05, 0.0125)
    found = [run(rate, 1 / (2 * rate)) for rate in rates]
    free = run(rates[-1], 0.0)
    for weak, strong in itertools.pairwise([free, *found]):
        assert strong[0] < weak[0] / 2
        assert strong[1] < weak[1] / 2
    assert found[-1][0] < 0.05


# The penalty as part of a model


@encoders
@penalties
@pytest.mark.parametrize("strength", [0.5, 2.0])
def test_the_penalty_is_added_once_whatever_the_batches(encoder, penalty, strength):
    model, batch = make(encoder, penalty=penalty, strength=strength), batch_of()
    sharing = model.sharing
    towers = [dict(sharing.encoders[task].named_parameters()) for task in TASKS]
    expected = strength * sum(penalty(torch.stack([t[n] for t in towers])) for n in towers[0])
    assert expected.item() > 0
    assert sharing.tied == tuple(towers[0])
    for batches in (batch, apart(batch), {"pos": batch}):
        torch.testing.assert_close(model(batches).penalty, expected, **EXACT)
    assert model(batch).features is None


@encoders
def test_only_what_is_tied_is_penalised(encoder):
    part = PARTS[encoder][-1]
    model = make(encoder, tied=[part], strength=1.0)
    found = moved(model, model({"pos": batch_of()}).penalty)
    expected = {
        f"sharing.encoders.{task}.{name}"
        for task in TASKS
        for name, _ in model.sharing.encoders[task].named_parameters()
        if name.startswith(f"{part}.")
    }
    # Weights that begin at 0 or 1 everywhere are at no distance.
    assert found <= expected
    assert {name.split(".")[2] for name in found} == set(TASKS)


def test_encoders_of_different_depth_can_be_tied_where_they_are_alike():
    encoders = {"pos": bilstm(num_layers=1), "ner": bilstm(num_layers=2)}
    weight = "lstm.weight_ih_l0"
    sharing = SoftSharing(encoders, ["embedding", weight, weight])
    assert sharing.tied == ("embedding.weight", weight)


def test_equal_copies_stay_equal_without_losses():
    for penalty in (squared_distance, trace_norm):
        one = bilstm()
        copies = {task: copy.deepcopy(one) for task in TASKS}
        sharing = SoftSharing(copies, PARTS[bilstm], penalty)
        found = gradient(sharing, sharing.distance())
        for name, _ in one.named_parameters():
            first, *others = (found[f"encoders.{task}.{name}"] for task in TASKS)
            for other in others:
                torch.testing.assert_close(other, first, **EXACT)


@settings(max_examples=10)
@given(seeds)
def test_predictions_are_those_of_each_encoder_alone(seed):
    model, batch = make(seed=seed), batch_of(seed=seed)
    found = model.predict(batch)
    for task in TASKS:
        assert alone(model, task).predict(batch) == {task: found[task]}


def test_its_name_says_what_is_tied():
    sharing = SoftSharing({"pos": bilstm()}, ["embedding"], trace_norm, 0.5)
    assert "tied=['embedding.weight'], penalty=trace_norm, strength=0.5" in repr(sharing)


SHARED = torch.nn.Embedding(9, 4)


@pytest.mark.parametrize(
    ("second", "tied", "error", "message"),
    [
        (bilstm, "lstm", TypeError, r"got the string 'lstm'; use \['lstm'\]"),
        (bilstm, ["lst"], ValueError, "'pos' has no parameters named 'lst'; its parts are"),
        (transformer, ["lstm"], ValueError, "'ner' has no parameters named 'lstm'"),
        (
            lambda: bilstm(num_layers=1),
            ["lstm"],
            ValueError,
            "'lstm' has other parameters in the encoder of 'ner' than in that of 'pos'",
        ),
        (
            lambda: BiLSTMEncoder(12, 4),
            ["embedding"],
            ValueError,
            r"'embedding.weight' has the shapes {'pos': \[9, 4\], 'ner': \[12, 4\]}",
        ),
    ],
)
def test_what_cannot_be_tied(second, tied, error, message):
    with pytest.raises(error, match=message):
        SoftSharing({"pos": bilstm(), "ner": second()}, tied)


def test_what_is_shared_already_cannot_be_tied():
    encoders = {task: BiLSTMEncoder(9, 4, embedding=SHARED) for task in ("pos", "ner")}
    with pytest.raises(ValueError, match=r"one and the same parameter.*leave it out of tied"):
        SoftSharing(encoders, ["embedding"])


@pytest.mark.parametrize("strength", [-1.0, math.nan])
def test_a_strength_that_drives_encoders_apart(strength):
    with pytest.raises(ValueError, match=f"strength must be finite and at least 0, got {strength}"):
        SoftSharing({"pos": bilstm()}, ["lstm"], strength=strength)
