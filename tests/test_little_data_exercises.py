"""Right answers of other types, and the words of the checks, of the exercises of chapter 16."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from mtl_utils import exercises, transfer

BY_HAND: dict[str, Any] = {
    "layer": [6, 2, -10],
    "nearest": "B",
    "place": 1,
    "weight": 1 / 3,
    "queries": 5,
}
KINDS = (list, tuple, np.array, torch.tensor)


def test_the_layer_worked_by_hand_is_that_of_the_package() -> None:
    states = torch.tensor([[2.0, 0.0], [4.0, 2.0], [0.0, 2.0]])
    means = transfer.class_means(states, torch.tensor([0, 0, 1]), 2)
    weight, bias = transfer.prototype_layer(means)
    assert [*weight[0].tolist(), bias[0].item()] == BY_HAND["layer"]
    text = torch.tensor([[1.0, 2.0]])
    assert transfer.prototype_logits(text, means).tolist() == [[-5.0, -1.0]]
    assert (text @ means.T).argmax().item() == 0  # without the bias A would be taken


def test_the_queries_counted_by_hand_are_those_that_pay_a_loss() -> None:
    kinds = torch.tensor([0, 0, 1, 2, 2, 2])
    states = torch.tensor([0.0, 1.0, 3.0], dtype=torch.double)[kinds, None]
    first = 2 * np.log(1 + np.exp(-1) + np.exp(-9))  # two rows at 0, each other's class mean
    last = 3 * np.log(1 + np.exp(-4) + np.exp(-9))  # three at 3; the one at 1 asks nothing
    mean = (first + last) / BY_HAND["queries"]
    assert np.isclose(transfer.episode_loss(states, kinds).item(), mean)


def test_the_place_worked_by_hand_is_where_the_weighted_sum_is_least() -> None:
    theta = 4.0
    for _ in range(2):
        theta -= 0.5 * theta
    assert theta == BY_HAND["place"]
    assert np.isclose(BY_HAND["weight"] * 4 / (1 + BY_HAND["weight"]), theta)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_worked_by_hand_may_be_of_any_kind(kind: Any) -> None:
    given = {**BY_HAND, "layer": kind([6.0, 2.0, -10.0]), "nearest": " b"}
    assert exercises.check_few_rows_by_hand(given).passed


def test_numbers_worked_by_hand_may_be_fractions_rounded_or_tensors() -> None:
    given = {**BY_HAND, "place": torch.tensor(1.0), "queries": np.int64(5)}
    assert exercises.check_few_rows_by_hand({**given, "weight": Fraction(1, 3)}).passed
    assert exercises.check_few_rows_by_hand({**given, "weight": 0.33}).passed


def test_feedback_names_the_first_that_is_wrong_and_gives_nothing_away() -> None:
    told = exercises.check_few_rows_by_hand({**BY_HAND, "layer": [6, 2, 10], "place": 3}).message
    assert told.startswith("'layer': number 3 is not 10.")
    assert "-10" not in told
    told = exercises.check_few_rows_by_hand({**BY_HAND, "weight": 0.25}).message
    assert told.startswith("'weight' is not 0.25.")


@pytest.mark.parametrize("missing", BY_HAND)
def test_a_table_half_filled_in_is_unanswered(missing: str) -> None:
    assert exercises.check_few_rows_by_hand({**BY_HAND, missing: ...}).state == "unanswered"


@pytest.mark.parametrize("kind", KINDS)
def test_confident_rows_may_be_pairs_of_any_kind(kind: Any) -> None:
    def confident(rows: Any, threshold: float) -> Any:
        table = np.asarray(rows)
        kept = np.flatnonzero(table.max(1) >= threshold)
        return kind(np.stack([kept, table.argmax(1)[kept]], axis=1).tolist())

    assert exercises.check_confident_rows(confident).passed


@pytest.mark.parametrize("kind", [float, torch.tensor, np.float32, np.array])
def test_an_accuracy_may_be_of_any_type(kind: Any) -> None:
    def accuracy(written: Any, right: Any, labels: Any) -> Any:
        return kind(np.mean([w == r and w in labels for w, r in zip(written, right, strict=True)]))

    assert exercises.check_written_accuracy(accuracy).passed


def _report(kind: Any, after: list[float], alone: list[float], shown: Any) -> dict[str, Any]:
    apart = np.subtract(after, alone)
    half_width = 4.303 * float(apart.std(ddof=1)) / 3**0.5
    found = {"after": kind(after), "alone": kind(alone), "mean": float(apart.mean())}
    return {**found, "half_width": half_width, "shown": shown}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shown", [True, np.True_, torch.tensor(True)])
def test_a_report_in_which_other_tasks_cost_keeps_its_sign(kind: Any, shown: Any) -> None:
    report = _report(kind, [48.0, 47.0, 51.0], [57.0, 55.0, 60.5], shown)
    assert report["mean"] < 0
    assert exercises.check_steps_or_start(report).passed
    turned = exercises.check_steps_or_start(report | {"mean": -report["mean"]}).message
    assert "'mean' does not follow" in turned
    assert "excludes zero" in exercises.check_steps_or_start(report | {"shown": False}).message


def test_a_report_that_shows_nothing_is_as_good() -> None:
    report = _report(list, [57.0, 55.0, 60.5], [56.0, 58.0, 57.0], False)
    assert exercises.check_steps_or_start(report).passed
    told = exercises.check_steps_or_start(report | {"shown": True}).message
    assert "holds zero" in told


def test_an_empty_report_is_unanswered() -> None:
    empty = dict.fromkeys(("after", "alone", "mean", "half_width", "shown"), ...)
    assert exercises.check_steps_or_start(empty).state == "unanswered"
