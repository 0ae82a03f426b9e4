"""A data set of texts with labels for one task or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtl_utils.tasks import Classification, Tagging

Kind = type[Classification] | type[Tagging]


@dataclass(frozen=True)
class Row:
    """A text, or a pair, and what is known of it.

    Args:
        text: A string, or words where there is a label for each.
        labels: By task an id, or one id a word.
        other: The second text of a pair.
    """

    text: str | Sequence[str]
    labels: Mapping[str, int | Sequence[int]]
    other: str | None = None


@dataclass(frozen=True)
class TextSet:
    """A data set with labels of one task or of several.

    Args:
        name: Its name.
        kinds: What kind of task each is.
        labels: Names of the labels of each task.
        splits: The rows of train, validation and test.
    """

    name: str
    kinds: Mapping[str, Kind]
    labels: Mapping[str, tuple[str, ...]]
    splits: Mapping[str, Sequence[Row]]

    def task(self, name: str, **settings: Any) -> Classification | Tagging:
        """Make one of the tasks.

        Args:
            name: Name of the task.
            **settings: Of :class:`mtl_utils.tasks.Classification`, or of
                :class:`mtl_utils.tasks.Tagging`.
        """
        return self.kinds[name](name, self.labels[name], **settings)

    def texts(self, split: str = "train") -> list[str]:
        """Return all texts of a split, second ones included.

        Args:
            split: Name of the split.
        """
        return [text for row in self.splits[split] for text in _texts(row)]


def _texts(row: Row) -> list[str]:
    text = row.text if isinstance(row.text, str) else " ".join(row.text)
    return [text] if row.other is None else [text, row.other]
