"""What the columns of a data set of one's own are: as its reader says, or as guessed.

A guess goes by names and by content, and only refuses what can hardly be meant: nothing is taken
for an annotation of words that does not have their length nearly everywhere, and what is named like
a label may hold any numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mtl_utils.corpora import schema

__all__ = ["Schema", "check_column_names", "guess", "is_flat_list", "is_label_name"]

_WORDS = ("tokens", "words")
_LABEL = re.compile(r"(.*_)?(labels?|tags?|intent|upos|class|category)", re.IGNORECASE)
# Names that say it, names and types that suggest it, and everything else.
_SURE = re.compile(
    r"((ner|pos|chunk|slot|bio|iob2?)_tags|upos|xpos|lemmas|feats|deprels?)", re.IGNORECASE
)
_LIKELY = re.compile(r"((.+_)?tags|(.*_)?labels|slots|entities|ner|pos|chunks)", re.IGNORECASE)
_LIKELY_SHARE = 0.5
_OTHER_SHARE = 0.9
_OTHER_ROWS = 10
_FLAT_LIST = re.compile(r"list of (string|integer|float|bool|ClassLabel).*")


@dataclass(frozen=True)
class Schema:
    """What the columns of a data set of one's own are.

    ``Schema()`` says nothing of any column: the data load as they are. What a file itself declares
    (types, ``ClassLabel`` names) is held to in any case.

    Attributes:
        words: Column of lists of words, None where there is none.
        per_word: Columns with one item for each word.
        labels: Columns of labels, of whole rows or, where the column is one of ``per_word``, of
            words. A label may be missing, and a split may lack the column altogether. The value is
            the label names in id order, which turn names or ids into a ``ClassLabel`` column; None
            where the file declares them or where there are none.

    Raises:
        TypeError: If a field is of another type.
        ValueError: If a name occurs twice, or there are annotations without words.
    """

    words: str | None = None
    per_word: tuple[str, ...] = ()
    labels: Mapping[str, Sequence[str] | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the fields, and keep what does not change."""
        if self.words is not None and not isinstance(self.words, str):
            raise TypeError(f"words must be the name of a column, or None, got {self.words!r}")
        check_column_names("per_word", self.per_word)
        if not isinstance(self.labels, Mapping):
            raise TypeError(
                "labels must map each column of labels to its label names, or to None, got "
                f"{self.labels!r}"
            )
        check_column_names("labels", list(self.labels))
        for column, names in self.labels.items():
            if names is not None:
                check_column_names(f"labels[{column!r}]", names)
        if self.per_word and self.words is None:
            raise ValueError(f"per_word is {self.per_word}, but there is no column of words")
        if self.words in self.per_word:
            raise ValueError(f"{self.words!r} is the column of words and cannot annotate itself")
        kept = {column: names and tuple(names) for column, names in self.labels.items()}
        object.__setattr__(self, "per_word", tuple(self.per_word))
        object.__setattr__(self, "labels", kept)

    @property
    def columns(self) -> list[str]:
        """Every column that is named."""
        words = [] if self.words is None else [self.words]
        return list(dict.fromkeys([*words, *self.per_word, *self.labels]))


def check_column_names(what: str, names: Any) -> None:
    """Refuse what is no list of names, or has one twice.

    Args:
        what: What the message is to call it.
        names: The names.

    Raises:
        TypeError: If it is no list or tuple of texts.
        ValueError: If a name occurs twice.
    """
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{what} must be a list or tuple of names, got {names!r}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what} names {twice} more than once: {names!r:.200}")


def guess(features: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> Schema:
    """Guess what the columns of a data set are.

    Args:
        features: Feature of each column, of all splits together.
        tables: Rows of each split.

    Returns:
        ``words`` is a column ``tokens`` or ``words`` that holds lists of texts. ``per_word`` are
        lists beside it: those whose names say so (``ner_tags``, ``upos``, ...), those that are
        named or typed like tags and have the length of the words in at least half of the rows, and
        any that have it in nine of ten. ``labels`` are columns of ``ClassLabel`` type, and those
        named like labels.
    """
    kinds = {name: schema.describe(feature) for name, feature in features.items()}
    words = next((name for name in _WORDS if kinds.get(name) == "list of string"), None)
    per_word = [] if words is None else _annotations(words, kinds, tables)
    labels = [n for n, kind in kinds.items() if "ClassLabel" in kind or is_label_name(n)]
    return Schema(words, tuple(per_word), dict.fromkeys(labels))


def _annotations(
    words: str, kinds: Mapping[str, str], tables: Mapping[str, pa.Table]
) -> Iterator[str]:
    for name, kind in kinds.items():
        if name == words or not is_flat_list(kind):
            continue
        same, rows = _equal_lengths(words, name, tables)
        likely = _LIKELY.fullmatch(name) or kind.startswith("list of ClassLabel")
        if (
            _SURE.fullmatch(name)
            or (likely and same >= max(1, _LIKELY_SHARE * rows))
            or (rows >= _OTHER_ROWS and same >= _OTHER_SHARE * rows)
        ):
            yield name


def is_label_name(name: str) -> bool:
    """Whether a column is named like a label."""
    return _LABEL.fullmatch(name) is not None


def is_flat_list(kind: str) -> bool:
    """Whether a kind of column, in the words of ``schema.describe``, holds plain items."""
    return _FLAT_LIST.fullmatch(kind) is not None


def _equal_lengths(words: str, name: str, tables: Mapping[str, pa.Table]) -> tuple[int, int]:
    """Rows in which a column is as long as the words, and rows in which both are there."""
    same = rows = 0
    for table in tables.values():
        if name not in table.column_names or words not in table.column_names:
            continue
        equal = pc.equal(pc.list_value_length(table[words]), pc.list_value_length(table[name]))
        same += pc.sum(equal).as_py() or 0
        rows += len(equal) - equal.null_count
    return same, rows
