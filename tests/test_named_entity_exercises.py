"""Right answers of other types, and the words of the checks, of the exercises of chapter 03."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mtl_utils import exercises

BEST, PATH, SOFTMAX = [[0, 1], [4, 2], [5, 6]], ["I", "I", "O"], ["O", "I", "O"]
BY_HAND = {"best": BEST, "path": PATH, "softmax": SOFTMAX}
KINDS = (list, torch.tensor, np.array, lambda rows: tuple(map(tuple, rows)))


@pytest.mark.parametrize("kind", KINDS)
def test_tables_may_be_lists_tensors_or_arrays(kind: Any) -> None:
    path = np.array(PATH) if kind is np.array else tuple(PATH)
    assert exercises.check_viterbi_by_hand(BY_HAND | {"best": kind(BEST), "path": path}).passed
    apart = {"emissions": kind([[0, 1], [3, 0], [0, 1]]), "transitions": kind([[2, 0], [0, 2]])}
    assert exercises.check_two_disagreements(apart).passed


def test_a_table_half_filled_in_is_unanswered() -> None:
    for key in BY_HAND:
        assert exercises.check_viterbi_by_hand(BY_HAND | {key: ...}).state == "unanswered"
    empty = dict.fromkeys(("letters", "words", "mean", "half_width", "shown"), ...)
    assert exercises.check_letters_or_words(empty).state == "unanswered"
    assert exercises.check_letters_or_words(report_of(2.0) | {"shown": ...}).state == "unanswered"


def report_of(sign: float) -> dict[str, Any]:
    """Made-up scores whose differences are sign times 1, 2 and 3: an interval over zero."""
    return {
        "letters": [50.0, 52.0, 51.0],
        "words": [50.0 - sign, 52.0 - 2 * sign, 51.0 - 3 * sign],
        "mean": 2 * sign,
        "half_width": 2.484 * abs(sign),
        "shown": False,
    }


@pytest.mark.parametrize("path", [[0, 0, 1], torch.tensor([0, 0, 1]), ["i", "i", "o"], "IIO"])
def test_a_path_may_be_columns_or_small_letters(path: Any) -> None:
    assert exercises.check_viterbi_by_hand(BY_HAND | {"path": path}).passed


def test_what_softmax_writes_is_asked_for() -> None:
    told = exercises.check_viterbi_by_hand(BY_HAND | {"softmax": PATH}).message
    assert "softmax does not write ['I', 'I', 'O']" in told


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_report_of_either_sign_that_shows_nothing_is_right(sign: float) -> None:
    assert exercises.check_letters_or_words(report_of(sign)).passed
    told = exercises.check_letters_or_words(report_of(sign) | {"shown": True}).message
    assert f"the interval of {2 * sign:+.1f} ± 2.5 holds zero" in told


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("shown", [True, np.True_, torch.tensor(True)])
def test_a_difference_of_either_sign_can_be_shown(sign: int, shown: Any) -> None:
    scores = [50.0, 52.0, 51.0], [40.0, 41.0, 40.5]
    report: dict[str, Any] = dict(zip(("letters", "words"), scores[::sign], strict=True))
    report |= {"mean": 10.5 * sign, "half_width": 1.242, "shown": shown}
    assert exercises.check_letters_or_words(report).passed
    told = exercises.check_letters_or_words(report | {"shown": False}).message
    assert "excludes zero" in told


@pytest.mark.parametrize("shown", [True, False])
def test_either_verdict_will_do_where_the_interval_ends_at_zero(shown: bool) -> None:
    spread = 2.0 * 3**0.5 / 4.302653
    words = [50 - 2 + spread, 50 - 2.0, 50 - 2 - spread]
    report = {"letters": [50.0] * 3, "words": words, "mean": 2.0, "half_width": 2.0}
    assert exercises.check_letters_or_words(report | {"shown": shown}).passed


def test_the_first_box_that_is_wrong_is_named_and_its_score_is_not_given_away() -> None:
    message = exercises.check_viterbi_by_hand(BY_HAND | {"best": [[0, 1], [4, 3], [5, 9]]})
    assert "'Van', tag O is not 3." in str(message)
    assert "2" not in str(message).split("\n")[1]


@pytest.mark.parametrize("kind", [lambda step: step, torch.Tensor.tolist, torch.Tensor.numpy])
def test_a_forward_step_may_return_another_type(kind: Any) -> None:
    def forward_step(alpha: Any, transitions: Any, emissions: Any) -> Any:
        return kind(emissions + torch.logsumexp(alpha[:, None] + transitions, dim=0))

    assert exercises.check_forward_step(forward_step).passed


def test_a_step_that_nothing_can_be_trained_through_is_refused() -> None:
    def forward_step(alpha: Any, transitions: Any, emissions: Any) -> Any:
        with torch.no_grad():
            return emissions + torch.logsumexp(alpha[:, None] + transitions, dim=0)

    assert "No gradient reaches alpha" in exercises.check_forward_step(forward_step).message


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
        "shown": True,
    }
    assert exercises.check_letters_or_words(report).passed
    told = exercises.check_letters_or_words(report | {"mean": torch.tensor(0.0)}).message
    assert "'mean' does not follow from the scores" in told


def test_an_open_exercise_says_what_both_taggers_write() -> None:
    near = {"emissions": [[0, 1], [2, 0], [0, 3]], "transitions": [[1.2, 0], [0, 1.2]]}
    told = exercises.check_two_disagreements(near).message
    assert "Softmax writes OIO, the CRF OOO: they disagree at 1 of 3 words." in told
