"""Checks of the exercises of chapter 09."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mtl_utils.exercises.by_hand import require_by_hand
from mtl_utils.exercises.checking import Answer, exercise
from mtl_utils.exercises.paired import (
    require_paired_report,
    require_percent,
    require_verdict,
    wrong_reports,
)

__all__ = [
    "check_count_trees",
    "check_event_from_words",
    "check_held_minimum",
    "check_ladder_by_hand",
]

BY_HAND: dict[str, float | list[float]] = {
    "moved": [4.0, 3.0, 3.0, 1.0],
    "labels": [1.0, 2.0],
    "stitched": [9.0, 2.0],
    "share": 2 / 11,
    "taken": [2.0, 3.0],
}

_HINTS = {
    "moved": "A loss moves the layer that its task reads and all layers below that.",
    "labels": "A softmax over the three logits first; then a mean of three vectors.",
    "stitched": "Equation 9.5: the first index of a weight says who reads.",
    "share": "Which weight makes up for halved states? A share is a part of the whole row.",
    "taken": "Equation 9.6 as it stands: nothing says that the weights of a task add up to one.",
}


@exercise(
    "ladder_by_hand",
    wrong=[
        {**BY_HAND, "moved": [1, 0, 2, 1]},
        {**BY_HAND, "moved": [1, 1, 3, 4]},
        {**BY_HAND, "moved": [3, 3, 1, 0]},
        {**BY_HAND, "moved": [4, 3, 3]},
        {**BY_HAND, "labels": [4, 0]},
        {**BY_HAND, "labels": [4 * math.log(2), 0]},
        {**BY_HAND, "labels": [0, 8 / 3]},
        {**BY_HAND, "stitched": [9, 6]},
        {**BY_HAND, "stitched": [3, 14]},
        {**BY_HAND, "stitched": 11},
        {**BY_HAND, "share": 0.1},
        {**BY_HAND, "share": 0.05 / 0.95},
        {**BY_HAND, "share": 0.2},
        {**BY_HAND, "share": "2/11"},
        {**BY_HAND, "taken": [1.6, 1.2]},
        {**BY_HAND, "taken": [0, 3]},
        {**BY_HAND, "taken": [1, 6]},
        {key: BY_HAND[key] for key in ("moved", "labels")},
        [4, 3, 3, 1],
    ],
)
def check_ladder_by_hand(answer: Answer) -> None:
    """Who moves which layer, (9.3), (9.5) and (9.6) with small numbers, worked by hand."""
    require_by_hand(answer, BY_HAND, _HINTS)


def _forgets(optimum: Tensor, curvature: Tensor, before: Tensor, strength: float) -> Tensor:
    return (optimum + 2 * strength * before) / (1 + 2 * strength)


def _without_the_two(optimum: Tensor, curvature: Tensor, before: Tensor, strength: float) -> Tensor:
    return (curvature * optimum + strength * before) / (curvature + strength)


def _swapped(optimum: Tensor, curvature: Tensor, before: Tensor, strength: float) -> Tensor:
    return (curvature * before + 2 * strength * optimum) / (curvature + 2 * strength)


def _held_at_zero(optimum: Tensor, curvature: Tensor, before: Tensor, strength: float) -> Tensor:
    return curvature * optimum / (curvature + 2 * strength)


def _other_sign(optimum: Tensor, curvature: Tensor, before: Tensor, strength: float) -> Tensor:
    return (curvature * optimum - 2 * strength * before) / (curvature - 2 * strength)


@exercise("held_minimum", wrong=[_forgets, _without_the_two, _swapped, _held_at_zero, _other_sign])
def check_held_minimum(answer: Answer) -> None:
    """Where a quadratic loss and the penalty of successive regularisation are least."""
    hint = "Set the derivative to zero: curvature (θ - optimum) + 2 strength (θ - before) = 0."
    optimum, before = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.0, 3.0, 0.5])
    curvature = torch.tensor([0.5, 1.0, 4.0])
    for strength in (0.0, 0.3, 50.0):
        # Newton's method, which a quadratic needs one step of.
        theta = torch.zeros(3)
        slope = curvature * (theta - optimum) + 2 * strength * (theta - before)
        expected = theta - slope / (curvature + 2 * strength)
        answer.gives(optimum, curvature, before, strength, expected=expected, hint=hint)


@exercise(
    "event_from_words",
    wrong=wrong_reports("words", "layer", [80.0, 70.0, 75.0], 6.0),
)
def check_event_from_words(answer: Answer) -> None:
    """Events read from embeddings alone and from the first layer, and what that shows."""
    differences = require_paired_report(answer, "words", "layer", runs=3)
    require_percent(answer, ("words", "layer"), "Accuracies")
    require_verdict(answer, differences)


_BELL = (1, 1, 2, 5, 15)


def _cuts(num_tasks: int, num_layers: int) -> int:
    return num_layers + 1


def _freely(num_tasks: int, num_layers: int) -> int:
    return int(_BELL[num_tasks] ** num_layers)


def _one_layer(num_tasks: int, num_layers: int) -> int:
    return _BELL[num_tasks]


def _grouped(num_tasks: int, num_layers: int, others: int, rest: int) -> int:
    """Choose the first group among all tasks but ``others``; ``rest`` layers go with the rest."""
    if num_layers == 0 or num_tasks == 0:
        return 1
    return sum(
        math.comb(num_tasks - others, size - others)
        * _grouped(size, num_layers - 1, others, rest)
        * _grouped(num_tasks - size, num_layers - rest, others, rest)
        for size in range(1, num_tasks + 1)
    )


def _in_order(num_tasks: int, num_layers: int) -> int:
    return _grouped(num_tasks, num_layers, others=0, rest=0)


def _rest_higher(num_tasks: int, num_layers: int) -> int:
    return _grouped(num_tasks, num_layers, others=1, rest=1)


@exercise("count_trees", wrong=[_cuts, _freely, _one_layer, _in_order, _rest_higher])
def check_count_trees(answer: Answer) -> None:
    """How many ways there are to branch."""
    hint = (
        "At the first layer the tasks fall into groups, and each group goes on with one layer "
        "less. Choose the group of the first task, then group the rest."
    )
    # Chains of ever finer partitions, which are the L-fold iterated Bell numbers.
    known = {0: (1, 1, 1, 1), 1: (1, 2, 5, 15), 2: (1, 3, 12, 60), 3: (1, 4, 22, 154)}
    for num_layers, counts in known.items():
        for num_tasks, expected in enumerate(counts, start=1):
            answer.gives(num_tasks, num_layers, expected=expected, hint=hint)
