"""Checkpoints: written whole or not at all, verified, and read without running code from them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from mtl_utils.arguments import check_kind, check_path
from mtl_utils.files import whole_file

#: Tells our files from others. A version follows, and the end of the line.
_MARK = b"mtl_utils checkpoint "
_VERSION = 2
#: What follows the first line: the size of the rest in bytes and its SHA-256. The rest is what
#: ``torch.save`` makes of the state.
_SEAL = struct.Struct(">Q32s")
_PLAIN = (Tensor, str, bytes, bool, int, float, type(None))


class CheckpointError(OSError):
    """A checkpoint could not be written or read."""


class CheckpointWarning(RuntimeWarning):
    """A checkpoint could not be written, and training goes on without it."""


def save_checkpoint(path: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Write a checkpoint so that at any moment the file is the old one or the new one, whole.

    It is written beside the old one under a name of its own, ``.<name>.<16 digits>.tmp``, forced to
    the disk and moved into place. A process that is killed leaves the old checkpoint, and perhaps
    such a file, which the next call removes. The file starts with a digest of all that it holds,
    which :func:`load_checkpoint` verifies.

    Args:
        path: Where to; missing folders are made. If it is a link, the file it points to is
            replaced.
        state: Tensors, numbers, strings and ``None``, in dictionaries, lists and tuples of them.

    Raises:
        CheckpointError: If it cannot be written, for example because the disk is full. What was
            at ``path`` is untouched.
        TypeError: If the state is no mapping, or has an object that :func:`load_checkpoint` would
            refuse; or the path is none.
        ValueError: If the path is empty.
    """
    check_path("path", path)
    check_kind("state", state, Mapping, "a mapping")
    path = Path(path)
    state = dict(state)
    try:
        _check_plain(state, "state")
    except RecursionError:
        raise TypeError("state is nested too deeply for a checkpoint, or contains itself") from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            _write(file, state)
    except (OSError, RuntimeError) as error:
        # torch reports a write that failed below it as a RuntimeError.
        raise CheckpointError(_write_failure(path, error)) from error


def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a checkpoint; tensors come back on the CPU.

    Args:
        path: What :func:`save_checkpoint` wrote.

    Returns:
        The state.

    Raises:
        CheckpointError: If there is no such file, or a single bit of it is not what was written, or
            something else wrote it.
        TypeError: If the path is none.
        ValueError: If it is empty.
    """
    check_path("path", path)
    path = Path(path)
    try:
        # Opening a pipe would wait for someone to write into it.
        if not stat.S_ISREG(path.stat().st_mode):
            raise CheckpointError(
                f"Could not read the checkpoint {path}: it is no file. Give another path."
            )
        with path.open("rb") as file:
            _verify(file, path)
            content = torch.load(file, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except FileNotFoundError as error:
        raise CheckpointError(
            errno.ENOENT, "There is no checkpoint here; check the path", str(path)
        ) from error
    except Exception as error:  # a file that was made to look like ours may raise anything
        raise CheckpointError(
            f"Could not read the checkpoint {path}: {_reason(error)}. If it is damaged, delete it "
            "to start afresh."
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(_not_ours(path, f"It holds a {type(content).__name__}."))
    return content


@contextlib.contextmanager
def checked_parts(path: Path) -> Iterator[None]:
    """Say of which file it is, if a state that was read lacks a part or has another in its place.

    Args:
        path: The file.

    Raises:
        CheckpointError: If what is done with the state fails, in whatever way.
    """
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:  # parts that are not what they should be may raise anything
        what = f"it lacks {error}" if isinstance(error, KeyError) else _reason(error)
        raise CheckpointError(
            f"The checkpoint {path} is not that of a run, or of another release: {what}. Give "
            "another path, or delete the file to start afresh."
        ) from error


class _Digested:
    """A file that is written through a digest."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.digest = file, hashlib.sha256()

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()


def _write(file: BinaryIO, state: dict[str, Any]) -> None:
    """Write the state, then before it what it must turn out to be."""
    file.write(_MARK + b"%d\n" % _VERSION)
    start = file.tell()
    file.write(bytes(_SEAL.size))
    digested = _Digested(file)
    torch.save(state, digested)  # type: ignore[arg-type]
    size = file.tell() - start - _SEAL.size
    file.seek(start)
    file.write(_SEAL.pack(size, digested.digest.digest()))


def _verify(file: BufferedReader, path: Path) -> None:
    """Read the start of a file and compare the rest with it; leave the file after the start."""
    line = file.readline(len(_MARK) + 10)
    if not line.startswith(_MARK):
        if _is_of_version_1(file):
            raise CheckpointError(_other_version(path, "1"))
        raise CheckpointError(_not_ours(path, "It is truncated, or something else wrote it."))
    if line != _MARK + b"%d\n" % _VERSION:
        version = line[len(_MARK) :].decode("latin-1").rstrip("\n")
        raise CheckpointError(_other_version(path, repr(version)))
    seal = file.read(_SEAL.size)
    start = file.tell()
    found = file.seek(0, os.SEEK_END) - start
    size, digest = _SEAL.unpack(seal) if len(seal) == _SEAL.size else (found + 1, b"")
    if found != size:
        what = "is truncated" if found < size else "has more at its end than was written"
        raise CheckpointError(_damaged(path, what))
    file.seek(start)
    if hashlib.file_digest(file, "sha256").digest() != digest:
        raise CheckpointError(_damaged(path, "is not what was written"))
    file.seek(start)


def _is_of_version_1(file: BinaryIO) -> bool:
    """Tell files of the first version, without unpickling what nothing vouches for."""
    try:
        with zipfile.ZipFile(file) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            return b"mtl_utils checkpoint" in archive.open(name).read(1000)
    except Exception:  # whatever a file of others may raise
        return False


def _check_plain(value: Any, where: str) -> None:
    """Refuse what would be found unreadable only when the checkpoint is needed."""
    if type(value) in (dict, OrderedDict):
        for key, item in value.items():
            _check_plain(key, f"a key of {where}")
            _check_plain(item, f"{where}[{key!r}]")
    elif type(value) in (list, tuple):
        for index, item in enumerate(value):
            _check_plain(item, f"{where}[{index}]")
    elif not isinstance(value, Tensor) and type(value) not in _PLAIN:
        raise TypeError(
            f"{where} is a {type(value).__name__}, which a checkpoint does not hold: "
            f"{value!r:.60}. Convert it to tensors, numbers, strings, or dictionaries, lists and "
            "tuples of them."
        )


def _write_failure(path: Path, error: BaseException) -> str:
    previous = (
        "The previous checkpoint is untouched."
        if path.exists()
        else "There is no previous checkpoint."
    )
    return (
        f"Could not write the checkpoint {path}: {_reason(error)}. {_free_space(path.parent)} "
        f"{previous} Make room, or write to another folder."
    )


def _reason(error: BaseException) -> str:
    """Return the first line of what went wrong; torch adds a stack of its own."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0].rstrip(".")


def _free_space(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder).free:,} bytes are free there."
    except OSError:
        return "How much space is free there could not be found out."


def _damaged(path: Path, how: str) -> str:
    return f"The checkpoint {path} {how}. Delete it to start afresh, or put back a copy of it."


def _other_version(path: Path, version: str) -> str:
    return (
        f"The checkpoint {path} has version {version}, and this mtl_utils reads version "
        f"{_VERSION}. Finish the run with the release that wrote it, or delete it to start afresh."
    )


def _not_ours(path: Path, why: str) -> str:
    return (
        f"{path} is not a checkpoint of mtl_utils.training. {why} Give another path, or move the "
        "file away."
    )
