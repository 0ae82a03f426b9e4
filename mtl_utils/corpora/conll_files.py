"""CoNLL columns: a word a line with its labels beside it, blank lines between sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from mtl_utils.arguments import check_choice, check_flag, check_kind
from mtl_utils.corpora.errors import EmptySplitError
from mtl_utils.corpora.formats import TextFormat
from mtl_utils.corpora.own_schema import Schema, check_column_names
from mtl_utils.corpora.text_files import Rows, TextFile, check_entries, check_predictions

__all__ = ["ConllFormat"]

_CELL = re.compile(r"[^ \t]+")
_DOCUMENT = "-DOCSTART-"


class _Word(NamedTuple):
    line: int  # from 0
    cells: list[str]


@dataclass(frozen=True)
class ConllFormat(TextFormat):
    """A word a line with its labels beside it; blank lines part sentences (``.conll``, ``.bio``).

    A row is a sentence, a column a list with one text per word. What is said of blanks is meant of
    blanks and tabs alone: other white space of Unicode, such as a no-break space, may be a word.

    Args:
        columns: Names of the columns in their order. None takes ``tokens`` for the first and
            ``tags`` for the last and leaves out those between; of a file with one column, which has
            words alone, ``tokens``. Words must be in a column ``tokens``. A name that is None
            leaves a column out.
        separator: What parts cells: ``"tab"``, which allows blanks within them and takes an empty
            one for a missing label; ``"blank"``, one or more blanks or tabs; or None for tabs if
            the first word's line has one.
        comments: Whether lines that begin with ``#`` are comments. With False they are words. None
            takes lines for comments that begin with ``#`` and a blank, and refuses those that could
            be the word ``#`` as well.
        documents: Whether ``-DOCSTART-`` is kept as a sentence of one word. Otherwise its lines are
            left out.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If a name occurs twice, none is ``tokens``, or the separator is none of these.
    """

    extensions: ClassVar[tuple[str, ...]] = (".conll", ".bio", ".iob", ".iob2", ".bioes")

    columns: tuple[str | None, ...] | None = None
    separator: str | None = None
    comments: bool | None = None
    documents: bool = False

    def __post_init__(self) -> None:
        """Check the fields, and keep what does not change."""
        if self.columns is not None:
            check_kind("columns", self.columns, (list, tuple), "a list of names, or None")
            check_column_names("columns", [name for name in self.columns if name is not None])
            if "tokens" not in self.columns:
                raise ValueError(
                    f"columns must have one named 'tokens', of the words, got {self.columns!r}"
                )
            object.__setattr__(self, "columns", tuple(self.columns))
        if self.separator is not None:
            check_choice("separator", self.separator, ("tab", "blank"))
        if self.comments is not None:
            check_flag("comments", self.comments)
        check_flag("documents", self.documents)

    def rows(self, file: TextFile) -> Rows:
        """Read a file.

        Args:
            file: The file.

        Raises:
            BrokenFileError: If a line has more or fewer cells than the others, or no word; the
                error names it.
            EmptySplitError: If there are no words.
        """
        sentences, names, _ = self._sentences(file)
        kept = [(name, place) for place, name in enumerate(names) if name is not None]
        columns = {
            name: [[word.cells[place] or None for word in words] for words in sentences]
            for name, place in kept
        }
        return Rows(columns, [words[0].line + 1 for words in sentences])

    def rewrite(self, file: TextFile, predictions: Mapping[str, Sequence[Any]]) -> bytes:
        """Return a file with predictions put in: a column is replaced, or added as the last.

        Args:
            file: The file.
            predictions: A list of labels for each sentence, by column.

        Raises:
            AlignmentError: If there are more or fewer than sentences, or than words of one.
            BrokenFileError: If it is not in this format.
            TypeError: If an entry is no list of texts.
            ValueError: If a label is empty, or has what parts cells in it.
        """
        sentences, names, by_tabs = self._sentences(file)
        check_predictions(file.path, predictions, len(sentences))
        lines = list(file.lines)
        for name, entries in predictions.items():
            place = names.index(name) if name in names else None
            for row, words in enumerate(sentences):
                where = f"predictions[{name!r}][{row}] (line {words[0].line + 1} of {file.path})"
                check_entries(where, entries[row], len(words))
                for word, label in zip(words, entries[row], strict=True):
                    text = _writable(label, by_tabs, where)
                    change = _tab_cell if by_tabs else _blank_cell
                    lines[word.line] = change(lines[word.line], place, text)
        return file.with_lines(lines)

    def schema(self, columns: Sequence[str]) -> Schema:
        """Say what the columns are: words, and labels of words.

        Args:
            columns: All columns that were read.
        """
        labels = tuple(name for name in columns if name != "tokens")
        return Schema("tokens", labels, dict.fromkeys(labels))

    def _sentences(self, file: TextFile) -> tuple[list[list[_Word]], list[str | None], bool]:
        """The words of each sentence, the names of the columns, and whether tabs part them."""
        first = _first_word(file.lines)
        by_tabs = "\t" in first if self.separator is None else self.separator == "tab"
        count = len(_cells(first, by_tabs)) if self.columns is None else len(self.columns)
        names = self._names(count)
        place = names.index("tokens")
        sentences: list[list[_Word]] = []
        inside = False
        for number, line in enumerate(file.lines):
            if not line.strip(" \t"):
                inside = False
            elif self._is_comment(file, number, line, by_tabs, count):
                continue
            elif _is_document(line) and not self.documents:
                inside = False
            else:
                word = _Word(number, _cells(line, by_tabs))
                self._check(file, word, by_tabs, count, place)
                if not inside:
                    sentences.append([])
                sentences[-1].append(word)
                inside = True
        if not sentences:
            raise EmptySplitError(f"{file.path}: found no words, expected at least one sentence.")
        return sentences, names, by_tabs

    def _names(self, count: int) -> list[str | None]:
        if self.columns is not None:
            return list(self.columns)
        return ["tokens"] if count == 1 else ["tokens", *[None] * (count - 2), "tags"]

    def _is_comment(
        self, file: TextFile, number: int, line: str, by_tabs: bool, count: int
    ) -> bool:
        if self.comments is not None or not line.startswith("# "):
            return bool(self.comments) and line.startswith("#")
        if len(_cells(line, by_tabs)) != count or (by_tabs and count == 1):
            return True
        raise file.error(
            number + 1,
            f"found {line!r:.60}, which may be a comment or the word '#'; say which: "
            "ConllFormat(comments=True), or False.",
        )

    def _check(self, file: TextFile, word: _Word, by_tabs: bool, count: int, place: int) -> None:
        parted = "tabs" if by_tabs else "blanks"
        if len(word.cells) != count:
            why = "like the first word" if self.columns is None else f"for {list(self.columns)}"
            raise file.error(
                word.line + 1,
                f"found {len(word.cells)} cells parted by {parted} ({word.cells!r:.80}), expected "
                f"{count} {why}.",
            )
        if not word.cells[place].strip(" "):
            raise file.error(word.line + 1, f"found no word in {word.cells!r:.80}, expected one.")


def _is_document(line: str) -> bool:
    return line.startswith(_DOCUMENT) and line[len(_DOCUMENT) : len(_DOCUMENT) + 1] in (
        "",
        " ",
        "\t",
    )


def _first_word(lines: Sequence[str]) -> str:
    """The first line that is surely of a word, for how many cells it has and what parts them."""
    filled = [line for line in lines if line.strip(" \t") and not _is_document(line)]
    candidates: Iterator[str] = (line for line in filled if not line.startswith("#"))
    return next(candidates, filled[0] if filled else "")


def _cells(line: str, by_tabs: bool) -> list[str]:
    return line.split("\t") if by_tabs else _CELL.findall(line)


def _writable(label: str | None, by_tabs: bool, place: str) -> str:
    text = label or ""
    if any(mark in text for mark in "\t\r\n") or (not by_tabs and (" " in text or not text)):
        expected = "no tab in it" if by_tabs else "no blank in it, and not missing"
        raise ValueError(f"{place}: found the label {label!r:.60}, expected one with {expected}.")
    return text


def _tab_cell(line: str, place: int | None, text: str) -> str:
    cells = line.split("\t")
    if place is None:
        return f"{line}\t{text}"
    cells[place] = text
    return "\t".join(cells)


def _blank_cell(line: str, place: int | None, text: str) -> str:
    found = list(_CELL.finditer(line))
    if place is not None:
        return line[: found[place].start()] + text + line[found[place].end() :]
    between = line[found[-2].end() : found[-1].start()] if len(found) > 1 else " "
    return line[: found[-1].end()] + between + text + line[found[-1].end() :]
