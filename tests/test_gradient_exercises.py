"""Right answers of other types, and the words of the checks, of the exercises of chapter 13."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from mtl_utils import exercises, objectives
from mtl_utils.exercises.conflicting_gradients import BY_HAND

SCORES = {"nash": [21.0, 29.0, 25.5], "sum": [20.0, 24.0, 22.5]}
FOUND = {"mean": 3.0, "half_width": 4.969}


def test_the_numbers_worked_by_hand_are_those_of_the_package() -> None:
    jacobian = torch.tensor([[5.0, 0.0], [-2.0, 1.0]], dtype=torch.double)
    turned = objectives.PCGrad().combine(jacobian)
    assert np.allclose(-0.1 * jacobian @ jacobian.sum(0), BY_HAND["plain"])
    assert np.allclose(turned, BY_HAND["pcgrad"])
    assert np.allclose(-0.1 * jacobian @ turned, BY_HAND["surgery"])
    assert np.allclose(objectives.MGDA().weights(jacobian @ jacobian.T), BY_HAND["mgda"])


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor])
def test_pairs_worked_by_hand_may_be_of_any_kind(kind: Any) -> None:
    assert exercises.check_two_arrows({k: kind(pair) for k, pair in BY_HAND.items()}).passed
    assert not exercises.check_two_arrows({k: kind([0.0, 0.0]) for k in BY_HAND}).passed


def test_numbers_worked_by_hand_may_be_fractions_or_tensors() -> None:
    changed = [Fraction(-3, 2), torch.tensor(0.5)]
    assert exercises.check_two_arrows(BY_HAND | {"plain": changed}).passed


@pytest.mark.parametrize("missing", list(BY_HAND))
def test_a_table_half_filled_in_is_unanswered(missing: str) -> None:
    assert exercises.check_two_arrows(BY_HAND | {missing: ...}).state == "unanswered"
    assert exercises.check_two_arrows(BY_HAND | {missing: [..., 1.0]}).state != "correct"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"plain": [-1.5, -0.5], "mgda": [0.7, 0.3]}, "Number 2 of 'plain' is not -0.5."),
        ({"pcgrad": [1.0, 3.0, 0.0]}, "'pcgrad' must be a list of 2 numbers."),
        ({"surgery": -0.5}, "'surgery' must be a list of 2 numbers."),
        ({"mgda": [float("nan"), 0.7]}, "Number 1 of 'mgda' is not nan."),
    ],
)
def test_the_first_number_that_is_wrong_is_named(changed: dict[str, Any], told: str) -> None:
    verdict = exercises.check_two_arrows(BY_HAND | changed)
    assert verdict.state == "wrong"
    assert verdict.message.startswith(told)


def _positive(jacobian: torch.Tensor) -> torch.Tensor:
    return jacobian.clamp(min=0).sum(0) / jacobian.abs().sum(0)


def _projections(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    lengths = torch.stack([second.norm(), first.norm()])
    return lengths / lengths.sum()


@pytest.mark.parametrize("kind", [torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.double])
def test_results_may_be_lists_arrays_or_tensors(kind: Callable[[torch.Tensor], Any]) -> None:
    assert exercises.check_keeps_positive(lambda rows: kind(_positive(rows))).passed
    assert exercises.check_equal_projections(lambda *rows: kind(_projections(*rows))).passed
    assert not exercises.check_keeps_positive(lambda rows: kind(1 - _positive(rows))).passed
    turned = exercises.check_equal_projections(lambda *rows: kind(_projections(*rows).flip(0)))
    assert turned.state == "wrong"


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_difference_keeps_its_sign_and_may_stay_unshown(sign: int, kind: Any) -> None:
    scores = [SCORES["nash"], SCORES["sum"]][::sign]
    report: dict[str, Any] = {"nash": kind(scores[0]), "sum": kind(scores[1])}
    report |= {"mean": sign * FOUND["mean"], "half_width": FOUND["half_width"]}
    report["shown"] = np.False_
    assert exercises.check_louder_topics(report).passed
    told = exercises.check_louder_topics(report | {"mean": -report["mean"]}).message
    assert "'mean' does not follow" in told
    assert "holds zero" in exercises.check_louder_topics(report | {"shown": True}).message


@pytest.mark.parametrize("sign", [1, -1])
def test_a_difference_of_either_sign_may_be_shown(sign: int) -> None:
    scores = [[34.0, 35.0, 36.0], [20.0, 20.0, 23.0]][::sign]
    report: dict[str, Any] = dict(zip(("nash", "sum"), scores, strict=True))
    report |= {"mean": 14.0 * sign, "half_width": 2.484, "shown": True}
    assert exercises.check_louder_topics(report).passed
    assert "excludes zero" in exercises.check_louder_topics(report | {"shown": False}).message


def test_an_empty_report_is_unanswered() -> None:
    empty = dict.fromkeys([*SCORES, *FOUND, "shown"], ...)
    assert exercises.check_louder_topics(empty).state == "unanswered"
