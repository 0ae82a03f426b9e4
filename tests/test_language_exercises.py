"""Right answers of other types, and the words of the checks, of the exercises of chapter 17."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from mtl_utils import data, exercises, objectives, training, transfer

BY_HAND: dict[str, list[float]] = {
    "shares": [1 / 2, 1 / 3, 1 / 6],
    "french": [1 / 4, 2 / 5],
    "fertility": [7.0, 3.5],
    "found": [1 / 4, 1.0],
}
KINDS = (list, tuple, np.array, torch.tensor)


def test_the_shares_worked_by_hand_are_those_of_the_package() -> None:
    found = training.tempered_shares([27_000, 8000, 1000], temperature=3)
    assert np.allclose(found, BY_HAND["shares"])


@pytest.mark.parametrize(("place", "lengths"), [(0, [1] * 8), (1, [10] * 6 + [20] * 2)])
def test_french_weighs_in_a_mean_what_was_worked_by_hand(place: int, lengths: list[int]) -> None:
    logits = torch.zeros(8, max(lengths), 2, requires_grad=True)
    labels = torch.full((8, max(lengths)), -100)
    for row, length in enumerate(lengths):
        labels[row, :length] = 0
    (gradient,) = torch.autograd.grad(objectives.classification_loss(logits, labels), logits)
    pull = gradient.abs().sum((1, 2))  # alike for every labelled token, as the logits are
    assert np.isclose((pull[6:].sum() / pull.sum()).item(), BY_HAND["french"][place])


def test_the_fertility_worked_by_hand_is_that_of_pieces_learnt_from_english() -> None:
    english = data.BytePairTokenizer.train(["the cat sat on the mat", "a cat ran"], 300)
    found = data.fertility(english, [["奥巴马", "访问", "了", "北京"]])
    assert [found.per_word, found.per_character] == BY_HAND["fertility"]


def test_what_was_found_by_hand_is_what_the_package_finds() -> None:
    u = torch.tensor([[3.0, 0.0], [2.0, 1.0], [1.0, 0.0], [2.0, -1.0]])
    v = torch.tensor([[1.0, 2.0], [0.0, 3.0], [-1.0, 2.0], [0.0, 1.0]])
    found = [transfer.retrieval_accuracy(u, v, centred=centred) for centred in (False, True)]
    assert found == BY_HAND["found"]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_worked_by_hand_may_be_of_any_kind(kind: Any) -> None:
    assert exercises.check_languages_by_hand({k: kind(v) for k, v in BY_HAND.items()}).passed


def test_numbers_worked_by_hand_may_be_fractions_rounded_or_whole() -> None:
    given: dict[str, Any] = {**BY_HAND, "shares": [0.5, Fraction(1, 3), 0.167]}
    given |= {"fertility": (7, torch.tensor(3.5)), "found": [np.float32(0.25), 1]}
    assert exercises.check_languages_by_hand(given).passed


def test_feedback_names_the_first_that_is_wrong_and_gives_nothing_away() -> None:
    told = exercises.check_languages_by_hand({**BY_HAND, "french": [0.25, 0.25]}).message
    assert told.startswith("Number 2 of 'french' is not 0.25.")
    assert "0.4" not in told
    told = exercises.check_languages_by_hand({**BY_HAND, "fertility": [6, 3], "found": 1}).message
    assert told.startswith("Number 1 of 'fertility' is not 6.")


@pytest.mark.parametrize("missing", BY_HAND)
@pytest.mark.parametrize("stub", [..., [..., ...]])
def test_a_table_half_filled_in_is_unanswered(missing: str, stub: Any) -> None:
    stub = [..., ..., ...] if missing == "shares" and stub is not ... else stub
    assert exercises.check_languages_by_hand({**BY_HAND, missing: stub}).state == "unanswered"


@pytest.mark.parametrize("kind", [float, torch.tensor, np.float32, np.array])
def test_an_unseen_share_may_be_of_any_type(kind: Any) -> None:
    def share(known: Any, read: Any) -> Any:
        return kind(np.mean([all(c not in text for text in known) for c in "".join(read)]))

    assert exercises.check_unseen_share(share).passed


@pytest.mark.parametrize("kind", [float, torch.tensor, np.float32, np.array])
def test_a_share_of_pairs_may_be_of_any_type(kind: Any) -> None:
    def share(similarities: Any) -> Any:
        table = np.asarray(similarities)
        own = np.eye(len(table), dtype=bool)
        rivals = np.where(own, -np.inf, table)
        best = np.maximum(rivals.max(1), rivals.max(0))
        return kind((table[own] > best).mean().item())

    assert exercises.check_retrieved(share).passed


def test_ties_that_count_as_found_are_told_of() -> None:
    def share(table: Any) -> float:
        greatest = zip(map(max, table), map(max, zip(*table, strict=True)), strict=True)
        return float(np.mean([row == c == table[n][n] for n, (row, c) in enumerate(greatest)]))

    assert "alone the greatest" in exercises.check_retrieved(share).message


def test_a_share_in_one_direction_is_told_of_the_other() -> None:
    told = exercises.check_retrieved(lambda table: float((np.argmax(table, 1) == [0, 1]).mean()))
    assert "of its row and of its column" in told.message


def _report(kind: Any, shared: list[float], apart: list[float], shown: Any) -> dict[str, Any]:
    between = np.subtract(shared, apart)
    half_width = 4.303 * float(between.std(ddof=1)) / 3**0.5
    found = {"shared": kind(shared), "apart": kind(apart), "mean": float(between.mean())}
    return {**found, "half_width": half_width, "shown": shown}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shown", [True, np.True_, torch.tensor(True)])
def test_a_report_in_which_shared_pieces_count_keeps_its_sign(kind: Any, shown: Any) -> None:
    report = _report(kind, [53.0, 47.5, 50.0], [46.0, 41.5, 42.0], shown)
    assert report["mean"] > 0
    assert exercises.check_pieces_or_layers(report).passed
    turned = exercises.check_pieces_or_layers(report | {"mean": -report["mean"]}).message
    assert "'mean' does not follow" in turned
    assert "excludes zero" in exercises.check_pieces_or_layers(report | {"shown": False}).message


def test_a_report_that_shows_nothing_is_as_good() -> None:
    report = _report(list, [50.0, 46.0, 49.0], [48.0, 47.5, 47.0], False)
    assert exercises.check_pieces_or_layers(report).passed
    assert "holds zero" in exercises.check_pieces_or_layers(report | {"shown": True}).message


def test_an_empty_report_is_unanswered() -> None:
    empty = dict.fromkeys(("shared", "apart", "mean", "half_width", "shown"), ...)
    assert exercises.check_pieces_or_layers(empty).state == "unanswered"
