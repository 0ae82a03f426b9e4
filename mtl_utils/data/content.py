"""Digests of data by content: the same numbers give the same digest, in whatever they are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import chain, islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtl_utils.data.batch import Batch
from mtl_utils.data.examples import Example
from mtl_utils.data.loading import Loader

#: What a description is made of.
Plain = str | int | float | bool | None

#: 128 bits: what differs has another digest, for all that anyone will ever train on.
_DIGITS = 32

# Fields that came after checkpoints had been written: where none has them, digests are as before.
_LATER = ("language_id", "language_ids", "picture", "pictures", "has_picture")


def text_digest(text: str) -> str:
    """Return the digest of a text.

    Args:
        text: The text.
    """
    return _digest(text.encode("utf-8", "surrogatepass"))


def tensor_digest(tensor: Tensor) -> str:
    """Return the digest of a tensor: of its type, its shape and its bytes.

    Args:
        tensor: On any device.
    """
    kind = f"{tensor.dtype} {list(tensor.shape)}"
    whole = tensor.detach().cpu()
    if whole.layout is not torch.strided:
        whole = whole.to_dense()
    return _digest(kind.encode(), whole.contiguous().view(-1).view(torch.uint8).numpy())


def rows_digest(rows: Sequence[Any]) -> str:
    """Return the digest of rows of numbers or texts, nested to any depth.

    Lists, tuples, arrays and tensors of the same numbers have the same digest, since they make the
    same batch.

    Args:
        rows: The rows; ``None`` may stand for any of them.
    """
    hasher = _hasher()
    _add_rows(hasher, list(rows))
    return _hexadecimal(hasher)


def examples_digest(examples: Sequence[Example]) -> str:
    """Return the digest of examples: of their ids, their labels and their order.

    Args:
        examples: The examples.
    """
    hasher = _hasher()
    names = [field.name for field in fields(Example)]
    for name in names:
        column = [getattr(example, name) for example in examples]
        if name in _LATER and all(value is None for value in column):
            continue
        hasher.update(f"\0{name}\0".encode())
        if name == "picture":
            _add_pictures(hasher, column)
        elif any(isinstance(value, Mapping) for value in column):
            _add_mappings(hasher, column)
        else:
            _add_rows(hasher, column)
    return _hexadecimal(hasher)


def loader_content(loader: Loader) -> dict[str, Plain]:
    """Return what tells the data of a loader from others, by name.

    A loader says so itself by a method ``digest``. Of one that has none, the whole first epoch is
    read; likewise where the method was inherited, since it knows nothing of what the subclass does.
    A method ``once`` is read to its end too.

    Args:
        loader: The loader.

    Raises:
        TypeError: If its ``digest`` returns neither a text nor plain values by name.
    """
    offered = getattr(loader, "digest", None)
    content = {} if offered is None else _offered(offered(), type(loader).__name__)
    if "digest" in vars(type(loader)) or "digest" in getattr(loader, "__dict__", {}):
        return content
    content["num_batches"] = loader.num_batches
    content["first epoch"] = _epoch_digest(islice(loader.batches(0), loader.num_batches))
    once = getattr(loader, "once", None)  # what is measured, where an epoch is something else
    return content if once is None else {**content, "all rows": _epoch_digest(once())}


def _offered(content: Any, kind: str) -> dict[str, Plain]:
    if isinstance(content, str | int):
        return {"content": content}
    if isinstance(content, Mapping) and all(isinstance(v, Plain) for v in content.values()):
        return {str(name): value for name, value in content.items()}
    raise TypeError(
        f"Expected digest() of {kind} to return a text, or plain values by name, got "
        f"{content!r:.60}"
    )


def parts_content(loaders: Sequence[Loader]) -> dict[str, Plain]:
    """Return what tells several loaders from others, by name.

    Args:
        loaders: The loaders, in their order.
    """
    return {
        f"part {number}: {name}": value
        for number, loader in enumerate(loaders, 1)
        for name, value in loader_content(loader).items()
    }


def _epoch_digest(steps: Iterable[Batch | Mapping[str, Batch]]) -> str:
    hasher = _hasher()
    for batches in steps:
        by_task = {"": batches} if isinstance(batches, Batch) else batches
        known: dict[int, str] = {}  # tasks may share a batch
        for task, batch in by_task.items():
            if id(batch) not in known:
                known[id(batch)] = _batch_digest(batch)
            hasher.update(f"{task}\0{known[id(batch)]}\0".encode())
    return f"digest {_hexadecimal(hasher)}"


def _batch_digest(batch: Batch) -> str:
    given = {field.name: getattr(batch.inputs, field.name) for field in fields(batch.inputs)}
    tensors = {n: value for n, value in given.items() if n not in _LATER or value is not None}
    tensors |= {f"labels of {task}": labels for task, labels in batch.labels.items()}
    named = (
        f"{name}\0{tensor_digest(value) if isinstance(value, Tensor) else repr(value)}\0"
        for name, value in tensors.items()
    )
    return text_digest("".join(named))


def _add_mappings(hasher: Any, column: Sequence[Mapping[str, Any] | None]) -> None:
    """Add one mapping a row, key by key, and which row has which keys in which order."""
    given = [{} if row is None else row for row in column]
    kinds: dict[tuple[str, ...], int] = {}
    codes = [kinds.setdefault(tuple(row), len(kinds)) for row in given]
    hasher.update(repr(list(kinds)).encode())
    _add_rows(hasher, codes)
    for name in dict.fromkeys(key for kind in kinds for key in kind):
        hasher.update(f"\0{name}\0".encode())
        _add_rows(hasher, [row[name] for row in given if name in row])


def _add_pictures(hasher: Any, column: Sequence[Any]) -> None:
    """Add pictures by their bytes, since lists of their numbers take long."""
    for picture in column:
        shape = () if picture is None else picture.shape
        hasher.update(repr(shape).encode())
        if picture is not None:
            hasher.update(np.ascontiguousarray(picture))


def _add_rows(hasher: Any, rows: list[Any]) -> None:
    """Add rows level by level: which are missing, how long each is, then all that is in them."""
    kinds = set(map(type, rows))
    if type(None) in kinds:
        hasher.update(b"missing" + np.array([row is None for row in rows]).tobytes())
        rows = [row for row in rows if row is not None]
        kinds.discard(type(None))
    if any(issubclass(kind, np.ndarray | np.generic | Tensor) for kind in kinds):
        rows = [row.tolist() if hasattr(row, "tolist") else row for row in rows]
        kinds = set(map(type, rows))
    if kinds and all(issubclass(kind, list | tuple) for kind in kinds):
        hasher.update(b"lengths" + np.fromiter(map(len, rows), np.int64, len(rows)).tobytes())
        _add_rows(hasher, list(chain.from_iterable(rows)))
    elif kinds == {str}:
        hasher.update(b"lengths" + np.fromiter(map(len, rows), np.int64, len(rows)).tobytes())
        hasher.update("".join(rows).encode("utf-8", "surrogatepass"))
    else:
        hasher.update(_leaves(rows, kinds))


def _leaves(rows: list[Any], kinds: set[type]) -> bytes:
    if kinds == {int}:
        try:
            return b"integers" + np.array(rows, np.int64).tobytes()
        except OverflowError:
            pass
    if kinds == {float}:
        return b"floats" + np.array(rows, np.float64).tobytes()
    return b"others" + repr([_unnested(row) for row in rows]).encode("utf-8", "surrogatepass")


def _unnested(row: Any) -> Any:
    """Return something whose ``repr`` depends on its content alone."""
    if isinstance(row, Mapping):
        return sorted((repr(key), _unnested(value)) for key, value in row.items())
    if isinstance(row, set | frozenset):
        return sorted(map(repr, row))
    if isinstance(row, range):
        return list(row)
    if isinstance(row, list | tuple):
        return list(map(_unnested, row))
    if isinstance(row, np.ndarray | Tensor):
        return row.tolist()
    return row


def _hasher() -> Any:
    # Processors have instructions for it: it is faster than those that were made to be fast.
    return hashlib.sha256()


def _digest(*parts: Any) -> str:
    hasher = _hasher()
    for part in parts:
        hasher.update(part)
    return _hexadecimal(hasher)


def _hexadecimal(hasher: Any) -> str:
    digits: str = hasher.hexdigest()
    return digits[:_DIGITS]
