"""The way back: a file of one's own data with predictions put in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtl_utils.arguments import check_names, check_path, check_several, shown
from mtl_utils.corpora.errors import DataNotFoundError, LayoutError
from mtl_utils.corpora.formats import TextFormat
from mtl_utils.corpora.layout import format_of
from mtl_utils.corpora.text_files import read_text
from mtl_utils.files import whole_file

__all__ = ["write"]


def write(
    path: str | os.PathLike[str],
    like: str | os.PathLike[str],
    predictions: Mapping[str, Sequence[Any]],
    *,
    format: TextFormat | None = None,
) -> None:
    """Write a file as another one is, with predictions put in: CoNLL in, CoNLL out.

    Everything else stays byte for byte: other columns, comments, blank lines, ends of lines, quotes
    around cells, blanks within JSON. A label that is what the file has already leaves it as it was.

    Args:
        path: Where to; a file there is replaced once the new one is whole. It may be ``like``.
        like: The file, as :func:`load` reads it: CSV, JSON lines, CoNLL or CoNLL-U.
        predictions: By column, an entry for each row that :func:`load` reads, in its order: a text
            or a number, or for labels of words a list of texts. A column that the file has is
            replaced, another is added: see :class:`CsvFormat`, :class:`JsonLinesFormat`,
            :class:`ConllFormat` and :class:`ConlluFormat`. None is a missing label.
        format: What :func:`load` was given, if anything.

    Raises:
        TypeError: If an argument, or an entry of the predictions, is of another type.
        ValueError: If a label cannot be written in the format.
        DataNotFoundError: If there is no file ``like``.
        LayoutError: If it is of another format.
        BrokenFileError: If it is not in its format; the error names the line.
        EmptySplitError: If it has no rows.
        AlignmentError: If there are more or fewer predictions than rows, or labels than words.
        OSError: If the file cannot be written. What was at ``path`` is untouched.
    """
    check_path("path", path)
    check_path("like", like)
    check_names("predictions", predictions, "entries by column")
    for name, entries in predictions.items():
        check_several(f"predictions[{name!r}]", entries, "entries, one a row")
    if format is not None and not isinstance(format, TextFormat):
        raise TypeError(
            f"format must be a format such as CsvFormat(), or None, got {shown(format)}"
        )
    source = Path(like).expanduser()
    if not source.is_file():
        raise DataNotFoundError(f"like must be a file of rows, and {source} is not one.")
    found = format_of(source, format)
    if found is None:
        raise LayoutError(
            f"{source}: found parquet, expected a format of text; Dataset.add_column(...) and "
            "to_parquet(...) put predictions into such files."
        )
    content = found.rewrite(read_text(source), predictions)
    with whole_file(Path(path).expanduser()) as file:
        file.write(content)
