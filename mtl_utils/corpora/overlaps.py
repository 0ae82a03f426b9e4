"""How many rows of one split stand in another, and how many repeat one another."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import datasets

from mtl_utils.arguments import check_whole, shown
from mtl_utils.corpora.equal_texts import check_texts, row_texts, unordered

__all__ = ["Overlap", "overlap"]


@dataclass(frozen=True)
class Overlap:
    """How much of a split was seen in another, in rows.

    A score on rows that stand in the training split measures memory. Each count but the last is
    at least as large as the one before it.

    Attributes:
        rows: Rows of the split.
        exact: Rows whose texts all stand, character by character, in one row of the other.
        normalised: The same after composing letters (NFC), folding case and white space.
        any_order: The same for texts in any order: a pair and the pair the other way round.
        any_text: Rows of which at least one text stands anywhere in the other.
        repeats: Rows of the split that repeat, character by character, an earlier one of it.

    Raises:
        TypeError: If a count is no whole number.
        ValueError: If it is negative.
    """

    rows: int
    exact: int
    normalised: int
    any_order: int
    any_text: int
    repeats: int

    def __post_init__(self) -> None:
        for name, count in vars(self).items():
            check_whole(name, count, least=0)


def overlap(
    seen: datasets.Dataset, rows: datasets.Dataset, texts: str | Sequence[str] | None = None
) -> Overlap:
    """Count the rows of one split whose texts stand in another.

    Args:
        seen: The split that was trained on.
        rows: The split that is looked at, such as the test split.
        texts: Columns that together make up the text of a row; None takes those with customary
            names, such as ``tokens``, ``text``, or ``premise`` and ``hypothesis``.

    Returns:
        The counts. Labels are not looked at.

    Raises:
        TypeError: If a split is not a ``datasets.Dataset``.
        KeyError: If there is no such column.
        ValueError: If no column is named, and none or several may be meant.
    """
    for name, split in (("seen", seen), ("rows", rows)):
        if not isinstance(split, datasets.Dataset):
            raise TypeError(f"{name} must be one split, a datasets.Dataset, got {shown(split)}")
    columns = check_texts(texts, rows.features)
    check_texts(columns, seen.features)
    if not columns:
        raise ValueError(
            f"Found no column of texts among {list(rows.features)}; pass texts=, got {texts!r}"
        )
    exact, found = row_texts(rows, columns, exact=True), row_texts(rows, columns)
    known = row_texts(seen, columns)
    parts = {part for row in known for part in row}
    return Overlap(
        rows=len(found),
        exact=_standing_in(exact, row_texts(seen, columns, exact=True)),
        normalised=_standing_in(found, known),
        any_order=_standing_in(unordered(found), unordered(known)),
        any_text=sum(any(part in parts for part in row) for row in found),
        repeats=len(exact) - len(set(exact)),
    )


def _standing_in(rows: Sequence[Hashable], seen: Sequence[Hashable]) -> int:
    known = set(seen)
    return sum(row in known for row in rows)
