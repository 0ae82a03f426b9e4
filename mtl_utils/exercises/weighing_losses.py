"""Checks of the exercises of chapter 12."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_best_log_variance",
    "check_gradnorm_due",
    "check_hidden_points",
    "check_pareto_front",
]

Points = Sequence[tuple[float, ...]]
Numbers = Sequence[float]


def _beaten_in_all(points: Points) -> list[bool]:
    return [not any(all(a < b for a, b in zip(q, p, strict=True)) for q in points) for p in points]


def _more_is_better(points: Points) -> list[bool]:
    return [
        not any(q != p and all(a >= b for a, b in zip(q, p, strict=True)) for q in points)
        for p in points
    ]


def _best_of_one(points: Points) -> list[bool]:
    best = [min(values) for values in zip(*points, strict=True)]
    return [any(a == b for a, b in zip(p, best, strict=True)) for p in points]


def _twins_beat_each_other(points: Points) -> list[bool]:
    return [
        not any(
            other != place and all(a <= b for a, b in zip(q, p, strict=True))
            for other, q in enumerate(points)
        )
        for place, p in enumerate(points)
    ]


def _two_losses_alone(points: Points) -> list[bool]:
    return [
        not any(q[:2] != p[:2] and q[0] <= p[0] and q[1] <= p[1] for q in points) for p in points
    ]


def _by_a_majority(points: Points) -> list[bool]:
    def ahead(q: tuple[float, ...], p: tuple[float, ...]) -> int:
        return sum((a < b) - (a > b) for a, b in zip(q, p, strict=True))

    return [not any(ahead(q, p) > 0 for q in points) for p in points]


def _beaten_by_earlier_alone(points: Points) -> list[bool]:
    return [
        not any(q != p and all(a <= b for a, b in zip(q, p, strict=True)) for q in points[:place])
        for place, p in enumerate(points)
    ]


@exercise(
    "pareto_front",
    wrong=[
        *(_beaten_in_all, _more_is_better, _best_of_one, _twins_beat_each_other),
        *(_two_losses_alone, _by_a_majority, _beaten_by_earlier_alone),
    ],
)
def check_pareto_front(answer: Answer) -> None:
    """Which points of losses no other point beats."""
    hint = "A point is beaten by one that is as low in every loss, and lower in at least one."
    for points, expected in (
        ([(1.0, 4.0), (2.0, 2.0), (3.0, 3.0), (4.0, 1.0)], [True, True, False, True]),
        ([(1.0, 2.0), (1.0, 3.0), (0.5, 2.5)], [True, False, True]),
        ([(1.0, 1.0), (1.0, 1.0), (2.0, 1.0)], [True, True, False]),
        ([(3.0, 1.0, 2.0), (2.0, 2.0, 2.0), (3.0, 2.0, 2.0)], [True, True, False]),
        ([(1.0, 1.0, 3.0), (2.0, 2.0, 1.0)], [True, True]),  # the third loss saves the second
        ([(1.0, 9.0, 1.0), (2.0, 1.0, 2.0)], [True, True]),  # lower in more losses is not enough
        ([(3.0, 3.0), (1.0, 4.0), (2.0, 2.0)], [False, True, True]),  # beaten by the last
    ):
        answer.gives(points, expected=expected, hint=hint)


def _mean_of_logarithms(losses: Numbers, regression: bool) -> float:
    return fmean(math.log((1 if regression else 2) * loss) for loss in losses)


def _without_the_kind(losses: Numbers, regression: bool) -> float:
    return math.log(2 * fmean(losses))


def _swapped(losses: Numbers, regression: bool) -> float:
    return math.log((2 if regression else 1) * fmean(losses))


def _the_weight(losses: Numbers, regression: bool) -> float:
    return 1 / (2 * fmean(losses))


@exercise(
    "best_log_variance", wrong=[_mean_of_logarithms, _without_the_kind, _swapped, _the_weight]
)
def check_best_log_variance(answer: Answer) -> None:
    """Where the mean over batches of the loss of uncertainty weighting is least."""
    hint = "Set the derivative by s of the mean of f exp(-s) L + s / 2 to zero."
    for losses in ([1.0, 3.0], [0.5, 0.5, 8.0], [0.25]):
        for regression in (False, True):
            factor = 0.5 if regression else 1.0
            low, high = -20.0, 20.0  # the mean is convex in s: halve where its slope turns
            for _ in range(80):
                middle = (low + high) / 2
                slope = fmean(0.5 - factor * math.exp(-middle) * loss for loss in losses)
                low, high = (middle, high) if slope < 0 else (low, middle)
            answer.gives(losses, regression, expected=low, hint=hint)


def _equal_lengths(norms: Numbers, weights: Numbers, left: Numbers, alpha: float) -> list[float]:
    return [fmean(w * n for w, n in zip(weights, norms, strict=True))] * len(norms)


def _without_weights(norms: Numbers, weights: Numbers, left: Numbers, alpha: float) -> list[float]:
    return [fmean(norms) * (each / fmean(left)) ** alpha for each in left]


def _not_relative(norms: Numbers, weights: Numbers, left: Numbers, alpha: float) -> list[float]:
    mean = fmean(w * n for w, n in zip(weights, norms, strict=True))
    return [mean * each**alpha for each in left]


def _behind_is_less(norms: Numbers, weights: Numbers, left: Numbers, alpha: float) -> list[float]:
    mean = fmean(w * n for w, n in zip(weights, norms, strict=True))
    return [mean * (each / fmean(left)) ** -alpha for each in left]


@exercise("gradnorm_due", wrong=[_equal_lengths, _without_weights, _not_relative, _behind_is_less])
def check_gradnorm_due(answer: Answer) -> None:
    """The lengths that GradNorm wants weighted gradients to have."""
    hint = "The mean weighted length, times (what is left over the mean of what is left) to alpha."
    # Worked by hand: mean lengths 3, 2 and 2.
    answer.gives([5.0, 1.0], [1.0, 1.0], [1.0, 1.0], 1.5, expected=[3.0, 3.0], hint=hint)
    answer.gives([4.0, 1.0], [0.5, 2.0], [0.25, 0.75], 1.0, expected=[1.0, 3.0], hint=hint)
    answer.gives([1.0, 3.0], [2.0, 0.6667], [0.2, 0.6], 2.0, expected=[0.5, 4.5], tolerance=1e-3)
    answer.gives([5.0, 1.0], [0.2, 3.0], [0.1, 0.9], 0.0, expected=[2.0, 2.0], hint=hint)


def _none(points: Points) -> list[bool]:
    return [False for _ in points]


def _inner(points: Points) -> list[bool]:
    return [p not in (min(points), max(points)) for p in points]


def _equal_weights_alone(points: Points) -> list[bool]:
    return [sum(p) > min(map(sum, points)) for p in points]


def _beside_neighbours_alone(points: Points) -> list[bool]:
    ordered = sorted(points)
    bad = {
        q
        for (p, q), (_, r) in pairwise(pairwise(ordered))
        if (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]) < 0
    }
    return [p in bad for p in points]


def _found_at(weights: Sequence[float], points: Points) -> list[bool]:
    found = {min(points, key=lambda p: w * p[0] + (1 - w) * p[1]) for w in weights}
    return [p not in found for p in points]


def _three_weights_alone(points: Points) -> list[bool]:
    return _found_at([0.0, 0.5, 1.0], points)


def _a_grid_of_weights(points: Points) -> list[bool]:
    return _found_at([step / 100 for step in range(101)], points)


@exercise(
    "hidden_points",
    wrong=[
        *(_none, _inner, _equal_weights_alone, _beside_neighbours_alone),
        *(_three_weights_alone, _a_grid_of_weights),
    ],
)
def check_hidden_points(answer: Answer) -> None:
    """Which Pareto-optimal points no weighted sum of two losses has as its minimum."""
    hint = "For each other point, which weights prefer this one? Is there a weight that all allow?"
    for points, hidden in (
        ([(0, 4), (1, 1), (4, 0)], []),
        ([(0, 4), (3, 3), (4, 0)], [(3, 3)]),
        ([(0, 8), (1, 6), (4, 5), (8, 0)], [(4, 5)]),
        # (5, 7) lies below the line between its neighbours, and above that between the ends.
        ([(0, 12), (4, 10), (5, 7), (9, 0)], [(4, 10), (5, 7)]),
        ([(4, 0), (0, 4), (2, 2)], []),
        # Each is found: (1, 5) by weights near 3/4, (1000, 1370) by those from 0.57806 to 0.57823.
        ([(0, 9), (1, 5), (3, 2), (8, 0)], []),
        ([(0, 2741), (1000, 1370), (2000, 0)], []),
    ):
        answer.gives(points, expected=[p in hidden for p in points], hint=hint)
