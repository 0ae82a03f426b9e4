"""Data sets of one's own, read from their files: folders, single files, one file a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

from mtl_utils.corpora import folder, formats, layout, saved, schema
from mtl_utils.corpora.errors import LayoutError, UnknownConfigError
from mtl_utils.corpora.forbidden import refuse_conll_content
from mtl_utils.corpora.formats import TextFormat
from mtl_utils.corpora.own_schema import Schema
from mtl_utils.corpora.text_files import read_text

__all__ = ["OwnSplits", "chosen_folder", "read_files", "read_folder"]


@dataclass(frozen=True)
class OwnSplits:
    """Features and rows of every split of a data set, read once.

    Attributes:
        where: What was read, for messages.
        features: Features of each split.
        tables: Rows of each split.
        lines: On which line of its file each row starts, for splits that are files of text.
        says: What the columns are, where the format says so.

    Raises:
        EmptySplitError: If there is no split, or one without rows.
        ForbiddenDatasetError: If it is CoNLL-2003.
    """

    where: str
    features: Mapping[str, Mapping[str, Any]]
    tables: Mapping[str, pa.Table]
    lines: Mapping[str, Sequence[int]] = field(default_factory=dict)
    says: Schema | None = None

    def __post_init__(self) -> None:
        """Refuse what is empty, and what may not be used."""
        rows = {split: table.num_rows for split, table in self.tables.items()}
        schema.check_not_empty(rows, self.where)
        for table in self.tables.values():
            refuse_conll_content(table, self.where)

    @property
    def all_features(self) -> dict[str, Any]:
        """Feature of each column, as the first split with it has it."""
        found: dict[str, Any] = {}
        for features in self.features.values():
            for name, feature in features.items():
                found.setdefault(name, feature)
        return found


def read_folder(path: Path, config: str | None, given: TextFormat | None) -> OwnSplits:
    """Read a folder.

    Args:
        path: The folder.
        config: See :func:`chosen_folder`.
        given: The format of its files; None goes by their names.

    Raises:
        DataError: If it holds no data set, or a damaged one.
    """
    return _read_one(chosen_folder(path, config, given), given)


def chosen_folder(path: Path, config: str | None, given: TextFormat | None) -> Path:
    """Return the folder whose files are the data set: the folder itself or one of its subfolders.

    Args:
        path: The folder.
        config: Its configuration, a subfolder; None takes the files of the folder itself, and
            where there are none its only subfolder with data, or ``default``.
        given: The format of its files; None goes by their names.

    Raises:
        DataError: If it holds no data set.
    """
    if config is None and _holds_data(path, given):
        return path
    return path / folder.choose_config(path, config, lambda child: _holds_data(child, given))


def read_files(
    files: Mapping[str, Path], given: TextFormat | None, where: str | None = None
) -> OwnSplits:
    """Read a data set of one file a split.

    Args:
        files: The file of each split.
        given: The format that they have; None goes by their names.
        where: What they are, for messages.

    Raises:
        DataError: If one does not exist or cannot be read, or they are of several formats.
    """
    kind = layout.given_files(files, given)
    place = where or ", ".join(map(str, files.values()))
    if kind is None:
        return _read_parquet({split: [path] for split, path in files.items()}, place)
    texts = {split: read_text(path) for split, path in files.items()}
    rows = {split: kind.rows(text) for split, text in texts.items()}
    rows = kind.converted(rows, texts)
    tables = formats.tables_of(rows, texts)
    return OwnSplits(
        place,
        {s: datasets.Features.from_arrow_schema(table.schema) for s, table in tables.items()},
        tables,
        {split: found.lines for split, found in rows.items()},
        kind.schema(list(dict.fromkeys(name for t in tables.values() for name in t.column_names))),
    )


def _holds_data(path: Path, given: TextFormat | None) -> bool:
    if given is None and (saved.is_saved(path) or any(path.glob("*.parquet"))):
        return True
    return bool(layout.flat_files(path, given))


def _read_one(path: Path, given: TextFormat | None) -> OwnSplits:
    """Read a folder whose files are the data set."""
    if given is None and saved.is_saved(path):
        parts = saved.read_saved(path)
        return OwnSplits(
            str(path),
            {split: features for split, (features, _) in parts.items()},
            {split: table for split, (_, table) in parts.items()},
        )
    flat = layout.flat_files(path, given)
    if flat:
        return read_files(flat, given, str(path))
    if given is not None:
        raise LayoutError(f"{path} holds no files such as train{(*given.extensions, '')[0]}.")
    return _read_parquet(folder.split_files(path), str(path))


def _read_parquet(files: Mapping[str, list[Path]], where: str) -> OwnSplits:
    schema.check_not_empty(folder.rows_of(files), where)
    features = {
        split: _common_features(parts, f"{where}, split {split!r}")
        for split, parts in files.items()
    }
    return OwnSplits(
        where, features, {split: folder.table_of(parts) for split, parts in files.items()}
    )


def _common_features(parts: Sequence[Path], where: str) -> datasets.Features:
    first, *others = [folder.features_of(part) for part in parts]
    for features in others:
        schema.check_features(features, first, where)
    return first


def refuse_config(config: str | None) -> None:
    """Refuse a configuration of what has none.

    Args:
        config: The configuration.

    Raises:
        UnknownConfigError: If there is one.
    """
    if config is not None:
        raise UnknownConfigError(
            f"Found the configuration {config!r}, expected None: files have no configurations."
        )
