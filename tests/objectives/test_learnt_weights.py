"""Weights that are parameters: uncertainty weighting and impartial learning of losses."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from weighing import Parts, weights_by_gradient

from mtl_utils.objectives import (
    ImpartialLosses,
    Losses,
    UncertaintyWeights,
    impartial_loss,
    uncertainty_loss,
)

LOSSES = {"ner": 20.0, "topic": 0.5, "likeness": 4.0}
both = pytest.mark.parametrize("kind", [UncertaintyWeights, ImpartialLosses])


def test_uncertainty_by_hand() -> None:
    """Classification e^-s L + s/2, regression half of the first: at s = log 4."""
    losses, s = torch.tensor([3.0, 3.0]), torch.full((2,), math.log(4.0))
    found = uncertainty_loss(losses, s, torch.tensor([False, True]))
    assert float(found) == pytest.approx(3 / 4 + 3 / 8 + math.log(4.0))
    assert float(uncertainty_loss(losses, s)) == pytest.approx(6 / 4 + math.log(4.0))


def test_regression_is_the_likelihood_of_a_normal_distribution() -> None:
    errors = torch.tensor([0.3, -1.2, 2.0, 0.7], dtype=torch.float64)
    s = torch.tensor([0.8], dtype=torch.float64)
    nll = torch.nn.functional.gaussian_nll_loss(
        torch.zeros(4, dtype=torch.float64), errors, torch.exp(s).expand(4)
    )
    found = uncertainty_loss(errors.square().mean()[None], s, torch.tensor([True]))
    torch.testing.assert_close(found, nll)


def test_impartial_by_hand() -> None:
    found = impartial_loss(torch.tensor([3.0, 0.5]), torch.tensor([0.0, math.log(2.0)]))
    assert float(found) == pytest.approx(3.0 + 1.0 - math.log(2.0))


def test_first_weights_and_slopes() -> None:
    balancer = UncertaintyWeights(list(LOSSES), ["likeness"])
    assert weights_by_gradient(balancer, LOSSES) == {"ner": 1.0, "topic": 1.0, "likeness": 0.5}
    slopes = [p.grad.item() for p in balancer.log_variances.parameters()]
    assert slopes == [0.5 - 20.0, 0.5 - 0.5, 0.5 - 2.0]
    impartial = ImpartialLosses(list(LOSSES))
    assert weights_by_gradient(impartial, LOSSES) == dict.fromkeys(LOSSES, 1.0)
    assert [p.grad.item() for p in impartial.log_scales.parameters()] == [19.0, -0.5, 3.0]


def descend(balancer: Any, losses: dict[str, float], steps: int, rate: float = 0.1) -> None:
    optimizer = torch.optim.Adam(balancer.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        model = Parts(**losses)
        balancer.backward(model.losses(), model)
        optimizer.step()


def test_learnt_to_the_end_they_are_reciprocals_of_losses() -> None:
    """Both forms of uncertainty end at 1/2L, the impartial one at 1/L."""
    uncertain = UncertaintyWeights(list(LOSSES), ["likeness"])
    impartial = ImpartialLosses(list(LOSSES))
    descend(uncertain, LOSSES, 400)
    descend(impartial, LOSSES, 400)
    for task, loss in LOSSES.items():
        assert uncertain.loss_weights([task])[task] == pytest.approx(1 / (2 * loss), rel=0.02)
        assert impartial.loss_weights([task])[task] == pytest.approx(1 / loss, rel=0.02)


@both
def test_a_loss_of_zero_drives_its_weight_to_the_bound_and_comes_back(kind: Any) -> None:
    losses = {"ner": 1.0, "topic": 0.0}
    bounded, free = kind(list(losses), max_weight=50.0), kind(list(losses), max_weight=1e30)
    for balancer in (bounded, free):
        descend(balancer, losses, 100, rate=0.3)
    assert bounded.loss_weights(["topic"])["topic"] == pytest.approx(50.0)
    assert free.loss_weights(["topic"])["topic"] > 1e9
    descend(bounded, {"ner": 1.0, "topic": 1.0}, 400, rate=0.3)
    expected = 0.5 if kind is UncertaintyWeights else 1.0
    assert bounded.loss_weights(["topic"])["topic"] == pytest.approx(expected, rel=0.05)


@both
def test_the_bound_holds_for_the_update_itself(kind: Any) -> None:
    balancer = kind(["ner"], max_weight=3.0)
    parameter = next(balancer.parameters())
    with torch.no_grad():
        parameter.fill_(-80.0 if kind is UncertaintyWeights else 80.0)
    assert weights_by_gradient(balancer, {"ner": 2.0})["ner"] == pytest.approx(3.0)


@both
def test_an_absent_task_has_no_gradient_and_keeps_its_weight(kind: Any) -> None:
    balancer = kind(["ner", "topic"])
    optimizer = torch.optim.Adam(balancer.parameters(), lr=0.1)
    model = Parts(ner=3.0, topic=3.0)
    balancer.backward(model.losses(), model)
    optimizer.step()
    before = balancer.loss_weights(["ner", "topic"])
    optimizer.zero_grad()
    balancer.backward(model.losses(["ner"]), model)
    optimizer.step()
    after = balancer.loss_weights(["ner", "topic"])
    assert after["topic"] == before["topic"]
    assert after["ner"] < before["ner"]


@both
def test_the_penalty_is_added_once_and_not_weighed(kind: Any) -> None:
    balancer, model = kind(["ner"]), Parts(ner=2.0)
    told = balancer.backward(model.losses(penalty=7.0), model)
    assert float(model.vector.grad[0]) == pytest.approx(2.0 * told["ner"] + 7.0)


@both
def test_half_precision_losses_are_weighed_in_single_precision(kind: Any) -> None:
    balancer = kind(["ner"])
    with torch.no_grad():
        next(balancer.parameters()).fill_(-1.003 if kind is ImpartialLosses else 1.003)
    model = Parts(ner=1.0)
    told = balancer.backward(model.losses(dtype=torch.bfloat16), model)
    assert told["ner"] == pytest.approx(math.exp(-1.003), rel=1e-6)


def test_names_that_are_not_those_of_the_model() -> None:
    model: Any = Parts(ner=1.0, topic=1.0)
    for tasks, message in (
        (["ner"], "'topic'"),
        (["ner", "topics"], "'topic'.*did you mean 'topics'"),
        (["ner", "topic", "fr"], "no 'fr'"),
    ):
        model.tasks = {"ner": None, "topic": None}
        with pytest.raises(KeyError, match=message):
            UncertaintyWeights(tasks).backward(model.losses(["ner"]), model)
        assert model.vector.grad is None
    with pytest.raises(KeyError, match="no task 'nothing'"):
        UncertaintyWeights(["ner"]).loss_weights(["nothing"])


def test_names_may_be_those_of_methods() -> None:
    """As attributes of a module they would hide its own."""
    names = ["type", "parameters", "copy", "of", "two words"]
    balancer = UncertaintyWeights(names)
    assert weights_by_gradient(balancer, dict.fromkeys(names, 2.0)) == dict.fromkeys(names, 1.0)
    assert len(list(balancer.parameters())) == 5


def test_without_a_task_the_penalty_is_left() -> None:
    model = Parts(ner=1.0)
    losses = Losses({}, model.vector.sum(), None, {})
    assert ImpartialLosses(["ner"]).backward(losses, model) == {}
    assert model.vector.grad.tolist() == [1.0]
