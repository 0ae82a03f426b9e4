"""Weights of tasks: the gradient is the weighted sum of the tasks' own gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils import objectives
from mtl_utils.objectives import (
    FAMO,
    Balancer,
    CAGrad,
    EqualWeights,
    FixedWeights,
    FromTorchJD,
    GradNorm,
    Losses,
    SmoothChebyshev,
    TaskScalarization,
    UncertaintyWeights,
)

TASKS = ("ner", "topic", "fr")


class Tiny(torch.nn.Module):
    """Three losses and a penalty on shared weights, each with a head of its own."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)

        def draw(*shape):
            values = torch.randn(shape, generator=generator, dtype=torch.float64)
            return torch.nn.Parameter(values)

        self.shared = draw(3, 4)
        self.own = torch.nn.ParameterDict({task: draw(3) for task in TASKS})

    def forward(self, tasks=TASKS):
        inputs = torch.linspace(-1, 1, 4, dtype=torch.float64)
        hidden = torch.tanh(self.shared @ inputs)
        by_task = {task: (self.own[task] @ hidden - k) ** 2 for k, task in enumerate(tasks)}
        counts = {task: torch.tensor(1) for task in tasks}
        return Losses(by_task, 0.1 * (self.shared**2).sum(), None, counts)


def gradient(model):
    """Return all gradients in one vector, zero where there is none."""
    return torch.cat(
        [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in model.parameters()]
    )


def gradients_of_each(model, tasks=TASKS):
    """Return the gradient of each task and of the penalty, by autograd one at a time."""
    losses = model(tasks)
    found = {}
    for name, loss in [*losses.by_task.items(), ("penalty", losses.penalty)]:
        parts = torch.autograd.grad(
            loss, list(model.parameters()), retain_graph=True, materialize_grads=True
        )
        found[name] = torch.cat([part.flatten() for part in parts])
    return found


weights = st.floats(0, 10)


@settings(max_examples=30)
@given(weights, weights, weights, st.permutations(TASKS))
def test_the_gradient_is_the_weighted_sum(ner, topic, fr, order):
    chosen, model = {"ner": ner, "topic": topic, "fr": fr}, Tiny()
    balancer = FixedWeights({task: chosen[task] for task in order})
    balancer.backward(model(), model)
    own = gradients_of_each(model)
    expected = own["penalty"] + sum(chosen[task] * own[task] for task in TASKS)
    torch.testing.assert_close(gradient(model), expected, atol=1e-11, rtol=1e-11)


def test_equal_weights_are_ones():
    equal, fixed = Tiny(), Tiny()
    EqualWeights().backward(equal(), equal)
    FixedWeights(dict.fromkeys(TASKS, 1)).backward(fixed(), fixed)
    torch.testing.assert_close(gradient(equal), gradient(fixed), atol=0, rtol=0)
    own = gradients_of_each(equal)
    torch.testing.assert_close(gradient(equal), sum(own.values()), atol=1e-12, rtol=1e-12)


def test_a_weight_of_zero_moves_nothing():
    model = Tiny()
    FixedWeights({"ner": 0, "topic": 2, "fr": 0}).backward(model(), model)
    own = gradients_of_each(model)
    torch.testing.assert_close(gradient(model), own["penalty"] + 2 * own["topic"])
    for task in ("ner", "fr"):
        assert not model.own[task].grad.any()


@pytest.mark.parametrize("balancer", [EqualWeights(), FixedWeights(dict.fromkeys(TASKS, 0.5))])
def test_a_batch_may_lack_tasks(balancer):
    model = Tiny()
    balancer.backward(model(("topic",)), model)
    own, weight = gradients_of_each(model, ("topic",)), getattr(balancer, "weights", {"topic": 1})
    torch.testing.assert_close(gradient(model), own["penalty"] + weight["topic"] * own["topic"])
    assert model.own["ner"].grad is None


def test_gradients_add_up_over_batches():
    model = Tiny()
    EqualWeights().backward(model(), model)
    once = gradient(model)
    EqualWeights().backward(model(), model)
    torch.testing.assert_close(gradient(model), 2 * once)


@pytest.mark.parametrize("balancer", [EqualWeights(), FixedWeights(dict.fromkeys(TASKS, 0.5))])
def test_the_trainer_may_back_propagate_in_its_own_way(balancer):
    plain, scaled, given = Tiny(), Tiny(), []

    def backward(loss):
        given.append(loss.shape)
        (1024 * loss).backward()

    balancer.backward(plain(), plain)
    balancer.backward(scaled(), scaled, backward)
    torch.testing.assert_close(gradient(scaled), 1024 * gradient(plain))
    assert given == [()]  # one pass backward, of a scalar


def test_losses_are_reweighted_without_touching_the_rest():
    losses = Tiny()()
    changed = losses.reweighted({"ner": 2, "topic": torch.tensor(0.5), "fr": 0})
    factors = (2, 0.5, 0)
    expected = [f * losses.by_task[task].item() for f, task in zip(factors, TASKS, strict=True)]
    assert [changed.by_task[task].item() for task in TASKS] == pytest.approx(expected)
    assert changed.penalty is losses.penalty
    assert changed.counts is losses.counts


def test_a_task_without_a_weight():
    model = Tiny()
    with pytest.raises(KeyError, match=r"No weight for the tasks \['fr', 'ner'\].*\['topic'\]"):
        FixedWeights({"topic": 1}).backward(model(), model)
    assert not gradient(model).any()


def test_a_weight_of_a_task_by_another_name():
    """Refused at once, also where no batch of the task has come yet."""
    model = Tiny()
    model.tasks = dict.fromkeys(TASKS)
    weights = {"ner": 1, "topics": 1, "fr": 1}
    with pytest.raises(KeyError, match=r"'topics', which is no task .* did you mean 'topic'"):
        FixedWeights(weights).backward(model(["ner"]), model)
    assert not gradient(model).any()
    # One mapping serves models of some of its tasks.
    FixedWeights({**dict.fromkeys(TASKS, 1.0), "more": 1.0}).backward(model(), model)
    assert gradient(model).any()


@pytest.mark.parametrize("wrong", [-1.0, -1e-9, math.nan])
def test_a_negative_weight(wrong):
    with pytest.raises(ValueError, match=r"weight of 'ner' .* at least 0, got (-|nan)"):
        FixedWeights({"ner": wrong, "topic": 1})


def every_balancer():
    """Return one of each kind that can be made without another library."""
    abstract = {Balancer, objectives.Scalarization, objectives.Combiner, objectives.GramCombiner}
    kinds = [getattr(objectives, name) for name in objectives.__all__]
    kinds = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Balancer)]
    for kind in kinds:
        if kind in abstract | {TaskScalarization, FromTorchJD}:
            continue
        if kind is FixedWeights:
            yield kind(dict.fromkeys(TASKS, 1.0))
        else:
            yield kind(TASKS) if issubclass(kind, TaskScalarization) else kind()


@pytest.mark.parametrize("balancer", list(every_balancer()), ids=lambda made: type(made).__name__)
@pytest.mark.parametrize("wrong", [{"ner": torch.tensor(1.0)}, [torch.tensor(1.0)], None])
def test_losses_that_are_none_of_a_model(balancer, wrong):
    with pytest.raises(
        TypeError, match=r"losses must be Losses, as model\(batch\) returns them, got"
    ):
        balancer.backward(wrong, Tiny())
    if balancer.looks_again:
        with pytest.raises(TypeError, match="losses must be Losses"):
            balancer.after_step(wrong)


@pytest.mark.parametrize(
    ("balancer", "settings"),
    [
        (FixedWeights({"ner": 2, "topic": 0.5}), "weights={'ner': 2, 'topic': 0.5}"),
        (CAGrad(0.3, on="features"), "c=0.3, on='features'"),
        (objectives.GradDrop(leak=0.25), "leak=0.25, on='parameters'"),
        (objectives.GradVac(), "beta=0.01, on='parameters'"),
        (
            UncertaintyWeights(TASKS, ["ner"], learning_rate=0.1),
            f"tasks={TASKS}, regression=('ner',), max_weight=10000.0, learning_rate=0.1",
        ),
        (GradNorm(TASKS, asymmetry=0.5), f"tasks={TASKS}, asymmetry=0.5, learning_rate=0.025"),
        (FAMO(TASKS), f"tasks={TASKS}, learning_rate=0.025, decay=0.001"),
        (
            SmoothChebyshev(("a", "b"), {"b": 2.0}),
            "tasks=('a', 'b'), weights=[1.0, 2.0], smoothing=0.1, ideal=[0.0, 0.0], relative=True",
        ),
        (EqualWeights(), ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_settings_are_shown(balancer, settings):
    """Two runs of one method can be told apart where their balancers are printed."""
    assert settings == balancer.extra_repr()
    assert settings in repr(balancer)
