"""Right answers of other types, and the words of the checks, of the exercises of chapter 18."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mtl_utils import atlas, exercises, objectives, tasks
from mtl_utils.atlas.names import LABELS

BY_HAND: dict[str, Any] = {
    "best": [0.5, 0.85],
    "useless": 0.8,
    "looks": [3 / 4, 1 / 4],
    "losses": [np.log(3), (2 * np.log(2) + np.log(3)) / 3],
    "ranks": [2, 2, 1],
}
KINDS = (list, tuple, np.array, torch.tensor)


def test_the_best_worked_by_hand_is_that_of_all_there_is_to_be_seen() -> None:
    kinds, meant = len(atlas.MEANINGS), {"person": 1 / 2, "country": 1 / 4, "river": 1 / 4}
    prior = np.array([meant.get(meaning, 0.0) for meaning in atlas.MEANINGS])
    shows = np.full((kinds, kinds), 0.2 / (kinds - 1)) + np.eye(kinds) * (0.8 - 0.2 / (kinds - 1))
    joint = prior[:, None] * shows  # [meaning, shown]
    assert np.isclose(joint.sum(), 1)
    assert len({LABELS[meaning] for meaning in meant}) == 3  # so types are as likely as meanings
    assert np.allclose([joint.sum(1).max(), joint.max(0).sum()], BY_HAND["best"])


def test_a_picture_is_useless_at_the_error_worked_by_hand_and_at_no_other() -> None:
    for error, helps in ((BY_HAND["useless"], False), (0.78, True), (0.82, True)):
        found = atlas.best_scores(ambiguity=1.0, picture_error=error)
        gain = found["both"]["accuracy"] - found["text"]["accuracy"]
        assert (gain > 1e-9) == helps


def test_the_words_look_where_was_worked_by_hand() -> None:
    query = np.log(3) * torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    keys = torch.tensor([[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 1.0, -1.0]])
    found = functional.scaled_dot_product_attention(query, keys, torch.eye(2))
    assert np.allclose(found[0], BY_HAND["looks"])


def test_the_losses_worked_by_hand_are_those_of_the_package() -> None:
    alike = torch.full((3, 3), 0.7)
    found = [objectives.contrastive_loss(alike, torch.tensor(g)) for g in ([0, 1, 2], [5, 5, 2])]
    assert np.allclose(found, BY_HAND["losses"])


def test_the_ranks_worked_by_hand_are_those_of_the_package() -> None:
    similarity = torch.tensor([[0.9, 0.9, 0.1], [0.2, 0.5, 0.7], [0.3, 0.2, 0.4]])
    own = torch.eye(3, dtype=torch.bool)
    assert tasks.retrieval_ranks(similarity, own).tolist() == BY_HAND["ranks"]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_worked_by_hand_may_be_of_any_kind(kind: Any) -> None:
    given = {k: kind(v) if isinstance(v, list) else v for k, v in BY_HAND.items()}
    assert exercises.check_pictures_by_hand(given).passed


def test_numbers_worked_by_hand_may_be_fractions_rounded_or_tensors() -> None:
    given = {**BY_HAND, "useless": Fraction(4, 5), "looks": [torch.tensor(0.75), 0.25]}
    given |= {"losses": (1.1, 0.83), "best": [Fraction(1, 2), np.float32(0.85)]}
    assert exercises.check_pictures_by_hand(given).passed


def test_feedback_names_the_first_that_is_wrong_and_gives_nothing_away() -> None:
    told = exercises.check_pictures_by_hand({**BY_HAND, "looks": [0.9, 0.1], "ranks": 1}).message
    assert told.startswith("Number 1 of 'looks' is not 0.9.")
    assert "0.75" not in told
    told = exercises.check_pictures_by_hand({**BY_HAND, "useless": 0.5}).message
    assert told.startswith("'useless' is not 0.5.")
    assert "0.8" not in told


@pytest.mark.parametrize("missing", BY_HAND)
def test_a_table_half_filled_in_is_unanswered(missing: str) -> None:
    assert exercises.check_pictures_by_hand({**BY_HAND, missing: ...}).state == "unanswered"


@pytest.mark.parametrize("kind", [list, np.asarray, torch.as_tensor])
def test_vectors_of_pictures_may_be_of_any_kind(kind: Any) -> None:
    def vector(vectors: Tensor, present: Tensor, absent: Tensor) -> Any:
        rows = [v.mean(0) if there else absent for v, there in zip(vectors, present, strict=True)]
        return kind(torch.stack(rows).tolist())

    assert exercises.check_picture_vector(vector).passed


@pytest.mark.parametrize("kind", [float, torch.tensor, np.float32, np.array])
def test_a_contrast_may_be_of_any_type(kind: Any) -> None:
    def contrast(similarity: Tensor, groups: Tensor) -> Any:
        return kind(objectives.contrastive_loss(similarity, groups).item())

    assert exercises.check_contrast(contrast).passed


def _report(kind: Any, little: list[float], much: list[float], shown: Any) -> dict[str, Any]:
    apart = np.subtract(little, much)
    half_width = 4.303 * float(apart.std(ddof=1)) / 3**0.5
    found = {"little": kind(little), "much": kind(much), "mean": float(apart.mean())}
    return {**found, "half_width": half_width, "shown": shown}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shown", [True, np.True_, torch.tensor(True)])
def test_a_report_in_which_little_dropout_costs_keeps_its_sign(kind: Any, shown: Any) -> None:
    report = _report(kind, [58.0, 57.0, 61.0], [67.0, 65.0, 70.5], shown)
    assert report["mean"] < 0
    assert exercises.check_little_dropout(report).passed
    turned = exercises.check_little_dropout(report | {"mean": -report["mean"]}).message
    assert "'mean' does not follow" in turned
    assert "excludes zero" in exercises.check_little_dropout(report | {"shown": False}).message


def test_a_report_that_shows_nothing_is_as_good() -> None:
    report = _report(list, [67.0, 65.0, 70.5], [66.0, 68.0, 67.0], False)
    assert exercises.check_little_dropout(report).passed
    assert "holds zero" in exercises.check_little_dropout(report | {"shown": True}).message


def test_an_empty_report_is_unanswered() -> None:
    empty = dict.fromkeys(("little", "much", "mean", "half_width", "shown"), ...)
    assert exercises.check_little_dropout(empty).state == "unanswered"
