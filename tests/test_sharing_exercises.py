"""Right answers of other types, and the words of the checks, of the exercises of chapter 08."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from mtl_utils import exercises, sharing
from mtl_utils.exercises.sharing_families import BY_HAND

LAG = {"hard": [69.0, 64.5, 66.0], "separate": [70.0, 69.5, 69.0]}
FOUND = {"mean": -3.0, "half_width": 4.969}


def test_the_numbers_worked_by_hand_are_those_of_the_package() -> None:
    towers = torch.tensor([[3.0, 0.0], [0.0, 4.0]], requires_grad=True)
    penalty = 0.5 * sharing.squared_distance(towers)
    (pull,) = torch.autograd.grad(penalty, towers)
    assert penalty.item() == BY_HAND["penalty"]
    assert pull[0].tolist() == BY_HAND["gradient"]
    assert sharing.trace_norm(towers).item() == pytest.approx(BY_HAND["trace_norm"], abs=1e-5)
    assert float(np.hypot(1, 3 / 4)) ** -1 == pytest.approx(BY_HAND["share"])


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor])
def test_a_gradient_worked_by_hand_may_be_of_any_kind(kind: Any) -> None:
    given = BY_HAND | {"gradient": kind([1.5, -2]), "trace_norm": torch.tensor(7)}
    assert exercises.check_two_towers(given | {"penalty": Fraction(25, 4)}).passed


@pytest.mark.parametrize("missing", list(BY_HAND))
def test_a_table_half_filled_in_is_unanswered(missing: str) -> None:
    assert exercises.check_two_towers(BY_HAND | {missing: ...}).state == "unanswered"
    assert exercises.check_two_towers(BY_HAND | {"gradient": [1.5, ...]}).state == "unanswered"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"penalty": 12.5, "share": 0.6}, "'penalty' is not 12.5."),
        ({"gradient": [1.5, 2.0]}, "Number 2 of 'gradient' is not 2."),
        ({"gradient": torch.zeros(2, 2)}, "'gradient' must be a list of 2 numbers."),
        ({"trace_norm": float("nan")}, "'trace_norm' is not nan."),
        ({"share": True}, "'share' is not nan."),
    ],
)
def test_the_first_number_that_is_wrong_is_named(changed: dict[str, Any], told: str) -> None:
    verdict = exercises.check_two_towers(BY_HAND | changed)
    assert verdict.state == "wrong"
    assert verdict.message.startswith(told)


def _overlap(shared: Any, private: Any, mask: Any) -> torch.Tensor:
    return ((shared * mask[..., None]).transpose(1, 2) @ private).square().sum((1, 2))


def _implicit(copies: Any, rate: float, strength: float) -> torch.Tensor:
    mean = copies.mean(0)
    return mean + (copies - mean) / (1 + 2 * rate * strength)


@pytest.mark.parametrize("kind", [torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.double])
def test_results_may_be_lists_arrays_or_tensors(kind: Callable[[torch.Tensor], Any]) -> None:
    assert exercises.check_states_overlap(lambda *given: kind(_overlap(*given))).passed
    assert exercises.check_implicit_step(lambda *given: kind(_implicit(*given))).passed
    assert not exercises.check_states_overlap(lambda *given: kind(2 * _overlap(*given))).passed
    assert not exercises.check_implicit_step(lambda *given: kind(2 * _implicit(*given))).passed


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_lag_keeps_its_sign_and_may_stay_unshown(sign: int, kind: Any) -> None:
    scores = [LAG["hard"], LAG["separate"]][::sign]
    report: dict[str, Any] = {"hard": kind(scores[0]), "separate": kind(scores[1])}
    report |= {"mean": sign * FOUND["mean"], "half_width": FOUND["half_width"]}
    report["shown"] = np.False_
    assert exercises.check_lag_with_own_adam(report).passed
    told = exercises.check_lag_with_own_adam(report | {"mean": -report["mean"]}).message
    assert "'mean' does not follow" in told
    told = exercises.check_lag_with_own_adam(report | {"shown": True}).message
    assert "holds zero" in told


@pytest.mark.parametrize("sign", [1, -1])
def test_a_lag_of_either_sign_may_be_shown(sign: int) -> None:
    scores = [[56.0, 54.0, 60.0], [70.0, 69.0, 73.0]][::sign]
    report: dict[str, Any] = dict(zip(("hard", "separate"), scores, strict=True))
    report |= {"mean": -14.0 * sign, "half_width": 2.484, "shown": True}
    assert exercises.check_lag_with_own_adam(report).passed
    assert "excludes zero" in exercises.check_lag_with_own_adam(report | {"shown": False}).message


def test_an_empty_report_is_unanswered() -> None:
    empty = dict.fromkeys([*LAG, *FOUND, "shown"], ...)
    assert exercises.check_lag_with_own_adam(empty).state == "unanswered"
