"""What stands beside the texts of data: columns that must be there, and pictures that are opened."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import datasets

from mtl_utils import corpora
from mtl_utils.arguments import nearest
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
    """Return rows whose pictures are those of ``datasets``, or refuse rows without the columns.

    Args:
        rows: The rows.
        columns: What is read beside their texts.
        folder: Where paths of pictures are seen from; ``None`` if there can be none.
        where: What messages are to call the rows.

    Raises:
        Refused: If a column is missing or holds something else, or a picture cannot be opened.
    """
    for table, column in ((LANGUAGES, columns.language), (PICTURES, columns.picture)):
        there = rows.column_names
        top = None if column is None else column.split(".")[0]
        if column is not None and column not in there and (top not in there or table == PICTURES):
            raise Refused(
                f"{table}: {where}, has no column {column!r}{nearest(column, there)}"
                + (". Where no row has a picture, all its cells are empty" * (table == PICTURES))
            )
    if columns.picture is None:
        return rows
    return _with_pictures(rows, columns.picture, folder, f"{PICTURES}: {where}")


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
    stored = {"bytes": None, "path": cell} if isinstance(cell, str) else cell
    if not stored or not (stored["bytes"] or stored["path"]):
        return None
    if not stored["bytes"]:
        stored = {"bytes": None, "path": _file(stored["path"], folder, where)}
    _check_opens(stored["bytes"], stored["path"], where)
    return {"bytes": stored["bytes"], "path": stored["path"]}


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
