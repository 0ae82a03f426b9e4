"""Checks of the exercises of chapter 20."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtl_utils.exercises.by_hand import require_by_hand
from mtl_utils.exercises.checking import Answer, exercise
from mtl_utils.exercises.paired import (
    require_paired_report,
    require_percent,
    require_verdict,
    wrong_reports,
)

__all__ = [
    "check_elastic_minimum",
    "check_few_rows_replayed",
    "check_forgetting_by_hand",
    "check_member_chance",
]

Numbers = NDArray[np.float64]

BY_HAND: dict[str, float | list[float]] = {
    "backward": -25.0,
    "forgetting": 30.0,
    "fisher": 5.0,
    "elastic": [1.0, 4.0],
    "kept": 0.1,
    "merged": [3.0, -3.0],
    "told": 0.875,
}

_HINTS = {
    "backward": "The last row less the diagonal, over the two tasks that are old by then.",
    "forgetting": "From the best that a task ever had before the last row, not from its first.",
    "fisher": "The square is of the gradient of each row; then the mean over rows.",
    "elastic": "Set the derivative along each weight to zero: one pulls to 4, the other to 0.",
    "kept": "It has to get in, and then not to be replaced; or use what holds for every row.",
    "merged": "The sign of the sum is elected; the mean is over the changes that have it.",
    "told": "Four pairs: 1 where the member's loss is smaller, a half where both are equal.",
}


@exercise(
    "forgetting_by_hand",
    wrong=[
        {**BY_HAND, "backward": 25},
        {**BY_HAND, "backward": -50 / 3},
        {**BY_HAND, "forgetting": 25},
        {**BY_HAND, "forgetting": -30},
        {**BY_HAND, "forgetting": 20},
        {**BY_HAND, "fisher": 1},
        {**BY_HAND, "fisher": 10},
        {**BY_HAND, "fisher": [9, 1]},
        {**BY_HAND, "elastic": [2, 2]},
        {**BY_HAND, "elastic": [4 / 7, 4]},
        {**BY_HAND, "elastic": [4, 1]},
        {**BY_HAND, "elastic": 1},
        {**BY_HAND, "kept": 0.4},
        {**BY_HAND, "kept": 0.25},
        {**BY_HAND, "merged": [3, -1]},
        {**BY_HAND, "merged": [3, -1.5]},
        {**BY_HAND, "merged": [6, -2]},
        {**BY_HAND, "told": 0.75},
        {**BY_HAND, "told": 0.125},
        {**BY_HAND, "told": "7/8"},
        {key: BY_HAND[key] for key in ("backward", "forgetting")},
        -25,
    ],
)
def check_forgetting_by_hand(answer: Answer) -> None:
    """Measures of forgetting, importances, a reservoir, TIES and an AUC, worked by hand."""
    require_by_hand(answer, BY_HAND, _HINTS)


def _of_larger(members: Numbers, others: Numbers) -> float:
    return float((others[None, :] < members[:, None]).mean())


def _without_ties(members: Numbers, others: Numbers) -> float:
    return float((members[:, None] < others[None, :]).mean())


def _whole_ties(members: Numbers, others: Numbers) -> float:
    return float((members[:, None] <= others[None, :]).mean())


def _below_mean(members: Numbers, others: Numbers) -> float:
    return float((members < others.mean()).mean())


def _best_accuracy(members: Numbers, others: Numbers) -> float:
    limits = np.concatenate([members, others])
    return max(
        (float((members <= limit).mean()) + float((others > limit).mean())) / 2 for limit in limits
    )


@exercise(
    "member_chance", wrong=[_of_larger, _without_ties, _whole_ties, _below_mean, _best_accuracy]
)
def check_member_chance(answer: Answer) -> None:
    """The chance that a row that was trained on has the smaller loss."""
    hint = "Over all pairs: 1 where the member's loss is smaller, a half where both are equal."
    for members, others, expected in (
        ([0.1], [0.5, 0.9], 1.0),
        ([0.5, 0.2], [0.5, 0.1], (0.5 + 0 + 1 + 0) / 4),
        ([1.0, 2.0, 3.0], [2.5], 2 / 3),
        ([0.3, 0.3], [0.3], 0.5),
    ):
        answer.gives(np.array(members), np.array(others), expected=expected, hint=hint)


def _held_alike(
    new: Numbers, curvature: Numbers, anchors: Numbers, fishers: Numbers, strength: float
) -> Numbers:
    return _least(new, curvature, anchors, np.ones_like(fishers), strength)


def _old_tasks_averaged(
    new: Numbers, curvature: Numbers, anchors: Numbers, fishers: Numbers, strength: float
) -> Numbers:
    return _least(new, curvature, anchors, fishers / len(fishers), strength)


def _last_task_alone(
    new: Numbers, curvature: Numbers, anchors: Numbers, fishers: Numbers, strength: float
) -> Numbers:
    return _least(new, curvature, anchors[-1:], fishers[-1:], strength)


def _without_curvature(
    new: Numbers, curvature: Numbers, anchors: Numbers, fishers: Numbers, strength: float
) -> Numbers:
    return _least(new, np.ones_like(curvature), anchors, fishers, strength)


def _without_strength(
    new: Numbers, curvature: Numbers, anchors: Numbers, fishers: Numbers, strength: float
) -> Numbers:
    return _least(new, curvature, anchors, fishers, 1.0)


def _half_left_over(
    new: Numbers, curvature: Numbers, anchors: Numbers, fishers: Numbers, strength: float
) -> Numbers:
    return _least(new, curvature, anchors, fishers, strength / 2)


def _least(
    new: Numbers, curvature: Numbers, anchors: Numbers, fishers: Numbers, strength: float
) -> Numbers:
    held = strength * fishers
    found = (curvature * new + (held * anchors).sum(0)) / (curvature + held.sum(0))
    return np.asarray(found)


@exercise(
    "elastic_minimum",
    wrong=[
        *(_held_alike, _old_tasks_averaged, _last_task_alone),
        *(_without_curvature, _without_strength, _half_left_over),
    ],
)
def check_elastic_minimum(answer: Answer) -> None:
    """Where a quadratic loss beside the penalties of several old tasks is least."""
    hint = "The slopes of all terms add up to zero at the minimum, along each weight by itself."
    cases: list[tuple[list[float], list[float], list[list[float]], list[list[float]], float]] = [
        ([4.0, 4.0], [1.0, 1.0], [[0.0, 0.0]], [[3.0, 0.0]], 1.0),
        ([6.0], [2.0], [[0.0]], [[2.0]], 2.0),
        ([1.0, -1.0, 2.0], [2.0, 1.0, 0.5], [[0.0] * 3, [3.0, 1.0, 2.0]], [[2.0, 0.0, 1.0]] * 2, 1),
        ([0.0, 8.0], [0.5, 4.0], [[4.0, 0.0], [-4.0, 2.0]], [[1.0, 2.0], [0.5, 1.0]], 0.5),
    ]
    for new, curvature, anchors, fishers, strength in cases:
        expected = []
        for place, (target, bend) in enumerate(zip(new, curvature, strict=True)):
            low, high = -100.0, 100.0  # the sum is convex: halve where its slope turns
            for _ in range(80):
                at = (low + high) / 2
                slope = bend * (at - target)
                for anchor, fisher in zip(anchors, fishers, strict=True):
                    slope += strength * fisher[place] * (at - anchor[place])
                low, high = (at, high) if slope < 0 else (low, at)
            expected.append(low)
        given = [np.array(each) for each in (new, curvature, anchors, fishers)]
        answer.gives(*given, strength, expected=np.array(expected), hint=hint)


@exercise(
    "few_rows_replayed",
    wrong=wrong_reports("few", "many", [28.0, 33.0, 25.0], -8.0),
)
def check_few_rows_replayed(answer: Answer) -> None:
    """Events after few old rows were replayed often and many seldom, and what that shows."""
    differences = require_paired_report(answer, "few", "many", runs=3)
    require_percent(answer, ("few", "many"), "Accuracies")
    require_verdict(answer, differences)
