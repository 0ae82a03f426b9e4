"""Where an export is put, whole or not at all, and that what lies there is what was put."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def made_at(folder: str | os.PathLike[str], files: Set[str], content: str) -> Iterator[Path]:
    """Give an empty folder, and put it at its place once it is written.

    Args:
        folder: The place. An earlier export there, and nothing else, is replaced.
        files: Names of the files that an export may have.
        content: That of these which tells an export.

    Yields:
        The folder to write into.

    Raises:
        FileExistsError: If there is something else at the place.
    """
    target = Path(folder).resolve()  # what a link leads to is replaced, and not the link
    _check_free(target, files, content)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as temporary:
        place = Path(temporary) / "made"
        place.mkdir()
        yield place
        _put(place, target)


def _check_free(target: Path, files: Set[str], content: str) -> None:
    """Refuse a folder that holds something else, an earlier export beside it or not."""
    if not target.exists():
        return
    found = {path.name for path in target.iterdir()} if target.is_dir() else {target.name}
    strange = found - files if content in found else found
    if strange:
        raise FileExistsError(
            f"There is something else than an exported model in {target}: {min(strange)!r}; "
            "give another folder"
        )


def _put(place: Path, target: Path) -> None:
    """Move a finished folder to its place; what was there comes back if that fails."""
    if not target.exists():
        os.replace(place, target)
        return
    old = place.with_name("old")
    os.replace(target, old)
    try:
        os.replace(place, target)
    except OSError:
        os.replace(old, target)
        raise
    shutil.rmtree(old)


def check_files(place: Path, names: Sequence[str], digests: Mapping[str, str], int8: bool) -> None:
    """Refuse files that are not those which were exported.

    Args:
        place: The folder.
        names: Names of the files.
        digests: The SHA-256 of each file of the export.
        int8: Whether graphs of eight bits are among the names.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If one is another.
    """
    for name in names:
        if not (place / name).is_file():
            hint = f"export with int8={int8}" if int8 else "perhaps there is one of int8=True"
            raise FileNotFoundError(f"There is no {name} in {place}; {hint}")
        if sha256(place / name) != digests.get(name):
            raise ValueError(f"{place / name} is damaged: its SHA-256 is another; export it again")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file.

    Args:
        path: The file.
    """
    return hashlib.sha256(path.read_bytes()).hexdigest()
