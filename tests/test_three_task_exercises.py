"""Right answers of other types, and the words of the checks, of the exercises of chapter 04."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, get_args

import numpy as np
import pytest
import torch

from mtl_utils import exercises, objectives

BY_HAND: dict[str, Any] = {
    "token": 1.5,
    "text": 3,
    "uniform": 0.75,
    "shares": [1 / 2, 2 / 3, 1 / 3],
}
APART = {
    "topic": [32.0, 30.5, 34.0],
    "events": [27.0, 22.5, 22.0],
    "mean": 8.333,
    "half_width": 8.724,
}


def _own_past(length: int) -> list[list[bool]]:
    return [[column < row for column in range(length)] for row in range(length)]


@pytest.mark.parametrize(
    "kind", [list, np.array, torch.tensor, tuple, lambda rows: list(map(np.array, rows))]
)
def test_a_mask_may_be_lists_arrays_or_tensors_of_booleans(kind: Any) -> None:
    assert exercises.check_own_past(lambda length: kind(_own_past(length))).passed


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_a_mask_of_numbers_is_refused_in_every_form(kind: Any) -> None:
    def numbers(length: int) -> Any:
        return kind([[int(seen) for seen in row] for row in _own_past(length)])

    assert "expected booleans" in exercises.check_own_past(numbers).message


def test_a_mask_that_is_ragged_is_refused() -> None:
    ragged = exercises.check_own_past(
        lambda length: [row[: row.count(True)] for row in _own_past(length)]
    )
    assert ragged.state == "wrong"


@pytest.mark.parametrize("kind", [tuple, np.array, torch.tensor])
def test_shares_may_be_tuples_arrays_or_tensors(kind: Any) -> None:
    assert exercises.check_scales_by_hand(BY_HAND | {"shares": kind(BY_HAND["shares"])}).passed


def test_numbers_worked_by_hand_may_be_fractions_and_rounded() -> None:
    given: dict[str, Any] = {"token": Fraction(3, 2), "text": torch.tensor(3.0), "uniform": 0.75}
    assert exercises.check_scales_by_hand(given | {"shares": [0.5, 0.67, 0.33]}).passed


@pytest.mark.parametrize("missing", list(BY_HAND))
def test_a_table_half_filled_in_is_unanswered(missing: str) -> None:
    assert exercises.check_scales_by_hand(BY_HAND | {missing: ...}).state == "unanswered"


def test_the_numbers_worked_by_hand_are_those_of_the_package() -> None:
    """Two texts of three words and one; four tags, two classes; in bits."""
    rights = {"tags": ([1 / 2, 1 / 4, 1 / 2, 1 / 4], 4), "class": ([1 / 2, 1 / 4], 2)}
    counted = {
        "tags": torch.tensor([[True, True, True], [True, False, False]]),
        "class": torch.tensor([True, True]),
    }
    losses: dict[str, dict[str, float]] = {}
    for task, (right, classes) in rights.items():
        bits = -torch.tensor(right, dtype=torch.double).log2()
        losses[task] = {}
        for scale in get_args(objectives.Scale):
            count = objectives.count_scaled(counted[task], scale)
            guess = np.log2(classes) if scale == "uniform" else 1.0
            losses[task][scale] = float(bits.sum() / count / guess)
    tags = [losses["tags"][scale] for scale in ("token", "text", "uniform")]
    others = [losses["class"][scale] for scale in ("token", "text", "uniform")]
    assert tags == [BY_HAND["token"], BY_HAND["text"], BY_HAND["uniform"]]
    assert np.allclose(np.divide(tags, np.add(tags, others)), BY_HAND["shares"])


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("shown", [False, np.False_, torch.tensor(False)])
def test_a_difference_of_either_sign_may_stay_unshown(sign: int, shown: Any) -> None:
    scores = [APART["topic"], APART["events"]][::sign]
    report = dict(zip(("topic", "events"), scores, strict=True))
    report |= {"mean": 8.333 * sign, "half_width": 8.724, "shown": shown}
    assert exercises.check_topic_or_batch(report).passed
    told = exercises.check_topic_or_batch(report | {"mean": -8.333 * sign}).message
    assert "'mean' does not follow" in told


@pytest.mark.parametrize("sign", [1, -1])
def test_a_difference_of_either_sign_may_be_shown(sign: int) -> None:
    scores = [[32.0, 31.0, 33.0], [22.0, 20.0, 23.5]][::sign]
    report: dict[str, Any] = dict(zip(("topic", "events"), scores, strict=True))
    report |= {"mean": 10.167 * sign, "half_width": 1.897, "shown": True}
    assert exercises.check_topic_or_batch(report).passed
    assert "excludes zero" in exercises.check_topic_or_batch(report | {"shown": False}).message


def test_an_empty_report_is_unanswered() -> None:
    empty = dict.fromkeys([*APART, "shown"], ...)
    assert exercises.check_topic_or_batch(empty).state == "unanswered"
