"""The journal of a search on disk, and who is at work on it."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from mtl_utils import files
from mtl_utils.tuning.needs import optuna

JOURNAL, SESSIONS = "journal.log", "sessions"
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)


def journal_storage(folder: Path) -> Any:
    """Return Optuna's storage in a file of a folder, which survives processes that are killed.

    Optuna's own lock of a journal is a file that a killed process leaves behind, for which others
    wait half a minute; and the half of a line that it may leave makes the next one unreadable. The
    lock here is the system's, which falls with the process, and whoever takes it removes what is
    half written.

    Args:
        folder: The folder.

    Raises:
        ImportError: If Optuna is not installed.
        OSError: If the file cannot be made.
    """
    journal = optuna().storages.journal
    path = folder / JOURNAL
    # Where the system locks no files there is Optuna's own lock.
    lock = _SystemLock(path) if files.fcntl is not None else None
    return optuna().storages.JournalStorage(journal.JournalFileBackend(str(path), lock_obj=lock))


def holds(storage: Any, name: str) -> bool:
    """Tell whether a study is in a storage: its directions are then its own.

    Args:
        storage: Optuna's storage, if there is one.
        name: Of the study.
    """
    return storage is not None and any(s.study_name == name for s in storage.get_all_studies())


class _SystemLock:
    """A lock in the form that Optuna's journal wants, which no killed process holds.

    Args:
        path: The journal.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor: int | None = None

    def acquire(self) -> bool:
        descriptor = os.open(self.path, _FLAGS, 0o666)
        try:
            files.lock(descriptor, self.path)
            _cut_half_a_line(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self.descriptor = descriptor
        return True

    def release(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def _cut_half_a_line(descriptor: int) -> None:
    """Remove what stands after the last end of a line."""
    end = os.lseek(descriptor, 0, os.SEEK_END)
    whole = end
    while whole:
        start = max(0, whole - 4096)
        os.lseek(descriptor, start, os.SEEK_SET)
        found = os.read(descriptor, whole - start).rfind(b"\n")
        if found >= 0:
            whole = start + found + 1
            break
        whole = start
    if whole < end:
        os.ftruncate(descriptor, whole)


class Session:
    """One process at work on a search, for as long as it lives.

    Args:
        folder: Folder of the search.

    Attributes:
        number: Which it is, from 0 on; no two sessions of a search have the same.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / SESSIONS
        self.folder.mkdir(parents=True, exist_ok=True)
        for number in count(len(list(self.folder.iterdir()))):
            with suppress(FileExistsError):
                path = self.folder / str(number)
                self._descriptor: int | None = os.open(path, _FLAGS | os.O_EXCL, 0o666)
                self.number = number
                break
        assert self._descriptor is not None
        files.lock(self._descriptor, path)

    def lives(self, number: int) -> bool:
        """Tell whether the process of a session is there; where that cannot be told, it is.

        Args:
            number: Number of the session.
        """
        if number == self.number:
            return self._descriptor is not None
        try:
            descriptor = os.open(self.folder / str(number), os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            return files.try_lock(descriptor) is not True
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """End the session."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
