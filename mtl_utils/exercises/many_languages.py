"""Checks of the exercises of chapter 17."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_language_shares",
    "check_retrieved",
    "check_tags_of_words",
    "check_unseen_share",
]


def _power(sizes: Sequence[float], temperature: float) -> list[float]:
    whole = sum(size**temperature for size in sizes)
    return [size**temperature / whole for size in sizes]


def _proportional(sizes: Sequence[float], temperature: float) -> list[float]:
    return [size / sum(sizes) for size in sizes]


@exercise("language_shares", wrong=[_power, _proportional])
def check_language_shares(answer: Answer) -> None:
    """How often languages of some sizes are drawn at a temperature."""
    hint = "Equation 17.2: the exponent is one over the temperature, and shares add up to 1."
    for sizes, temperature, expected in (
        ([100, 100], 3.0, [0.5, 0.5]),
        ([900, 100], 1.0, [0.9, 0.1]),
        ([900, 100], 2.0, [0.75, 0.25]),
        ([8, 1, 1], 3.0, [0.5, 0.25, 0.25]),
    ):
        answer.gives(sizes, temperature, expected=expected, hint=hint)


def _last_character(words: Sequence[str], tags: Sequence[str]) -> list[str]:
    found, place = [], 0
    for word in words:
        place += len(word)
        found.append(tags[place - 1])
    return found


def _one_each(words: Sequence[str], tags: Sequence[str]) -> list[str]:
    return list(tags[: len(words)])


@exercise("tags_of_words", wrong=[_last_character, _one_each])
def check_tags_of_words(answer: Answer) -> None:
    """Tags of characters, read at the first character of each word."""
    hint = "A word has the tag of its first character, and words differ in length."
    for words, tags, expected in (
        (
            ["北京", "在", "中国"],
            ["B-LOC", "I-LOC", "O", "B-LOC", "I-LOC"],
            ["B-LOC", "O", "B-LOC"],
        ),
        (["他", "来"], ["O", "O"], ["O", "O"]),
        (["王小明", "来"], ["B-PER", "I-PER", "I-PER", "O"], ["B-PER", "O"]),
    ):
        answer.gives(words, tags, expected=expected, hint=hint)


def _distinct(known: Sequence[str], read: Sequence[str]) -> float:
    seen, met = set("".join(known)), set("".join(read))
    return len(met - seen) / len(met)


def _words(known: Sequence[str], read: Sequence[str]) -> float:
    return sum(word not in known for word in read) / len(read)


@exercise("unseen_share", wrong=[_distinct, _words])
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


def _one_way(similarities: Sequence[Sequence[float]]) -> float:
    rows = range(len(similarities))
    return sum(max(rows, key=similarities[n].__getitem__) == n for n in rows) / len(rows)


def _largest(similarities: Sequence[Sequence[float]]) -> float:
    rows = range(len(similarities))
    hits = sum(similarities[n][n] == max(map(max, similarities)) for n in rows)
    return hits / len(rows)


@exercise("retrieved", wrong=[_one_way, _largest])
def check_retrieved(answer: Answer) -> None:
    """Share of pairs that are each other's nearest, in both directions."""
    hint = "A pair counts if its similarity is the greatest of its row and of its column."
    for similarities, expected in (
        ([[0.9, 0.1], [0.2, 0.8]], 1.0),
        ([[0.5, 0.1], [0.6, 0.7]], 0.5),
        ([[0.1, 0.9], [0.9, 0.1]], 0.0),
        ([[0.9, 0.2, 0.1], [0.1, 0.4, 0.6], [0.2, 0.3, 0.7]], 2 / 3),
    ):
        answer.gives(similarities, expected=expected, hint=hint)
