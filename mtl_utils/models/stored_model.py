"""A model as a folder: what it is made of as JSON, its weights beside it, whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.data.whole_file import whole_file

Model = TypeVar("Model", bound=torch_nn.Module)

CONTENT_FILE = "model.json"
_FORMAT = "mtl_utils model 1"


def write_model(
    folder: str | os.PathLike[str], content: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> None:
    """Write a model so that at any moment the folder holds the old one or the new one, whole.

    The file of weights is named by its contents and written first. The move of ``model.json``,
    which names it, into place is what turns the old model into the new one; only then the old
    weights are deleted. A process that is killed leaves at most files that no ``model.json`` names,
    which the next call deletes.

    Args:
        folder: Where to; it is made if it is missing.
        content: What the model is made of, as JSON can hold it.
        weights: Its tensors by name.

    Raises:
        FileExistsError: If there is a file where the folder should be.
        OSError: If it cannot be written, for example because the disk is full. What was in the
            folder is untouched.
        TypeError: If the content does not fit into JSON.
    """
    folder = Path(folder)
    # A view of a larger tensor would be written with all of it, and safetensors refuses it.
    data = safetensors.torch.save({k: v.detach().cpu().contiguous() for k, v in weights.items()})
    name = f"weights-{_digest(data)}.safetensors"
    described = {"format": _FORMAT, "weights": name, **content}
    text = json.dumps(described, ensure_ascii=False, indent=1) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    for file_name, content_bytes in ((name, data), (CONTENT_FILE, text.encode("utf-8"))):
        with whole_file(folder / file_name) as file:
            file.write(content_bytes)
    for path in folder.glob("weights-*.safetensors*"):
        if path.name != name:
            with contextlib.suppress(OSError):  # another process may have been faster
                path.unlink()


def read_model(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read what :func:`write_model` wrote, without running code from the files.

    Args:
        folder: The folder.

    Returns:
        What the model is made of, and its tensors by name, on the CPU.

    Raises:
        FileNotFoundError: If there is no model in the folder.
        ValueError: If a file is damaged, or something else.
    """
    path = Path(folder) / CONTENT_FILE
    if not path.is_file():
        raise FileNotFoundError(f"No model in {folder}: there is no {path}. Write one with save.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not JSON ({error}); expected what save wrote") from error
    if not isinstance(content, dict) or content.pop("format", None) != _FORMAT:
        raise ValueError(f"{path} holds no model; expected what save wrote, marked {_FORMAT!r}")
    return content, _read_weights(path.parent / str(content.pop("weights", "")))


def load_model(
    folder: str | os.PathLike[str], kind: str, make: Callable[[Mapping[str, Any]], Model]
) -> Model:
    """Make a model of what :func:`write_model` wrote, and put its weights into it.

    Args:
        folder: The folder.
        kind: What its content must have under ``"model"``.
        make: Makes the model from its content, with whatever weights.

    Returns:
        The model on the CPU, in the precision it was saved in and in evaluation mode.

    Raises:
        FileNotFoundError: If there is no model in the folder.
        ValueError: If a file is damaged, or holds something else.
    """
    content, weights = read_model(folder)
    if content.get("model") != kind:
        raise ValueError(f"{folder} holds a {content.get('model')!r}, not a {kind}")
    try:
        with torch.random.fork_rng(devices=[]):  # first weights are drawn, then overwritten
            model = make(content)
        # What is not among the weights, such as sinusoids, takes part in the same precision.
        model.to(next(tensor.dtype for tensor in weights.values()))
        model.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, RuntimeError, StopIteration) as error:
        raise ValueError(f"{folder} holds no usable {kind}: {error}") from error
    return model.eval()


def _read_weights(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no {path}, which {CONTENT_FILE} names. Copy the whole folder, or save the "
            "model again."
        )
    data = path.read_bytes()
    if _digest(data) not in path.name:
        raise ValueError(f"{path} is damaged: its contents are not those that its name promises")
    return safetensors.torch.load(data)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
