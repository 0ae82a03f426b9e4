"""Combiners of gradients as balancers: who gets which gradient, in how many passes."""

from __future__ import annotations

import pytest
import torch
from tiny_training import DisjointLoader, TinyLoader, tiny_model

from mtl_utils.data.batch import MISSING_LABEL, Batch
from mtl_utils.objectives import (
    MGDA,
    CAGrad,
    Combiner,
    EqualWeights,
    FixedWeights,
    GradDrop,
    GradVac,
    Losses,
    NashMTL,
    PCGrad,
    UPGrad,
)
from mtl_utils.training import CheckpointError, Trainer, TrainerConfig


class SumOf(Combiner):
    """The sum of all gradients: what plain training has."""

    def _combined(self, pieces, tasks, generator):
        self.tasks, self.rows = tasks, pieces
        there = [[g for g in piece if g is not None] for piece in pieces]
        return [sum(gradients) if gradients else None for gradients in there], None, None


def gradients(model):
    return {name: p.grad for name, p in model.named_parameters()}


def batches(disjoint):
    """Return a batch with labels of both tasks, or one a task, with different texts."""
    first, second = TinyLoader().batch(0, 0), TinyLoader().batch(0, 1)
    return {"tags": first, "topic": second} if disjoint else first


def made(balancer, disjoint, model=None, **changes):
    """Return the model after one backward of a balancer."""
    model = model or tiny_model(dropout=0.0, dtype=torch.float64)
    losses = model(batches(disjoint))
    balancer.backward(losses, model, **changes)
    return model


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, msg=lambda text, n=name: f"{n}: {text}")


class Passes:
    """Counts how often gradients go back through the encoder."""

    def __init__(self, model):
        self.forward, self.backward = 0, 0
        model.sharing.encoder.mix.register_forward_hook(self._forward)

    def _forward(self, module, given, made):
        self.forward += 1
        if made.requires_grad:
            made.register_hook(self._backward)

    def _backward(self, gradient):
        self.backward += 1


@pytest.mark.parametrize("disjoint", [False, True])
def test_the_sum_of_gradients_is_plain_training(disjoint):
    plain = made(EqualWeights(), disjoint)
    assert_same(gradients(made(SumOf(), disjoint)), gradients(plain))
    if not disjoint:
        assert_same(gradients(made(SumOf(on="features"), disjoint)), gradients(plain))


@pytest.mark.parametrize("method", [MGDA, UPGrad, CAGrad, NashMTL])
@pytest.mark.parametrize("disjoint", [False, True])
def test_shared_parameters_get_the_combined_gradient_and_heads_their_own(method, disjoint):
    model = tiny_model(dropout=0.0, dtype=torch.float64)
    losses = model(batches(disjoint))
    shared = model.shared_parameters()
    rows = []
    for loss in losses.by_task.values():
        found = torch.autograd.grad(loss, shared, retain_graph=True)
        rows.append(torch.cat([gradient.flatten() for gradient in found]))
    expected = method().combine(torch.stack(rows))
    heads = {
        name: value.grad for name, value in made(EqualWeights(), disjoint).heads.named_parameters()
    }
    balancer = method()
    balancer.backward(losses, model)
    torch.testing.assert_close(torch.cat([p.grad.flatten() for p in shared]), expected)
    assert_same({name: p.grad for name, p in model.heads.named_parameters()}, heads)
    assert balancer.stationary is False


def test_on_features_the_shared_states_get_the_combined_gradient():
    model = tiny_model(dropout=0.0, dtype=torch.float64)
    losses = model(batches(False))
    rows = [
        torch.autograd.grad(loss, losses.features, retain_graph=True)[0]
        for loss in losses.by_task.values()
    ]
    wanted = MGDA().combine(torch.stack([row.flatten() for row in rows])).view_as(rows[0])
    shared = model.shared_parameters()
    expected = torch.autograd.grad(losses.features, shared, wanted, retain_graph=True)
    heads = {name: p.grad for name, p in made(EqualWeights(), False).heads.named_parameters()}
    MGDA(on="features").backward(losses, model)
    torch.testing.assert_close([p.grad for p in shared], list(expected))
    assert_same({name: p.grad for name, p in model.heads.named_parameters()}, heads)


@pytest.mark.parametrize(
    ("disjoint", "on", "forward", "backward"),
    [(True, "parameters", 2, 2), (False, "parameters", 1, 2), (False, "features", 1, 1)],
)
def test_passes_of_the_encoder_are_counted(disjoint, on, forward, backward):
    """One a task, never the square: and one in all on features."""
    model = tiny_model()
    passes = Passes(model)
    made(MGDA(on=on), disjoint, model)
    assert (passes.forward, passes.backward) == (forward, backward)


def test_passes_of_tasks_with_batches_of_their_own_free_their_graphs():
    model = tiny_model()
    losses = model(batches(True))
    MGDA().backward(losses, model)
    for loss in losses.by_task.values():
        with pytest.raises(RuntimeError, match="second time"):
            torch.autograd.grad(loss, model.shared_parameters())


def test_a_penalty_is_added_once_as_it_is():
    model, other = (tiny_model(dropout=0.0, dtype=torch.float64) for _ in range(2))
    for each, balancer in ((model, SumOf()), (other, EqualWeights())):
        losses = each(batches(False))
        size = sum((p**2).sum() for p in each.shared_parameters()) + losses.features.pow(2).sum()
        balancer.backward(Losses(losses.by_task, size, losses.features, losses.counts), each)
    assert_same(gradients(model), gradients(other))
    model.zero_grad()
    losses = model(batches(False))
    size = sum((p**2).sum() for p in model.shared_parameters()) + losses.features.pow(2).sum()
    SumOf(on="features").backward(
        Losses(losses.by_task, size, losses.features, losses.counts), model
    )
    assert_same(gradients(model), gradients(other))


def test_a_missing_task_and_a_loss_of_zero_are_left_out():
    batch = batches(False)
    only = Batch(batch.inputs, {"tags": batch.labels["tags"]})
    silent = torch.full_like(batch.labels["topic"], MISSING_LABEL)
    both = Batch(batch.inputs, {"tags": batch.labels["tags"], "topic": silent})
    found = []
    for each in (only, both):
        model, balancer = tiny_model(dropout=0.0, dtype=torch.float64), SumOf()
        balancer.backward(model(each), model)
        assert balancer.tasks == ["tags"]
        found.append([p.grad for p in model.shared_parameters()])
    torch.testing.assert_close(found[0], found[1])
    model = tiny_model(dropout=0.0, dtype=torch.float64)
    MGDA().backward(model(both), model)  # a row of zeros would have made it zero
    torch.testing.assert_close([p.grad for p in model.shared_parameters()], found[0])


def test_frozen_parameters_are_left_alone():
    model = tiny_model(dropout=0.0, dtype=torch.float64)
    encoder = model.sharing.encoder
    encoder.embedding.weight.requires_grad_(False)
    for on in ("parameters", "features"):
        model.zero_grad()
        made(MGDA(on=on), False, model)
        assert encoder.embedding.weight.grad is None
        assert encoder.mix.weight.grad.any()
    encoder.requires_grad_(False)
    for on in ("parameters", "features"):
        model.zero_grad()
        made(MGDA(on=on), False, model)
        assert encoder.mix.weight.grad is None or not encoder.mix.weight.grad.any()
        assert model.heads["tags"].output.weight.grad.any()


@pytest.mark.parametrize("on", ["parameters", "features"])
@pytest.mark.parametrize("method", [MGDA, NashMTL])
def test_losses_may_be_scaled(method, on):
    """As in half precision: the combined gradient is scaled, and not what decides about it."""

    def backward(loss):
        (1024 * loss).backward()

    plain = made(method(on=on), False)
    scaled = made(method(on=on), False, backward=backward)
    expected = {name: 1024 * gradient for name, gradient in gradients(plain).items()}
    assert_same(gradients(scaled), expected)


@pytest.mark.parametrize("on", ["parameters", "features"])
def test_a_gradient_that_is_not_finite_is_passed_on(on):
    model = tiny_model()
    losses = model(batches(False))
    broken = losses.reweighted({"tags": float("inf"), "topic": 1.0})
    MGDA(on=on).backward(broken, model)
    found = torch.cat([p.grad.flatten() for p in model.shared_parameters()])
    assert not torch.isfinite(found).all()


def test_gradients_add_up():
    model = made(MGDA(), False)
    once = {name: gradient.clone() for name, gradient in gradients(model).items()}
    made(MGDA(), False, model)
    assert_same(gradients(model), {name: 2 * gradient for name, gradient in once.items()})


class Sums(torch.nn.Module):
    """Two shared weights and two that are not, of which only the sum is seen.

    Autograd has one tensor for the gradients of all.
    """

    def __init__(self):
        super().__init__()
        ones = (torch.nn.Parameter(torch.ones(3, dtype=torch.float64)) for _ in range(4))
        self.shared, self.base, self.change, self.offset = ones

    def shared_parameters(self):
        return [self.shared, self.offset]

    def forward(self):
        total = self.shared + self.offset + (self.base + self.change)
        by_task = {"tags": (total**2).sum(), "topic": total.sum()}
        return Losses(by_task, (self.base**2).sum() + (self.shared**2).sum(), None, {})


class FirstOf(Combiner):
    """Hands the gradients of the first task back, the very tensors."""

    def _combined(self, pieces, tasks, generator):
        return [piece[0] for piece in pieces], None, None


@pytest.mark.parametrize("method", [SumOf, FirstOf, MGDA])
def test_parameters_that_are_summed_have_gradients_of_their_own(method):
    """Adding to one, or clipping it, leaves the others as they are."""
    model = Sums()
    method().backward(model(), model)
    of_tasks = {SumOf: 9.0, FirstOf: 8.0, MGDA: 1.0}[method]
    expected = {"shared": of_tasks + 2, "base": 11.0, "change": 9.0, "offset": of_tasks}
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, torch.full_like(parameter, expected[name]))
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
    norms = [float(p.grad.norm()) for p in model.parameters()]
    assert sum(norm**2 for norm in norms) == pytest.approx(0.01, rel=1e-4)


class Crossed(Sums):
    """One shared matrix, of which only the transpose is seen, in two terms."""

    def __init__(self):
        super().__init__()
        self.shared = torch.nn.Parameter(torch.arange(12.0).reshape(3, 4))

    def shared_parameters(self):
        return [self.shared]

    def forward(self):
        ramp = torch.arange(1.0, 13.0).reshape(4, 3)
        both = (ramp * self.shared.t()).pow(2) + ((0.1 * ramp).exp() * self.shared.t()).pow(2)
        return Losses({"tags": both.sum()}, torch.zeros(()), None, {})


@pytest.mark.parametrize("method", [SumOf, FirstOf, MGDA, UPGrad])
def test_gradients_lie_in_memory_as_their_parameters_do(method):
    """A fused optimizer reads both from the first number on, and asks for no strides."""
    model, other = Crossed(), Crossed()
    (raw,) = torch.autograd.grad(model().by_task["tags"], [model.shared])
    assert raw.stride() != model.shared.stride()
    method().backward(model(), model)
    other().by_task["tags"].backward()
    torch.testing.assert_close(model.shared.grad, other.shared.grad)
    for each in (model, other):
        torch.optim.AdamW([each.shared], lr=0.1, eps=10.0, fused=each is model).step()
    torch.testing.assert_close(model.shared, other.shared)


def test_the_scale_of_losses_is_asked_for_once():
    """The trainer's way of going back is no quick one: not once for each parameter."""
    asked = []

    def backward(loss):
        asked.append(loss)
        loss.backward()

    made(MGDA(), False, backward=backward)
    few = len(asked)
    model = tiny_model(dropout=0.0, dtype=torch.float64)
    assert len(model.shared_parameters()) > few
    assert few <= 2


def test_features_of_several_batches_are_refused():
    with pytest.raises(ValueError, match=r'on="features" needs .* one batch.*"parameters"'):
        made(MGDA(on="features"), True)


def test_what_is_reached_beside_the_features_is_refused():
    model = tiny_model()
    losses = model(batches(False))
    round_about = dict(losses.by_task)
    round_about["topic"] = losses.by_task["topic"] + model.sharing.encoder.mix.bias.sum()
    wrong = Losses(round_about, losses.penalty, losses.features, losses.counts)
    with pytest.raises(ValueError, match=r"'topic' reaches some of it otherwise"):
        MGDA(on="features").backward(wrong, model)


def test_a_model_that_does_not_say_what_is_shared():
    model = tiny_model()
    with pytest.raises(TypeError, match=r"shared_parameters\(\).* got Linear"):
        MGDA().backward(model(batches(False)), torch.nn.Linear(2, 2))


CONFIG = TrainerConfig(epochs=2, learning_rate=0.01)


@pytest.mark.parametrize("loader", [TinyLoader, DisjointLoader])
@pytest.mark.parametrize("method", [MGDA, PCGrad, GradVac, GradDrop, NashMTL])
def test_a_trainer_trains_with_it(loader, method):
    model = tiny_model()
    before = [p.detach().clone() for p in model.parameters()]
    history = Trainer(model, CONFIG, balancer=method(), progress=False).fit(loader())
    assert history["train_loss"].notna().all()
    assert all(bool((a != b).any()) for a, b in zip(before, model.parameters(), strict=True))


def test_the_sum_trains_as_equal_weights_do():
    weights = []
    for balancer in (SumOf(), EqualWeights(), FixedWeights({"tags": 1, "topic": 1})):
        model = tiny_model(dtype=torch.float64)
        Trainer(model, CONFIG, balancer=balancer, progress=False).fit(TinyLoader())
        weights.append(list(model.state_dict().values()))
    torch.testing.assert_close(weights[0], weights[1])


@pytest.mark.parametrize("method", [GradVac, PCGrad])
def test_a_run_that_was_stopped_goes_on_as_it_would_have(method, tmp_path):
    """Averages and draws are part of a checkpoint."""

    def train(checkpoint, stop):
        def stopping(row):
            if stop and row["epoch"] == 1:
                raise KeyboardInterrupt

        model = tiny_model()
        trainer = Trainer(
            model,
            CONFIG,
            balancer=method(),
            progress=False,
            checkpoint=checkpoint,
            callbacks=[stopping],
        )
        try:
            trainer.fit(TinyLoader())
        except KeyboardInterrupt:
            return None
        return model.state_dict()

    whole = train(None, False)
    assert train(tmp_path / "run.ckpt", True) is None
    torch.testing.assert_close(train(tmp_path / "run.ckpt", False), whole, rtol=0, atol=0)


@pytest.mark.parametrize("method", [MGDA, GradVac])
def test_the_same_call_goes_on_with_the_balancer_that_was_stopped(method, tmp_path):
    """As when a cell of a notebook is stopped and run once more."""

    def trained(balancer, path):
        trainer = Trainer(
            tiny_model(),
            CONFIG,
            balancer=balancer,
            progress=False,
            checkpoint=path,
            callbacks=[stopping],
        )
        trainer.fit(TinyLoader())
        return trainer.model.state_dict()

    def stopping(row):
        if stop and row["epoch"] == 1:
            raise KeyboardInterrupt

    stop = False
    whole = trained(method(), None)
    stop, balancer, path = True, method(), tmp_path / "run.ckpt"
    with pytest.raises(KeyboardInterrupt):
        trained(balancer, path)
    stop = False
    assert balancer.stationary is False
    torch.testing.assert_close(trained(balancer, path), whole, rtol=0, atol=0)
    with pytest.raises(CheckpointError, match="another run"):  # settings are compared as before
        trained(method(on="features"), path)


def test_where_nothing_is_combined_no_earlier_step_is_told_of():
    model, balancer = tiny_model(), MGDA()
    balancer.backward(model(batches(False)), model)
    assert balancer.stationary is False
    balancer.backward(model(batches(False)).reweighted({"tags": 0.0, "topic": 0.0}), model)
    assert balancer.stationary is None


def test_accumulation_is_refused():
    with pytest.raises(ValueError, match="MGDA has to see the losses of the whole step"):
        Trainer(tiny_model(), TrainerConfig(accumulate=2), balancer=MGDA())


def test_mixed_precision():
    model = tiny_model()
    config = TrainerConfig(epochs=1, mixed_precision="bf16")
    for on in ("parameters", "features"):
        trainer = Trainer(model, config, balancer=MGDA(on=on), progress=False)
        assert trainer.fit(TinyLoader())["train_loss"].notna().all()
