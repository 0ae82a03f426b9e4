"""Right answers of other types, and the words of the checks, of the exercises of chapter 05."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mtl_utils import exercises
from mtl_utils.nn import SinusoidalPositions

BY_HAND = {"weights": [0.75, 0.25, 0.0], "found": [6.0, 1.0], "undivided": [0.9, 0.1, 0.0]}
TABLE = SinusoidalPositions(32, 50)(50)
LOOKS_BACK = 50 * torch.linalg.pinv(TABLE[1:]) @ TABLE[:-1]
WARM, COLD = [106.4, 104.2, 106.5], [79.8, 104.1, 105.9]


@pytest.mark.parametrize("kind", [list, tuple, torch.tensor, np.array])
def test_numbers_worked_by_hand_may_be_of_any_type(kind: Any) -> None:
    given = {key: kind(values) for key, values in BY_HAND.items()}
    assert exercises.check_attention_by_hand(given).passed


def test_what_is_half_filled_in_is_unanswered() -> None:
    assert exercises.check_attention_by_hand(BY_HAND | {"found": ...}).state == "unanswered"
    empty = {"warmup": ..., "none": ..., "mean": ..., "half_width": ...}
    assert exercises.check_warmup_helps(empty).state == "unanswered"


def test_the_first_number_that_is_wrong_is_named_and_the_right_one_is_not_given_away() -> None:
    told = str(exercises.check_attention_by_hand(BY_HAND | {"found": [6.0, 3.0]}))
    assert "Number 2 of 'found' is not 3." in told
    assert "1" not in told.split("'found'")[1]


@pytest.mark.parametrize("kind", [torch.Tensor.clone, torch.Tensor.tolist, torch.Tensor.numpy])
def test_a_matrix_that_looks_back_may_be_of_any_type(kind: Any) -> None:
    assert exercises.check_previous_position(kind(LOOKS_BACK)).passed


def test_a_head_is_told_where_it_first_goes_wrong() -> None:
    told = exercises.check_previous_position(LOOKS_BACK.T).message
    assert "Position 1 looks most at 2, not at 0." in told
    told = exercises.check_previous_position(LOOKS_BACK / 10).message
    assert "to the one before it." in told
    told = exercises.check_previous_position(LOOKS_BACK[:4]).message
    assert "'A' has the shape [4, 32], expected [32, 32]." in told


@pytest.mark.parametrize("kind", [list, tuple, torch.tensor, np.array])
@pytest.mark.parametrize("digits", [2, 9])
def test_a_report_may_be_rounded(kind: Any, digits: int) -> None:
    apart = np.subtract(WARM, COLD)
    report = {
        "warmup": kind(WARM),
        "none": kind(COLD),
        "mean": round(float(apart.mean()), digits),
        "half_width": round(4.303 * float(apart.std(ddof=1)) / 3**0.5, digits),
    }
    assert exercises.check_warmup_helps(report).passed


def test_losses_in_nats_are_recognised() -> None:
    warm, cold = (np.array(losses) / 100 for losses in (WARM, COLD))
    apart = warm - cold
    half_width = 4.303 * apart.std(ddof=1) / 3**0.5
    report = {"warmup": warm, "none": cold, "mean": apart.mean(), "half_width": half_width}
    assert "is not in hundredths" in exercises.check_warmup_helps(report).message


def test_parts_may_be_merged_into_another_type() -> None:
    def merge_parts(found_a: Any, log_sum_a: Any, found_b: Any, log_sum_b: Any) -> Any:
        share = torch.sigmoid(log_sum_a - log_sum_b)
        return (share * found_a + (1 - share) * found_b).tolist()

    assert exercises.check_merge_parts(merge_parts).passed
