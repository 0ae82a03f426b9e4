"""Where data sets lie: the folder of local copies, and folders and files that a reader names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtl_utils.corpora.errors import DataNotFoundError

__all__ = ["DATA_DIRECTORY_VARIABLE", "copies", "existing", "files_by_split"]

#: Environment variable that names a folder of local copies.
DATA_DIRECTORY_VARIABLE = "MTL_DATA_DIR"


def existing(text: str) -> Path | None:
    """The folder or file that a text names, None where it names none, or no system can name it.

    Args:
        text: The text.
    """
    try:
        path = Path(text).expanduser()
        return path if text and path.exists() else None
    except (OSError, RuntimeError, ValueError):  # too long, no such user, a null character
        return None


def copies() -> Path | None:
    """The folder of local copies, None where the variable is not set.

    Raises:
        DataNotFoundError: If it names no folder.
    """
    value = os.environ.get(DATA_DIRECTORY_VARIABLE, "").strip()
    if not value:
        return None
    path = existing(value)
    if path is None or not path.is_dir():
        raise DataNotFoundError(
            f"{DATA_DIRECTORY_VARIABLE} is {value!r}, which is not a folder. Set it to the folder "
            "of local copies, or unset it to read from the network."
        )
    return path


def files_by_split(files: Mapping[Any, Any]) -> dict[str, Path]:
    """Check that splits are mapped to files.

    Args:
        files: The file of each split.

    Raises:
        TypeError: If a name or a file is of another type.
        DataNotFoundError: If there are none.
    """
    for split, path in files.items():
        if not isinstance(split, str) or not isinstance(path, str | os.PathLike):
            raise TypeError(
                "name_or_folder must map names of splits to files, as text or path, got "
                f"{split!r}: {path!r}"
            )
    if not files:
        raise DataNotFoundError(
            f"name_or_folder must have a file of at least one split, got {files!r}"
        )
    return {split: Path(path).expanduser() for split, path in files.items()}
