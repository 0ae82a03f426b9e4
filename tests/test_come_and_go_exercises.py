"""Right answers of other types, and the words of the checks, of the exercises of chapter 20."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mtl_utils import continual, exercises

BY_HAND: dict[str, Any] = {
    "backward": -25,
    "forgetting": 30,
    "fisher": 5,
    "elastic": [1, 4],
    "kept": 0.1,
    "merged": [3, -3],
    "told": 0.875,
}
KINDS = (list, tuple, np.array, torch.tensor)


def test_the_measures_worked_by_hand_are_those_of_the_package() -> None:
    scores = pd.DataFrame([[60.0, 0, 0], [70, 80, 0], [40, 50, 90]], list("abc"), list("abc"))
    assert continual.backward_transfer(scores) == BY_HAND["backward"]
    assert continual.forgetting(scores) == BY_HAND["forgetting"]
    told = continual.membership([0.1, 0.5], [0.5, 0.9])
    assert told.auc == BY_HAND["told"]


def test_the_importance_worked_by_hand_is_the_mean_of_the_squares_of_rows() -> None:
    weight = torch.zeros((), requires_grad=True)
    rows = [torch.autograd.grad(slope * weight, weight)[0] for slope in (3.0, -1.0)]
    assert torch.stack(rows).square().mean() == BY_HAND["fisher"]


def test_the_place_worked_by_hand_is_where_the_penalty_of_the_package_balances_the_loss() -> None:
    at = {"w": torch.tensor(BY_HAND["elastic"], dtype=torch.double, requires_grad=True)}
    importance = {"w": torch.tensor([3.0, 0.0], dtype=torch.double)}
    anchor = continual.Anchor({"w": torch.zeros(2, dtype=torch.double)}, importance)
    loss = 0.5 * (at["w"] - 4).square().sum() + anchor.penalty(at)
    (slope,) = torch.autograd.grad(loss, at["w"])
    assert slope.tolist() == [0.0, 0.0]


def test_the_chance_worked_by_hand_is_that_of_a_reservoir() -> None:
    chance = 40 / 100  # it gets in, and is replaced by row m with the probability 1 / m
    for row in range(101, 401):
        chance *= 1 - 1 / row
    assert np.isclose(chance, BY_HAND["kept"])
    hits = 0
    for seed in range(2000):  # a tenth of the size: row 10 of 40, four of which are kept
        memory: continual.Reservoir[int] = continual.Reservoir(4, seed=seed)
        memory.add(range(1, 41))
        hits += 10 in memory.rows
    assert abs(hits / 2000 - BY_HAND["kept"]) < 0.03


def test_the_change_worked_by_hand_is_that_of_ties() -> None:
    vectors = torch.tensor([[2.0, -3.0], [4.0, 1.0]])
    assert continual.TIES(keep=1.0).combine(vectors).tolist() == BY_HAND["merged"]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_worked_by_hand_may_be_of_any_kind(kind: Any) -> None:
    given = {**BY_HAND, "elastic": kind([1.0, 4.0]), "merged": kind([3.0, -3.0])}
    assert exercises.check_forgetting_by_hand(given).passed


def test_numbers_worked_by_hand_may_be_fractions_rounded_or_tensors() -> None:
    given = {**BY_HAND, "told": Fraction(7, 8), "kept": torch.tensor(0.1), "fisher": np.int64(5)}
    assert exercises.check_forgetting_by_hand(given).passed
    assert exercises.check_forgetting_by_hand({**given, "told": 0.88}).passed


def test_feedback_names_the_first_that_is_wrong_and_gives_nothing_away() -> None:
    told = exercises.check_forgetting_by_hand({**BY_HAND, "backward": 25, "kept": 1}).message
    assert told.startswith("'backward' is not 25.")
    assert "-25" not in told
    told = exercises.check_forgetting_by_hand({**BY_HAND, "merged": [3, -1]}).message
    assert told.startswith("Number 2 of 'merged' is not -1.")


@pytest.mark.parametrize("missing", BY_HAND)
def test_a_table_half_filled_in_is_unanswered(missing: str) -> None:
    assert exercises.check_forgetting_by_hand({**BY_HAND, missing: ...}).state == "unanswered"


@pytest.mark.parametrize("kind", [float, torch.tensor, np.float32, np.array])
def test_a_chance_of_members_may_be_of_any_type(kind: Any) -> None:
    def chance(members: Any, others: Any) -> Any:
        return kind(continual.membership(members, others).auc)

    assert exercises.check_member_chance(chance).passed


@pytest.mark.parametrize("kind", KINDS)
def test_a_minimum_may_be_of_any_kind(kind: Any) -> None:
    def minimum(new: Any, curvature: Any, anchors: Any, fishers: Any, strength: float) -> Any:
        rows = np.concatenate([new[None], anchors])  # a least-squares problem along each weight
        weights = np.sqrt(np.concatenate([curvature[None], strength * fishers]))
        places = range(len(new))
        found = [
            np.linalg.lstsq(weights[:, [i]], weights[:, i] * rows[:, i], rcond=None)[0].item()
            for i in places
        ]
        return kind(found)

    assert exercises.check_elastic_minimum(minimum).passed


def _report(kind: Any, few: list[float], many: list[float], shown: Any) -> dict[str, Any]:
    apart = np.subtract(few, many)
    half_width = 4.303 * float(apart.std(ddof=1)) / 3**0.5
    found = {"few": kind(few), "many": kind(many), "mean": float(apart.mean())}
    return {**found, "half_width": half_width, "shown": shown}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shown", [True, np.True_, torch.tensor(True)])
def test_a_report_in_which_few_rows_cost_keeps_its_sign(kind: Any, shown: Any) -> None:
    report = _report(kind, [28.0, 30.5, 33.0], [55.0, 56.5, 58.0], shown)
    assert report["mean"] < 0
    assert exercises.check_few_rows_replayed(report).passed
    turned = exercises.check_few_rows_replayed(report | {"mean": -report["mean"]}).message
    assert "'mean' does not follow" in turned
    assert "excludes zero" in exercises.check_few_rows_replayed(report | {"shown": False}).message


def test_a_report_that_shows_nothing_is_as_good() -> None:
    report = _report(list, [55.0, 58.5, 57.0], [56.0, 57.0, 58.0], False)
    assert exercises.check_few_rows_replayed(report).passed
    assert "holds zero" in exercises.check_few_rows_replayed(report | {"shown": True}).message


def test_an_empty_report_is_unanswered() -> None:
    empty = dict.fromkeys(("few", "many", "mean", "half_width", "shown"), ...)
    assert exercises.check_few_rows_replayed(empty).state == "unanswered"
