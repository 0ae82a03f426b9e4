"""What an object is made of, as plain values by name: so that two of them can be told apart."""

from __future__ import annotations

import enum
import functools
import json
import types
import weakref
from collections import deque
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import is_dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.data.content import (
    Plain,
    examples_digest,
    loader_content,
    tensor_digest,
    text_digest,
)
from mtl_utils.data.examples import Example
from mtl_utils.objectives.base import Balancer
from mtl_utils.training import callables, foreign

# Longer values are told by their digests, larger collections as wholes.
_LONGEST_VALUE, _MOST_ITEMS = 200, 40
_VALUES = (PurePath, complex, torch.dtype, torch.Size, range, slice, np.dtype)
#: A recipe says again what the parts of a module say; where trainings began changes none.
_OF_EVERY_MODULE = frozenset(vars(torch_nn.Module())) | {"_recipe", "_starts", "recomputes"}
_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


class Description:
    """Plain values by name, of one thing after the other.

    Names are those of attributes, keys and variables, joined by dots. An object that was met before
    is described as the same one.

    Args:
        elsewhere: Tensors whose content is compared elsewhere; type and shape count here.

    Attributes:
        entries: The values.
        unknown: Names of what cannot be looked into, each with its type.
    """

    def __init__(self, elsewhere: Iterable[Tensor] = ()) -> None:
        self.entries: dict[str, Plain] = {}
        self.unknown: list[str] = []
        # What is described is kept, so that nothing else gets the identity of it.
        self._kept: list[Any] = list(elsewhere)
        self._elsewhere = {id(tensor) for tensor in self._kept}
        self._met: dict[int, str] = {}
        self._open: set[int] = set()

    def add(self, name: str, value: Any) -> None:
        """Describe something.

        Args:
            name: What to call it.
            value: Anything.
        """
        if isinstance(value, torch.device | weakref.ref):
            return  # the same run may go on elsewhere
        if isinstance(value, Tensor | np.ndarray):
            self._array(name, value)
            return
        plain = _plain(value)
        if plain is not None:
            self.entries[name] = plain[0]
        elif isinstance(value, Mapping | list | tuple | Set | deque):
            self._guarded(name, value, self._collection)
        elif id(value) in self._met:
            self.entries[name] = f"the same as {self._met[id(value)]}"
        else:
            # Equal values are as good as the same one.
            if not _is_value(value):
                self._met[id(value)] = name
                self._kept.append(value)
            self._guarded(name, value, self._object)

    def _guarded(self, name: str, value: Any, describe: Any) -> None:
        """Describe what may hold itself."""
        if id(value) in self._open:
            self.entries[name] = "what it is part of"
            return
        self._open.add(id(value))
        try:
            describe(name, value)
        finally:
            self._open.discard(id(value))

    def _array(self, name: str, array: Tensor | np.ndarray[Any, Any]) -> None:
        if not isinstance(array, Tensor):
            if array.dtype.kind not in "biuf":
                self.add(name, array.tolist())
                return
            array = torch.from_numpy(np.array(array))
        frozen = isinstance(array, torch_nn.Parameter) and not array.requires_grad
        kind = f"{array.dtype} {list(array.shape)}{', frozen' if frozen else ''}"
        known = id(array) in self._elsewhere
        self.entries[name] = kind if known else f"{kind}, digest {tensor_digest(array)}"

    def _collection(self, name: str, items: Any) -> None:
        if isinstance(items, Mapping):
            named = {str(key): value for key, value in items.items()}
            if 0 < len(named) <= _MOST_ITEMS:
                self._each(name, named)
                return
        elif isinstance(items, Set):
            items = sorted(items, key=repr)
        text = _json(items)
        if text is not None:
            self.entries[name] = shortened(text, f"{len(items)} items")
        elif isinstance(items, Mapping):
            self._whole(name, {str(key): value for key, value in items.items()})
        elif all(isinstance(item, Example) for item in items):
            self.entries[name] = f"{len(items)} examples, digest {examples_digest(items)}"
        else:
            parts = {str(place): item for place, item in enumerate(items)}
            (self._each if len(parts) <= _MOST_ITEMS else self._whole)(name, parts)

    def _each(self, name: str, parts: Mapping[str, Any]) -> None:
        for part, value in parts.items():
            self.add(f"{name}.{part}", value)

    def _whole(self, name: str, parts: Mapping[str, Any]) -> None:
        """Describe so many parts that a single line must do for all."""
        entries, self.entries = self.entries, {}
        try:
            self._each("", parts)
            digest = text_digest(json.dumps(self.entries, sort_keys=True))
        finally:
            self.entries = entries
        self.entries[name] = f"{len(parts)} items, digest {digest}"

    def _object(self, name: str, value: Any) -> None:
        if isinstance(value, torch_nn.Module):
            self._module(name, value)
        elif callables.is_function(value):
            self._function(name, value)
        elif hasattr(value, "num_batches") and callable(getattr(value, "batches", None)):
            self.entries[name] = "batches"
            self._each(name, loader_content(value))
        elif (content := foreign.content(value)) is not None:
            self.entries[name] = callables.kind_name(type(value))
            self._each(name, content)
        elif _has_open_attributes(value):
            self.entries[name] = callables.kind_name(type(value))
            self._each(name, _attributes(value))
            if callable(value):
                self._each(name, callables.code_and_globals(type(value).__call__))
        else:
            self.entries[name] = callables.kind_name(type(value))
            self.unknown.append(f"{name} ({self.entries[name]})")

    def _function(self, name: str, function: Any) -> None:
        self.entries[name] = callables.function_name(function)
        self._each(name, callables.settings(function))

    def _module(self, name: str, module: torch_nn.Module) -> None:
        kind = type(module)
        self.entries[name] = callables.kind_name(kind)
        others = kind.__module__.split(".")[0] in ("torch", "transformers")
        left_out = _OF_EVERY_MODULE | _remembered(module)
        for attribute, value in _attributes(module).items():
            # What other libraries keep for themselves follows from what they show.
            if attribute not in left_out and not (others and attribute.startswith("_")):
                self.add(f"{name}.{attribute}", value)
        for hooks in _HOOKS:
            for place, hook in enumerate(getattr(module, hooks, {}).values()):
                self.add(f"{name}.{hooks.strip('_')}.{place}", hook)
        for part, tensor in (*module._parameters.items(), *module._buffers.items()):
            self.add(f"{name}.{part}", tensor)
        if isinstance(module, torch_nn.ModuleDict):
            self.add(f"order of {name}", list(module))
        for part, child in module.named_children():
            self.add(f"{name}.{part}", child)


def _remembered(module: torch_nn.Module) -> frozenset[str]:
    """Return the names of what training changes in a balancer, of which nothing is a setting."""
    return module.remembered if isinstance(module, Balancer) else frozenset()


def shortened(text: str, what: str) -> str:
    """Return a text, or what it is and its digest where it is long.

    Args:
        text: The text.
        what: What it is, such as ``"30 items"``.
    """
    return text if len(text) <= _LONGEST_VALUE else f"{what}, digest {text_digest(text)}"


def _plain(value: Any) -> tuple[Plain] | None:
    """Return a value that has no parts, as it is written down; ``None`` where it has some."""
    if isinstance(value, enum.Enum):
        return (f"{callables.kind_name(type(value))}.{value.name}",)
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, str):
        return (shortened(str(value), f"{len(value)} characters"),)
    if value is None or isinstance(value, bool | int | float):
        # Not a number is not even equal to itself.
        return (value if value == value else "nan",)
    if isinstance(value, bytes | bytearray):
        return (shortened(value.hex(), f"{len(value)} bytes"),)
    if isinstance(value, _VALUES):
        return (str(value),)
    if isinstance(value, types.ModuleType):
        return (value.__name__,)
    if isinstance(value, type):
        return (callables.kind_name(value),)
    return None


def _json(value: Any) -> str | None:
    if not isinstance(value, list | tuple | dict):
        value = dict(value) if isinstance(value, Mapping) else list(value)
    try:
        return json.dumps(value, sort_keys=True)
    except (TypeError, ValueError, RecursionError):  # something else in it, or itself
        return None


def _is_value(value: Any) -> bool:
    parameters = getattr(type(value), "__dataclass_params__", None)
    return parameters is not None and bool(parameters.frozen)


def _has_open_attributes(value: Any) -> bool:
    """Tell whether the attributes of an object are all there is to know of it."""
    return is_dataclass(value) or callables.origin(type(value).__module__) != "installed"


def _attributes(value: Any) -> dict[str, Any]:
    kind = type(value)
    slots = [
        name
        for base in kind.__mro__
        for name in _names(vars(base).get("__slots__", ()))
        if not name.startswith("__")
    ]
    found = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    found |= getattr(value, "__dict__", {})
    return {
        name: item
        for name, item in found.items()
        # What is only remembered follows from the rest.
        if not isinstance(getattr(kind, name, None), functools.cached_property)
    }


def _names(slots: str | Sequence[str]) -> Sequence[str]:
    return (slots,) if isinstance(slots, str) else slots
