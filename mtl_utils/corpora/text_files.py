"""Files of text, read line by line with nothing lost, so that they can be written again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mtl_utils.corpora.errors import AlignmentError, BrokenFileError, EmptySplitError

__all__ = ["Rows", "TextFile", "check_entries", "check_predictions", "read_text"]

_BOM = "\ufeff"


@dataclass(frozen=True)
class Rows:
    """Rows of a file.

    Attributes:
        columns: Values by name, None where one is missing; all of one length.
        lines: On which line of the file each row starts, from 1.
    """

    columns: dict[str, list[Any]]
    lines: list[int]


@dataclass(frozen=True)
class TextFile:
    """A file of text as it was found.

    Attributes:
        path: The file.
        bom: The mark at its beginning, or nothing.
        text: Everything after it, ends of lines as they are.
    """

    path: Path
    bom: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        """Its lines without their ends. Only line feeds, with or without returns, end lines."""
        return [line.removesuffix("\r") for line in self.text.split("\n")]

    def with_lines(self, lines: Sequence[str]) -> bytes:
        """Return the file with other lines and the same ends of lines.

        Args:
            lines: As many as there are; one may hold further ends of lines.
        """
        ends = ["\r" if line.endswith("\r") else "" for line in self.text.split("\n")]
        whole = "\n".join(line + end for line, end in zip(lines, ends, strict=True))
        return (self.bom + whole).encode("utf-8")

    @property
    def line_end(self) -> str:
        """How its first line ends."""
        return "\r\n" if self.text.split("\n", 1)[0].endswith("\r") else "\n"

    def error(self, line: int, message: str) -> BrokenFileError:
        """Return an error about a line.

        Args:
            line: Its number, from 1.
            message: What was found and what was expected.
        """
        return BrokenFileError(f"{self.path}, line {line}: {message}")


def read_text(path: Path) -> TextFile:
    """Read a file of text in UTF-8.

    Args:
        path: The file.

    Raises:
        BrokenFileError: If it cannot be read, or is not UTF-8.
        EmptySplitError: If there is nothing in it but white space.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BrokenFileError(f"{path} cannot be read: {error.strerror or error}") from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BrokenFileError(f"{path}: found UTF-16, expected UTF-8; save the file in it.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BrokenFileError(
            f"{path}, line {line}: found the byte 0x{data[error.start]:02x}, which is no text in "
            "UTF-8; save the file in it."
        ) from error
    bom = _BOM if text.startswith(_BOM) else ""
    if not text.removeprefix(bom).strip():
        raise EmptySplitError(f"{path}: found an empty file, expected at least one row.")
    return TextFile(path, bom, text.removeprefix(bom))


def check_predictions(path: Path, predictions: Mapping[str, Sequence[Any]], rows: int) -> None:
    """Check that there is one prediction a row.

    Args:
        path: The file they are for.
        predictions: Predictions by column.
        rows: Its number of rows.

    Raises:
        AlignmentError: If there are more or fewer.
    """
    for name, values in predictions.items():
        if len(values) != rows:
            raise AlignmentError(
                f"predictions[{name!r}] must have an entry for each of the {rows} rows of {path}, "
                f"got {len(values)}: {list(values)!r:.60}."
            )


def check_entries(place: str, values: Any, expected: int) -> None:
    """Check that the prediction of a sentence is one label a word.

    Args:
        place: What the message is to call it.
        values: The prediction.
        expected: The number of its words.

    Raises:
        TypeError: If it is no list or tuple of texts, where None stands for one that is missing.
        AlignmentError: If it is longer or shorter.
    """
    if not isinstance(values, list | tuple) or not all(isinstance(v, str | None) for v in values):
        raise TypeError(f"{place}: expected a list of labels, one a word, got {values!r:.60}")
    if len(values) != expected:
        raise AlignmentError(
            f"{place}: expected {expected} labels, one for each word, got {len(values)}: "
            f"{list(values)!r:.80}."
        )
