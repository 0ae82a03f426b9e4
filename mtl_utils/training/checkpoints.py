"""Checkpoints: written whole or not at all, read without running code from the file."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mtl_utils.data.whole_file import whole_file

#: Tells our files from others.
_FORMAT = "mtl_utils checkpoint"
_VERSION = 2
_PLAIN = (Tensor, str, bytes, bool, int, float, type(None))


class CheckpointError(OSError):
    """A checkpoint could not be written or read."""


class CheckpointWarning(RuntimeWarning):
    """A checkpoint could not be written, and training goes on without it."""


def save_checkpoint(path: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Write a checkpoint so that at any moment the file is the old one or the new one, whole.

    It is written beside the old one under the name ``<name>.tmp``, forced to the disk and moved
    into place. A process that is killed leaves the old checkpoint, and perhaps a ``.tmp`` that the
    next call overwrites.

    Args:
        path: Where to; missing folders are made.
        state: Tensors, numbers, strings and ``None``, in mappings, lists and tuples of them.

    Raises:
        CheckpointError: If it cannot be written, for example because the disk is full. What was
            at ``path`` is untouched.
        TypeError: If the state has an object that :func:`load_checkpoint` would refuse.
    """
    path = Path(path)
    _check_plain(state, "state")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            torch.save({"format": _FORMAT, "version": _VERSION, "state": dict(state)}, file)
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
        CheckpointError: If there is no such file, or it is damaged or something else.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            # What torch writes is a zip file, whose table of contents comes last.
            if not zipfile.is_zipfile(file):
                raise CheckpointError(
                    _not_ours(path, "It is truncated, or something else wrote it.")
                )
            file.seek(0)
            content = torch.load(file, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except FileNotFoundError as error:
        raise CheckpointError(
            errno.ENOENT, "There is no checkpoint here; check the path", str(path)
        ) from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(_not_ours(path, "Something else wrote it.")) from error
    except Exception as error:  # damaged bytes may raise anything
        raise CheckpointError(
            f"Could not read the checkpoint {path}: {_reason(error)}. If it is damaged, delete it "
            "to start afresh."
        ) from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise CheckpointError(_not_ours(path, f"It lacks the mark {_FORMAT!r}."))
    if content["version"] != _VERSION:
        raise CheckpointError(
            f"The checkpoint {path} has version {content['version']}, and this mtl_utils reads "
            f"version {_VERSION}. Use the release that wrote it, or delete it to start afresh."
        )
    state: dict[str, Any] = content["state"]
    return state


def _check_plain(value: Any, where: str) -> None:
    """Refuse what would be found unreadable only when the checkpoint is needed."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            _check_plain(key, f"a key of {where}")
            _check_plain(item, f"{where}[{key!r}]")
    elif type(value) in (list, tuple):
        for index, item in enumerate(value):
            _check_plain(item, f"{where}[{index}]")
    elif not isinstance(value, Tensor) and type(value) not in _PLAIN:
        raise TypeError(
            f"{where} is a {type(value).__name__}, which a checkpoint does not hold. Convert it "
            "to tensors, numbers, strings, or mappings, lists and tuples of them."
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


def _not_ours(path: Path, why: str) -> str:
    return (
        f"{path} is not a checkpoint of mtl_utils.training. {why} Give another path, or move the "
        "file away."
    )
