"""Right answers of other types, and the words of the checks, of the exercises of chapter 06."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mtl_utils import exercises

BY_HAND = {"classification": 0.8, "tags": 0.9, "inference": 1.05, "total": 3.8, "per_label": 0.3}
TOGETHER, ALONE = [58.1, 60.2, 57.9], [61.0, 61.9, 62.4]


@pytest.mark.parametrize("kind", [float, torch.tensor, np.float32, np.array])
def test_numbers_worked_by_hand_may_be_of_any_type(kind: Any) -> None:
    given = {key: kind(value) for key, value in BY_HAND.items()}
    assert exercises.check_losses_by_hand(given).passed


def test_the_first_number_that_is_wrong_is_named_and_the_right_one_is_not_given_away() -> None:
    told = exercises.check_losses_by_hand(BY_HAND | {"tags": 0.6, "total": 2.0}).message
    assert told.startswith("'tags' is not 0.6.")
    assert "0.9" not in told
    assert exercises.check_losses_by_hand(BY_HAND | {"total": ...}).state == "unanswered"


@pytest.mark.parametrize("kind", [list, tuple, torch.tensor, np.array])
def test_a_report_in_which_company_costs_keeps_its_sign(kind: Any) -> None:
    apart = np.subtract(TOGETHER, ALONE)
    half_width = 4.303 * float(apart.std(ddof=1)) / 3**0.5
    report = {"together": kind(TOGETHER), "alone": kind(ALONE), "mean": float(apart.mean())}
    report |= {"half_width": half_width, "shown": bool(abs(apart.mean()) > half_width)}
    assert exercises.check_tags_in_company(report).passed
    turned = report | {"mean": -report["mean"]}
    assert "'mean' does not follow" in exercises.check_tags_in_company(turned).message


@pytest.mark.parametrize("kind", [tuple, list, torch.tensor, np.array])
def test_an_interval_may_be_of_any_type_and_a_loss_keeps_its_sign(kind: Any) -> None:
    def interval(first: Any, second: Any, t: float) -> Any:
        apart = np.subtract(first, second)
        return kind([float(apart.mean()), t * float(apart.std(ddof=1)) / len(apart) ** 0.5])

    def without_sign(first: Any, second: Any, t: float) -> Any:
        mean, half_width = interval(first, second, t)
        return abs(mean), half_width

    assert exercises.check_paired_interval(interval).passed
    assert "expected -4" in exercises.check_paired_interval(without_sign).message
