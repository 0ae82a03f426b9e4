"""Checks of the exercises of chapter 07."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mtl_utils.exercises.by_hand import require_by_hand
from mtl_utils.exercises.checking import Answer, exercise
from mtl_utils.exercises.paired import (
    require_paired_report,
    require_percent,
    require_verdict,
    wrong_reports,
)

__all__ = [
    "check_answer_score",
    "check_cut_spans",
    "check_pretraining_by_hand",
    "check_slow_or_poor",
]

BY_HAND: dict[str, Any] = {
    "positions": [48.0, 6.0, 6.0],
    "loss": 0.8,
    "sum": [0.2, 0.18],
    "mean": [math.sqrt(0.2), 0.18 ** (1 / 3)],
    "rates": [2.0, 4.0, 8.0],
    "drawn": [1 / 6, 1 / 3, 1 / 2],
}

_HINTS = {
    "positions": "First how many are chosen at all; then which part of these.",
    "loss": "By what does equation 7.4 divide: by answers or by tokens?",
    "sum": "A sum of logarithms is the logarithm of a product.",
    "mean": "The mean of the logarithms, and then what it is the logarithm of.",
    "rates": "The last layer has the whole step size, each layer below a part of the one above it.",
    "drawn": "Cut at the limit, take the power of one over the temperature, divide by the sum.",
}


@exercise(
    "pretraining_by_hand",
    wrong=[
        {**BY_HAND, "positions": [320, 40, 40]},
        {**BY_HAND, "positions": [60, 6, 6]},
        {**BY_HAND, "positions": [48, 6, 340]},
        {**BY_HAND, "positions": [48, 6]},
        {**BY_HAND, "loss": 1.25},
        {**BY_HAND, "loss": 2},
        {**BY_HAND, "loss": -0.8},
        {**BY_HAND, "sum": [-1.61, -1.71]},
        {**BY_HAND, "sum": [0.18, 0.2]},
        {**BY_HAND, "mean": [0.525, 0.6]},
        {**BY_HAND, "mean": [0.447, 0.424]},
        {**BY_HAND, "mean": [0.1, 0.06]},
        {**BY_HAND, "rates": [8, 4, 2]},
        {**BY_HAND, "rates": [4, 8]},
        {**BY_HAND, "rates": [1, 2, 4]},
        {**BY_HAND, "drawn": [0.125, 0.25, 0.625]},
        {**BY_HAND, "drawn": [1 / 14, 4 / 14, 9 / 14]},
        {**BY_HAND, "drawn": [1 / 98, 16 / 98, 81 / 98]},
        {**BY_HAND, "drawn": [10, 20, 30]},
        {**BY_HAND, "drawn": "1/6"},
        {key: BY_HAND[key] for key in ("positions", "loss")},
        [48, 6, 6],
    ],
)
def check_pretraining_by_hand(answer: Answer) -> None:
    """The rule of BERT, equations 7.4 to 7.6 and the mixture of T5, worked by hand."""
    require_by_hand(answer, BY_HAND, _HINTS)


def _score(logits: Tensor, ids: Tensor, start: int) -> Tensor:
    scores = logits.log_softmax(dim=-1)[start - 1 : -1]
    return scores.gather(-1, ids[start:, None]).sum()


def _one_late(logits: Tensor, ids: Tensor, start: int) -> Tensor:
    return logits.log_softmax(dim=-1)[start:].gather(-1, ids[start:, None]).sum()


def _whole_text(logits: Tensor, ids: Tensor, start: int) -> Tensor:
    return _score(logits, ids, 1)


def _not_normalised(logits: Tensor, ids: Tensor, start: int) -> Tensor:
    return logits[start - 1 : -1].gather(-1, ids[start:, None]).sum()


def _averaged(logits: Tensor, ids: Tensor, start: int) -> Tensor:
    return _score(logits, ids, start) / (len(ids) - start)


def _probability(logits: Tensor, ids: Tensor, start: int) -> Tensor:
    return _score(logits, ids, start).exp()


@exercise("answer_score", wrong=[_one_late, _whole_text, _not_normalised, _averaged, _probability])
def check_answer_score(answer: Answer) -> None:
    """The log-probability of an answer after its prompt."""
    generator = torch.Generator().manual_seed(0)
    hint = "The logits at position t are about the token at t + 1, so start one position early."
    for length, start in ((5, 3), (7, 2), (6, 5)):
        logits = torch.randn(length, 9, generator=generator)
        ids = torch.randint(9, (length,), generator=generator)
        expected = float(_score(logits, ids, start))
        answer.gives(logits, ids, start, expected=expected, hint=hint)


Ids = Sequence[int]
Cut = tuple[list[int], list[int]]


def _cut(ids: Ids, chosen: Sequence[bool], sentinels: Ids) -> Cut:
    source, target, used = [], [], 0
    for place, (number, out) in enumerate(zip(ids, chosen, strict=True)):
        if not out:
            source.append(number)
            continue
        if place == 0 or not chosen[place - 1]:
            source.append(sentinels[used])
            target.append(sentinels[used])
            used += 1
        target.append(number)
    return source, [*target, sentinels[used]]


def _without_end(ids: Ids, chosen: Sequence[bool], sentinels: Ids) -> Cut:
    source, target = _cut(ids, chosen, sentinels)
    return source, target[:-1]


def _always_the_first(ids: Ids, chosen: Sequence[bool], sentinels: Ids) -> Cut:
    return _cut(ids, chosen, [sentinels[0]] * len(sentinels))


def _a_sentinel_a_token(ids: Ids, chosen: Sequence[bool], sentinels: Ids) -> Cut:
    source, target, used = [], [], 0
    for number, out in zip(ids, chosen, strict=True):
        source.append(sentinels[used % len(sentinels)] if out else number)
        if out:
            target += [sentinels[used % len(sentinels)], number]
            used += 1
    return source, [*target, sentinels[used % len(sentinels)]]


def _tokens_alone(ids: Ids, chosen: Sequence[bool], sentinels: Ids) -> Cut:
    source, target = _cut(ids, chosen, sentinels)
    return source, [number for number in target if number not in sentinels]


def _cut_without_a_mark(ids: Ids, chosen: Sequence[bool], sentinels: Ids) -> Cut:
    source, target = _cut(ids, chosen, sentinels)
    return [number for number in source if number not in sentinels], target


def _target_first(ids: Ids, chosen: Sequence[bool], sentinels: Ids) -> Cut:
    return _cut(ids, chosen, sentinels)[::-1]


@exercise(
    "cut_spans",
    wrong=[
        *(_without_end, _always_the_first, _a_sentinel_a_token, _tokens_alone),
        *(_cut_without_a_mark, _target_first),
    ],
)
def check_cut_spans(answer: Answer) -> None:
    """What T5 reads and what it has to write where spans are cut out of a text."""
    hint = (
        "Neighbours that are chosen are one span. Each span has the next sentinel, on both sides."
    )
    sentinels = [90, 91, 92, 93]
    for ids, chosen in (
        ([11, 12, 13, 14, 15, 16], [0, 1, 1, 0, 0, 1]),
        ([21, 22, 23, 24, 25], [1, 0, 1, 0, 0]),
        ([31, 32, 33], [1, 1, 1]),
        ([41, 42], [0, 0]),
    ):
        places = [bool(place) for place in chosen]
        expected = [list(part) for part in _cut(ids, places, sentinels)]
        answer.gives(ids, places, sentinels, expected=expected, hint=hint)


@exercise(
    "slow_or_poor",
    wrong=wrong_reports("averaged", "cls", [70.0, 74.0, 71.0], 8.0),
)
def check_slow_or_poor(answer: Answer) -> None:
    """Events by the mean over states and by one state, trained for longer, and what that shows."""
    differences = require_paired_report(answer, "averaged", "cls", runs=3)
    require_percent(answer, ("averaged", "cls"), "Accuracies")
    require_verdict(answer, differences)
