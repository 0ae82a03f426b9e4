"""What stands beside texts in data: columns that must be there, and pictures that must open."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import datasets

from mtl_utils import corpora
from mtl_utils.arguments import nearest
from mtl_utils.commands.keys import choice
from mtl_utils.commands.languages import LANGUAGES
from mtl_utils.commands.messages import Refused
from mtl_utils.commands.pictures import PICTURES
from mtl_utils.corpora import own_files, places, schema
from mtl_utils.models.beside import BesideColumns

_STORED = {"bytes", "path"}
"""What ``datasets`` holds of a picture."""


def with_beside(
    rows: datasets.Dataset, columns: BesideColumns, folder: Path | None, where: str
) -> datasets.Dataset:
    """Return rows whose pictures are those of ``datasets``; rows without the column have none.

    Args:
        rows: The rows.
        columns: What is read beside their texts.
        folder: Where paths of pictures are seen from; ``None`` if there can be none.
        where: What messages are to call the rows.

    Raises:
        Refused: If there is no column of languages, that of pictures holds something else, or a
            picture cannot be opened.
    """
    there, language, picture = rows.column_names, columns.language, columns.picture
    if language is not None and language not in there and language.split(".")[0] not in there:
        raise Refused(f"{LANGUAGES}: {where}, has no column {language!r}{nearest(language, there)}")
    if picture is None:
        return rows
    if picture not in there:
        return rows.add_column(picture, [None] * len(rows)).cast_column(picture, datasets.Image())
    return _with_pictures(rows, picture, folder, f"{PICTURES}: {where}")


def read_beside(
    rows: datasets.Dataset, columns: BesideColumns, folder: Path | None, where: str
) -> datasets.Dataset:
    """Return rows as :func:`with_beside` does, and warn where they have no column of pictures.

    Args:
        rows: The rows.
        columns: What a model reads beside their texts.
        folder: Where paths of pictures are seen from; ``None`` if there can be none.
        where: What messages are to call the rows.

    Raises:
        Refused: As there.
    """
    picture = columns.picture
    if picture is not None and picture not in rows.column_names:
        warnings.warn(f"{where}: no column {picture!r}, so no pictures are read", stacklevel=2)
    return with_beside(rows, columns, folder, where)


def told_language(columns: BesideColumns, given: str | None) -> str | None:
    """Return the language of raw texts, which a model that reads languages must be told.

    Args:
        columns: What the model reads beside texts.
        given: What the command says.

    Raises:
        Refused: If it says none, or one to a model that reads none.
        KeyError: If the model does not know it.
    """
    names = columns.languages
    if not names:
        if given is not None:
            raise Refused(f"--language {given}: the model is told no language; leave it out")
        return None
    if given is None:
        raise Refused(f"The model is told the language of texts: give --language {'|'.join(names)}")
    return choice(given, names, "--language")


def check_pictured(column: str, data: Iterable[datasets.Dataset]) -> None:
    """Refuse a column of pictures that no data have; some may, and others be of texts alone.

    Args:
        column: The column.
        data: Rows of each data set.

    Raises:
        Refused: If none has it.
    """
    there = list(dict.fromkeys(name for rows in data for name in rows.column_names))
    if column not in there:
        raise Refused(f"{PICTURES}: no data have the column {column!r}{nearest(column, there)}")


def holds_pictures(rows: datasets.Dataset, column: str) -> bool:
    """Tell whether any row has a picture.

    Args:
        rows: The rows, as :func:`with_beside` returns them.
        column: The column.
    """
    return bool(rows.with_format("arrow")[:][column].null_count < len(rows))


def folder_of(
    source: str | Mapping[str, str],
    split: str,
    config: str | None = None,
    format: corpora.TextFormat | None = None,
) -> Path | None:
    """Return the folder of the file in which a split stands, from which its paths are seen.

    Args:
        source: Where the data are.
        split: Name of the split.
        config: Configuration of the data set.
        format: Format of its files.

    Returns:
        ``None`` for a data set that is registered.

    Raises:
        DataError: If there is no data set.
    """
    if not isinstance(source, str):
        return Path(source[split]).expanduser().resolve().parent
    if source in corpora.names():
        return None
    path = Path(source).expanduser()
    if not path.exists() and (copies := places.copies()) is not None:
        path = copies / source
    chosen = path.parent if path.is_file() else own_files.chosen_folder(path, config, format)
    return chosen.resolve()


def _with_pictures(
    rows: datasets.Dataset, column: str, folder: Path | None, where: str
) -> datasets.Dataset:
    feature = rows.features[column]
    found = [
        _picture(cell, folder, f"{where}, row {place} (counted from 0)")
        for place, cell in enumerate(_stored_cells(rows, column, where))
    ]
    if isinstance(feature, datasets.Image) and all(one is None or one["bytes"] for one in found):
        return rows
    others = rows.remove_columns(column)
    made = others.add_column(column, found).cast_column(column, datasets.Image())
    return made.select_columns(rows.column_names)


def _stored_cells(rows: datasets.Dataset, column: str, where: str) -> Iterable[Any]:
    """Return paths, or what ``datasets`` holds of pictures, not decoded."""
    feature = rows.features[column]
    if isinstance(feature, datasets.Image):
        return rows.cast_column(column, datasets.Image(decode=False))[column][:]
    kind = schema.describe(feature)
    if kind in ("string", "null") or (isinstance(feature, dict) and {*feature} == _STORED):
        return rows[column][:]
    raise Refused(
        f"{where}: the column {column!r} holds {kind}, expected pictures of `datasets`, or paths"
    )


def _picture(cell: Any, folder: Path | None, where: str) -> dict[str, Any] | None:
    """Return what ``datasets`` holds of a picture that can be opened; ``None`` if there is none."""
    stored: Mapping[str, Any] = {"path": cell} if isinstance(cell, str) else cell or {}
    content, path = stored.get("bytes"), stored.get("path")
    if not content and not path:
        return None
    if not content:
        content, path = None, _file(str(path), folder, where)
    _check_opens(content, path, where)
    return {"bytes": content, "path": path}


def _file(path: str, folder: Path | None, where: str) -> str:
    if folder is None:
        raise Refused(
            f"{where} has {path!r:.60}, expected a picture: paths are for files of your own"
        )
    found = folder / Path(path).expanduser()
    if not found.is_file():
        raise Refused(f"{where} has the path {path!r}, and there is no file {found}")
    return str(found)


def _check_opens(content: bytes | None, path: str | None, where: str) -> None:
    from PIL import Image  # files without pictures need none of it

    try:
        with Image.open(io.BytesIO(content) if content else str(path)):
            return
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        called = "the picture" if content else f"the file {path}"
        raise Refused(f"{where}: {called} cannot be opened: {error}") from error
