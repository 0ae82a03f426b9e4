"""Local copies: ``<folder>/<config>/<split>-00000-of-00001.parquet``."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

from mtl_utils.corpora import schema
from mtl_utils.corpora.errors import (
    BrokenFileError,
    DataNotFoundError,
    LayoutError,
    SchemaError,
    UnknownConfigError,
)

__all__ = [
    "check_split_name",
    "choose_config",
    "configs_of",
    "features_of",
    "in_memory",
    "rows_of",
    "split_files",
    "table_of",
]

_SPLIT_NAME = re.compile(r"\w+(?:\.\w+)*")
_FILE_NAME = re.compile(r"(?P<split>\w+(?:\.\w+)*)-(?P<shard>\d{5})-of-(?P<shards>\d{5})\.parquet")
_LAYOUT = "<config>/<split>-00000-of-00001.parquet"
_FIRST_SPLITS = ("train", "validation", "test")


def configs_of(folder: Path, holds_data: Callable[[Path], bool] | None = None) -> list[str]:
    """Configurations of a data set folder: its subfolders that hold data.

    Args:
        folder: The folder.
        holds_data: Whether a folder holds data of other formats, which counts where no subfolder
            holds parquet files.
    """
    if not folder.is_dir():
        return []
    found = [child.name for child in folder.iterdir() if any(child.glob("*.parquet"))]
    if not found and holds_data is not None:
        folders = [child for child in folder.iterdir() if child.is_dir()]
        found = [child.name for child in folders if holds_data(child)]
    return sorted(found)


def choose_config(
    folder: Path, config: str | None, holds_data: Callable[[Path], bool] | None = None
) -> str:
    """Decide which configuration of a folder to read.

    Args:
        folder: Folder of the data set.
        config: Name asked for; None takes the only one, or ``default``.
        holds_data: See :func:`configs_of`.

    Raises:
        DataNotFoundError: If the folder does not exist.
        LayoutError: If it has no configuration.
        UnknownConfigError: If it has not the one asked for, or several and none was named.
    """
    if not folder.is_dir():
        raise DataNotFoundError(f"{folder} is not a folder; expected one laid out as {_LAYOUT}.")
    available = configs_of(folder, holds_data)
    if not available:
        raise LayoutError(_no_config_message(folder))
    if config in available:
        return str(config)
    listed = ", ".join(available)
    if config is not None:
        raise UnknownConfigError(f"{folder} has no configuration {config!r}. It has: {listed}.")
    if len(available) == 1:
        return available[0]
    if "default" in available:
        return "default"
    raise UnknownConfigError(f"{folder} has several configurations; name one of: {listed}.")


def _no_config_message(folder: Path) -> str:
    return (
        f"{folder} holds no parquet files laid out as {_LAYOUT}, no files such as train.csv, "
        "dev.jsonl or test.conllu, and nothing that save_to_disk wrote. Files of other names load "
        "as load({'train': ..., 'test': ...}); where ends do not tell how to read them, such as in "
        "train.txt, say it by format."
    )


def check_split_name(split: str, where: Path) -> None:
    """Refuse a name of a split that ``datasets`` keeps for itself, or cannot have.

    Args:
        split: The name.
        where: What was read, for the message.

    Raises:
        LayoutError: If it is one.
    """
    if split == "all":
        raise LayoutError(
            f"{where}: found a split named 'all', which `datasets` keeps for the union of all "
            "splits; expected another name."
        )
    if not _SPLIT_NAME.fullmatch(split):
        raise LayoutError(
            f"{where}: found a split named {split!r}, expected letters, digits, '_' and '.'."
        )


def split_files(folder: Path) -> dict[str, list[Path]]:
    """Files of each split of one configuration, train, validation and test first.

    Args:
        folder: Folder of the configuration.

    Raises:
        LayoutError: If a parquet file is named otherwise, or a part of a split is missing.
    """
    parts: dict[str, dict[int, Path]] = {}
    sizes: dict[str, set[int]] = {}
    for path in sorted(folder.glob("*.parquet")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise LayoutError(
                f"{path}: found a parquet file of this name, expected "
                "<split>-00000-of-00001.parquet, the split in letters, digits, '_' and '.'."
            )
        parts.setdefault(match["split"], {})[int(match["shard"])] = path
        sizes.setdefault(match["split"], set()).add(int(match["shards"]))
    for split, found in parts.items():
        check_split_name(split, folder)
        if len(sizes[split]) > 1 or sorted(found) != list(range(max(sizes[split]))):
            names = ", ".join(path.name for path in found.values())
            raise LayoutError(
                f"{folder}, split {split!r}: found the files {names}; expected all parts "
                f"of one split, 00000 to {max(sizes[split]) - 1:05d}."
            )
    order = [split for split in _FIRST_SPLITS if split in parts]
    order += [split for split in parts if split not in order]
    return {split: [parts[split][index] for index in sorted(parts[split])] for split in order}


@contextlib.contextmanager
def _reading(path: Path | str) -> Iterator[None]:
    """Turn what the parquet library raises into one clear error."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BrokenFileError(
            f"{path} cannot be read as parquet ({reason}). If it is damaged or cut short, copy it "
            "again."
        ) from error


def rows_of(files: Mapping[str, list[Path]]) -> dict[str, int]:
    """Rows of each split, from the files' footers.

    Raises:
        BrokenFileError: If a file is not readable.
    """
    rows = {}
    for split, paths in files.items():
        rows[split] = 0
        for path in paths:
            with _reading(path):
                rows[split] += pq.read_metadata(path).num_rows
    return rows


def features_of(path: Path) -> datasets.Features:
    """Features of one file: those its metadata declare, checked against what it holds.

    Raises:
        BrokenFileError: If the file is not readable.
        SchemaError: If it declares other columns or types than it holds.
    """
    with _reading(path):
        held = pq.read_schema(path)
    declared = _declared_features(held, path)
    if len(set(held.names)) < len(held.names):
        raise SchemaError(f"{path}: found the columns {held.names}, expected each name once.")
    if declared is None:
        with _reading(path):
            return datasets.Features.from_arrow_schema(held.remove_metadata())
    if set(declared) != set(held.names):
        raise SchemaError(
            f"{path}: found the columns {held.names}, expected {list(declared)} as the file's own "
            "metadata declare."
        )
    types = declared.arrow_schema
    for name in held.names:
        found, expected = (schema.physical_kind(s.field(name).type) for s in (held, types))
        if found != expected:
            raise SchemaError(
                f"{path}, column {name!r}: found {found}, expected "
                f"{schema.describe(declared[name])} as the file's own metadata declare."
            )
    return datasets.Features({name: declared[name] for name in held.names})


def _declared_features(held: pa.Schema, path: Path) -> datasets.Features | None:
    """Features that the metadata declare, None where they declare none."""
    try:
        metadata = json.loads((held.metadata or {}).get(b"huggingface", b"{}"))
        declared: dict[str, Any] | None = (metadata.get("info") or {}).get("features")
        return datasets.Features.from_dict(declared) if declared else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SchemaError(
            f"{path}: found metadata that do not describe features ({error}); expected those that "
            "`datasets` writes, or none."
        ) from error


def table_of(paths: list[Path]) -> pa.Table:
    """Rows of one split, read whole; where the files have checksums of pages, they must be right.

    Raises:
        BrokenFileError: If a file is not readable.
    """
    tables = []
    for path in paths:
        with _reading(path):
            table = pq.read_table(path, partitioning=None, page_checksum_verification=True)
            table.validate(full=True)  # texts that are no UTF-8 would only be noticed when read
            tables.append(table.replace_schema_metadata())
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables, promote_options="permissive")


def in_memory(tables: Mapping[str, pa.Table], features: datasets.Features) -> datasets.DatasetDict:
    """Make checked rows a data set: the very rows that were checked, read once.

    Args:
        tables: Rows of each split.
        features: Features that they get; columns are put in this order.
    """
    return datasets.DatasetDict(
        {
            split: datasets.Dataset(
                datasets.table.table_cast(table.select(list(features)), features.arrow_schema),
                info=datasets.DatasetInfo(features=features),
                split=datasets.NamedSplit(split),
            )
            for split, table in tables.items()
        }
    )
