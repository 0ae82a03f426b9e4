"""Checks of the exercises of chapter 18."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_best_with_picture",
    "check_contrast",
    "check_picture_vector",
    "check_ranks",
]

Prior = Mapping[str, float]


def _draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _likelihood(meaning: str, shown: str, error: float, meanings: tuple[str, ...]) -> float:
    return 1 - error if meaning == shown else error / (len(meanings) - 1)


def _trusting(prior: Prior, error: float, meanings: tuple[str, ...]) -> float:
    return 1 - error


def _without_prior(prior: Prior, error: float, meanings: tuple[str, ...]) -> float:
    return sum(
        max(_likelihood(m, shown, error, meanings) for m in prior) / len(prior)
        for shown in meanings
    )


def _of_possible_pictures(prior: Prior, error: float, meanings: tuple[str, ...]) -> float:
    return sum(
        max(p * _likelihood(m, shown, error, meanings) for m, p in prior.items()) for shown in prior
    )


@exercise("best_with_picture", wrong=[_trusting, _without_prior, _of_possible_pictures])
def check_best_with_picture(answer: Answer) -> None:
    """The best accuracy on a name whose meanings have given probabilities, by 18.1."""
    hint = "For every picture there can be, take the largest p(m) p(picture | m)."
    kinds = ("person", "company", "city", "country", "river")
    for prior, error in (
        ({"person": 0.5, "country": 0.5}, 0.1),
        ({"person": 0.7, "company": 0.2, "city": 0.1}, 0.3),
        ({"river": 1.0}, 0.9),
    ):
        total = 0.0
        for shown in kinds:
            options = [p * _likelihood(m, shown, error, kinds) for m, p in prior.items()]
            total += sorted(options)[-1]
        answer.gives(prior, error, kinds, expected=total, hint=hint)


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


@exercise("contrast", wrong=[_one_way, _equal_as_negatives, _summed])
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


def _multiplied(vectors: Tensor, present: Tensor, absent: Tensor) -> Tensor:
    shares = present[:, None].to(vectors.dtype)
    return vectors.mean(1) * shares + absent * (1 - shares)


def _zeroed(vectors: Tensor, present: Tensor, absent: Tensor) -> Tensor:
    return torch.where(present[:, None], vectors.mean(1), 0.0)


def _turned(vectors: Tensor, present: Tensor, absent: Tensor) -> Tensor:
    return torch.where(present[:, None], absent, vectors.mean(1))


@exercise("picture_vector", wrong=[_multiplied, _zeroed, _turned])
def check_picture_vector(answer: Answer) -> None:
    """One vector a row: the mean over parts, or the learnt vector where there is no picture."""
    hint = "Use torch.where: a product looks at what is left out, and 0 times nan is nan."
    for seed, present in enumerate(([True, False, True], [False, False, True, True])):
        vectors, absent = _draw(len(present), 4, 3, seed=seed), _draw(3, seed=seed + 9)
        there = torch.tensor(present)
        vectors[~there] = torch.nan
        rows = [vectors[i].sum(0) / 4 if is_there else absent for i, is_there in enumerate(present)]
        answer.gives(vectors, there, absent, expected=torch.stack(rows), hint=hint)


def _optimistic(similarity: Tensor) -> Tensor:
    return (similarity > similarity.diagonal()[:, None]).sum(1) + 1


def _from_zero(similarity: Tensor) -> Tensor:
    return (similarity >= similarity.diagonal()[:, None]).sum(1) - 1


def _columns(similarity: Tensor) -> Tensor:
    return (similarity.diagonal()[:, None] <= similarity.T).sum(1)


@exercise("ranks", wrong=[_optimistic, _from_zero, _columns])
def check_ranks(answer: Answer) -> None:
    """The rank of each text's own picture among all, equal ones standing before it."""
    hint = "Count the pictures of a row that are at least as alike as the one on the diagonal."
    for similarity in (
        _draw(4, 4),
        torch.ones(3, 3, dtype=torch.float64),
        torch.tensor([[0.2, 0.2, 0.1], [0.9, 0.5, 0.1], [0.0, 0.1, 0.3]], dtype=torch.float64),
    ):
        ranks = [
            sum(float(other) >= float(row[place]) for other in row)
            for place, row in enumerate(similarity)
        ]
        answer.gives(similarity, expected=torch.tensor(ranks), hint=hint)
