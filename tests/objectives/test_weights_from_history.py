"""Weights that follow what losses did before: by epochs, by steps, or by chance."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from weighing import Parts, weights_by_gradient

from mtl_utils.objectives import (
    FAMO,
    DynamicWeightAverage,
    Losses,
    RandomWeights,
    draw_weights,
    dynamic_weights,
    famo_slopes,
    famo_weights,
)

LOSSES = {"ner": 20.0, "topic": 0.5, "fr": 4.0}
TASKS = list(LOSSES)


def vector(*values: float, dtype: Any = torch.float64) -> torch.Tensor:
    return torch.tensor(values, dtype=dtype)


# Dynamic weight average


def test_dynamic_weights_by_hand() -> None:
    """Ratios 1/2 and 1 at T = 2: shares of e^0.25 and e^0.5."""
    found = dynamic_weights(vector(2.0, 3.0), vector(4.0, 3.0))
    total = math.exp(0.25) + math.exp(0.5)
    expected = [2 * math.exp(0.25) / total, 2 * math.exp(0.5) / total]
    assert found.tolist() == pytest.approx(expected)


def test_ratios_that_say_nothing_count_as_one() -> None:
    last, before = vector(math.nan, 2.0, 0.0, 3.0), vector(1.0, math.nan, 0.0, 0.0)
    assert dynamic_weights(last, before).tolist() == pytest.approx([1.0] * 4)
    rose = dynamic_weights(vector(1e6, 1.0), vector(1.0, 1.0))
    assert rose.tolist() == pytest.approx([2.0, 0.0])


def test_two_epochs_of_ones_and_then_by_ratio() -> None:
    balancer = DynamicWeightAverage(TASKS, temperature=1.0)
    told = [{"ner": 8.0, "topic": 1.0, "fr": 3.0}, {"ner": 4.0, "topic": 1.0}]
    found = [weights_by_gradient(balancer, LOSSES)]
    for epoch, losses in enumerate(told, 1):
        balancer.epoch_ended(epoch, losses)
        balancer.epoch_ended(epoch, losses)  # as after an interruption
        found.append(weights_by_gradient(balancer, LOSSES))
    assert found[:2] == [dict.fromkeys(TASKS, 1.0)] * 2
    shares = torch.softmax(vector(0.5, 1.0, 1.0), 0).tolist()
    expected = {task: 3 * share for task, share in zip(TASKS, shares, strict=True)}
    assert found[2] == pytest.approx(expected)
    assert balancer.loss_weights(["fr"]) == pytest.approx({"fr": expected["fr"]})
    only = weights_by_gradient(balancer, LOSSES, ["ner"])
    assert only == pytest.approx({"ner": expected["ner"]})


def test_a_second_training_begins_with_its_own_first_epoch() -> None:
    balancer = DynamicWeightAverage(["ner"])
    balancer.epoch_ended(1, {"ner": 4.0})
    balancer.epoch_ended(1, {"ner": 2.0})
    assert (balancer.before.tolist(), balancer.last.tolist()) == ([4.0], [2.0])


def test_an_epoch_of_unknown_tasks_or_negative_losses() -> None:
    balancer = DynamicWeightAverage(["ner"])
    with pytest.raises(KeyError, match="'topic'"):
        balancer.epoch_ended(1, {"topic": 1.0})
    with pytest.raises(ValueError, match=r"'ner' .*at least 0, got -1"):
        balancer.epoch_ended(1, {"ner": -1.0})
    assert balancer.last.isnan().all()


# Random weights


def test_random_weights_sum_to_their_number_and_are_one_in_the_mean() -> None:
    generator = torch.Generator().manual_seed(3)
    drawn = torch.stack([draw_weights(4, generator) for _ in range(4000)])
    torch.testing.assert_close(drawn.sum(1), torch.full((4000,), 4.0, dtype=torch.float64))
    assert drawn.mean(0).tolist() == pytest.approx([1.0] * 4, abs=0.06)
    assert (drawn > 0).all()
    normal = torch.randn(4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    exps = np.exp(normal.numpy())
    np.testing.assert_allclose(drawn[0].numpy(), 4 * exps / exps.sum())


def test_each_step_draws_and_the_state_goes_on_where_it_was() -> None:
    whole = RandomWeights(TASKS, seed=5)
    expected = [weights_by_gradient(whole, LOSSES) for _ in range(4)]
    assert len({found["ner"] for found in expected}) == 4
    first = RandomWeights(TASKS, seed=5)
    parts = [weights_by_gradient(first, LOSSES) for _ in range(2)]
    resumed = RandomWeights(TASKS, seed=99)
    resumed.load_state_dict(first.state_dict())
    parts += [weights_by_gradient(resumed, LOSSES) for _ in range(2)]
    assert parts == expected
    assert weights_by_gradient(RandomWeights(TASKS, seed=6), LOSSES) != expected[0]


def test_nothing_else_that_draws_is_disturbed() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    balancer = RandomWeights(TASKS)
    weights_by_gradient(balancer, LOSSES)
    assert torch.equal(torch.rand(3), expected)


def test_a_task_alone_in_its_batch_has_a_random_weight_too() -> None:
    """The same that it has among others: absent tasks take their part of what is drawn."""
    found = [weights_by_gradient(RandomWeights(TASKS, 1), LOSSES, only) for only in (None, ["fr"])]
    assert found[1] == {"fr": found[0]["fr"]}
    assert weights_by_gradient(RandomWeights(["ner"]), {"ner": 3.0}) == pytest.approx({"ner": 1.0})


# FAMO


class AuthorsFAMO:
    """Their algorithm by autograd and PyTorch's Adam: all losses at hand, none 0."""

    def __init__(self, num_tasks: int, rate: float, decay: float) -> None:
        self.logits = torch.zeros(num_tasks, dtype=torch.float64, requires_grad=True)
        self.adam = torch.optim.Adam([self.logits], lr=rate, weight_decay=decay)

    def objective(self, losses: torch.Tensor) -> torch.Tensor:
        self.before = losses.detach()
        shares = torch.softmax(self.logits, 0).detach()
        constant = 1 / (shares / self.before).sum()
        return constant * (shares * torch.log(losses)).sum()

    def update(self, losses: torch.Tensor) -> None:
        self.adam.zero_grad()
        fallen = torch.log(self.before) - torch.log(losses)
        (torch.softmax(self.logits, 0) * fallen).sum().backward()
        self.adam.step()


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_famo_does_what_the_authors_algorithm_does(decay: float) -> None:
    """On three valleys: weights and logits of 40 steps; their weights sum to 1, ours to K."""

    def losses_at(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([(x[0] - 1) ** 2, 5 * (x[1] + 1) ** 2, (x[0] + x[1]) ** 2]) + 0.1

    x, y = (torch.tensor([2.0, 1.0], dtype=torch.float64, requires_grad=True) for _ in range(2))
    ours, theirs = FAMO(TASKS, learning_rate=0.1, decay=decay).double(), AuthorsFAMO(3, 0.1, decay)
    model = torch.nn.Module()

    def losses(at: torch.Tensor) -> Losses:
        found = dict(zip(TASKS, losses_at(at), strict=True))
        return Losses(found, at.new_zeros(()), None, {})

    for _ in range(40):
        ours.backward(losses(x), model)
        theirs.objective(losses_at(y)).backward()
        torch.testing.assert_close(x.grad, 3 * y.grad, rtol=1e-9, atol=1e-12)
        with torch.no_grad():
            x -= 0.01 * x.grad / 3
            y -= 0.01 * y.grad
            ours.after_step(losses(x))
        theirs.update(losses_at(y))
        x.grad = y.grad = None
        torch.testing.assert_close(ours.logits, theirs.logits.detach(), rtol=1e-6, atol=1e-9)
    assert ours.logits.abs().max() > 0.1


def test_famo_weights_by_hand() -> None:
    """z = (1/4, 3/4) over L = (1, 6): 1/4 and 1/8, so 2/3 and 1/3 of the sum."""
    logits = vector(0.0, math.log(3.0))
    assert famo_weights(vector(1.0, 6.0), logits).tolist() == pytest.approx([4 / 3, 2 / 3])


def test_famo_slopes_by_hand() -> None:
    """The first loss halved, the second stayed: z (δ - zᵀδ) = ±¼·¾·log 2."""
    found = famo_slopes(vector(2.0, 6.0), vector(1.0, 6.0), vector(0.0, math.log(3.0)))
    expected = 0.25 * 0.75 * math.log(2.0)
    assert found.tolist() == pytest.approx([expected, -expected])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(1e-30, 1e30), min_size=1, max_size=6))
def test_famo_weights_are_finite_and_sum_to_their_number(values: list[float]) -> None:
    found = famo_weights(vector(*values), torch.zeros(len(values), dtype=torch.float64))
    assert float(found.sum()) == pytest.approx(len(values))


def test_a_loss_of_zero_is_as_if_absent() -> None:
    balancer = FAMO(TASKS)
    model = Parts(ner=2.0, topic=0.0, fr=4.0)
    told = balancer.backward(model.losses(), model)
    assert told == pytest.approx({"ner": 2.0, "topic": 0.0, "fr": 1.0})
    balancer.after_step(Parts(ner=1.0, topic=0.0, fr=4.0).losses())
    assert balancer.steps.tolist() == [1, 0, 1]
    assert balancer.logits[1] == 0
    assert balancer.logits[0] < 0 < balancer.logits[2]
    nowhere = Parts(ner=0.0)
    assert FAMO(["ner"]).backward(nowhere.losses(penalty=1.0), nowhere) == {"ner": 0.0}


def test_absent_tasks_keep_their_logits_and_others_share_the_weights() -> None:
    balancer = FAMO(TASKS)
    model = Parts(**LOSSES)
    told = balancer.backward(model.losses(["ner", "fr"]), model)
    assert sum(told.values()) == pytest.approx(2.0)
    balancer.after_step(Parts(ner=10.0, topic=1.0, fr=4.0).losses(["ner", "fr"]))
    assert balancer.logits[1] == 0
    assert balancer.logits[0] != 0
    before = balancer.logits.clone()
    balancer.after_step(Parts(ner=1.0, topic=1.0, fr=4.0).losses())  # of no step
    assert torch.equal(balancer.logits, before)


def test_a_loss_that_is_no_number_after_the_step_moves_nothing() -> None:
    balancer = FAMO(["ner", "topic"])
    model = Parts(ner=1.0, topic=1.0)
    balancer.backward(model.losses(), model)
    balancer.after_step(Parts(ner=math.nan, topic=math.inf).losses())
    assert balancer.logits.tolist() == [0.0, 0.0]


def test_one_task_is_minimised_as_it_is() -> None:
    balancer, model = FAMO(["ner"]), Parts(ner=5.0)
    assert balancer.backward(model.losses(), model) == pytest.approx({"ner": 1.0})
    balancer.after_step(Parts(ner=4.0).losses())
    assert balancer.logits.tolist() == [0.0]


@pytest.mark.parametrize("kind", [FAMO, RandomWeights, DynamicWeightAverage])
def test_half_precision(kind: Any) -> None:
    weights_by_gradient(kind(["ner", "topic"]), {"ner": 4.0, "topic": 0.5}, dtype=torch.bfloat16)
