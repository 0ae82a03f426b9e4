"""Checks of the exercises of chapter 16."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_class_scales",
    "check_confident_rows",
    "check_prototype_layer",
    "check_written_accuracy",
]


def _without_two(prototype: Sequence[float]) -> list[float]:
    return [*prototype, -sum(value**2 for value in prototype)]


def _positive_bias(prototype: Sequence[float]) -> list[float]:
    return [*(2 * value for value in prototype), sum(value**2 for value in prototype)]


@exercise("prototype_layer", wrong=[_without_two, _positive_bias])
def check_prototype_layer(answer: Answer) -> None:
    """The weights and the bias of a linear layer that scores as the distance to a prototype."""
    hint = "Expand the square of equation 16.3 and leave out the term that is the same for all."
    for prototype, expected in (
        ([1.0, 2.0], [2.0, 4.0, -5.0]),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]),
        ([-3.0], [-6.0, -9.0]),
    ):
        answer.gives(prototype, expected=expected, hint=hint)


def _by_number(classes: Sequence[int]) -> list[float]:
    return [1 / number for number in classes]


def _base_two(classes: Sequence[int]) -> list[float]:
    return [1 / math.log2(number) for number in classes]


@exercise("class_scales", wrong=[_by_number, _base_two])
def check_class_scales(answer: Answer) -> None:
    """Weights under which a guess costs 1 in every task."""
    hint = "A guess among C labels costs log C nats."
    for classes in ([2, 24], [7, 6, 100], [11]):
        expected = [1 / math.log(number) for number in classes]
        answer.gives(classes, expected=expected, hint=hint)


def _all_rows(rows: Sequence[Sequence[float]], threshold: float) -> list[list[int]]:
    return [[n, max(range(len(p)), key=p.__getitem__)] for n, p in enumerate(rows)]


def _first_label(rows: Sequence[Sequence[float]], threshold: float) -> list[list[int]]:
    return [[n, 0] for n, p in enumerate(rows) if p[0] >= threshold]


@exercise("confident_rows", wrong=[_all_rows, _first_label])
def check_confident_rows(answer: Answer) -> None:
    """Which rows a teacher labels, and how, if it must be confident."""
    hint = "Keep a row if its largest probability reaches the threshold, and say which label it is."
    for rows, threshold, expected in (
        ([[0.9, 0.1], [0.5, 0.5], [0.05, 0.95]], 0.9, [[0, 0], [2, 1]]),
        ([[0.2, 0.3, 0.5], [0.1, 0.8, 0.1]], 0.6, [[1, 1]]),
        ([[0.4, 0.6]], 0.99, []),
    ):
        answer.gives(rows, threshold, expected=expected, hint=hint)


def _readable_only(written: Sequence[str], right: Sequence[str], labels: Sequence[str]) -> float:
    read = [(w, r) for w, r in zip(written, right, strict=True) if w in labels]
    return sum(w == r for w, r in read) / max(1, len(read))


def _share_read(written: Sequence[str], right: Sequence[str], labels: Sequence[str]) -> float:
    return sum(w in labels for w in written) / len(written)


@exercise("written_accuracy", wrong=[_readable_only, _share_read])
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
