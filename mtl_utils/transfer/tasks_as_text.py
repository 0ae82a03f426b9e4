"""Tasks as text: a prefix names the task, and the label is written and read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtl_utils.arguments import check_kind, check_names, check_several, check_text, shown
from mtl_utils.tasks import Classification, Tagging, to_spans
from mtl_utils.tasks.spans import Span
from mtl_utils.tasks.text_task import Row

#: What is written where a text has no entity.
NOTHING = "none"
SEPARATOR = ";"


@dataclass(frozen=True)
class Reading:
    """What a text that was written says of a row.

    Attributes:
        label: Of a classification the name of the label; of a tagging the entities that were found
            in the row, as spans. ``None`` where a label cannot be read.
        unreadable: How many parts of what was written could not be read: no label, no type, or
            words that do not stand in the row.
    """

    label: str | tuple[Span, ...] | None
    unreadable: int


@dataclass(frozen=True)
class TextForm:
    """One task as text: what is read, what is to be written, and how that is read back.

    The source is the prefix and the text, ``"topic: the band played"``, with the second text of a
    pair after ``"and:"`` (Raffel et al., 2020). The target of a classification is the name of its
    label. That of a tagging with IOB2 tags lists its entities from left to right, each its type and
    its words, ``"artist: miles davis ; genre: jazz"``, or says ``"none"``.

    What is read back is compared without regard to case, white space and where words are split, as
    tokenizers change them. Entities are looked for from left to right, each after the one before:
    where their words stand in the text earlier too, the earlier place is taken, and the reading is
    wrong though the text may be right (:meth:`survives` tells).

    Args:
        task: The task. It says which columns are read.
        prefix: What stands before the text; the name of the task and a colon if ``None``.
        words: By label, or by type of entity, what is written for it; its own name where it has
            none here.

    Raises:
        TypeError: If the task is no classification and no tagging, or another argument is not of
            its kind.
        ValueError: If the tags of a tagging are not IOB2, two labels are written alike, or one is
            written with what separates entities.
        KeyError: If there are words for what is no label.
    """

    task: Classification | Tagging
    prefix: str | None = None
    words: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        kinds = (Classification, Tagging)
        check_kind("task", self.task, kinds, "a Classification or a Tagging")
        if isinstance(self.task, Tagging) and self.task.iob2_tags is None:
            raise ValueError(
                f"task must have IOB2 tags, whose entities can be listed, got {self.task!r:.300}"
            )
        if self.prefix is not None:
            check_text("prefix", self.prefix)
        check_names("words", self.words, "texts by label")
        unknown = [name for name in self.words if name not in self._names]
        if unknown:
            raise KeyError(f"words are of no label {unknown[0]!r}; there are {list(self._names)}")
        for label, text in self.words.items():
            check_text(f"words[{label!r}]", text)
        written = [_normal(self._word(name)) for name in self._names]
        if len(set(written)) < len(written) or "" in written:
            raise ValueError(f"words must tell labels apart, got {self.words!r} for {self._names}")
        if isinstance(self.task, Tagging) and any(set(";:") & set(word) for word in written):
            raise ValueError(f"words must have no {SEPARATOR!r} and no ':', got {self.words!r}")

    @property
    def _names(self) -> tuple[str, ...]:
        """What has words: labels, or types of entities."""
        task = self.task
        return task.entity_types if isinstance(task, Tagging) else tuple(task.labels)

    def _word(self, name: str) -> str:
        return self.words.get(name, name)

    def row(self, row: Row) -> dict[str, str]:
        """Return a row as :class:`mtl_utils.tasks.Translation` reads it.

        Args:
            row: A row of the task's data set.

        Returns:
            ``source`` and ``target``.

        Raises:
            KeyError: If the row lacks a column of the task, or has a label that is none.
            ValueError: If it has no label.
            TypeError: If what stands there is not of its kind.
        """
        return {"source": self.source(row), "target": self.target(row)}

    def source(self, row: Row) -> str:
        """Return what is read: the prefix and the text.

        Args:
            row: A row; its label may be missing.

        Raises:
            KeyError: If the row lacks a column.
            TypeError: If what stands there is no text.
        """
        first, second = self.task.read(row)
        prefix = f"{self.task.name}:" if self.prefix is None else self.prefix
        parts = [prefix, _joined(first)]
        if second is not None:
            parts += ["and:", _joined(second)]
        return " ".join(part for part in parts if part)

    def target(self, row: Row) -> str:
        """Return what is to be written.

        Args:
            row: A row with a label.

        Raises:
            ValueError: If the label is missing, or its id is none.
            KeyError: If the label is none of the task's.
            TypeError: If it is neither a name nor an id.
        """
        label = self.task.reference(row)
        if label is None:
            raise ValueError(f"row must have a label of {self.task.name!r}, got {shown(row)}")
        if isinstance(self.task, Classification):
            return self._word(self.task.names([label])[0])
        words = self._words_of(row)
        found = [
            f"{self._word(span.type)}: {' '.join(words[span.start : span.end])}"
            for span in to_spans(self.task.names(label))
        ]
        return f" {SEPARATOR} ".join(found) or NOTHING

    def read(self, written: str, row: Row) -> Reading:
        """Read what was written of a row.

        Args:
            written: The text.
            row: The row; its label is not looked at.

        Raises:
            KeyError: If the row lacks a column.
            TypeError: If ``written`` is no text.
        """
        check_text("written", written)
        by_word = {_normal(self._word(name)): name for name in self._names}
        if isinstance(self.task, Classification):
            label = by_word.get(_normal(written))
            return Reading(label, int(label is None))
        if _normal(written) == NOTHING:
            return Reading((), 0)
        return self._entities(written, [_normal(word) for word in self._words_of(row)], by_word)

    def _entities(self, written: str, words: list[str], by_word: Mapping[str, str]) -> Reading:
        spans: list[Span] = []
        unreadable, start = 0, 0
        for part in written.split(SEPARATOR):
            kind, _, mention = part.partition(":")
            name, place = by_word.get(_normal(kind)), _find(_normal(mention), words, start)
            if name is None or place is None:
                unreadable += 1
                continue
            spans.append(Span(name, *place))
            start = place[1]
        return Reading(tuple(spans), unreadable)

    def survives(self, row: Row) -> bool:
        """Tell whether the label of a row is what is read of its own target.

        Args:
            row: A row with a label.

        Raises:
            ValueError: As :meth:`target`.
            KeyError: As :meth:`target`.
            TypeError: As :meth:`target`.
        """
        return self.read(self.target(row), row) == Reading(self._label(row), 0)

    def _label(self, row: Row) -> str | tuple[Span, ...]:
        label: Any = self.task.reference(row)
        if isinstance(self.task, Classification):
            return self.task.names([label])[0]
        return tuple(to_spans(self.task.names(label)))

    def measure(self, written: Sequence[str], rows: Sequence[Row]) -> dict[str, float]:
        """Measure what was written of rows; what cannot be read is wrong.

        Args:
            written: One text a row.
            rows: The rows, with labels.

        Returns:
            ``unreadable``, the share of rows of which some part could not be read. Of a
            classification ``accuracy``; of a tagging ``precision``, ``recall`` and ``f1`` of
            entities, where each part that cannot be read counts as an entity that is not there.
            From 0 to 1.

        Raises:
            ValueError: If there are no rows or not one text for each, or as :meth:`target`.
            KeyError: As :meth:`target`.
            TypeError: As :meth:`target`, or if these are not several.
        """
        check_several("written", written, "texts")
        check_several("rows", rows, "rows")
        if len(written) != len(rows) or not len(rows):
            raise ValueError(
                f"written must be one text for each of {len(rows)} rows, at least one, got "
                f"{len(written)}: {written!r:.60}"
            )
        pairs = list(zip(written, rows, strict=True))
        readings = [self.read(text, row) for text, row in pairs]
        expected = [self._label(row) for _, row in pairs]
        unreadable = sum(reading.unreadable > 0 for reading in readings) / len(rows)
        if isinstance(self.task, Classification):
            right = sum(a.label == b for a, b in zip(readings, expected, strict=True))
            return {"accuracy": right / len(rows), "unreadable": unreadable}
        return {**_entity_scores(readings, expected), "unreadable": unreadable}

    def _words_of(self, row: Row) -> list[str]:
        return list(self.task.read(row)[0])


def _entity_scores(readings: Sequence[Reading], expected: Sequence[Any]) -> dict[str, float]:
    found = sum(len(reading.label or ()) + reading.unreadable for reading in readings)
    wanted = sum(map(len, expected))
    right = sum(
        len(set(reading.label or ()) & set(spans))
        for reading, spans in zip(readings, expected, strict=True)
    )
    return {
        "precision": right / found if found else 0.0,
        "recall": right / wanted if wanted else 0.0,
        "f1": 2 * right / (found + wanted) if found + wanted else 0.0,
    }


def _joined(text: str | Sequence[str]) -> str:
    return text if isinstance(text, str) else " ".join(text)


def _normal(text: str) -> str:
    """Return a text without what tokenizers change: case and white space."""
    return "".join(text.split()).casefold()


def _find(mention: str, words: Sequence[str], start: int) -> tuple[int, int] | None:
    """Return the first run of whole words, from a place on, that together are a mention."""
    for first in range(start if mention else len(words), len(words)):
        joined = ""
        for end in range(first, len(words)):
            joined += words[end]
            if joined == mention:
                return first, end + 1
            if not mention.startswith(joined):
                break
    return None
