"""Where an export is put: whole or not at all, and never over what is somebody else's."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Set
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
