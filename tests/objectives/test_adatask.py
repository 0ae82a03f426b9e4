"""AdaTask against an Adam for each task, its running sums written out, and what it must not see."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtl_utils.objectives import AdaTask, Losses

DOUBLE = torch.float64
NAMES = ("tags", "topic", "fr")
RATE = 0.05


class Valleys(torch.nn.Module):
    """Three losses that bend, of a shared vector and a weight that each task has for itself."""

    def __init__(self, **scales: float) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(3)
        self.scales = {name: scales.get(name, 1.0) for name in NAMES}
        self.vector = torch.nn.Parameter(torch.randn(5, dtype=DOUBLE, generator=draw))
        self.own = torch.nn.ParameterDict(
            {name: torch.nn.Parameter(torch.ones(5, dtype=DOUBLE)) for name in NAMES}
        )
        self.aims = {name: torch.randn(5, dtype=DOUBLE, generator=draw) for name in NAMES}

    def shared_parameters(self) -> list[torch.nn.Parameter]:
        return [self.vector]

    def forward(self, tasks: Sequence[str] = NAMES, penalty: float = 0.0) -> Losses:
        by_task = {
            name: scale * (self.own[name] * self.vector - self.aims[name]).pow(4).sum()
            for name, scale in self.scales.items()
            if name in tasks
        }
        return Losses(by_task, penalty * self.vector.pow(2).sum(), None, {})


def moved(
    balancer: AdaTask, model: Valleys, at_hand: Sequence[Sequence[str]], **options: Any
) -> list[Tensor]:
    """Return the shared vector after each step of a loop of one's own; what is not shared stays."""
    optimizer = torch.optim.SGD(model.shared_parameters(), lr=RATE)
    path = []
    for tasks in at_hand:
        model.zero_grad()
        balancer.backward(model(tasks, **options), model)
        balancer.before_step()
        optimizer.step()
        path.append(model.vector.detach().clone())
    return path


def by_adams(
    model: Valleys, at_hand: Sequence[Sequence[str]], penalty: float = 0.0, **settings: Any
) -> list[Tensor]:
    """Return what PyTorch's Adam makes of it, one for each task that is at hand."""
    each = {name: torch.optim.Adam([model.vector], lr=RATE, **settings) for name in NAMES}
    path = []
    for tasks in at_hand:
        losses = model(tasks, penalty)
        parts = {k: loss + losses.penalty / len(tasks) for k, loss in losses.by_task.items()}
        rows = {
            name: torch.autograd.grad(loss, model.vector, retain_graph=True)[0]
            for name, loss in parts.items()
        }
        for name, row in rows.items():
            model.vector.grad = row
            each[name].step()
        path.append(model.vector.detach().clone())
    return path


ALWAYS = [NAMES] * 30
NOW_AND_THEN = [
    [name for place, name in enumerate(NAMES) if step % (place + 2) == 0 or step % 5 == 1]
    for step in range(30)
]


def close(found: Any, expected: Any, digits: int = 12) -> None:
    torch.testing.assert_close(found, expected, rtol=10.0**-digits, atol=10.0**-digits)


@pytest.mark.parametrize("at_hand", [ALWAYS, NOW_AND_THEN], ids=["always", "now and then"])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9), (0.0, 0.0)])
@pytest.mark.parametrize("penalty", [0.0, 0.7])
def test_it_is_an_adam_for_each_task(at_hand: Any, betas: Any, penalty: float) -> None:
    expected = by_adams(Valleys(), at_hand, penalty, betas=betas, eps=1e-3)
    close(moved(AdaTask(betas, 1e-3), Valleys(), at_hand, penalty=penalty), expected)


def test_it_is_the_sums_of_the_paper_written_out() -> None:
    """Means are sums over all earlier gradients, without a recursion."""
    first, second, eps = 0.8, 0.95, 1e-6
    model, balancer = Valleys(), AdaTask((first, second), eps)
    seen: dict[str, list[Tensor]] = {name: [] for name in NAMES}
    for step in range(1, 9):
        losses = model()
        for name, loss in losses.by_task.items():
            seen[name] += torch.autograd.grad(loss, model.vector, retain_graph=True)
        expected = torch.zeros(5, dtype=DOUBLE)
        for rows in seen.values():
            mean, square = torch.zeros(2, 5, dtype=DOUBLE)
            for age, row in enumerate(reversed(rows)):
                mean += (1 - first) * first**age * row / (1 - first**step)
                square += (1 - second) * second**age * row**2 / (1 - second**step)
            expected += mean / (square.sqrt() + eps)
        balancer.backward(losses, model)
        balancer.before_step()
        assert model.vector.grad is not None
        close(model.vector.grad, expected)
        with torch.no_grad():
            model.vector -= RATE * model.vector.grad


@settings(max_examples=8, deadline=None)
@given(
    st.fixed_dictionaries({name: st.floats(1e-3, 1e3) for name in NAMES}),
    st.sampled_from([ALWAYS[:8], NOW_AND_THEN[:12]]),
)
def test_no_unit_of_a_loss_is_seen(scales: Mapping[str, float], at_hand: Any) -> None:
    """Whether it is part of the loss or a weight: with eps near zero, constants divide out."""
    expected = moved(AdaTask(eps=1e-30), Valleys(), at_hand)
    close(moved(AdaTask(eps=1e-30), Valleys(**scales), at_hand), expected, 9)
    close(moved(AdaTask(eps=1e-30, weights=scales), Valleys(), at_hand), expected, 9)


def test_weights_are_part_of_gradients() -> None:
    weights = {"tags": 0.2, "topic": 3.0, "fr": 1.0}
    found = moved(AdaTask(eps=0.5, weights=weights), Valleys(), ALWAYS)
    close(found, moved(AdaTask(eps=0.5), Valleys(**weights), ALWAYS))
    assert not torch.allclose(found[-1], moved(AdaTask(eps=0.5), Valleys(), ALWAYS)[-1], rtol=0.01)
    assert AdaTask(weights=weights).loss_weights(["topic"]) == {"topic": 3.0}
    assert AdaTask().loss_weights(["topic"]) == {"topic": 1.0}
    model = Valleys()
    with pytest.raises(KeyError, match="No weight for the tasks"):
        AdaTask(weights={"tags": 1.0}).backward(model(), model)


def test_what_one_task_has_for_itself_gets_its_plain_gradient() -> None:
    model, other = Valleys(), Valleys()
    weights = {"tags": 0.2, "topic": 3.0, "fr": 1.0}
    balancer = AdaTask(weights=weights)
    balancer.backward(model(), model)
    sum(weights[name] * loss for name, loss in other().by_task.items()).backward()
    for name in NAMES:
        close(model.own[name].grad, other.own[name].grad)
    # Until the step, what is shared has the plain sum, which is what is clipped.
    close(model.vector.grad, other.vector.grad)


@pytest.mark.parametrize("how", ["a loss of 0", "a weight of 0"])
def test_a_task_without_a_gradient_is_an_absent_one(how: str) -> None:
    pairs = [("tags", "topic") if step % 3 else NAMES for step in range(12)]
    expected = moved(AdaTask(), Valleys(), pairs)
    balancer, model, path = AdaTask(), Valleys(), []
    for tasks in pairs:
        factor = 1.0 if "fr" in tasks else 0.0
        balancer.weights = {"tags": 1.0, "topic": 1.0, "fr": factor if "weight" in how else 1.0}
        model.scales["fr"] = factor if "loss" in how else 1.0
        path += moved(balancer, model, [NAMES])
    close(path, expected)


class Reached(torch.nn.Module):
    """Two tasks reach the first shared vector, one the second, a penalty alone the third."""

    def __init__(self) -> None:
        super().__init__()
        ones = (torch.nn.Parameter(torch.full((3,), float(n), dtype=DOUBLE)) for n in (1, 2, 3))
        self.both, self.one, self.none = ones

    def shared_parameters(self) -> list[torch.nn.Parameter]:
        return [self.both, self.one, self.none]

    def forward(self) -> Losses:
        by_task = {"tags": (self.both * self.one).pow(3).sum(), "topic": self.both.exp().sum()}
        return Losses(by_task, sum(p.pow(2).sum() for p in self.parameters()), None, {})


def test_the_penalty_is_divided_among_those_who_reach_a_parameter() -> None:
    model, eps = Reached(), 100.0  # so great that lengths are seen
    both, one = model.both.detach().clone(), model.one.detach().clone()
    tags = 3 * both**2 * one**3 + both, 3 * one**2 * both**3 + 2 * one
    topic = both.exp() + both
    balancer = AdaTask(eps=eps)
    balancer.backward(model(), model)
    close(model.none.grad, 2 * model.none.detach())
    balancer.before_step()
    close(model.both.grad, tags[0] / (tags[0] + eps) + topic / (topic + eps))
    close(model.one.grad, tags[1] / (tags[1] + eps))
    assert model.none.grad is None


def test_clipping_shortens_gradients_and_not_steps() -> None:
    model, other = Valleys(), Valleys(tags=0.25, topic=0.25, fr=0.25)
    balancer, expected = AdaTask(eps=0.3), AdaTask(eps=0.3)
    for _ in range(3):
        balancer.backward(model(), model)
        balancer.before_step(0.25)
        expected.backward(other(), other)
        expected.before_step()
        close(model.vector.grad, other.vector.grad)


def test_losses_may_be_scaled() -> None:
    """As in half precision: the sum is scaled, and what steps are made of is not."""

    def backward(loss: Tensor) -> None:
        (1024 * loss).backward()

    model, other = Valleys(), Valleys()
    balancer, expected = AdaTask(eps=0.3), AdaTask(eps=0.3)
    balancer.backward(model(penalty=0.5), model, backward)
    expected.backward(other(penalty=0.5), other)
    close(model.vector.grad, 1024 * other.vector.grad)
    close(model.own["tags"].grad, 1024 * other.own["tags"].grad)
    balancer.before_step()
    expected.before_step()
    close(model.vector.grad, other.vector.grad)


class Crossed(torch.nn.Module):
    """A matrix that is seen through its transpose, twice: its gradient lies otherwise in memory."""

    def __init__(self) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(0)
        self.matrix = torch.nn.Parameter(torch.randn(3, 4, dtype=DOUBLE, generator=draw))
        self.inputs = torch.randn(4, 3, dtype=DOUBLE, generator=draw)

    def shared_parameters(self) -> list[torch.nn.Parameter]:
        return [self.matrix]

    def forward(self) -> Losses:
        seen = (self.inputs * self.matrix.t()).pow(2) + (self.inputs.exp() * self.matrix.t()).pow(4)
        return Losses({"tags": seen.sum()}, torch.zeros((), dtype=DOUBLE), None, {})


def test_gradients_that_lie_otherwise_in_memory() -> None:
    model, other = Crossed(), Crossed()
    (gradient,) = torch.autograd.grad(model().by_task["tags"], [model.matrix])
    assert gradient.stride() != model.matrix.stride()
    balancer, adam = AdaTask(eps=1.0), torch.optim.Adam([other.matrix], lr=RATE, eps=1.0)
    optimizer = torch.optim.SGD([model.matrix], lr=RATE)
    for _ in range(5):
        balancer.backward(model(), model)
        balancer.before_step()
        optimizer.step()
        adam.zero_grad()
        other().by_task["tags"].backward()
        adam.step()
        model.zero_grad()
        close(model.matrix.detach(), other.matrix.detach())


@pytest.mark.parametrize("how", ["state_dict", "copy"])
def test_what_is_remembered_can_be_moved(how: str) -> None:
    expected = moved(AdaTask(), Valleys(), NOW_AND_THEN)
    balancer, model = AdaTask(), Valleys()
    moved(balancer, model, NOW_AND_THEN[:11])
    fresh = AdaTask()
    if how == "copy":
        fresh = copy.deepcopy(balancer)
    else:
        fresh.load_state_dict(balancer.state_dict())
    moved(balancer, Valleys(), ALWAYS)  # which must not be seen in the other
    rest = moved(fresh, model, NOW_AND_THEN[11:])
    assert all(map(torch.equal, rest, expected[11:]))


def test_what_is_remembered_of_another_model_is_refused() -> None:
    balancer, model = AdaTask(), Valleys()
    moved(balancer, model, ALWAYS[:1])
    model.vector = torch.nn.Parameter(torch.ones(1, dtype=DOUBLE))
    balancer.backward(model(), model)
    with pytest.raises(
        ValueError, match=r"vector for the task 'tags' .*\[5\].*\[1\].*new balancer"
    ):
        balancer.before_step()


def test_a_step_needs_gradients() -> None:
    balancer, model = AdaTask(), Valleys()
    with pytest.raises(RuntimeError, match=r"call backward\(losses, model\) before"):
        balancer.before_step()
    balancer.backward(model(), model)
    balancer.before_step()
    with pytest.raises(RuntimeError, match="no gradients"):
        balancer.before_step()


def test_a_model_that_does_not_say_what_is_shared() -> None:
    model = Valleys()
    with pytest.raises(TypeError, match=r"shared_parameters\(\).* got Linear"):
        AdaTask().backward(model(), torch.nn.Linear(2, 2))
