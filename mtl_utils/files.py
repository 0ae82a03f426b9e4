"""Files that are whole, checked when they are read, and read without being trusted."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import secrets
import stat
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

try:
    import fcntl
except ImportError:  # Windows, where a file that another process has open cannot be removed
    fcntl = None  # type: ignore[assignment]

_DAY = 24 * 3600
_ATTEMPTS = 100
_FLAGS = os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
#: The first line of a JSON file of ours: a digest of everything after it.
_SIGNED = re.compile(rb'\{"digest": "([0-9a-f]{64})",\n')


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str], *, follow_links: bool = True) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its place only once it is whole and on the disk.

    At any moment the old file or the new one is there. It is written beside its place, under a name
    of its own and locked, so that several processes never write into one file: the last to finish
    wins. A process that is killed leaves such a file behind; the next call finds it without a lock
    and removes it. The new file keeps the permissions of the old one.

    Args:
        path: Where the file is to be, in a folder that exists.
        follow_links: Whether a link is followed: then the file it points to is written, and the
            link stays. Otherwise it is replaced by the file.

    Raises:
        OSError: If it cannot be written, or there is something else than a file at ``path``, or a
            file that must not be written. What was at ``path`` is untouched.
    """
    try:
        target = _target(path) if follow_links else Path(path)
        mode = _mode(target)
        remove_leftovers(target.parent, re.escape(_stem(target)))
        file, temporary = _open_beside(target, mode)
        try:
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                if fcntl is not None:  # while it is locked, so that nobody takes it for a leftover
                    os.replace(temporary, target)
            if fcntl is None:  # Windows does not move what is open
                os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = os.fspath(path)  # a full disk does not say of which file
        raise
    _sync_folder(target.parent)


def remove_leftovers(folder: Path, names: str) -> None:
    """Remove what killed processes left of files that they wrote with :func:`whole_file`.

    What another process is still writing is locked and stays, and so does everything that
    :func:`whole_file` would not call so.

    Args:
        folder: The folder.
        names: A regular expression of the names that the files were to have.
    """
    ours = re.compile(rf"\.(?:{names})\.[0-9a-f]{{16}}\.tmp")
    # A folder that cannot be read is found out when it is written into.
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for path in [entry.path for entry in entries if ours.fullmatch(entry.name)]:
            with contextlib.suppress(OSError):  # another process may have been faster
                _remove_if_abandoned(path)


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[bool]:
    """Keep other processes that ask for it out of a folder; a killed one holds nothing.

    Args:
        folder: The folder.

    Yields:
        Whether it is locked; where the system does not lock folders it is not.

    Raises:
        OSError: If another process has held it for minutes.
    """
    descriptor = None
    if fcntl is not None:
        with contextlib.suppress(OSError):  # who may write into a folder may perhaps not list it
            descriptor = os.open(folder, os.O_RDONLY)
    if descriptor is None:
        yield False
        return
    try:
        yield lock(descriptor, folder)
    finally:
        os.close(descriptor)


def lock(descriptor: int, path: Path, patience: float = 600.0) -> bool:
    """Lock an open file or folder for this process until it is closed.

    Args:
        descriptor: The file.
        path: Its name, for the message.
        patience: How many seconds to wait for others.

    Returns:
        Whether it is locked; where the system does not lock it, it is not.

    Raises:
        OSError: If another process has held it all the time.
    """
    end = time.monotonic() + patience
    while (locked := try_lock(descriptor)) is False:
        if time.monotonic() > end:
            message = f"Another process has been writing here for {patience:g} seconds"
            raise OSError(errno.ETIMEDOUT, message, str(path))
        time.sleep(0.02)
    return locked is True


def try_lock(descriptor: int) -> bool | None:
    """Lock an open file or folder until it is closed, unless another process has locked it.

    Args:
        descriptor: The file.

    Returns:
        Whether it is locked now; ``None`` where the system does not lock it.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network drives
        return None
    return True


def write_json(
    path: str | os.PathLike[str], content: Mapping[str, Any], indent: int | None = None
) -> None:
    """Write a file of JSON whole, with a digest of all that is in it.

    Args:
        path: Where to; see :func:`whole_file`.
        content: At least one entry; none is called ``"digest"``.
        indent: See :func:`json.dumps`.

    Raises:
        OSError: If it cannot be written. What was at ``path`` is untouched.
        TypeError: If the content does not fit into JSON.
        ValueError: If a number in it is not finite.
    """
    try:
        body = _body(content, indent, ensure_ascii=False)
    except UnicodeEncodeError:  # half of a character, which JSON can only spell out
        body = _body(content, indent, ensure_ascii=True)
    with whole_file(path) as file:
        file.write(b'{"digest": "%s",\n' % hashlib.sha256(body).hexdigest().encode())
        file.write(body)


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a file of JSON that :func:`write_json` or someone else wrote.

    Args:
        path: The file.

    Returns:
        The content. It has an entry ``"digest"`` if there was one, which has then been verified.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is not JSON, or a number is not finite, a name in it stands twice or it is
            nested too deeply; or if it is not what the digest was made of.
    """
    # What a version control system does to the ends of lines is no damage.
    data = Path(path).read_bytes().replace(b"\r\n", b"\n")
    signed = _SIGNED.match(data)
    if signed and hashlib.sha256(data[signed.end() :]).hexdigest() != signed[1].decode():
        raise ValueError(_damaged(path))
    try:
        content = parse_json(data)
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}); expected what save wrote") from error
    if not signed and isinstance(content, dict) and "digest" in content:
        raise ValueError(_damaged(path))
    return content


def parse_json(data: bytes) -> Any:
    """Parse JSON as the standard has it, and nothing that could mean two things.

    Args:
        data: The text, in UTF-8.

    Raises:
        ValueError: If it is not JSON, a number is not finite, a name stands twice in an object, or
            it is nested too deeply.
    """
    try:
        return json.loads(
            data.decode("utf-8"),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_object,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _target(path: str | os.PathLike[str]) -> Path:
    """Return what is to be replaced: where links end."""
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, "Links here point to one another", os.fspath(path))
    return target


def _stem(target: Path) -> str:
    """Return the start of the names of temporary files, which may not be longer than others."""
    return target.name[:50]


def _mode(target: Path) -> int | None:
    """Return the permissions of the file that is to be replaced, if there is one."""
    try:
        found = target.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found.st_mode):
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "There is a folder where the file is to be")
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "There is a device or a pipe where the file is to be")
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "Permission denied: the file is write-protected")
    return stat.S_IMODE(found.st_mode) & 0o777


def _open_beside(target: Path, mode: int | None) -> tuple[BinaryIO, Path]:
    """Open a new file in the same folder, under a name that is its own, and lock it."""
    for _ in range(_ATTEMPTS):
        temporary = target.with_name(f".{_stem(target)}.{secrets.token_hex(8)}.tmp")
        try:
            # The umask takes away from 0o666 what it takes from every new file.
            descriptor = os.open(temporary, os.O_WRONLY | _FLAGS, 0o666 if mode is None else mode)
        except FileExistsError:
            continue
        except FileNotFoundError:
            raise FileNotFoundError(
                errno.ENOENT, "There is no such folder", str(target.parent)
            ) from None
        except OSError as error:
            error.filename = str(target)
            raise
        # Before it was locked another process may have taken it for a leftover.
        if try_lock(descriptor) is not False and os.path.lexists(temporary):
            if mode is not None and hasattr(os, "fchmod"):
                with contextlib.suppress(OSError):  # some network drives
                    os.fchmod(descriptor, mode)
            return os.fdopen(descriptor, "wb"), temporary
        os.close(descriptor)
    raise OSError(errno.EEXIST, "No name for a temporary file is free", str(target.parent))


def _remove_if_abandoned(path: str) -> None:
    if fcntl is None:
        if time.time() - os.lstat(path).st_mtime > _DAY:
            os.unlink(path)
        return
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags)
    try:
        found = os.fstat(descriptor)
        ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
        if ours and try_lock(descriptor):
            os.unlink(path)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make the move itself survive a power cut, where the system can."""
    # Windows opens no folders and some network drives sync none; the file is in place either way.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _body(content: Mapping[str, Any], indent: int | None, ensure_ascii: bool) -> bytes:
    """Return JSON without its opening brace."""
    text = json.dumps(content, ensure_ascii=ensure_ascii, indent=indent, allow_nan=False)
    return (text[1:].lstrip("\n") + "\n").encode("utf-8")


def _damaged(path: str | os.PathLike[str]) -> str:
    return (
        f"{path} is damaged, or was edited: it is not what its digest was made of. Copy it again, "
        "or save it again."
    )


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text:.40} is too large a number")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"{twice!r} stands twice in an object")
    return found
