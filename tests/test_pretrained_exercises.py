"""Right answers of other types, and the words of the checks, of the exercises of chapter 07."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from mtl_utils import data, exercises, nn, objectives, tasks, training

BY_HAND: dict[str, Any] = {
    "positions": [48, 6, 6],
    "loss": 0.8,
    "sum": [0.2, 0.18],
    "mean": [0.447, 0.565],
    "rates": [2, 4, 8],
    "drawn": [1 / 6, 1 / 3, 1 / 2],
}
ROWS = [key for key, value in BY_HAND.items() if isinstance(value, list)]
KINDS = (list, tuple, np.array, torch.tensor)


def test_the_positions_counted_by_hand_are_those_that_the_package_hides() -> None:
    gaps = tasks.MaskedLanguageModeling("gaps", 1000, mask_id=0)
    ids = torch.randint(1, 1000, (1, 400_000), generator=torch.Generator().manual_seed(0))
    everywhere = torch.ones_like(ids, dtype=torch.bool)
    given, labels = gaps.hide(ids, everywhere, torch.Generator().manual_seed(1))
    asked = labels != data.MISSING_LABEL
    kinds = [given == gaps.mask_id, (given != ids) & (given != gaps.mask_id), given == ids]
    found = [int((asked & kind).sum()) / 1000 for kind in kinds]  # 400 tokens, a thousand times
    assert np.allclose(found, BY_HAND["positions"], atol=0.5)


def test_the_loss_worked_by_hand_is_a_mean_over_tokens_on_the_scale_of_the_package() -> None:
    paid = torch.tensor([[2.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.5, 0.5]])
    counted = paid > 0
    found = {s: objectives.scaled_mean(paid.sum(), counted, s).item() for s in ("token", "text")}
    assert np.allclose(found["token"], BY_HAND["loss"])
    assert not np.isclose(found["text"], BY_HAND["loss"])


def test_the_answers_ranked_by_hand_are_ranked_so_by_the_losses_of_the_package() -> None:
    answers = [[0.8, 0.25], [0.9, 0.5, 0.4]]
    found: dict[str, list[float]] = {"sum": [], "mean": []}
    for chances in answers:
        right = torch.tensor(chances, dtype=torch.double)
        logits = torch.stack([right, 1 - right], dim=-1).log()[None]  # [1, U, 2]
        targets = torch.zeros(1, len(chances), dtype=torch.long)
        found["sum"].append((-objectives.sequence_loss(logits, targets)).exp().item())
        by_token = objectives.scaled_loss(logits, targets, "token")
        found["mean"].append((-by_token).exp().item())
    for key, numbers in found.items():
        assert np.allclose(numbers, BY_HAND[key], atol=1e-3)
    assert np.argmax(found["sum"]) != np.argmax(found["mean"])


def test_the_step_sizes_worked_by_hand_are_those_of_the_package(tmp_path: Any) -> None:
    sizes = {"vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
    BertModel(BertConfig(**sizes, intermediate_size=16)).save_pretrained(tmp_path)
    groups = training.layerwise_groups(nn.PretrainedEncoder(tmp_path), 8e-4, 0.5)
    assert np.allclose([1e4 * group["lr"] for group in groups], BY_HAND["rates"])


def test_the_draws_worked_by_hand_are_those_of_the_package() -> None:
    sets = [
        data.BatchLoader([data.Example([1], {"a": 0})] * size, batch_size=1)
        for size in (100, 400, 2500)
    ]
    drawn = training.SampledBatches(sets, by=2.0, limit=900)
    assert np.allclose(drawn.probabilities, BY_HAND["drawn"])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_worked_by_hand_may_be_of_any_kind(kind: Any) -> None:
    given = {**BY_HAND, **{key: kind(BY_HAND[key]) for key in ROWS}}
    assert exercises.check_pretraining_by_hand(given).passed


def test_numbers_worked_by_hand_may_be_fractions_rounded_or_tensors() -> None:
    given = {**BY_HAND, "loss": Fraction(4, 5), "drawn": [0.17, Fraction(1, 3), torch.tensor(0.5)]}
    assert exercises.check_pretraining_by_hand(given).passed


def test_feedback_names_the_first_that_is_wrong_and_gives_nothing_away() -> None:
    told = exercises.check_pretraining_by_hand({**BY_HAND, "rates": [8, 4, 2], "loss": 2}).message
    assert told.startswith("'loss' is not 2.")
    assert "0.8" not in told
    told = exercises.check_pretraining_by_hand({**BY_HAND, "rates": [2, 4, 6]}).message
    assert told.startswith("Number 3 of 'rates' is not 6.")


@pytest.mark.parametrize("missing", BY_HAND)
def test_a_table_half_filled_in_is_unanswered(missing: str) -> None:
    whole: Any = [...] * len(BY_HAND[missing]) if missing in ROWS else ...
    for stub in (..., whole):
        given = {**BY_HAND, missing: stub}
        assert exercises.check_pretraining_by_hand(given).state == "unanswered"


@pytest.mark.parametrize("kind", [float, lambda score: score, lambda score: score.double().numpy()])
def test_a_score_may_be_of_any_type(kind: Any) -> None:
    def score(logits: Any, ids: Any, start: int) -> Any:
        found = logits[start - 1 : -1].log_softmax(-1)
        return kind(torch.stack([row[i] for row, i in zip(found, ids[start:], strict=True)]).sum())

    assert exercises.check_answer_score(score).passed


@pytest.mark.parametrize("kind", KINDS)
def test_cut_texts_may_be_of_any_kind_and_are_found_in_another_way(kind: Any) -> None:
    def cut(ids: Any, chosen: Any, sentinels: Any) -> Any:
        sides, waiting = ([], []), list(sentinels)
        for number, out, before in zip(ids, chosen, [False, *chosen], strict=False):
            if out and not before:
                mark = waiting.pop(0)
                sides[0].append(mark)
                sides[1].append(mark)
            sides[int(out)].append(number)
        return kind(sides[0]), kind([*sides[1], waiting[0]])

    assert exercises.check_cut_spans(cut).passed


def test_feedback_on_cut_texts_names_the_call() -> None:
    told = exercises.check_cut_spans(lambda ids, chosen, sentinels: (ids, [])).message
    assert "[11, 12, 13, 14, 15, 16]" in told
    assert "one span" in told


def _report(kind: Any, averaged: list[float], cls: list[float], shown: Any) -> dict[str, Any]:
    apart = np.subtract(averaged, cls)
    half_width = 4.303 * float(apart.std(ddof=1)) / 3**0.5
    found = {"averaged": kind(averaged), "cls": kind(cls), "mean": float(apart.mean())}
    return {**found, "half_width": half_width, "shown": shown}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shown", [True, np.True_, torch.tensor(True)])
def test_a_report_in_which_one_state_is_poor_keeps_its_sign(kind: Any, shown: Any) -> None:
    report = _report(kind, [79.0, 79.5, 74.8], [61.0, 62.3, 60.3], shown)
    assert exercises.check_slow_or_poor(report).passed
    turned = exercises.check_slow_or_poor(report | {"mean": -report["mean"]}).message
    assert "'mean' does not follow" in turned
    assert "excludes zero" in exercises.check_slow_or_poor(report | {"shown": False}).message


def test_a_report_in_which_it_was_slow_is_as_good() -> None:
    report = _report(list, [79.0, 79.5, 74.8], [78.0, 80.3, 75.0], False)
    assert exercises.check_slow_or_poor(report).passed
    assert "holds zero" in exercises.check_slow_or_poor(report | {"shown": True}).message


def test_an_empty_report_is_unanswered() -> None:
    empty = dict.fromkeys(("averaged", "cls", "mean", "half_width", "shown"), ...)
    assert exercises.check_slow_or_poor(empty).state == "unanswered"
