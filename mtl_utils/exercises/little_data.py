"""Checks of the exercises of chapter 16."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mtl_utils.exercises.checking import Answer, as_number, exercise
from mtl_utils.exercises.paired import (
    require_paired_report,
    require_percent,
    require_verdict,
    wrong_reports,
)

__all__ = [
    "check_confident_rows",
    "check_few_rows_by_hand",
    "check_steps_or_start",
    "check_written_accuracy",
]

LAYER = [6.0, 2.0, -10.0]
NUMBERS = {"place": 1.0, "weight": 1 / 3, "queries": 5.0}
BY_HAND = {"layer": LAYER, "nearest": "B", **NUMBERS}

_HINTS = {
    "place": "Each step leaves half of the distance to the target's minimum.",
    "weight": "What is left of the distance, over what is not: equation 16.2.",
    "queries": "A row that is alone in its kind asks nothing.",
}


@exercise(
    "few_rows_by_hand",
    wrong=[
        {**BY_HAND, "layer": [3, 1, -10]},
        {**BY_HAND, "layer": [6, 2, 10]},
        {**BY_HAND, "layer": [12, 4, -40]},
        {**BY_HAND, "layer": [6, 2]},
        {**BY_HAND, "layer": 6},
        {**BY_HAND, "nearest": "A"},
        {**BY_HAND, "nearest": 1},
        {**BY_HAND, "place": 3},
        {**BY_HAND, "place": 0.25},
        {**BY_HAND, "weight": 0.25},
        {**BY_HAND, "weight": 3},
        {**BY_HAND, "queries": 6},
        {**BY_HAND, "queries": 3},
        {"layer": LAYER, "nearest": "B"},
        LAYER,
    ],
)
def check_few_rows_by_hand(answer: Answer) -> None:
    """A prototype as a layer, the nearest class, an episode and (16.2), worked by hand."""
    given = answer.value
    if not isinstance(given, Mapping) or set(given) != set(BY_HAND):
        answer.fail(f"Expected a dictionary with the keys {sorted(BY_HAND)}.")
    _require_layer(answer, given["layer"])
    nearest = Answer(given["nearest"]).value
    if not isinstance(nearest, str) or nearest.strip().upper() != "B":
        hint = "Squared distances to both class means. The scores of the layers have to agree."
        answer.fail("'nearest' must be 'A' or 'B', and is not right yet.", hint)
    for key, hint in _HINTS.items():
        found = as_number(Answer(given[key]).value)
        if not abs(found - NUMBERS[key]) <= 0.01:
            answer.fail(f"{key!r} is not {found:g}.", hint)


def _require_layer(answer: Answer, given: Any) -> None:
    values = Answer(given).value
    values = values.tolist() if isinstance(values, torch.Tensor | np.ndarray) else values
    if not isinstance(values, list | tuple) or len(values) != len(LAYER):
        answer.fail("'layer' must be three numbers: two weights and, last, the bias.")
    for place, (value, expected) in enumerate(zip(values, LAYER, strict=True)):
        found = as_number(Answer(value).value)
        if not abs(found - expected) <= 0.01:
            hint = "The mean of two rows first; then expand the square of equation 16.3."
            answer.fail(f"'layer': number {place + 1} is not {found:g}.", hint)


def _all_rows(rows: Sequence[Sequence[float]], threshold: float) -> list[list[int]]:
    return [[n, max(range(len(p)), key=p.__getitem__)] for n, p in enumerate(rows)]


def _first_label(rows: Sequence[Sequence[float]], threshold: float) -> list[list[int]]:
    return [[n, 0] for n, p in enumerate(rows) if p[0] >= threshold]


def _above(rows: Sequence[Sequence[float]], threshold: float) -> list[list[int]]:
    best = [(n, max(range(len(p)), key=p.__getitem__)) for n, p in enumerate(rows)]
    return [[n, label] for n, label in best if rows[n][label] > threshold]


def _every_label(rows: Sequence[Sequence[float]], threshold: float) -> list[list[int]]:
    return [[n, k] for n, row in enumerate(rows) for k, p in enumerate(row) if p >= threshold]


@exercise("confident_rows", wrong=[_all_rows, _first_label, _above, _every_label])
def check_confident_rows(answer: Answer) -> None:
    """Which rows a teacher labels, and how, if it must be confident."""
    hint = "Keep a row if its largest probability reaches the threshold, and say which label it is."
    for rows, threshold, expected in (
        ([[0.9, 0.1], [0.5, 0.5], [0.05, 0.95]], 0.9, [[0, 0], [2, 1]]),
        ([[0.2, 0.3, 0.5], [0.1, 0.8, 0.1]], 0.6, [[1, 1]]),
        ([[0.4, 0.6]], 0.99, []),
        ([[0.3, 0.4, 0.3], [0.1, 0.1, 0.8]], 0.3, [[0, 1], [1, 2]]),  # one label a row
    ):
        answer.gives(rows, threshold, expected=expected, hint=hint)


def _readable_only(written: Sequence[str], right: Sequence[str], labels: Sequence[str]) -> float:
    read = [(w, r) for w, r in zip(written, right, strict=True) if w in labels]
    return sum(w == r for w, r in read) / max(1, len(read))


def _share_read(written: Sequence[str], right: Sequence[str], labels: Sequence[str]) -> float:
    return sum(w in labels for w in written) / len(written)


def _unread_too(written: Sequence[str], right: Sequence[str], labels: Sequence[str]) -> float:
    return sum(w == r for w, r in zip(written, right, strict=True)) / len(written)


@exercise("written_accuracy", wrong=[_readable_only, _share_read, _unread_too])
def check_written_accuracy(answer: Answer) -> None:
    """Accuracy of labels that were written, where what is no label is wrong."""
    hint = "Divide by all rows, also by those of which nothing could be read."
    labels = ["sport", "news"]
    for written, right, expected in (
        (["sport", "spor", "news"], ["sport", "sport", "sport"], 1 / 3),
        (["", ""], ["news", "sport"], 0.0),
        (["news", "news"], ["news", "news"], 1.0),
        (["weather", "news"], ["weather", "news"], 0.5),
    ):
        answer.gives(
            written,
            right,
            labels,
            expected=expected,
            hint=f"{hint} What is written counts only if it is among the labels.",
        )


@exercise(
    "steps_or_start",
    wrong=wrong_reports("after", "alone", [60.0, 50.0, 55.0], -4.0),
)
def check_steps_or_start(answer: Answer) -> None:
    """Events after other tasks and alone, with equal steps on events, and what that shows."""
    differences = require_paired_report(answer, "after", "alone", runs=3)
    require_percent(answer, ("after", "alone"), "Accuracies")
    require_verdict(answer, differences)
