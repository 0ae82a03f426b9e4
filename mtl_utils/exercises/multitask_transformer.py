"""Checks of the exercises of chapter 06."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_align_tags",
    "check_exact_match",
    "check_segments",
    "check_size_ratio",
]

Words = Sequence[int | None]
Tags = Sequence[Sequence[int]]


def _every_piece(word_ids: Words, tags: Sequence[int]) -> list[int]:
    return [-100 if word is None else tags[word] for word in word_ids]


def _last_piece(word_ids: Words, tags: Sequence[int]) -> list[int]:
    following = [*word_ids[1:], None]
    pairs = zip(word_ids, following, strict=True)
    return [-100 if word is None or word == after else tags[word] for word, after in pairs]


def _in_order(word_ids: Words, tags: Sequence[int]) -> list[int]:
    return [*tags, *[-100] * (len(word_ids) - len(tags))]


@exercise("align_tags", wrong=[_every_piece, _last_piece, _in_order])
def check_align_tags(answer: Answer) -> None:
    """One label a token, from one label a word."""
    hint = "A token has a label where its word is not None and not that of the token before."
    cases: list[tuple[Words, Sequence[int], list[int]]] = [
        ([None, 0, 1, None], [3, 4], [-100, 3, 4, -100]),
        ([None, 0, 0, 1, 1, 1, 2, None], [5, 0, 6], [-100, 5, -100, 0, -100, -100, 6, -100]),
        ([None, 0, None, None, None], [1], [-100, 1, -100, -100, -100]),
        ([None, None], [], [-100, -100]),
    ]
    for word_ids, tags, expected in cases:
        answer.gives(word_ids, tags, expected=expected, hint=hint)


def _separator_is_second(ids: Sequence[int], eos: int) -> list[int]:
    first = list(ids).index(eos)
    return [int(position >= first) for position in range(len(ids))]


def _toggling(ids: Sequence[int], eos: int) -> list[int]:
    return [list(ids[:position]).count(eos) for position in range(len(ids))]


def _none_is_second(ids: Sequence[int], eos: int) -> list[int]:
    return [0] * len(ids)


@exercise("segments", wrong=[_separator_is_second, _toggling, _none_is_second])
def check_segments(answer: Answer) -> None:
    """Segment ids from token ids."""
    hint = "The <eos> that ends the premise is still of segment 0; all that follows is of 1."
    cases = [
        ([2, 7, 8, 3, 9, 3], [0, 0, 0, 0, 1, 1]),
        ([2, 3, 9, 9, 3], [0, 0, 1, 1, 1]),
        ([2, 7, 8, 3], [0, 0, 0, 0]),
        ([2, 7, 3, 9, 3, 9, 3], [0, 0, 0, 1, 1, 1, 1]),
    ]
    for ids, expected in cases:
        answer.gives(ids, 3, expected=expected, hint=hint)


def _number_of_tasks(encoder: int, heads: Sequence[int]) -> float:
    return len(heads)


def _inverted(encoder: int, heads: Sequence[int]) -> float:
    return (encoder + sum(heads)) / (len(heads) * encoder + sum(heads))


def _heads_copied(encoder: int, heads: Sequence[int]) -> float:
    return len(heads) * (encoder + sum(heads)) / (encoder + sum(heads))


@exercise("size_ratio", wrong=[_number_of_tasks, _inverted, _heads_copied])
def check_size_ratio(answer: Answer) -> None:
    """How many times as large separate models are."""
    hint = "Each separate model has an encoder and its own head; the joint one has all heads."
    for encoder, heads in ((100, [10, 20, 30]), (1, [1]), (5, [100, 100])):
        expected = (len(heads) * encoder + sum(heads)) / (encoder + sum(heads))
        answer.gives(encoder, heads, expected=expected, hint=hint)


def _product_of_accuracies(
    intents: Sequence[int], true_intents: Sequence[int], slots: Tags, true_slots: Tags
) -> float:
    right = sum(a == b for a, b in zip(intents, true_intents, strict=True))
    complete = sum(a == b for a, b in zip(slots, true_slots, strict=True))
    return right * complete / len(intents) ** 2


def _slots_alone(
    intents: Sequence[int], true_intents: Sequence[int], slots: Tags, true_slots: Tags
) -> float:
    return sum(a == b for a, b in zip(slots, true_slots, strict=True)) / len(slots)


def _either(
    intents: Sequence[int], true_intents: Sequence[int], slots: Tags, true_slots: Tags
) -> float:
    rows = zip(intents, true_intents, slots, true_slots, strict=True)
    return sum(a == b or c == d for a, b, c, d in rows) / len(intents)


@exercise("exact_match", wrong=[_product_of_accuracies, _slots_alone, _either])
def check_exact_match(answer: Answer) -> None:
    """The share of utterances of which everything is right."""
    hint = "An utterance counts if its intent is right and every one of its slots is."
    slots, true_slots = [[0, 1], [0], [2, 2, 0], [1]], [[0, 1], [0], [2, 0, 0], [1]]
    answer.gives([1, 2, 3, 4], [1, 2, 3, 0], slots, true_slots, expected=0.5, hint=hint)
    answer.gives([1, 2, 3, 4], [1, 0, 3, 4], slots, true_slots, expected=0.5, hint=hint)
    answer.gives([1, 2, 0, 0], [1, 2, 3, 4], slots, true_slots, expected=0.5, hint=hint)
    answer.gives([1], [1], [[0, 0]], [[0, 1]], expected=0.0, hint=hint)
