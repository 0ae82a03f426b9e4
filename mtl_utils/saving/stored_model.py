"""A model as a folder: what it is made of as JSON, its weights beside it, whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from mtl_utils.arguments import check_path
from mtl_utils.files import locked_folder, read_json, remove_leftovers, whole_file, write_json

CONTENT_FILE = "model.json"
_FORMAT = "mtl_utils model 2"
#: Without a digest of ``model.json``; still read.
_OLD_FORMAT = "mtl_utils model 1"
_WEIGHTS_NAME = r"weights-[0-9a-f]{16}\.safetensors"
#: How often a reader that a writer keeps overtaking tries again.
_ATTEMPTS = 100


def write_model(
    folder: str | os.PathLike[str], content: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> None:
    """Write a model so that at any moment the folder holds the old one or the new one, whole.

    The file of weights is named by its contents and written first. The move of ``model.json``,
    which names it and has a digest of its own contents, into place is what turns the old model into
    the new one; only then the old weights are deleted. A process that is killed leaves at most
    files that no ``model.json`` names, which the next call deletes. It deletes nothing else: what
    is not named like weights, or does not hold what its name says, is not ours.

    Args:
        folder: Where to; it is made if it is missing.
        content: What the model is made of, as JSON can hold it.
        weights: Its tensors by name.

    Raises:
        FileExistsError: If there is a file where the folder should be.
        OSError: If it cannot be written, for example because the disk is full. What was in the
            folder is untouched.
        TypeError: If the content does not fit into JSON.
        ValueError: If a number in the content is not finite.
    """
    check_path("folder", folder)
    folder = Path(folder)
    data = safetensors.torch.save(_apart(weights))
    name = f"weights-{_digest(data)}.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    with locked_folder(folder) as alone:
        previous = _named_weights(folder)
        # Weights that no model.json names may be those that another process is about to name.
        if alone:
            remove_leftovers(folder, _WEIGHTS_NAME)
        if alone and previous:
            _remove_unnamed(folder, previous)
        # The name is ours to choose, so a link of that name is not one that somebody wants kept.
        with whole_file(folder / name, follow_links=False) as file:
            file.write(data)
        described = {"format": _FORMAT, "weights": name, **content}
        write_json(folder / CONTENT_FILE, described, indent=1)
        if previous and previous != name:
            with contextlib.suppress(OSError):  # it may have been missing
                (folder / previous).unlink()
        if alone:
            _remove_unnamed(folder, name)


def read_model(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read what :func:`write_model` wrote, without running code from the files.

    Nothing outside the folder is read. Another process may write the folder meanwhile: what is
    read is one of its models, whole.

    Args:
        folder: The folder.

    Returns:
        What the model is made of, and its tensors by name, on the CPU.

    Raises:
        FileNotFoundError: If there is no model in the folder.
        ValueError: If a file is damaged, or something else.
    """
    check_path("folder", folder)
    folder = Path(folder)
    content = _read_content(folder)
    for _ in range(_ATTEMPTS):
        try:
            data = _read_weights(folder, content["weights"])
            break
        except FileNotFoundError:
            # A writer deletes the old weights once model.json names the new ones.
            old, content = content, _read_content(folder)
            if content["weights"] == old["weights"]:
                raise
    else:
        raise ValueError(f"{folder} was written again {_ATTEMPTS} times while it was read")
    try:
        weights = safetensors.torch.load(data)
    except Exception as error:  # the library raises one of its own, and others
        raise ValueError(
            f"{folder / content['weights']} holds no weights ({error}); expected what save wrote"
        ) from error
    for name in ("format", "weights", "digest"):
        content.pop(name, None)
    return content, weights


def part(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a part of what a model is made of.

    Args:
        content: What it is made of.
        name: The name of the part.

    Raises:
        ValueError: If there is no such part, or it is no mapping of names.
    """
    if name not in content:
        raise ValueError(f"{name!r} is missing in {CONTENT_FILE}")
    found = content[name]
    if not isinstance(found, dict):
        raise ValueError(f"{name!r} in {CONTENT_FILE} must be an object, got {found!r:.60}")
    return found


def _read_content(folder: Path) -> dict[str, Any]:
    """Read ``model.json``, and check all but what the kind of model puts there."""
    path = folder / CONTENT_FILE
    if not path.is_file():
        raise FileNotFoundError(f"No model in {folder}: there is no {path}. Write one with save.")
    content = read_json(path)
    marks = (_FORMAT, _OLD_FORMAT)
    if not isinstance(content, dict) or content.get("format") not in marks:
        raise ValueError(f"{path} holds no model; expected what save wrote, marked {_FORMAT!r}")
    if content["format"] == _FORMAT and "digest" not in content:
        raise ValueError(f"{path} is damaged: it lacks the digest that save wrote")
    name = content.get("weights")
    if not isinstance(name, str) or not re.fullmatch(_WEIGHTS_NAME, name):
        raise ValueError(
            f"{path} names no file of weights in its folder: expected 'weights-', 16 hexadecimal "
            f"digits and '.safetensors', got {name!r:.60}"
        )
    return content


def _read_weights(folder: Path, name: str) -> bytes:
    path = folder / name
    if path.is_symlink() and path.resolve().parent != folder.resolve():
        raise ValueError(
            f"{path} is a link that leads out of its folder, where nothing is read. Put the file "
            "itself there."
        )
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would keep the reader waiting
            raise ValueError(f"{path} is no file; expected weights that save wrote")
        data = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"There is no {path}, which {CONTENT_FILE} names. Copy the whole folder, or save the "
            "model again."
        ) from None
    if _digest(data) not in path.name:
        raise ValueError(f"{path} is damaged: its contents are not those that its name promises")
    return data


def _named_weights(folder: Path) -> str | None:
    """Return the weights of the model that is to be replaced."""
    try:
        return str(_read_content(folder)["weights"])
    except (OSError, ValueError):
        return None


def _remove_unnamed(folder: Path, named: str) -> None:
    """Remove weights that killed processes left behind, not files that are only named like them."""
    for path in folder.iterdir():
        if not re.fullmatch(_WEIGHTS_NAME, path.name) or path.name == named:
            continue
        with contextlib.suppress(OSError):  # another process may have been faster
            if stat.S_ISREG(path.lstat().st_mode):
                with path.open("rb") as file:
                    ours = hashlib.file_digest(file, "sha256").hexdigest()[:16] in path.name
                if ours:
                    path.unlink()


def _apart(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights that share no memory, which safetensors refuses; nor views of larger ones."""
    found: dict[str, Tensor] = {}
    places: set[int] = set()
    for name, weight in weights.items():
        tensor = weight.detach().cpu().contiguous()
        place = tensor.untyped_storage().data_ptr()
        found[name] = tensor.clone() if place in places else tensor
        places.add(place)
    return found


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
