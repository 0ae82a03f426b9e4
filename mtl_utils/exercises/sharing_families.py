"""Checks of the exercises of chapter 08."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mtl_utils.exercises.by_hand import require_by_hand
from mtl_utils.exercises.checking import Answer, exercise
from mtl_utils.exercises.paired import (
    example_report,
    require_paired_report,
    require_percent,
    require_verdict,
    wrong_reports,
)
from mtl_utils.sharing import orthogonality_penalty

__all__ = [
    "check_implicit_step",
    "check_lag_with_own_adam",
    "check_states_overlap",
    "check_two_towers",
]

BY_HAND: dict[str, Any] = {
    "penalty": 6.25,
    "gradient": [1.5, -2.0],
    "trace_norm": 7.0,
    "share": 0.8,
}
_HINTS = {
    "penalty": "Both squared distances from the mean, added, times the strength.",
    "gradient": "Twice the strength times what leads from the mean to the first tower.",
    "trace_norm": "Equation 8.9 gives its square; the two towers are at a right angle.",
    "share": "One over the root of 1 + c², as below equation 8.14, with c three quarters.",
}


@exercise(
    "two_towers",
    wrong=[
        BY_HAND | {"penalty": 12.5},
        BY_HAND | {"penalty": 3.125},
        BY_HAND | {"penalty": 25.0},
        BY_HAND | {"gradient": [0.75, -1.0]},
        BY_HAND | {"gradient": [-1.5, 2.0]},
        BY_HAND | {"gradient": [3.0, -4.0]},
        BY_HAND | {"gradient": [1.5]},
        BY_HAND | {"gradient": [[1.5, -2.0], [-1.5, 2.0]]},
        BY_HAND | {"gradient": 2.5},
        BY_HAND | {"trace_norm": 5.0},
        BY_HAND | {"trace_norm": 49.0},
        BY_HAND | {"share": 0.64},
        BY_HAND | {"share": 0.6},
        BY_HAND | {"share": 1 / 1.75},
        BY_HAND | {"share": "0.8"},
        {key: value for key, value in BY_HAND.items() if key != "share"},
        [6.25, 1.5, -2.0, 7.0, 0.8],
    ],
)
def check_two_towers(answer: Answer) -> None:
    """Both penalties on two towers, the pull of a spring, and a share of Adam's step, by hand."""
    require_by_hand(answer, BY_HAND, _HINTS)


def _copies(num_tasks: int, seed: int = 0) -> Tensor:
    return torch.randn(num_tasks, 4, generator=torch.Generator().manual_seed(seed))


def _with_padding(shared: Tensor, private: Tensor, mask: Tensor) -> Tensor:
    return (shared.transpose(1, 2) @ private).square().sum(dim=(1, 2))


def _between_tokens(shared: Tensor, private: Tensor, mask: Tensor) -> Tensor:
    shared, private = shared * mask.unsqueeze(-1), private * mask.unsqueeze(-1)
    return (shared[..., :2] @ private.transpose(1, 2)).square().sum(dim=(1, 2))


def _not_squared(shared: Tensor, private: Tensor, mask: Tensor) -> Tensor:
    return ((shared * mask.unsqueeze(-1)).transpose(1, 2) @ private).sum(dim=(1, 2))


@exercise("states_overlap", wrong=[_with_padding, _between_tokens, _not_squared])
def check_states_overlap(answer: Answer) -> None:
    """How much private states repeat shared ones."""
    generator = torch.Generator().manual_seed(0)
    shared, private = (torch.randn(2, 4, width, generator=generator) for width in (3, 2))
    hint = "Clear the padding; multiply over tokens, so that units meet units; sum the squares."
    for lengths in ((4, 4), (4, 2), (1, 3)):
        mask = torch.arange(4) < torch.tensor(lengths)[:, None]
        expected = orthogonality_penalty(shared, private, mask)
        answer.gives(shared, private, mask, expected=expected, hint=hint)


def _explicit(copies: Tensor, rate: float, strength: float) -> Tensor:
    return copies - 2 * rate * strength * (copies - copies.mean(dim=0))


def _mean_moves(copies: Tensor, rate: float, strength: float) -> Tensor:
    return copies / (1 + 2 * rate * strength)


def _half(copies: Tensor, rate: float, strength: float) -> Tensor:
    mean = copies.mean(dim=0)
    return mean + (copies - mean) / (1 + rate * strength)


@exercise("implicit_step", wrong=[_explicit, _mean_moves, _half])
def check_implicit_step(answer: Answer) -> None:
    """A step of the springs that is stable at any strength."""
    hint = "The mean stays where it is; put arrived = mean + c (copies - mean) in and solve for c."
    for num_tasks, rate, strength in ((2, 0.1, 1.0), (3, 0.5, 100.0), (2, 0.1, 0.0)):
        copies = _copies(num_tasks, seed=1)
        # Solved as a linear system: (I + 2 η λ (I - 1/K)) arrived = copies.
        spring = torch.eye(num_tasks) - 1 / num_tasks
        system = torch.eye(num_tasks) + 2 * rate * strength * spring
        expected = torch.linalg.solve(system, copies)
        answer.gives(copies, rate, strength, expected=expected, hint=hint)


_report = partial(example_report, "hard", "separate", [68.0, 62.0, 62.5])


@exercise(
    "lag_with_own_adam",
    wrong=[
        *wrong_reports("hard", "separate", [68.0, 62.0, 62.5], -4.0),
        _report(4.0, False) | {"mean": -4.0},
        _report(-4.0, False) | {"half_width": 4.303 * math.sqrt(8 / 9)},
    ],
)
def check_lag_with_own_adam(answer: Answer) -> None:
    """Topics on a shared encoder with an Adam a task and on their own, at more steps."""
    differences = require_paired_report(answer, "hard", "separate", runs=3)
    require_percent(answer, ("hard", "separate"), "Accuracy")
    require_verdict(answer, differences)
