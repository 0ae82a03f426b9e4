"""Checks of the exercises of chapter 03."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import pairwise, product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtl_utils.exercises.checking import Answer, exercise
from mtl_utils.exercises.paired import (
    example_report,
    require_paired_report,
    require_percent,
    require_verdict,
)

__all__ = [
    "check_forward_step",
    "check_letters_or_words",
    "check_two_disagreements",
    "check_viterbi_by_hand",
]

LAKE_VAN = ["Lake", "Van", "froze"]
BEST = [[0, 1], [4, 2], [5, 6]]
PATH = ["I", "I", "O"]
SOFTMAX = ["O", "I", "O"]


@exercise(
    "viterbi_by_hand",
    wrong=[
        {"best": [[0, 1], [3, 0], [0, 2]], "path": SOFTMAX, "softmax": SOFTMAX},
        {"best": BEST, "path": SOFTMAX, "softmax": SOFTMAX},
        {"best": [[0, 1], [4, 2], [5, 5]], "path": PATH, "softmax": SOFTMAX},
        {"best": [[0, 4, 5], [1, 2, 6]], "path": PATH, "softmax": SOFTMAX},
        {"best": BEST, "path": PATH[::-1], "softmax": SOFTMAX},
        {"best": BEST, "path": PATH, "softmax": PATH},
        {"best": BEST, "path": [1, 1, 0], "softmax": SOFTMAX},
        {"best": BEST, "path": PATH[:2], "softmax": SOFTMAX},
        {"best": BEST, "path": ["B", "I", "O"], "softmax": SOFTMAX},
        {"best": BEST, "path": 0, "softmax": SOFTMAX},
        {"best": BEST, "path": PATH},
        [BEST, PATH],
    ],
)
def check_viterbi_by_hand(answer: Answer) -> None:
    """Best scores and the best sequence of three words, worked by hand, and that of softmax."""
    given = answer.value
    if not isinstance(given, Mapping) or set(given) != {"best", "path", "softmax"}:
        answer.fail("Expected a dictionary with the keys 'best', 'path' and 'softmax'.")
    best = _table(answer, "best", Answer(given["best"]).value, (3, 2))
    path = _tags(answer, "path", Answer(given["path"]).value)
    greatest = _tags(answer, "softmax", Answer(given["softmax"]).value)
    for place, tag in product(range(3), range(2)):
        if abs(best[place, tag] - BEST[place][tag]) > 1e-6:
            hint = "The emission, and the greater of the two ways to get there: score plus step."
            if place == 0:
                hint = "At the first word there is the emission alone."
            where = f"{LAKE_VAN[place]!r}, tag {'IO'[tag]}"
            answer.fail(f"The best score at {where} is not {best[place, tag]:g}.", hint)
    if path != PATH:
        hint = "Begin with the last word, and go where its best score came from."
        answer.fail(f"The best scores are right; the path {path} is not the best.", hint)
    if greatest != SOFTMAX:
        hint = "Without steps, each word takes the tag with the greater emission."
        answer.fail(f"Scores and path are right; softmax does not write {greatest}.", hint)


def _tags(answer: Answer, name: str, value: Any) -> list[str]:
    """Return three tags, given by their names or as the columns of a table, by their names."""
    value = value.detach().cpu().tolist() if isinstance(value, Tensor) else value
    try:
        written = [str(tag).strip().upper() for tag in value]
    except TypeError:
        written = []
    found = ["IO"[int(tag)] if tag in ("0", "1") else tag for tag in written]
    if len(found) != 3 or set(found) - {"I", "O"}:
        answer.fail(f"{name!r} must be three tags, each 'I' or 'O'.")
    return found


def _backward(alpha: Tensor, transitions: Tensor, emissions: Tensor) -> Tensor:
    return torch.logsumexp(transitions + emissions + alpha, dim=1)


def _without_emissions(alpha: Tensor, transitions: Tensor, emissions: Tensor) -> Tensor:
    return torch.logsumexp(alpha[:, None] + transitions, dim=0)


def _emission_before(alpha: Tensor, transitions: Tensor, emissions: Tensor) -> Tensor:
    return torch.logsumexp((alpha + emissions)[:, None] + transitions, dim=0)


def _overflowing(alpha: Tensor, transitions: Tensor, emissions: Tensor) -> Tensor:
    return emissions + (alpha[:, None] + transitions).exp().sum(0).log()


def _best_only(alpha: Tensor, transitions: Tensor, emissions: Tensor) -> Tensor:
    return emissions + (alpha[:, None] + transitions).amax(0)


def _in_place(alpha: Tensor, transitions: Tensor, emissions: Tensor) -> Tensor:
    transitions += alpha[:, None]
    return emissions + transitions.logsumexp(0)


def _without_gradient(alpha: Tensor, transitions: Tensor, emissions: Tensor) -> Tensor:
    return emissions + torch.logsumexp(alpha[:, None] + transitions, dim=0).detach()


@exercise(
    "forward_step",
    wrong=[
        _without_gradient,
        _backward,
        _without_emissions,
        _emission_before,
        _overflowing,
        _best_only,
        _in_place,
    ],
)
def check_forward_step(answer: Answer) -> None:
    """One step of the forward recursion of a CRF, in log space."""
    alpha = torch.tensor([0.5, -1.0, 2.0])
    transitions = torch.tensor([[0.0, 1.0, -1.0], [2.0, 0.0, 0.5], [-0.5, 0.3, 0.0]])
    emissions = torch.tensor([0.1, 0.2, 0.3])
    hint = "transitions[i, j] goes from i to j: sum over i, then add the emission of j."
    _steps(answer, alpha, transitions, emissions, hint)
    if isinstance(answer(alpha, transitions, emissions), Tensor):
        learnt = alpha.clone().requires_grad_()
        answer.require(
            answer(learnt, transitions, emissions).requires_grad,
            "No gradient reaches alpha: with this step a field cannot be trained.",
            "Leave out .detach(), .data and torch.no_grad().",
        )
    for shift in (1000.0, -1000.0):
        hint = f"exp({shift:.0f}) is no number to work with: use torch.logsumexp."
        _steps(answer, alpha + shift, transitions, emissions, hint, shift)
        _steps(answer, alpha, transitions + shift, emissions, hint, shift)
    transitions[:, 0] = -torch.inf
    hint = "A tag that nothing may lead to has no beginning: minus infinity."
    _steps(answer, alpha, transitions, emissions, hint)


def _steps(
    answer: Answer, alpha: Tensor, steps: Tensor, emissions: Tensor, hint: str, shift: float = 0.0
) -> None:
    """Require a step, and that it left what it was given as it was."""
    given = [part.clone() for part in (alpha, steps, emissions)]
    ways = (alpha.double()[:, None] + steps.double() - shift).exp().sum(0).log()
    expected = (ways + shift + emissions.double()).tolist()
    answer.gives(*given, expected=expected, hint=hint)
    same = all(torch.equal(*pair) for pair in zip(given, (alpha, steps, emissions), strict=True))
    answer.require(same, "The step changed a tensor that it was given.", "Avoid += and the like.")


_report = partial(example_report, "letters", "words", [50.0, 52.0, 51.0])


@exercise(
    "letters_or_words",
    wrong=[
        _report(2.0, True),
        _report(-2.0, True),
        {**_report(20.0, False), "words": [40.0, 41.0, 40.5], "mean": 10.5, "half_width": 1.242},
        _report(20.0, False) | {"mean": -20.0},
        _report(2.0, False) | {"half_width": 1.0},
        _report(2.0, False) | {"half_width": 0.577},
        _report(2.0, False) | {"shown": "no"},
        {k: v for k, v in _report(2.0, False).items() if k != "shown"},
        _report(20.0, False) | {"letters": [50.0] * 3, "words": [40.0] * 3},
        _report(2.0, False) | {"letters": [50.0, 51.0], "words": [40.0, 42.0]},
        _report(2.0, False) | {"words": [40.0, 42.0]},
        _report(0.02, False) | {"letters": [0.50, 0.52, 0.51], "words": [0.49, 0.50, 0.48]},
        {"mean": 10.0, "half_width": 1.0, "shown": True},
        10.0,
    ],
)
def check_letters_or_words(answer: Answer) -> None:
    """F1 with letters and without, three seeds each, the interval, and what it shows."""
    differences = require_paired_report(answer, "letters", "words", runs=3)
    require_percent(answer, ("letters", "words"), "F1")
    require_verdict(answer, differences)


@exercise(
    "two_disagreements",
    wrong=[
        {"emissions": [[2, 1], [0, 1], [2, 0]], "transitions": [[1, -1], [-1, 1]]},
        {"emissions": [[0, 1], [0, 1], [0, 1]], "transitions": [[9, 0], [0, 0]]},
        {"emissions": [[0, 0], [3, 0], [0, 0]], "transitions": [[2, 0], [0, 2]]},
        {"emissions": [[0, 1], [2, 0], [0, 1]], "transitions": [[0.5, 0], [0, 0.5]]},
        {"emissions": [[0, 1], [2, 0], [0, 1]], "transitions": [[1, 0], [0, 1]]},
        {"emissions": [[0, 1], [3, 0]], "transitions": [[2, 0], [0, 2]]},
        {"emissions": [[0, 1], [3, 0], [0, float("nan")]], "transitions": [[2, 0], [0, 2]]},
        [[0, 1], [3, 0], [0, 1]],
    ],
)
def check_two_disagreements(answer: Answer) -> None:
    """Scores for which softmax and CRF disagree at two of three words; there are many."""
    given = answer.value
    if not isinstance(given, Mapping) or set(given) != {"emissions", "transitions"}:
        answer.fail("Expected a dictionary with the keys 'emissions' and 'transitions'.")
    emissions = _table(answer, "emissions", Answer(given["emissions"]).value, (3, 2))
    steps = _table(answer, "transitions", Answer(given["transitions"]).value, (2, 2))
    if steps[0, 0] != steps[1, 1] or steps[0, 1] != steps[1, 0]:
        answer.fail("The steps treat the two tags differently.", "A_II = A_OO and A_IO = A_OI.")
    if (np.abs(emissions[:, 0] - emissions[:, 1]) < 1e-6).any():
        place = int(np.abs(emissions[:, 0] - emissions[:, 1]).argmin())
        answer.fail(f"At word {place + 1} both emissions are equal: softmax is undecided.")
    scores = {
        path: sum(emissions[range(3), path]) + sum(steps[pair] for pair in pairwise(path))
        for path in product(range(2), repeat=3)
    }
    first, second = sorted(scores, key=lambda path: -scores[path])[:2]
    if scores[first] - scores[second] < 1e-6:
        answer.fail("Two sequences are equally good.", "Change a number a little.")
    apart = int((emissions.argmax(1) != first).sum())
    spelt = ["".join("IO"[tag] for tag in path) for path in (emissions.argmax(1), first)]
    answer.require(
        apart >= 2,
        f"Softmax writes {spelt[0]}, the CRF {spelt[1]}: they disagree at {apart} of 3 words.",
        "Let the outer words be nearly undecided, and the middle one sure.",
    )


def _table(answer: Answer, name: str, value: Any, shape: tuple[int, int]) -> Any:
    """Return numbers given as lists, tensors or arrays as an array of a shape."""
    value = value.detach().cpu() if isinstance(value, Tensor) else value
    try:
        table = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        table = np.empty(0)
    if table.shape != shape or not np.isfinite(table).all():
        answer.fail(f"{name!r} must be {shape[0]} rows of {shape[1]} finite numbers.")
    return table
