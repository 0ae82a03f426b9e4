"""Tables as text: values between commas or tabs."""

from __future__ import annotations

import contextlib
import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mtl_utils.arguments import check_flag, check_kind, shown
from mtl_utils.corpora.errors import BrokenFileError, EmptySplitError
from mtl_utils.corpora.formats import TextFormat
from mtl_utils.corpora.own_schema import check_column_names, is_label_name
from mtl_utils.corpora.text_files import Rows, TextFile, check_predictions

__all__ = ["CsvFormat"]

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_NUMBER = re.compile(r"(?!-0(?![.]))-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_LARGEST_FIELD = 2**31 - 1


@dataclass(frozen=True)
class CsvFormat(TextFormat):
    """A table as text, its first line the names of the columns (``.csv``, ``.tsv``).

    A cell is text. A column becomes numbers if every cell of it in every split is written as a
    number is, and different texts stay different: ``007`` is no number, nor is ``1.10`` beside
    ``1.1``. Whole numbers in a column named like a label (``label``, ``intent``, ``..._tags``) stay
    text, since they are names there and no ids. An empty cell is a missing value; ``NA``, ``null``
    and ``None`` are texts like any other.

    Args:
        delimiter: What parts cells; None takes a tab for ``.tsv`` and a comma otherwise.
        columns: Names of the columns, where the first line is a row already.
        numbers: Columns of numbers, instead of those that look like it.
        lists: Columns that hold lists, and what parts their items, such as ``{"labels": "|"}``. An
            empty cell is an empty list there.
        quotes: Whether a cell may stand in double quotes, which a delimiter, a quote (doubled) or
            the end of a line in it needs. None takes that for ``.csv``; for ``.tsv`` only if every
            cell that begins with a quote ends with one as well, since many are written without.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If the delimiter or what parts items is not as above, or a name occurs twice.
    """

    extensions: ClassVar[tuple[str, ...]] = (".csv", ".tsv")

    delimiter: str | None = None
    columns: tuple[str, ...] | None = None
    numbers: tuple[str, ...] | None = None
    lists: Mapping[str, str] = field(default_factory=dict)
    quotes: bool | None = None

    def __post_init__(self) -> None:
        """Check the fields, and keep what does not change."""
        if self.delimiter is not None:
            check_kind("delimiter", self.delimiter, str, "a character, or None")
            if len(self.delimiter) != 1 or self.delimiter in '"\r\n':
                raise ValueError(
                    f"delimiter must be one character, no quote and no end of a line, got "
                    f"{self.delimiter!r}"
                )
        for name in ("columns", "numbers"):
            if getattr(self, name) is not None:
                check_column_names(name, getattr(self, name))
                object.__setattr__(self, name, tuple(getattr(self, name)))
        if not isinstance(self.lists, Mapping):
            raise TypeError(
                f"lists must map columns to what parts their items, got {shown(self.lists)}"
            )
        for name, mark in self.lists.items():
            if not isinstance(name, str) or not isinstance(mark, str):
                raise TypeError(
                    f"lists must map columns to what parts their items, both text, got {name!r}: "
                    f"{mark!r}"
                )
            if not mark:
                raise ValueError(f"lists[{name!r}] must be what parts items, got the empty text ''")
        object.__setattr__(self, "lists", dict(self.lists))
        if self.quotes is not None:
            check_flag("quotes", self.quotes)

    def rows(self, file: TextFile) -> Rows:
        """Read a file; every cell is text, None where it is empty, or a list of texts.

        Args:
            file: The file.

        Raises:
            BrokenFileError: If it is no table; the error names the line.
            EmptySplitError: If it has no rows.
        """
        names, records = self._table(file)
        if not records:
            raise EmptySplitError(f"{file.path}: found names of columns and no rows.")
        unknown = [name for name in (*(self.numbers or ()), *self.lists) if name not in names]
        if unknown:
            raise BrokenFileError(
                f"{file.path}: found the columns {names}, expected {unknown} too."
            )
        columns = {
            name: [self._value(name, cells[place]) for cells, _, _ in records]
            for place, name in enumerate(names)
        }
        return Rows(columns, [line for _, line, _ in records])

    def converted(self, rows: Mapping[str, Rows], files: Mapping[str, TextFile]) -> dict[str, Rows]:
        """Return the rows of all splits with columns of numbers as such.

        Args:
            rows: The rows of each split.
            files: The file of each split.

        Raises:
            BrokenFileError: If a cell of a column of ``numbers`` is none; the error names the line.
        """
        changed = {split: dict(found.columns) for split, found in rows.items()}
        for name in dict.fromkeys(name for columns in changed.values() for name in columns):
            holders = [split for split in rows if name in changed[split]]
            cells = [cell for split in holders for cell in changed[split][name]]
            if name in self.lists:
                continue
            if self.numbers is None:
                kind = _guessed(name, [cell for cell in cells if cell is not None])
            else:
                kind = _asked(name, rows, files, holders) if name in self.numbers else None
            if kind is not None:
                for split in holders:
                    cells = changed[split][name]
                    changed[split][name] = [None if cell is None else kind(cell) for cell in cells]
        return {split: Rows(changed[split], found.lines) for split, found in rows.items()}

    def rewrite(self, file: TextFile, predictions: Mapping[str, Sequence[Any]]) -> bytes:
        """Return a file with predictions put in: a column is added, or its cells are replaced.

        Args:
            file: The file.
            predictions: Texts or numbers, or lists of texts in columns of ``lists``, by column.

        Raises:
            AlignmentError: If there are more or fewer than rows.
            BrokenFileError: If it is no table.
            TypeError: If an entry is none of these.
            ValueError: If an entry cannot be written without quotes.
        """
        names, records = self._table(file)
        check_predictions(file.path, predictions, len(records))
        delimiter, quoted = self._dialect(file)
        added = [name for name in predictions if name not in names]
        written, row = [], -1 if self.columns is None else 0
        for cells, _, raw in _records(file, delimiter, quoted):
            old = _raw_cells(raw.rstrip("\r\n"), delimiter, quoted)
            if not cells:  # a blank line
                written.append(raw)
                continue
            if row < 0:
                old += [_quoted(name, "predictions", delimiter, quoted) for name in added]
            for name, entries in predictions.items() if row >= 0 else ():
                place = f"predictions[{name!r}][{row}]"
                text = self._text(name, entries[row], place)
                if name in added:
                    old.append(_quoted(text, place, delimiter, quoted))
                elif text != cells[names.index(name)]:
                    old[names.index(name)] = _quoted(text, place, delimiter, quoted)
            row += 1
            written.append(delimiter.join(old) + _end(raw))
        return (file.bom + "".join(written)).encode("utf-8")

    def _dialect(self, file: TextFile) -> tuple[str, bool]:
        is_tsv = file.path.suffix.lower() == ".tsv"
        delimiter = self.delimiter or ("\t" if is_tsv else ",")
        if self.quotes is not None:
            return delimiter, self.quotes
        return delimiter, delimiter != "\t" or _all_closed(file, delimiter)

    def _table(self, file: TextFile) -> tuple[list[str], list[tuple[list[str], int, str]]]:
        """Names of the columns; cells, first line and text of each row."""
        delimiter, quoted = self._dialect(file)
        records = [record for record in _records(file, delimiter, quoted) if record[0]]
        if self.columns is not None:
            names, first = list(self.columns), "as columns names them"
        else:
            names, first = records.pop(0)[0], "as the first line has names"
            _check_header(file, names, delimiter)
        for cells, line, _ in records:
            if len(cells) != len(names):
                raise file.error(
                    line,
                    f"found {len(cells)} cells, expected {len(names)}, {first} ({names}), parted "
                    f"by {delimiter!r}" + (", quotes counting." if quoted else ", without quotes."),
                )
        return names, records

    def _value(self, name: str, cell: str) -> Any:
        if name in self.lists:
            return cell.split(self.lists[name]) if cell else []
        return cell or None

    def _text(self, name: str, value: Any, place: str) -> str:
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        if isinstance(value, bool | int | float):
            return str(value)
        is_list = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
        if is_list and name in self.lists:
            mark = self.lists[name]
            wrong = [item for item in value if mark in item or not item]
            if wrong:
                raise ValueError(f"{place}: found {wrong[0]!r}, which {mark!r} cannot part.")
            return mark.join(value)
        hint = f"; lists={{{name!r}: ' '}} writes lists" if is_list else ""
        raise TypeError(f"{place} must be a text, a number or None, got {shown(value)}{hint}")


class _Quoted(csv.excel):
    strict = True


class _Plain(csv.excel):
    strict = True
    quoting = csv.QUOTE_NONE


@contextlib.contextmanager
def _long_cells() -> Iterator[None]:
    """Let cells be as long as they are: Python stops at 131,072 characters."""
    before = csv.field_size_limit(_LARGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _records(file: TextFile, delimiter: str, quoted: bool) -> Iterator[tuple[list[str], int, str]]:
    """Yield cells, first line and text of each row, with its end; blank lines have no cells."""
    lines = list(io.StringIO(file.text, newline=""))
    dialect = _Quoted if quoted else _Plain
    reader = csv.reader(lines, dialect, delimiter=delimiter)
    start = 0
    with _long_cells():
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise file.error(
                    start + 1, f"found cells that are no {'CSV' if quoted else 'TSV'}: {error}."
                ) from error
            if cells is None:
                return
            yield cells, start + 1, "".join(lines[start : reader.line_num])
            start = reader.line_num


def _check_header(file: TextFile, names: list[str], delimiter: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise file.error(1, f"found the columns {names}, expected each name once.")
    if "" in names:
        raise file.error(
            1,
            f"found no name for column {names.index('') + 1} of {names}, expected one each. pandas "
            "writes its index so: to_csv(..., index=False) leaves it out.",
        )
    other = [mark for mark in ";\t,|" if mark != delimiter and mark in names[0]]
    if len(names) == 1 and other:
        raise file.error(
            1,
            f"found one column {names[0]!r}, parted by {delimiter!r}; if {other[0]!r} parts them, "
            f"say format=CsvFormat(delimiter={other[0]!r}).",
        )


def _all_closed(file: TextFile, delimiter: str) -> bool:
    """Whether every cell that begins with a quote, on its line alone, is quoted properly."""
    mark = re.escape(delimiter)
    opened = re.compile(rf'(?:^|{mark})"')
    closed = re.compile(rf'(?:^|(?<={mark}))"(?:[^"{mark}]|"")*"(?={mark}|$)')
    return all(
        len(opened.findall(line)) == len(closed.findall(line)) for line in file.lines if '"' in line
    )


def _raw_cells(body: str, delimiter: str, quoted: bool) -> list[str]:
    """The cells of a row as they are written."""
    if not quoted:
        return body.split(delimiter)
    cell = re.compile(rf'"(?:[^"]|"")*"|[^{re.escape(delimiter)}]*')
    cells, place = [], 0
    while True:
        match = cell.match(body, place)
        assert match is not None  # an empty cell is one
        cells.append(match[0])
        if match.end() == len(body):
            return cells
        place = match.end() + 1


def _quoted(text: str, place: str, delimiter: str, quoted: bool) -> str:
    if not any(mark in text for mark in (delimiter, "\r", "\n")) and not (quoted and '"' in text):
        return text
    if not quoted:
        raise ValueError(
            f"{place}: {text!r:.60} has a delimiter or an end of a line in it, and the file has no "
            "quotes; expected another text, or CsvFormat(quotes=True)."
        )
    return '"' + text.replace('"', '""') + '"'


def _end(raw: str) -> str:
    return raw[len(raw.rstrip("\r\n")) :]


def _guessed(name: str, cells: Sequence[str]) -> type[int] | type[float] | None:
    """What a column that looks like numbers becomes, None if it is text."""
    if not cells:
        return None
    if all(_INTEGER.fullmatch(cell) and abs(int(cell)) < 2**63 for cell in cells):
        return None if is_label_name(name) else int
    if not all(_NUMBER.fullmatch(cell) and math.isfinite(float(cell)) for cell in cells):
        return None
    different = set(cells)
    return float if len(set(map(float, different))) == len(different) else None


def _asked(
    name: str, rows: Mapping[str, Rows], files: Mapping[str, TextFile], holders: Sequence[str]
) -> type[int] | type[float]:
    """What a column of numbers becomes."""
    whole = True
    for split in holders:
        for cell, line in zip(rows[split].columns[name], rows[split].lines, strict=True):
            if cell is None:
                continue
            try:
                number = float(cell)
            except ValueError:
                number = math.nan
            if not math.isfinite(number):
                raise files[split].error(line, f"found {cell!r} in {name!r}, expected a number.")
            whole = whole and re.fullmatch(r"[-+]?[0-9]{1,18}", cell) is not None
    return int if whole else float
