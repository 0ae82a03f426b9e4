"""Checks of the exercises of chapter 18."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from mtl_utils.exercises.by_hand import require_by_hand
from mtl_utils.exercises.checking import Answer, exercise
from mtl_utils.exercises.paired import (
    require_paired_report,
    require_percent,
    require_verdict,
    wrong_reports,
)

__all__ = [
    "check_contrast",
    "check_little_dropout",
    "check_picture_vector",
    "check_pictures_by_hand",
]

BY_HAND: dict[str, float | Sequence[float]] = {
    "best": [0.5, 0.85],
    "useless": 0.8,
    "looks": [3 / 4, 1 / 4],
    "losses": [math.log(3), (2 * math.log(2) + math.log(3)) / 3],
    "ranks": [2.0, 2.0, 1.0],
}

_HINTS = {
    "best": "Words alone, then both. Also pictures that show none of the three are seen at times.",
    "useless": "When does a picture of a thing say no more for this thing than for another?",
    "looks": "The softmax of equation 18.4 is taken of products over the root of D.",
    "losses": "All differ, then two alike. Over how many pictures does each text's sum go?",
    "ranks": "Row by row: its own, on the diagonal, and all that are at least as alike.",
}


@exercise(
    "pictures_by_hand",
    wrong=[
        {**BY_HAND, "best": [0.85, 0.5]},
        {**BY_HAND, "best": [0.5, 0.8]},
        {**BY_HAND, "best": [1 / 3, 0.85]},
        {**BY_HAND, "best": [50, 85]},
        {**BY_HAND, "best": 0.85},
        {**BY_HAND, "useless": 0.5},
        {**BY_HAND, "useless": 0.2},
        {**BY_HAND, "useless": 1},
        {**BY_HAND, "looks": [9 / 10, 1 / 10]},
        {**BY_HAND, "looks": [1 / 4, 3 / 4]},
        {**BY_HAND, "looks": [math.log(3), 0]},
        {**BY_HAND, "losses": [math.log(3), math.log(3)]},
        {**BY_HAND, "losses": [math.log(3), math.log(2)]},
        {**BY_HAND, "losses": [2 * math.log(3), 2 / 3 * (2 * math.log(2) + math.log(3))]},
        {**BY_HAND, "losses": [-math.log(3), -(2 * math.log(2) + math.log(3)) / 3]},
        {**BY_HAND, "ranks": [1, 2, 1]},
        {**BY_HAND, "ranks": [1, 1, 0]},
        {**BY_HAND, "ranks": [1, 2, 2]},
        {**BY_HAND, "ranks": [2, 2]},
        {**BY_HAND, "ranks": "2, 2, 1"},
        {key: BY_HAND[key] for key in ("best", "useless")},
        [0.5, 0.85],
    ],
)
def check_pictures_by_hand(answer: Answer) -> None:
    """The known best, where words look, the contrastive loss and ranks with ties, by hand."""
    require_by_hand(answer, BY_HAND, _HINTS)


def _draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _multiplied(vectors: Tensor, present: Tensor, absent: Tensor) -> Tensor:
    shares = present[:, None].to(vectors.dtype)
    return vectors.mean(1) * shares + absent * (1 - shares)


def _zeroed(vectors: Tensor, present: Tensor, absent: Tensor) -> Tensor:
    return torch.where(present[:, None], vectors.mean(1), 0.0)


def _turned(vectors: Tensor, present: Tensor, absent: Tensor) -> Tensor:
    return torch.where(present[:, None], absent, vectors.mean(1))


def _first_part(vectors: Tensor, present: Tensor, absent: Tensor) -> Tensor:
    return torch.where(present[:, None], vectors[:, 0], absent)


def _added_up(vectors: Tensor, present: Tensor, absent: Tensor) -> Tensor:
    return torch.where(present[:, None], vectors.sum(1), absent)


@exercise("picture_vector", wrong=[_multiplied, _zeroed, _turned, _first_part, _added_up])
def check_picture_vector(answer: Answer) -> None:
    """One vector a row: the mean over parts, or the learnt vector where there is no picture."""
    hint = "Use torch.where: a product looks at what is left out, and 0 times nan is nan."
    for seed, present in enumerate(([True, False, True], [False, False, True, True])):
        vectors, absent = _draw(len(present), 4, 3, seed=seed), _draw(3, seed=seed + 9)
        there = torch.tensor(present)
        vectors[~there] = torch.nan
        rows = [vectors[i].sum(0) / 4 if is_there else absent for i, is_there in enumerate(present)]
        answer.gives(vectors, there, absent, expected=torch.stack(rows), hint=hint)


def _one_way(similarity: Tensor, groups: Tensor) -> Tensor:
    same = (groups[:, None] == groups) & ~torch.eye(len(groups), dtype=torch.bool)
    masked = similarity.masked_fill(same, -torch.inf)
    return functional.cross_entropy(masked, torch.arange(len(groups)))


def _equal_as_negatives(similarity: Tensor, groups: Tensor) -> Tensor:
    targets = torch.arange(len(groups))
    both = functional.cross_entropy(similarity, targets)
    return (both + functional.cross_entropy(similarity.T, targets)) / 2


def _summed(similarity: Tensor, groups: Tensor) -> Tensor:
    return _one_way(similarity, groups) + _one_way(similarity.T, groups)


def _set_to_zero(similarity: Tensor, groups: Tensor) -> Tensor:
    same = (groups[:, None] == groups) & ~torch.eye(len(groups), dtype=torch.bool)
    return _equal_as_negatives(similarity.masked_fill(same, 0.0), groups)


def _own_masked_too(similarity: Tensor, groups: Tensor) -> Tensor:
    same = groups[:, None] == groups
    return _equal_as_negatives(similarity.masked_fill(same, -torch.inf), groups)


@exercise("contrast", wrong=[_one_way, _equal_as_negatives, _summed, _set_to_zero, _own_masked_too])
def check_contrast(answer: Answer) -> None:
    """The contrastive loss of a batch in which some captions are equal."""
    hint = "Put -inf where two rows have one group, but not on the diagonal; average both ways."
    for groups, seed in (([0, 1, 2], 0), ([4, 4, 1, 2], 1), ([3, 1, 3, 3, 2], 2)):
        size, similarity = len(groups), _draw(len(groups), len(groups), seed=seed)
        total = torch.zeros((), dtype=torch.float64)
        for matrix in (similarity, similarity.T):
            for i in range(size):
                others = [j for j in range(size) if j == i or groups[j] != groups[i]]
                total += torch.logsumexp(matrix[i, others], 0) - matrix[i, i]
        expected = float(total / (2 * size))
        answer.gives(similarity, torch.tensor(groups), expected=expected, hint=hint)


@exercise(
    "little_dropout",
    wrong=wrong_reports("little", "much", [84.0, 81.0, 85.0], 4.0),
)
def check_little_dropout(answer: Answer) -> None:
    """Entities where half of the pictures are missing, after little modality dropout and much."""
    differences = require_paired_report(answer, "little", "much", runs=3)
    require_percent(answer, ("little", "much"), "F1")
    require_verdict(answer, differences)
