"""Tags against tags: tokens that are right, and seqeval's count of entities."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, TypeVar

from mtl_utils.tasks.spans import to_spans

T = TypeVar("T")


def accuracy(found: Sequence[Sequence[T]], expected: Sequence[Sequence[T]]) -> float:
    """Return the share of tokens that are right.

    Args:
        found: Labels row by row.
        expected: As many, at least one.
    """
    pairs = list(zip(chain(*found), chain(*expected), strict=True))
    return sum(left == right for left, right in pairs) / len(pairs)


def report_entities(found: list[list[str]], expected: list[list[str]]) -> dict[str, dict[str, Any]]:
    """Return seqeval's report in strict mode; empty where there is no entity at all.

    Args:
        found: IOB2 tags row by row.
        expected: As many.
    """
    if not any(map(to_spans, (*found, *expected))):
        return {}  # seqeval fails without any entity
    # It brings scikit-learn and SciPy, a second of waiting for all who measure no entities.
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    return classification_report(
        expected, found, mode="strict", scheme=IOB2, output_dict=True, zero_division=0
    )
