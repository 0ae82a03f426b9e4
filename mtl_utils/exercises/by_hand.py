"""What exercises that are worked by hand ask for: numbers and short rows of numbers, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mtl_utils.exercises.checking import Answer, as_number

ROUNDED = 0.006
"""By how much a number may be off: two digits after the point are enough."""


def require_by_hand(
    answer: Answer,
    expected: Mapping[str, float | Sequence[float]],
    hints: Mapping[str, str],
    tolerance: float = ROUNDED,
) -> None:
    """Require a dictionary of numbers, and name the first that is wrong without giving it away.

    Args:
        answer: A mapping from names to numbers, or to lists, tuples, arrays or tensors of them.
        expected: What is right, by name, in the order in which it is looked at.
        hints: A sentence by name, for the reader whose number differs.
        tolerance: Largest difference allowed, absolute.
    """
    given = answer.value
    if not isinstance(given, Mapping) or set(given) != set(expected):
        answer.fail(f"Expected a dictionary with the keys {list(expected)}.")
    for key, right in expected.items():
        value = Answer(given[key]).value
        if not isinstance(right, Sequence):
            _near(answer, f"{key!r}", value, right, tolerance, hints[key])
            continue
        row = _row(value)
        if row is None or len(row) != len(right):
            answer.fail(f"{key!r} must be a list of {len(right)} numbers.")
            return
        for place, (found, number) in enumerate(zip(row, right, strict=True), start=1):
            name = f"Number {place} of {key!r}"
            _near(answer, name, Answer(found).value, number, tolerance, hints[key])


def _near(answer: Answer, name: str, value: Any, right: float, tolerance: float, hint: str) -> None:
    found = as_number(value)
    answer.require(abs(found - right) <= tolerance, f"{name} is not {found:g}.", hint)


def _row(value: Any) -> list[Any] | None:
    if isinstance(value, torch.Tensor | np.ndarray):
        return list(value.tolist()) if value.ndim == 1 else None
    return list(value) if isinstance(value, list | tuple) else None
