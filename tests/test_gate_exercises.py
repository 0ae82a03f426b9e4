"""Right answers of other types, and the words of the checks, of the exercises of chapter 10."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mtl_utils import data, exercises, nn, sharing

BY_HAND: dict[str, Any] = {
    "sparse": [2 / 3, 1 / 3, 0, 0],
    "mixture": 4,
    "penalty": 1 / 4,
    "in_use": 2**1.5,
    "added": [6, 14, 4],
}
KINDS = (list, tuple, np.array, torch.tensor)
TASKS = ["a", "b"]


def _always(module: torch.nn.Module, made: Tensor) -> None:
    module.register_forward_hook(lambda *call: made.expand_as(call[-1]))


@pytest.fixture(scope="module")
def gated() -> tuple[sharing.MixtureOfExperts, data.Batch]:
    """Two sentences of one word, whose states make the gate say the logits of the exercise."""
    batch = data.collate([data.Example([1], dict.fromkeys(TASKS, 0))] * 2)
    experts = [nn.FeedForwardLayers(2, 3) for _ in range(4)]
    settings = {"per": "text", "top_k": 2, "balance_strength": 0.1}
    trunk = nn.BiLSTMEncoder(5, 2, 1, dropout=0.0)
    mixture = sharing.MixtureOfExperts(trunk, experts, **settings)
    _always(mixture.trunk, torch.eye(2)[:, None])
    for expert, number in zip(mixture.experts, (3.0, 6.0, 24.0, 8.0), strict=True):
        _always(expert, torch.tensor([number, 0.0]))
    logits = torch.tensor([[4.0, 2.0, 1.0, 1.0], [2.0, 1.0, 4.0, 1.0]]).log()
    mixture.gate.linear.weight.data = logits.T.contiguous()
    return mixture, batch


def test_the_gate_worked_by_hand_is_that_of_the_package(gated: Any) -> None:
    mixture, batch = gated
    assert np.allclose(mixture.gates(batch)[0], BY_HAND["sparse"])
    found = mixture(batch, TASKS)
    assert np.isclose(found.hidden["a"][0, 0, 0].item(), BY_HAND["mixture"])
    assert np.isclose(found.penalty.item(), BY_HAND["penalty"])


def test_the_experts_in_use_counted_by_hand_are_those_of_the_choices(gated: Any) -> None:
    mixture, batch = gated
    counts = (mixture.gates(batch) > 0).sum(0).double()
    in_use = torch.special.entr(counts / counts.sum()).sum().exp()
    assert np.isclose(in_use.item(), BY_HAND["in_use"])


def test_the_addition_worked_by_hand_is_that_of_a_linear_layer() -> None:
    class OneMatrix(nn.Encoder):
        width = 3

        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(2, 3, bias=False)

        def forward(self, inputs: data.Inputs) -> Tensor:
            return self.linear(inputs.input_ids[..., None].expand(-1, -1, 2).float())

    lora = sharing.TaskLoRA(OneMatrix(), ["a"], rank=2, alpha=4.0)
    (name,) = lora.adapted
    lora.additions["a"].inner[0].data = torch.tensor([[1.0, 2.0], [0.0, 1.0]])
    lora.additions["a"].outer[0].data = torch.tensor([[1.0, 0.0], [2.0, 1.0], [0.0, 2.0]])
    assert (lora.addition("a")[name] @ torch.ones(2)).tolist() == BY_HAND["added"]
    batch = data.collate([data.Example([1], {})])
    added = lora(batch, ["a"]).hidden["a"] - lora.encoder(batch.inputs)
    assert np.allclose(added[0, 0].detach(), BY_HAND["added"], atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_worked_by_hand_may_be_of_any_kind(kind: Any) -> None:
    rows = {key: kind(BY_HAND[key]) for key in ("sparse", "added")}
    assert exercises.check_gates_by_hand({**BY_HAND, **rows}).passed


def test_numbers_worked_by_hand_may_be_fractions_rounded_or_tensors() -> None:
    given = {**BY_HAND, "sparse": [Fraction(2, 3), 0.33, 0, 0], "mixture": torch.tensor(4.0)}
    given |= {"penalty": Fraction(1, 4), "in_use": np.float32(2.83)}
    assert exercises.check_gates_by_hand(given).passed


def test_feedback_names_the_first_that_is_wrong_and_gives_nothing_away() -> None:
    wrong = {**BY_HAND, "sparse": [1 / 2, 1 / 4, 0, 0], "mixture": 3}
    told = exercises.check_gates_by_hand(wrong).message
    assert told.startswith("Number 1 of 'sparse' is not 0.5.")
    assert "0.66" not in told
    told = exercises.check_gates_by_hand({**BY_HAND, "penalty": 0.125}).message
    assert told.startswith("'penalty' is not 0.125.")
    assert "0.25" not in told


@pytest.mark.parametrize("missing", BY_HAND)
def test_a_table_half_filled_in_is_unanswered(missing: str) -> None:
    assert exercises.check_gates_by_hand({**BY_HAND, missing: ...}).state == "unanswered"


@pytest.mark.parametrize("kind", [float, torch.tensor, np.float32, np.array])
def test_a_chance_may_be_of_any_type(kind: Any) -> None:
    def chance(first: float, second: float, spread: float) -> Any:
        return kind(0.5 * math.erfc((second - first) / (2 * spread)))

    assert exercises.check_chance_of_first(chance).passed


@pytest.mark.parametrize("kind", [Tensor.tolist, Tensor.numpy, Tensor.double])
@pytest.mark.parametrize("pair", [list, tuple])
def test_a_pair_of_factors_may_be_of_any_kind(kind: Any, pair: Any) -> None:
    def join(weights: Any, additions: Any) -> Any:
        inner = torch.cat([w * a for w, (a, _) in zip(weights, additions, strict=True)])
        outer = torch.cat([b for _, b in additions], dim=1)
        return pair([kind(inner), kind(outer)])

    assert exercises.check_join_additions(join).passed


def test_factors_that_are_too_many_are_told_by_their_shapes() -> None:
    def whole(weights: Any, additions: Any) -> Any:  # the product itself, and the identity
        product = sum(w * b @ a for w, (a, b) in zip(weights, additions, strict=True))
        return product, torch.eye(4)

    told = exercises.check_join_additions(whole).message
    assert told.startswith("expected A [3, 5] and B [4, 3], got A [4, 5] and B [4, 4].")


def _report(kind: Any, balanced: list[float], alone: list[float], shown: Any) -> dict[str, Any]:
    apart = np.subtract(balanced, alone)
    half_width = 4.303 * float(apart.std(ddof=1)) / 3**0.5
    found = {"balanced": kind(balanced), "alone": kind(alone), "mean": float(apart.mean())}
    return {**found, "half_width": half_width, "shown": shown}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shown", [False, np.False_, torch.tensor(False)])
def test_a_report_that_shows_nothing_is_right(kind: Any, shown: Any) -> None:
    report = _report(kind, [47.5, 46.0, 48.0], [47.0, 47.0, 46.5], shown)
    assert exercises.check_collapse_costs(report).passed
    assert "holds zero" in exercises.check_collapse_costs(report | {"shown": True}).message


def test_a_report_in_which_a_balance_costs_keeps_its_sign() -> None:
    report = _report(list, [48.0, 47.0, 51.0], [57.0, 55.0, 60.5], True)
    assert report["mean"] < 0
    assert exercises.check_collapse_costs(report).passed
    turned = exercises.check_collapse_costs(report | {"mean": -report["mean"]}).message
    assert "'mean' does not follow" in turned
    assert "excludes zero" in exercises.check_collapse_costs(report | {"shown": False}).message


def test_an_empty_report_is_unanswered() -> None:
    empty = dict.fromkeys(("balanced", "alone", "mean", "half_width", "shown"), ...)
    assert exercises.check_collapse_costs(empty).state == "unanswered"
