"""Checks of the exercises of chapter 17."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mtl_utils.exercises.by_hand import require_by_hand
from mtl_utils.exercises.checking import Answer, exercise
from mtl_utils.exercises.paired import (
    require_paired_report,
    require_percent,
    require_verdict,
    wrong_reports,
)

__all__ = [
    "check_languages_by_hand",
    "check_pieces_or_layers",
    "check_retrieved",
    "check_unseen_share",
]

Table = Sequence[Sequence[float]]

BY_HAND = {
    "shares": [1 / 2, 1 / 3, 1 / 6],
    "french": [1 / 4, 2 / 5],
    "fertility": [7.0, 3.5],
    "found": [1 / 4, 1.0],
}

_HINTS = {
    "shares": "The exponent is one over the temperature, and shares add up to 1.",
    "french": "First count texts. Where the loss is a mean over tokens, count labelled tokens.",
    "fertility": "Pieces per word, then per character. How many bytes has each of the characters?",
    "found": "As they are, then centred. Of each row, the nearest translation by cosine alone.",
}


@exercise(
    "languages_by_hand",
    wrong=[
        {**BY_HAND, "shares": [3 / 4, 2 / 9, 1 / 36]},
        {**BY_HAND, "shares": [1 / 3, 1 / 3, 1 / 3]},
        {**BY_HAND, "shares": [30, 20, 10]},
        {**BY_HAND, "shares": [1 / 6, 1 / 3, 1 / 2]},
        {**BY_HAND, "shares": [1 / 2, 1 / 3]},
        {**BY_HAND, "french": [2 / 5, 1 / 4]},
        {**BY_HAND, "french": [1 / 3, 2 / 3]},
        {**BY_HAND, "french": [1 / 4, 1 / 4]},
        {**BY_HAND, "french": [25, 40]},
        {**BY_HAND, "french": 1 / 4},
        {**BY_HAND, "fertility": [3.5, 7]},
        {**BY_HAND, "fertility": [6, 3]},
        {**BY_HAND, "fertility": [3, 1.5]},
        {**BY_HAND, "fertility": [1 / 7, 2 / 7]},
        {**BY_HAND, "found": [1, 1 / 4]},
        {**BY_HAND, "found": [1 / 2, 1]},
        {**BY_HAND, "found": [1 / 4, 1 / 4]},
        {**BY_HAND, "found": "1/4"},
        {key: BY_HAND[key] for key in ("shares", "french")},
        [1 / 2, 1 / 3, 1 / 6],
    ],
)
def check_languages_by_hand(answer: Answer) -> None:
    """Shares, how loud a language is, pieces of bytes and centred retrieval, worked by hand."""
    require_by_hand(answer, BY_HAND, _HINTS)


def _distinct(known: Sequence[str], read: Sequence[str]) -> float:
    seen, met = set("".join(known)), set("".join(read))
    return len(met - seen) / len(met)


def _words(known: Sequence[str], read: Sequence[str]) -> float:
    return sum(word not in known for word in read) / len(read)


def _whole_texts(known: Sequence[str], read: Sequence[str]) -> float:
    seen = set("".join(known))
    return sum(not seen.issuperset(text) for text in read) / len(read)


def _mean_over_texts(known: Sequence[str], read: Sequence[str]) -> float:
    seen = set("".join(known))
    return sum(sum(c not in seen for c in text) / len(text) for text in read) / len(read)


def _seen(known: Sequence[str], read: Sequence[str]) -> float:
    seen, characters = set("".join(known)), "".join(read)
    return sum(c in seen for c in characters) / len(characters)


@exercise("unseen_share", wrong=[_distinct, _words, _whole_texts, _mean_over_texts, _seen])
def check_unseen_share(answer: Answer) -> None:
    """Share of the characters of a text that no training text has."""
    hint = "Count every character of what is read, as often as it stands there."
    for known, read, expected in (
        (["中国"], ["中國"], 0.5),
        (["ab", "c"], ["aab", "d"], 0.25),
        (["ab"], ["ba"], 0.0),
        (["ab"], ["xx", "xb"], 0.75),
    ):
        answer.gives(known, read, expected=expected, hint=hint)


def _one_way(similarities: Table) -> float:
    rows = range(len(similarities))
    return sum(max(rows, key=similarities[n].__getitem__) == n for n in rows) / len(rows)


def _other_way(similarities: Table) -> float:
    return _one_way(list(zip(*similarities, strict=True)))


def _mean_of_both(similarities: Table) -> float:
    return (_one_way(similarities) + _other_way(similarities)) / 2


def _either_way(similarities: Table) -> float:
    columns = list(zip(*similarities, strict=True))
    ways = zip(similarities, columns, range(len(columns)), strict=True)
    return sum(max(row) == row[n] or max(column) == column[n] for row, column, n in ways) / len(
        columns
    )


def _largest(similarities: Table) -> float:
    rows = range(len(similarities))
    hits = sum(similarities[n][n] == max(map(max, similarities)) for n in rows)
    return hits / len(rows)


def _ties_count(similarities: Table) -> float:
    columns = list(zip(*similarities, strict=True))
    ways = zip(similarities, columns, range(len(columns)), strict=True)
    return sum(row[n] == max(row) == max(column) for row, column, n in ways) / len(columns)


def _first_of_ties(similarities: Table) -> float:
    size = range(len(similarities))
    columns = list(zip(*similarities, strict=True))
    return sum(
        row.index(max(row)) == n == columns[n].index(max(columns[n]))
        for n, row in zip(size, map(list, similarities), strict=True)
    ) / len(size)


_WAYS: list[Callable[[Table], float]] = [
    *(_one_way, _other_way, _mean_of_both, _either_way, _largest),
    *(_ties_count, _first_of_ties),
]


@exercise("retrieved", wrong=_WAYS)
def check_retrieved(answer: Answer) -> None:
    """Share of pairs that are each other's nearest, in both directions and without a tie."""
    hint = "A pair counts if its similarity is alone the greatest of its row and of its column."
    for similarities, expected in (
        ([[0.9, 0.1], [0.2, 0.8]], 1.0),
        ([[0.5, 0.1], [0.6, 0.7]], 0.5),
        ([[0.5, 0.6], [0.1, 0.7]], 0.5),
        ([[0.1, 0.9], [0.9, 0.1]], 0.0),
        ([[0.9, 0.2, 0.1], [0.1, 0.4, 0.6], [0.2, 0.3, 0.7]], 2 / 3),
        ([[0.5, 0.5], [0.5, 0.5]], 0.0),
        ([[0.7, 0.7], [0.2, 0.9]], 0.5),
        ([[0.7, 0.2], [0.7, 0.9]], 0.5),
    ):
        answer.gives(similarities, expected=expected, hint=hint)


@exercise(
    "pieces_or_layers",
    wrong=wrong_reports("shared", "apart", [51.0, 47.0, 50.0], 4.0),
)
def check_pieces_or_layers(answer: Answer) -> None:
    """French beside English with pieces shared and apart, from equal weights, and what it shows."""
    differences = require_paired_report(answer, "shared", "apart", runs=3)
    require_percent(answer, ("shared", "apart"), "Accuracies")
    require_verdict(answer, differences)
