"""Checks of the exercises of chapter 04."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtl_utils.exercises.checking import Answer, as_number, exercise
from mtl_utils.exercises.paired import (
    require_paired_report,
    require_percent,
    require_verdict,
)

__all__ = [
    "check_expected_risk",
    "check_own_past",
    "check_scales_by_hand",
    "check_topic_or_batch",
]


TOKEN, TEXT, UNIFORM = 1.5, 3.0, 0.75
SHARES = [1 / 2, 2 / 3, 1 / 3]


def _scales(**changed: Any) -> dict[str, Any]:
    return {"token": TOKEN, "text": TEXT, "uniform": UNIFORM, "shares": SHARES} | changed


@exercise(
    "scales_by_hand",
    wrong=[
        _scales(text=6.0),
        _scales(text=5 / 3),
        _scales(token=3.0, text=1.5),
        _scales(uniform=1.5 / math.log(4)),
        _scales(uniform=1.5 / 4),
        _scales(shares=[1 / 2, 2 / 3, 1 / 2]),
        _scales(shares=[1 / 2, 1 / 3, 2 / 3]),
        _scales(shares=[50, 67, 33]),
        _scales(shares=[1 / 2, 2 / 3]),
        _scales(shares=1 / 2),
        _scales(token="one and a half"),
        {"token": TOKEN, "text": TEXT, "uniform": UNIFORM},
        [TOKEN, TEXT, UNIFORM],
    ],
)
def check_scales_by_hand(answer: Answer) -> None:
    """The loss of a tagger on three scales, and its share of the sum, worked by hand."""
    given = answer.value
    keys = ["token", "text", "uniform", "shares"]
    if not isinstance(given, Mapping) or set(given) != set(keys):
        answer.fail(f"Expected a dictionary with the keys {keys}.")
    hints = {
        "token": "1, 2, 1 and 2 bits: four labels, and their mean.",
        "text": "Sum the bits of each text, then take the mean over two texts.",
        "uniform": "A guess among four tags costs two bits a label.",
    }
    for key, expected in zip(hints, (TOKEN, TEXT, UNIFORM), strict=True):
        found = as_number(Answer(given[key]).value)
        if not abs(found - expected) < 0.006:
            answer.fail(f"The tagger's loss on the scale {key!r} is not {found:g}.", hints[key])
    shares = Answer(given["shares"]).value
    shares = shares.tolist() if isinstance(shares, Tensor | np.ndarray) else shares
    if not isinstance(shares, list | tuple) or len(shares) != 3:
        answer.fail("'shares' must be three numbers, in the order token, text, uniform.")
    for key, share, expected in zip(hints, shares, SHARES, strict=True):
        found = as_number(share)
        if not abs(found - expected) < 0.006:
            hint = "Tagger over tagger plus classifier, as a number from 0 to 1; and what does a "
            hint += "guess between two classes cost?"
            answer.fail(f"The tagger's share on the scale {key!r} is not {found:g}.", hint)


def _itself_too(length: int) -> Tensor:
    return torch.ones(length, length).tril().bool()


def _future(length: int) -> Tensor:
    return torch.ones(length, length).triu(1).bool()


def _numbers(length: int) -> Tensor:
    return torch.ones(length, length).tril(-1).flip(0).bool()


def _not_boolean(length: int) -> Tensor:
    return torch.ones(length, length).tril(-1)


def _rows_of_numbers(length: int) -> list[list[int]]:
    return [[int(v < u) for v in range(length)] for u in range(length)]


@exercise("own_past", wrong=[_itself_too, _future, _numbers, _not_boolean, _rows_of_numbers])
def check_own_past(answer: Answer) -> None:
    """The mask of self-attention to earlier states."""
    hint = "Position u looks at positions 0 to u - 1: not at itself, and the first at nothing."
    for length in (3, 1, 4, 2):
        expected = torch.tensor([[v < u for v in range(length)] for u in range(length)])
        answer.gives(length, expected=expected, hint=hint)
    mask = answer(2)
    kind = str(mask.dtype) if isinstance(mask, Tensor) else str(np.asarray(mask).dtype)
    answer.require(
        kind in ("bool", "torch.bool"),
        f"own_past(2): expected booleans, got entries of type {kind}.",
        "A comparison gives booleans; numbers would be added to the scores or multiplied.",
    )


def _not_renormalised(log_probs: Tensor, costs: Tensor, sharpness: float) -> Tensor:
    return ((sharpness * log_probs).exp() * costs).sum()


def _not_sharpened(log_probs: Tensor, costs: Tensor, sharpness: float) -> Tensor:
    return (log_probs.softmax(0) * costs).sum()


def _overflowing(log_probs: Tensor, costs: Tensor, sharpness: float) -> Tensor:
    weights = (sharpness * log_probs).exp()
    return (weights * costs).sum() / weights.sum()


def _best_only(log_probs: Tensor, costs: Tensor, sharpness: float) -> Tensor:
    return costs[log_probs.argmax()]


@exercise("expected_risk", wrong=[_not_renormalised, _not_sharpened, _overflowing, _best_only])
def check_expected_risk(answer: Answer) -> None:
    """The expected cost of candidates."""
    log_probs = torch.tensor([0.5, 0.2, 0.1]).log()
    costs = torch.tensor([0.0, 1.0, 0.5])
    hint = "Multiply log-probabilities by the sharpness, take their softmax, average the costs."
    for sharpness in (1.0, 2.0, 0.5):
        weights = torch.tensor([0.5, 0.2, 0.1]) ** sharpness
        expected = float((weights * costs).sum() / weights.sum())
        answer.gives(log_probs, costs, sharpness, expected=expected, hint=hint)
        far = "exp(-1000) is zero: let softmax see the logarithms."
        answer.gives(log_probs - 1000, costs, sharpness, expected=expected, hint=far)


def _report(topic: list[float], events: list[float], **told: Any) -> dict[str, Any]:
    return {"topic": topic, "events": events, **told}


_AHEAD, _BEHIND = [32.0, 30.5, 34.0], [27.0, 22.5, 22.0]
_CLEAR = {"mean": 8.333, "half_width": 8.724, "shown": False}


@exercise(
    "topic_or_batch",
    wrong=[
        _report(_AHEAD, _BEHIND, **(_CLEAR | {"shown": True})),
        _report(_BEHIND, _AHEAD, **_CLEAR),
        _report(_BEHIND, _AHEAD, **(_CLEAR | {"mean": -8.333, "shown": True})),
        _report(_AHEAD, _BEHIND, **(_CLEAR | {"half_width": 3.512})),
        _report(_AHEAD, _BEHIND, **(_CLEAR | {"half_width": 15.11})),
        _report(_AHEAD[:2], _BEHIND[:2], mean=6.5, half_width=19.06, shown=False),
        _report(
            [0.32, 0.305, 0.34], [0.27, 0.225, 0.22], mean=0.083, half_width=0.087, shown=False
        ),
        _report([30.0] * 3, [20.0] * 3, mean=10.0, half_width=0.0, shown=True),
        _report(_AHEAD, _BEHIND, mean=8.333, half_width=8.724),
        8.333,
    ],
)
def check_topic_or_batch(answer: Answer) -> None:
    """Events beside a topic and beside more events, three seeds each, and what it shows."""
    differences = require_paired_report(answer, "topic", "events", runs=3)
    require_percent(answer, ("topic", "events"), "Accuracy")
    require_verdict(answer, differences)
