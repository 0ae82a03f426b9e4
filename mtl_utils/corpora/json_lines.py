"""JSON lines: an object a line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mtl_utils.arguments import shown
from mtl_utils.corpora.formats import TextFormat
from mtl_utils.corpora.text_files import Rows, TextFile, check_predictions
from mtl_utils.files import parse_json

__all__ = ["JsonLinesFormat"]

_NOTHING = object()
_BLANK = re.compile(r"[ \t]*")


@dataclass(frozen=True)
class JsonLinesFormat(TextFormat):
    """A JSON object a line, its keys the columns (``.jsonl``, ``.ndjson``, ``.json``).

    A key that a line lacks, and ``null``, are missing values. Blank lines are left out.
    """

    extensions: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson", ".json")

    def rows(self, file: TextFile) -> Rows:
        """Read a file.

        Args:
            file: The file.

        Raises:
            BrokenFileError: If a line is no JSON object; the error names it.
        """
        found = _objects(file)
        names = dict.fromkeys(name for row in found.values() for name in row)
        columns = {name: [row.get(name) for row in found.values()] for name in names}
        return Rows(columns, list(found))

    def rewrite(self, file: TextFile, predictions: Mapping[str, Sequence[Any]]) -> bytes:
        """Return a file with predictions put in: a key is added, or its value replaced.

        Args:
            file: The file.
            predictions: What JSON can hold, by key.

        Raises:
            AlignmentError: If there are more or fewer than rows.
            BrokenFileError: If a line is no JSON object.
            TypeError: If JSON cannot hold an entry.
        """
        found = _objects(file)
        check_predictions(file.path, predictions, len(found))
        lines = list(file.lines)
        known = {name for values in found.values() for name in values}
        for row, (number, values) in enumerate(found.items()):
            for name, entries in predictions.items():
                # A key that is not there is missing already, where others have it.
                old = values.get(name) if name in known else _NOTHING
                if old is not entries[row] and old != entries[row]:
                    text = _dumped(entries[row], f"predictions[{name!r}][{row}]")
                    lines[number - 1] = _with(lines[number - 1], name, text)
        return file.with_lines(lines)


def _objects(file: TextFile) -> dict[int, dict[str, Any]]:
    """The object of each line that is not blank, by its number."""
    if file.text.lstrip().startswith("["):
        raise file.error(
            1,
            "found a JSON list, expected an object a line; "
            "pandas.read_json(...).to_json(..., orient='records', lines=True) makes that.",
        )
    found = {}
    for number, line in enumerate(file.lines, 1):
        if not line.strip():
            continue
        try:
            value = parse_json(line.encode("utf-8"))
        except ValueError as error:
            raise file.error(number, f"found no JSON ({error}), expected an object.") from error
        if not isinstance(value, dict):
            raise file.error(number, f"found {shown(value)}, expected an object.")
        found[number] = value
    return found


def _dumped(value: Any, place: str) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{place} must be what JSON can hold, got {shown(value)}") from error


def _with(line: str, name: str, text: str) -> str:
    """Put a value into the text of an object, and leave the rest as it is."""
    decoder = json.JSONDecoder()
    place = line.index("{") + 1
    empty = True
    while line[(place := _skip(line, place))] != "}":
        empty = False
        key, place = decoder.raw_decode(line, place)
        start = _skip(line, line.index(":", place) + 1)
        _, end = decoder.raw_decode(line, start)
        if key == name:
            return line[:start] + text + line[end:]
        place = _skip(line, end)
        place += line[place] == ","
    before = line[:place].rstrip(" \t")
    member = f"{json.dumps(name, ensure_ascii=False)}: {text}"
    return f"{before}{'' if empty else ', '}{member}{line[len(before) :]}"


def _skip(line: str, place: int) -> int:
    match = _BLANK.match(line, place)
    assert match is not None
    return match.end()
