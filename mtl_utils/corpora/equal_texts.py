"""When two rows of a data set hold the same text."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import datasets

__all__ = ["check_texts", "guess_texts", "normalised", "row_texts", "unordered"]

# Columns that are read together where all of them are there; pairs come before their parts.
_KNOWN_TEXTS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("sentence_A", "sentence_B"),
    ("question1", "question2"),
    ("en", "de"),
    ("en", "fr"),
    ("source_sentence", "target_sentence"),
    ("tokens",),
    ("words",),
    ("text",),
    ("sentence",),
)


def normalised(text: str) -> str:
    """Write a text in one of the ways that mean the same.

    Letters that Unicode writes in several ways are composed (NFC), case is folded, and white space
    of any kind and length becomes one space, none at the ends.
    """
    folded = unicodedata.normalize("NFD", text).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())


def guess_texts(features: Mapping[str, Any]) -> tuple[str, ...]:
    """Guess which columns make up the text of a row.

    Args:
        features: Feature of each column.

    Returns:
        Columns with the customary names (``tokens``, ``text``, ``premise`` and ``hypothesis``,
        ...), or the only column of texts or of lists of texts; none where there is no such column.

    Raises:
        ValueError: If there are several columns of texts and none has a customary name.
    """
    candidates = [name for name, feature in features.items() if _is_text(feature)]
    for known in _KNOWN_TEXTS:
        if all(name in candidates for name in known):
            return known
    if len(candidates) > 1:
        raise ValueError(
            f"Found the text columns {candidates}, and none with a name that says what it is. "
            f"Name those that make up the text of a row, such as texts=({candidates[0]!r},), or "
            "pass texts=() to take every row for a text of its own."
        )
    return tuple(candidates)


def check_texts(texts: str | Sequence[str] | None, features: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the columns that make up a text: those given, or those guessed for None.

    Args:
        texts: One column, several, or None.
        features: Feature of each column.

    Raises:
        TypeError: If ``texts`` is neither a name, names nor None.
        KeyError: If there is no such column.
        ValueError: If a column is named twice, or a guess finds several.
    """
    if texts is None:
        return guess_texts(features)
    names = (texts,) if isinstance(texts, str) else texts
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"texts must be names of columns, or None to guess them, got {texts!r}")
    unknown = [name for name in names if name not in features]
    if unknown:
        raise KeyError(f"texts names the columns {unknown}; there are {list(features)}")
    if len(set(names)) < len(names):
        raise ValueError(f"texts names a column twice: {list(names)}")
    return tuple(names)


def row_texts(
    rows: datasets.Dataset, columns: Sequence[str], exact: bool = False
) -> list[tuple[Hashable, ...]]:
    """The texts of every row, equal where the rows are to count as equal.

    Args:
        rows: The rows.
        columns: Columns that make up the text, at least one.
        exact: Whether to compare character by character, and words one by one. Otherwise texts are
            :func:`normalised`, and a list of words is the text that they make with spaces.

    Returns:
        One tuple a row, with one item for each column.
    """
    parts = [[_key(cell, exact) for cell in rows[column][:]] for column in columns]
    return list(zip(*parts, strict=True))


def unordered(rows: Sequence[tuple[Hashable, ...]]) -> list[Hashable]:
    """Texts of rows such that the same texts in another order are equal."""
    return [row if len(row) == 1 else frozenset(Counter(row).items()) for row in rows]


def _key(cell: Any, exact: bool) -> Hashable:
    if isinstance(cell, str):
        return cell if exact else normalised(cell)
    if isinstance(cell, dict):
        return tuple((name, _key(part, exact)) for name, part in cell.items())
    if not isinstance(cell, list):
        return cell
    if not exact and all(isinstance(item, str) for item in cell):
        return normalised(" ".join(cell))
    return tuple(_key(item, exact) for item in cell)


def _is_text(feature: Any) -> bool:
    item = getattr(feature, "feature", feature)
    return getattr(item, "dtype", None) in ("string", "large_string")
