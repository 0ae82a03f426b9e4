"""Right answers of other types, and the words of the checks, of the exercises of chapter 12."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mtl_utils import exercises, objectives

BY_HAND: dict[str, list[float]] = {
    "logarithms": [1 / 6, 1 / 2],
    "uncertainty": [1 / 12, 1 / 4],
    "famo": [1 / 2, 3 / 2],
    "gradnorm": [6.0, 2.0],
    "floor": [1 / 6, 1 / 6],
}
KINDS = (list, tuple, np.array, torch.tensor)


class _TwoLosses(torch.nn.Module):
    """Losses of 6 and 2, whose gradients are 7 and 1 long, at the origin."""

    tasks = ("a", "b")

    def __init__(self, floor: float = 0.0) -> None:
        super().__init__()
        self.theta = torch.nn.Parameter(torch.zeros(2))
        self.floor = floor

    def shared_parameters(self) -> list[Tensor]:
        return [self.theta]

    def forward(self) -> objectives.Losses:
        first, second = 6 + 7 * self.theta[0], 2 + self.floor + self.theta[1]
        return objectives.Losses({"a": first, "b": second}, torch.tensor(0.0), None, {})


def _weights(balancer: Any, floor: float = 0.0) -> list[float]:
    model = _TwoLosses(floor)
    return list(balancer.backward(model(), model).values())


def test_the_weights_worked_by_hand_are_those_of_the_package() -> None:
    logarithms = objectives.ScaleInvariantLog()
    assert np.allclose(_weights(logarithms), BY_HAND["logarithms"])
    assert np.allclose(_weights(logarithms, floor=4.0), BY_HAND["floor"])
    assert np.allclose(_weights(objectives.FAMO(["a", "b"])), BY_HAND["famo"])
    uncertainty = objectives.UncertaintyWeights(["a", "b"], regression=["a"])
    optimizer = torch.optim.Rprop(uncertainty.parameters(), lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        weights = _weights(uncertainty)
        optimizer.step()
    assert np.allclose(weights, BY_HAND["uncertainty"], rtol=1e-3)


def test_the_lengths_worked_by_hand_are_where_gradnorm_turns_round() -> None:
    norms, left = torch.tensor([7.0, 1.0]), torch.tensor([6 / 8, 2 / 8])
    for way in (1, -1):
        due = torch.tensor(BY_HAND["gradnorm"]) * torch.tensor([1 + way / 50, 1 - way / 50])
        slopes = objectives.gradnorm_slopes(norms, due / norms, left, asymmetry=1.0)
        assert slopes.sign().tolist() == [way, -way]
    start = objectives.gradnorm_slopes(norms, torch.ones(2), left, asymmetry=1.0)
    assert start.sign().tolist() == [1, -1]  # 7 is more than it is due, 1 is less


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_worked_by_hand_may_be_of_any_kind(kind: Any) -> None:
    assert exercises.check_weights_by_hand({k: kind(v) for k, v in BY_HAND.items()}).passed


def test_numbers_worked_by_hand_may_be_fractions_or_rounded() -> None:
    given: dict[str, Any] = {**BY_HAND, "logarithms": [Fraction(1, 6), torch.tensor(0.5)]}
    assert exercises.check_weights_by_hand({**given, "uncertainty": [0.083, 0.25]}).passed


def test_feedback_names_the_method_and_the_loss_and_gives_nothing_away() -> None:
    told = exercises.check_weights_by_hand({**BY_HAND, "uncertainty": [1 / 24, 1 / 4]}).message
    assert told.startswith("'uncertainty': the number of loss 1 is not 0.04167.")
    assert "0.083" not in told
    told = exercises.check_weights_by_hand({**BY_HAND, "floor": [1 / 6, 1 / 2]}).message
    assert told.startswith("'floor': the number of loss 2 is not 0.5.")


@pytest.mark.parametrize("missing", BY_HAND)
@pytest.mark.parametrize("stub", [..., [..., ...]])
def test_a_table_half_filled_in_is_unanswered(missing: str, stub: Any) -> None:
    assert exercises.check_weights_by_hand({**BY_HAND, missing: stub}).state == "unanswered"


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_points_may_be_said_in_any_form(kind: Any) -> None:
    def hidden(points: Any) -> Any:
        front = np.asarray(points, dtype=float)
        told = []
        for p in front:
            apart = p - front  # p is hidden if no w in [0, 1] has w x + (1 - w) y <= 0 for all
            least, most = 0.0, 1.0
            for x, y in apart:
                if x > y:
                    most = min(most, -y / (x - y))
                elif x < y:
                    least = max(least, -y / (x - y))
                elif x > 0:
                    most = -1.0
            told.append(least > most)
        return kind(told)

    assert exercises.check_hidden_points(hidden).passed


@pytest.mark.parametrize("kind", [float, torch.tensor, np.float32, np.array])
def test_a_log_variance_may_be_of_any_type(kind: Any) -> None:
    def best(losses: Any, regression: bool) -> Any:
        return kind(np.log((1 if regression else 2) * np.mean(losses)))

    assert exercises.check_best_log_variance(best).passed


def _report(kind: Any, falling: list[float], constant: list[float], shown: Any) -> dict[str, Any]:
    apart = np.subtract(falling, constant)
    half_width = 4.303 * float(apart.std(ddof=1)) / 3**0.5
    found = {"falling": kind(falling), "constant": kind(constant), "mean": float(apart.mean())}
    return {**found, "half_width": half_width, "shown": shown}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shown", [True, np.True_, torch.tensor(True)])
def test_a_report_in_which_falling_weights_cost_keeps_its_sign(kind: Any, shown: Any) -> None:
    report = _report(kind, [18.0, 17.0, 21.0], [31.0, 29.5, 32.5], shown)
    assert report["mean"] < 0
    assert exercises.check_falling_factor(report).passed
    turned = exercises.check_falling_factor(report | {"mean": -report["mean"]}).message
    assert "'mean' does not follow" in turned
    assert "excludes zero" in exercises.check_falling_factor(report | {"shown": False}).message


def test_a_report_in_which_falling_weights_gain_is_as_good() -> None:
    report = _report(list, [31.0, 29.5, 32.5], [18.0, 17.0, 21.0], True)
    assert exercises.check_falling_factor(report).passed


def test_an_empty_report_is_unanswered() -> None:
    empty = dict.fromkeys(("falling", "constant", "mean", "half_width", "shown"), ...)
    assert exercises.check_falling_factor(empty).state == "unanswered"
