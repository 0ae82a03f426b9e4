"""Right answers of other types, and the words of the checks, of the exercises of chapter 03."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mtl_utils import exercises

BEST, PATH = [[0, 1], [4, 2], [5, 6]], ["I", "I", "O"]
KINDS = (list, torch.tensor, np.array, lambda rows: tuple(map(tuple, rows)))


@pytest.mark.parametrize("kind", KINDS)
def test_tables_may_be_lists_tensors_or_arrays(kind: Any) -> None:
    path = np.array(PATH) if kind is np.array else tuple(PATH)
    assert exercises.check_viterbi_by_hand({"best": kind(BEST), "path": path}).passed
    apart = {"emissions": kind([[0, 1], [3, 0], [0, 1]]), "transitions": kind([[2, 0], [0, 2]])}
    assert exercises.check_two_disagreements(apart).passed


def test_a_table_half_filled_in_is_unanswered() -> None:
    assert exercises.check_viterbi_by_hand({"best": ..., "path": ...}).state == "unanswered"
    assert exercises.check_viterbi_by_hand({"best": BEST, "path": ...}).state == "unanswered"
    empty = {"letters": ..., "words": ..., "mean": ..., "half_width": ...}
    assert exercises.check_letters_help(empty).state == "unanswered"


def test_the_first_box_that_is_wrong_is_named_and_its_score_is_not_given_away() -> None:
    message = exercises.check_viterbi_by_hand({"best": [[0, 1], [4, 3], [5, 9]], "path": PATH})
    assert "'Van', tag O is not 3." in str(message)
    assert "2" not in str(message).split("\n")[1]


@pytest.mark.parametrize("kind", [lambda step: step, torch.Tensor.tolist, torch.Tensor.numpy])
def test_a_forward_step_may_return_another_type(kind: Any) -> None:
    def forward_step(alpha: Any, transitions: Any, emissions: Any) -> Any:
        return kind(emissions + torch.logsumexp(alpha[:, None] + transitions, dim=0))

    assert exercises.check_forward_step(forward_step).passed


@pytest.mark.parametrize("kind", [list, torch.tensor, np.array, tuple])
@pytest.mark.parametrize("digits", [2, 9])
def test_a_report_may_be_rounded(kind: Any, digits: int) -> None:
    letters, words = [51.25, 50.5, 53.0], [40.0, 42.0, 41.5]
    apart = np.subtract(letters, words)
    report = {
        "letters": kind(letters),
        "words": kind(words),
        "mean": round(float(apart.mean()), digits),
        "half_width": round(4.303 * float(apart.std(ddof=1)) / 3**0.5, digits),
    }
    assert exercises.check_letters_help(report).passed
    told = exercises.check_letters_help(report | {"mean": torch.tensor(0.0)}).message
    assert "'mean' does not follow from the scores" in told


def test_an_open_exercise_says_what_both_taggers_write() -> None:
    near = {"emissions": [[0, 1], [2, 0], [0, 3]], "transitions": [[1.2, 0], [0, 1.2]]}
    told = exercises.check_two_disagreements(near).message
    assert "Softmax writes OIO, the CRF OOO: they disagree at 1 of 3 words." in told
