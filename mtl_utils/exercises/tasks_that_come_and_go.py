"""Checks of the exercises of chapter 20."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_elastic_gradient",
    "check_elected_mean",
    "check_member_chance",
    "check_reservoir_place",
    "check_transfer_back",
]

Numbers = NDArray[np.float64]


def _of_all(scores: Numbers) -> float:
    return float(np.mean(scores[-1] - np.diag(scores)))


def _turned(scores: Numbers) -> float:
    return float(np.mean((np.diag(scores) - scores[-1])[:-1]))


def _from_first_row(scores: Numbers) -> float:
    return float(np.mean((scores[-1] - scores[0])[:-1]))


@exercise("transfer_back", wrong=[_of_all, _turned, _from_first_row])
def check_transfer_back(answer: Answer) -> None:
    """Backward transfer of a matrix of scores."""
    hint = "Last row less diagonal, for all tasks but the last; then the mean."
    for scores in (
        [[0.8, 0.1], [0.5, 0.9]],
        [[0.9, 0.2, 0.3], [0.7, 0.8, 0.1], [0.8, 0.6, 0.7]],
    ):
        table = np.array(scores)
        lost = [table[-1, j] - table[j, j] for j in range(len(table) - 1)]
        answer.gives(table, expected=sum(lost) / len(lost), hint=hint)


def _without_halving(w: Numbers, anchor: Numbers, fisher: Numbers, strength: float) -> Numbers:
    return 2 * strength * fisher * (w - anchor)


def _even(w: Numbers, anchor: Numbers, fisher: Numbers, strength: float) -> Numbers:
    return strength * (w - anchor)


def _away(w: Numbers, anchor: Numbers, fisher: Numbers, strength: float) -> Numbers:
    return strength * fisher * (anchor - w)


@exercise("elastic_gradient", wrong=[_without_halving, _even, _away])
def check_elastic_gradient(answer: Answer) -> None:
    """The gradient of the penalty of elastic weight consolidation."""
    hint = "Half of a square: the half goes, and the difference stays, times importance and λ."
    for seed, strength in ((0, 1.0), (1, 2.5)):
        w, anchor, fisher = np.random.default_rng(seed).random((3, 4))
        step = 1e-6
        expected = []
        for place in range(4):
            sides = []
            for sign in (1, -1):
                moved = w.copy()
                moved[place] += sign * step
                sides.append(0.5 * strength * float((fisher * (moved - anchor) ** 2).sum()))
            expected.append((sides[0] - sides[1]) / (2 * step))
        answer.gives(w, anchor, fisher, strength, expected=np.array(expected), hint=hint)


def _always(capacity: int, seen: int, draw: float) -> int | None:
    return int(draw * capacity)


def _as_if_last_were_out(capacity: int, seen: int, draw: float) -> int | None:
    place = int(draw * (seen - 1))
    return place if place < capacity else None


def _never_fills(capacity: int, seen: int, draw: float) -> int | None:
    place = int(draw * seen)
    return place if place < capacity else None


@exercise("reservoir_place", wrong=[_always, _as_if_last_were_out, _never_fills])
def check_reservoir_place(answer: Answer) -> None:
    """Where the next row goes in a reservoir, if it is kept."""
    hint = "The first rows fill it in order; later the draw picks one of `seen` places."
    cases = [(3, 1, 0.9), (3, 3, 0.1), (3, 4, 0.74), (3, 4, 0.76), (2, 100, 0.015), (2, 100, 0.5)]
    expected: list[int | None] = [0, 2, 2, None, 1, None]
    for case, place in zip(cases, expected, strict=True):
        answer.gives(*case, expected=place, hint=hint)


def _plain_mean(vectors: Numbers) -> Numbers:
    return np.asarray(vectors.mean(axis=0))


def _by_count(vectors: Numbers) -> Numbers:
    signs = np.sign(np.sign(vectors).sum(axis=0))
    agrees = (np.sign(vectors) == signs) & (signs != 0)
    return np.asarray((vectors * agrees).sum(axis=0) / np.maximum(agrees.sum(axis=0), 1))


def _over_all(vectors: Numbers) -> Numbers:
    signs = np.sign(vectors.sum(axis=0))
    agrees = (np.sign(vectors) == signs) & (signs != 0)
    return np.asarray((vectors * agrees).sum(axis=0) / len(vectors))


@exercise("elected_mean", wrong=[_plain_mean, _by_count, _over_all])
def check_elected_mean(answer: Answer) -> None:
    """Elect a sign for each weight, and take the mean of the changes that have it."""
    hint = "The sign of the sum is elected; divide by how many entries have it, not by all."
    tables: Sequence[list[list[float]]] = (
        [[3.0, -1.0, 0.0], [1.0, 4.0, -2.0]],
        [[1.0, 2.0], [1.0, -1.0], [-3.0, 0.5]],
    )
    expected = ([2.0, 4.0, -2.0], [-3.0, 1.25])
    for table, merged in zip(tables, expected, strict=True):
        answer.gives(np.array(table), expected=np.array(merged), hint=hint)


def _of_larger(members: Numbers, others: Numbers) -> float:
    return float((others[None, :] < members[:, None]).mean())


def _without_ties(members: Numbers, others: Numbers) -> float:
    return float((members[:, None] < others[None, :]).mean())


def _below_mean(members: Numbers, others: Numbers) -> float:
    return float((members < others.mean()).mean())


@exercise("member_chance", wrong=[_of_larger, _without_ties, _below_mean])
def check_member_chance(answer: Answer) -> None:
    """The chance that a row that was trained on has the smaller loss."""
    hint = "Over all pairs: 1 where the member's loss is smaller, a half where both are equal."
    answer.gives(np.array([0.1]), np.array([0.5, 0.9]), expected=1.0, hint=hint)
    answer.gives(
        np.array([0.5, 0.2]), np.array([0.5, 0.1]), expected=(0.5 + 0 + 1 + 0) / 4, hint=hint
    )
    answer.gives(np.array([1.0, 2.0, 3.0]), np.array([2.5]), expected=2 / 3, hint=hint)
