"""GradNorm against the derivative of its own loss, by hand, and on what is shared."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from weighing import Parts, weights_by_gradient

from mtl_utils.objectives import GradNorm, Losses, gradnorm_slopes

positive = st.floats(0.01, 100)


def vector(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def slopes_by_autograd(norms: Any, weights: Any, ratios: Any, asymmetry: float) -> torch.Tensor:
    """Derive the paper's loss by the weights, with its targets held constant."""
    weights = weights.clone().requires_grad_()
    lengths = weights * norms
    due = (lengths.mean() * (ratios / ratios.mean()) ** asymmetry).detach()
    (found,) = torch.autograd.grad((lengths - due).abs().sum(), weights)
    return found


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(positive, positive, positive), min_size=1, max_size=6), st.floats(0, 3))
def test_slopes_are_those_of_the_paper(rows: list[tuple[float, ...]], asymmetry: float) -> None:
    norms, weights, ratios = (vector(*column) for column in zip(*rows, strict=True))
    found = gradnorm_slopes(norms, weights, ratios, asymmetry)
    torch.testing.assert_close(found, slopes_by_autograd(norms, weights, ratios, asymmetry))


def test_slopes_by_hand() -> None:
    """Lengths 3 and 1, mean 2, equal ratios: the first is too long, the second too short."""
    found = gradnorm_slopes(vector(3.0, 1.0), vector(1.0, 1.0), vector(0.5, 0.5))
    assert found.tolist() == [3.0, -1.0]
    # Of the second four times as much is left: due 2·0.4^1.5 = 0.51 and 2·1.6^1.5 = 4.05.
    found = gradnorm_slopes(vector(3.0, 5.0), vector(1.0, 0.5), vector(0.2, 0.8))
    assert found.tolist() == [3.0, -5.0]


def test_all_losses_zero_are_all_alike() -> None:
    found = gradnorm_slopes(vector(3.0, 1.0), vector(1.0, 1.0), vector(0.0, 0.0))
    assert found.tolist() == [3.0, -1.0]


def test_a_loss_that_is_not_a_number_moves_no_weight() -> None:
    """Others are not moved as if all were alike."""
    found = gradnorm_slopes(vector(3.0, 1.0), vector(1.0, 1.0), vector(0.5, torch.nan))
    assert found.tolist() == [0.0, 0.0]


def step(balancer: GradNorm, optimizer: Any, losses: dict[str, float], only: Any = None) -> Any:
    optimizer.zero_grad()
    model = Parts(**losses)
    told = balancer.backward(model.losses(only), model)
    optimizer.step()
    return told


def test_gradients_become_equally_long() -> None:
    """Without asymmetry weights end where w n is the same for all: at 1/n, with sum 3."""
    balancer = GradNorm(["a", "b", "c"], asymmetry=0.0)
    optimizer = torch.optim.Adam(balancer.parameters(), lr=0.01)
    losses = {"a": 4.0, "b": 1.0, "c": 2.0}
    for _ in range(400):
        told = step(balancer, optimizer, losses)
        assert sum(told.values()) == pytest.approx(3.0)
    expected = {task: 3 / (0.25 + 1 + 0.5) / loss for task, loss in losses.items()}
    assert told == pytest.approx(expected, abs=0.05)


def test_the_first_step_has_weights_of_one_and_hand_computed_slopes() -> None:
    balancer = GradNorm(["a", "b"])
    assert weights_by_gradient(balancer, {"a": 3.0, "b": 1.0}) == {"a": 1.0, "b": 1.0}
    assert [p.grad.item() for p in balancer.raw.parameters()] == [3.0, -1.0]
    assert balancer.first.tolist() == [3.0, 1.0]


def test_weights_follow_the_gradient_of_each_loss_alone() -> None:
    """Vectors of several shared parameters, unused by some: lengths by autograd one at a time."""

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = torch.nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.float64))
            self.two = torch.nn.Parameter(torch.tensor([[3.0]], dtype=torch.float64))

        def shared_parameters(self) -> list[torch.nn.Parameter]:
            return [self.one, self.two]

    net = Net()

    def losses() -> Losses:
        found = {"a": (net.one**2).sum(), "b": net.one[0] * net.two.sum()}
        return Losses(found, torch.zeros((), dtype=torch.float64), None, {})

    balancer = GradNorm(["a", "b"])
    balancer.backward(losses(), net)
    lengths = {"a": (4 + 16) ** 0.5, "b": (9 + 1) ** 0.5}
    slopes = [p.grad.item() for p in balancer.raw.parameters()]
    assert slopes == pytest.approx([lengths["a"], -lengths["b"]])
    last = GradNorm(["a", "b"], parameters=lambda model: [model.two])
    last.backward(losses(), net)
    assert [p.grad.item() for p in last.raw.parameters()] == pytest.approx([0.0, 1.0])


def test_absent_tasks_and_one_task() -> None:
    balancer = GradNorm(["a", "b", "c"], learning_rate=0.1)
    optimizer = torch.optim.Adam(balancer.parameters(), lr=0.1)
    losses = {"a": 3.0, "b": 1.0, "c": 100.0}
    told = step(balancer, optimizer, losses, ["a", "b"])
    assert told == {"a": 1.0, "b": 1.0}
    assert list(balancer.raw.parameters())[2].grad is None
    assert balancer.first.isnan().tolist() == [False, False, True]
    assert balancer.loss_weights("abc") == pytest.approx({"a": 0.9, "b": 1.1, "c": 1.0})
    before = balancer.loss_weights("abc")
    optimizer.zero_grad()
    model = Parts(**losses)
    balancer.backward(model.losses(["c"]), model)
    assert list(balancer.raw.parameters())[2].grad == 0.0
    assert balancer.loss_weights("abc") == pytest.approx(before)
    alone = GradNorm(["a"])
    assert weights_by_gradient(alone, {"a": 3.0}) == {"a": 1.0}


def test_a_loss_of_zero_moves_no_weight_of_its_own() -> None:
    balancer = GradNorm(["a", "b"])
    model = Parts(a=2.0, b=0.0)
    told = balancer.backward(model.losses(), model)
    assert told == {"a": 1.0, "b": 1.0}
    assert [p.grad.item() for p in balancer.raw.parameters()][1] == 0.0
    assert balancer.first.isnan().tolist() == [False, True]


def test_no_weight_falls_below_zero() -> None:
    balancer = GradNorm(["a", "b"])
    with torch.no_grad():
        next(balancer.raw.parameters()).fill_(-5.0)
    found = weights_by_gradient(balancer, {"a": 2.0, "b": 2.0})
    assert 0 < found["a"] < 0.003
    assert sum(found.values()) == pytest.approx(2.0)


def test_nothing_shared_that_is_trained() -> None:
    balancer = GradNorm(["a", "b"], parameters=lambda model: [])
    weights_by_gradient(balancer, {"a": 2.0, "b": 3.0})
    assert [p.grad.item() for p in balancer.raw.parameters()] == [0.0, 0.0]


def test_parameters_that_are_none() -> None:
    """A module, a single tensor or pairs with names: said so, and not gone through all the same."""
    wrong = {
        "Linear": lambda model: torch.nn.Linear(2, 2),
        "Parameter|tensor": lambda model: model.vector,
        "list": lambda model: list(model.named_parameters()),
        "None": lambda model: None,
    }
    for kind, function in wrong.items():
        model = Parts(a=2.0, b=3.0)
        with pytest.raises(TypeError, match=f"list of its parameters.* returns .*({kind})"):
            GradNorm(["a", "b"], parameters=function).backward(model.losses(), model)
    model = Parts(a=2.0, b=3.0)
    with pytest.raises(TypeError, match=r"shared_parameters\(\).* got Linear"):
        GradNorm(["a", "b"]).backward(model.losses(), torch.nn.Linear(2, 2))
    given = GradNorm(["a", "b"], parameters=lambda model: model.parameters())  # a generator
    assert weights_by_gradient(given, {"a": 2.0, "b": 3.0}) == {"a": 1.0, "b": 1.0}
