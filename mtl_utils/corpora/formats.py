"""What a format of text files is, and how values of its rows become columns of one type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pyarrow as pa

from mtl_utils.corpora.errors import BrokenFileError, DataError
from mtl_utils.corpora.own_schema import Schema
from mtl_utils.corpora.text_files import Rows, TextFile

__all__ = ["TextFormat", "tables_of"]


class TextFormat(ABC):
    """A format of text files with one's own data.

    A format of your own is a subclass with these methods; give it to :func:`load` as ``format``.

    Attributes:
        extensions: Ends of the names of such files, such as ``".csv"``.
    """

    extensions: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def rows(self, file: TextFile) -> Rows:
        """Read a file.

        Args:
            file: The file.

        Raises:
            BrokenFileError: If it is not in this format; the error names the line.
        """

    @abstractmethod
    def rewrite(self, file: TextFile, predictions: Mapping[str, Sequence[Any]]) -> bytes:
        """Return a file with predictions put in, and everything else byte for byte as it was.

        Args:
            file: The file.
            predictions: Entries in the order of its rows, by column.

        Raises:
            DataError: If they do not fit into the file.
            TypeError: If an entry is of a type that has no place there.
        """

    def converted(self, rows: Mapping[str, Rows], files: Mapping[str, TextFile]) -> dict[str, Rows]:
        """Return the rows of all splits with values of the types that they are to have.

        Args:
            rows: The rows of each split.
            files: The file of each split.

        Raises:
            BrokenFileError: If a value cannot be converted; the error names the line.
        """
        return dict(rows)

    def schema(self, columns: Sequence[str]) -> Schema | None:
        """Say what the columns are; None has them guessed.

        Args:
            columns: All columns that were read.
        """
        return None


def tables_of(rows: Mapping[str, Rows], files: Mapping[str, TextFile]) -> dict[str, pa.Table]:
    """Make tables of rows: a column has one type in all splits.

    Args:
        rows: The rows of each split.
        files: The file of each split, for messages.

    Raises:
        BrokenFileError: If the values of a column do not have one type; the error names the line.
    """
    names = dict.fromkeys(name for split in rows.values() for name in split.columns)
    columns: dict[str, dict[str, pa.Array]] = {split: {} for split in rows}
    for name in names:
        holders = [split for split in rows if name in rows[split].columns]
        values = [value for split in holders for value in rows[split].columns[name]]
        try:
            whole = _with_type(pa.array(values))
        except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
            raise _mixed(name, holders, rows, files) from error
        start = 0
        for split in holders:
            columns[split][name] = whole.slice(start, len(rows[split].lines))
            start += len(rows[split].lines)
    return {split: pa.table(found) for split, found in columns.items()}


def _with_type(column: pa.Array) -> pa.Array:
    """A column in which all is missing is one of texts, as in a file that has some."""
    if pa.types.is_null(column.type):
        return column.cast(pa.string())
    if pa.types.is_list(column.type) and pa.types.is_null(column.type.value_type):
        return column.cast(pa.list_(pa.string()))
    return column


def _mixed(
    name: str, holders: Sequence[str], rows: Mapping[str, Rows], files: Mapping[str, TextFile]
) -> DataError:
    """Return the error about the first value that does not go with those before it."""
    first = None
    for split in holders:
        for value, line in zip(rows[split].columns[name], rows[split].lines, strict=True):
            if value is None:
                continue
            try:
                pa.array([value] if first is None else [first[0], value])
            except (pa.ArrowException, OverflowError, TypeError, ValueError):
                like = "one that a column can hold"
                if first is not None:
                    like = f"one of the kind of {first[0]!r:.40} ({first[1]})"
                return files[split].error(
                    line, f"found the value {value!r:.60} in {name!r}, expected {like}."
                )
            first = first or (value, f"{files[split].path.name}, line {line}")
    where = ", ".join(str(files[split].path) for split in holders)
    return BrokenFileError(f"{where}: found values of several kinds in {name!r}, expected one.")
