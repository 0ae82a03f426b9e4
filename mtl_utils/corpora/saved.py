"""Data sets that ``save_to_disk`` wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

from mtl_utils.arguments import check_file_name
from mtl_utils.corpora.errors import BrokenFileError
from mtl_utils.files import parse_json

__all__ = ["is_saved", "read_saved"]

_SPLITS, _STATE, _INFO = "dataset_dict.json", "state.json", "dataset_info.json"


def is_saved(folder: Path) -> bool:
    """Whether a folder is one that ``save_to_disk`` wrote."""
    return (folder / _SPLITS).is_file() or (
        (folder / _STATE).is_file() and (folder / _INFO).is_file()
    )


def read_saved(folder: Path) -> dict[str, tuple[datasets.Features, pa.Table]]:
    """Read a ``Dataset`` or ``DatasetDict`` that ``save_to_disk`` wrote.

    Args:
        folder: The folder.

    Returns:
        Features and rows of each split; a ``Dataset`` alone is ``train`` unless it says otherwise.

    Raises:
        BrokenFileError: If it is damaged, or names files that are not in it.
    """
    if not (folder / _SPLITS).is_file():
        _check_files(folder)
        part = _read(folder)
        return {str(part.split or "train"): (part.features, _table(part, folder))}
    parts = {}
    for split in _names(folder / _SPLITS, "splits"):
        _check_files(folder / split)
        part = _read(folder / split)
        parts[split] = (part.features, _table(part, folder / split))
    return parts


def _names(path: Path, key: str) -> list[str]:
    """Names of files or folders beside a file of JSON, and never of others."""
    try:
        found = parse_json(path.read_bytes())
        listed: list[Any] = found[key]
        names = [item["filename"] if isinstance(item, dict) else item for item in listed]
        for name in names:
            check_file_name(key, name)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BrokenFileError(
            f"{path} is not what save_to_disk writes ({error}); save the data set again."
        ) from error
    return names


def _check_files(folder: Path) -> None:
    missing = [n for n in _names(folder / _STATE, "_data_files") if not (folder / n).is_file()]
    if missing:
        raise BrokenFileError(f"{folder}: found no {missing[0]}, expected it as {_STATE} says.")


def _read(folder: Path) -> datasets.Dataset:
    try:
        return datasets.Dataset.load_from_disk(str(folder), keep_in_memory=True)
    except (OSError, ValueError, TypeError, KeyError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
        raise BrokenFileError(
            f"{folder} cannot be read as saved by save_to_disk ({reason})."
        ) from (error)


def _table(part: datasets.Dataset, folder: Path) -> pa.Table:
    try:
        table: pa.Table = part.with_format("arrow")[:]
        table.validate(full=True)
    except pa.ArrowException as error:
        raise BrokenFileError(f"{folder} cannot be read: {error}") from error
    return table.replace_schema_metadata()
