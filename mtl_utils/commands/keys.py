"""What stands in a table of a file: its keys are arguments of a class, checked by their types."""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mtl_utils.arguments import nearest

NEEDED = object()
"""The default of a key that must be there."""


@dataclass(frozen=True)
class Key:
    """A key of a table.

    Attributes:
        kind: The type of its value, as an annotation.
        default: What it is where it is left out; :data:`NEEDED` if it may not be.
    """

    kind: Any
    default: Any = NEEDED


def keys_of(described: type, without: Iterable[str] = ()) -> dict[str, Key]:
    """Return the arguments of a class as keys.

    Args:
        described: The class.
        without: Arguments that no file gives.
    """
    left_out = {*without, "self"}
    if dataclasses.is_dataclass(described):
        names = {field.name for field in dataclasses.fields(described) if field.init}
        hints = get_type_hints(described)
    else:
        names, hints = set(), get_type_hints(getattr(described, "__init__"))  # noqa: B009  of a class
    found = {}
    for name, parameter in inspect.signature(described).parameters.items():
        if name in left_out or (names and name not in names):
            continue
        default = NEEDED if parameter.default is inspect.Parameter.empty else parameter.default
        if not isinstance(default, str | int | float | bool | tuple | Mapping | None):
            default = None if default is not NEEDED else NEEDED  # made anew for each object
        found[name] = Key(hints[name], default)
    return found


def read_table(table: Any, keys: Mapping[str, Key], where: str) -> dict[str, Any]:
    """Check a table, and fill in what was left out.

    Args:
        table: What stands in the file.
        keys: The keys that there are.
        where: What the table is called there, such as ``[training]``.

    Returns:
        A value for each key, in the order of the keys.

    Raises:
        TypeError: If it is no table, or a value is of another type.
        KeyError: If a key is unknown, or one that must be there is not.
    """
    if not isinstance(table, Mapping):
        raise TypeError(f"{where} must be a table of keys and values, got {_shown(table)}")
    for name, value in table.items():
        if name not in keys:
            raise KeyError(f"{where} has no key {name!r}{nearest(name, keys)}")
        check_value(value, keys[name].kind, f"{where}: {name}")
    missing = [n for n, key in keys.items() if key.default is NEEDED and n not in table]
    if missing:
        needed = expected(keys[missing[0]].kind)
        raise KeyError(f"{where} needs the key {missing[0]!r}, {needed}; it has {list(table)}")
    return {
        name: converted(table[name], key.kind) if name in table else key.default
        for name, key in keys.items()
    }


def choice(value: Any, known: Iterable[str], where: str) -> str:
    """Return a name if it is known.

    Args:
        value: What was given.
        known: What there is.
        where: What the message is to call it.

    Raises:
        TypeError: If it is no text.
        KeyError: If it is not known.
    """
    check_value(value, str, where)
    names = list(known)
    if value not in names:
        raise KeyError(f"{where} = {value!r} is not known{nearest(value, names)}")
    return str(value)


def check_value(value: Any, kind: Any, where: str) -> None:
    """Refuse a value of another type.

    Args:
        value: The value.
        kind: Its type, as an annotation.
        where: Table and key, for the message.

    Raises:
        TypeError: If it is of another type.
    """
    if not _fits(value, kind):
        raise TypeError(f"{where} must be {expected(kind)}, got {_shown(value)}")


def _fits(value: Any, kind: Any) -> bool:
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin is Literal:
        return any(value == part and type(value) is type(part) for part in parts)
    if origin in (Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is tuple and parts[-1] is not Ellipsis:
        several = isinstance(value, list | tuple) and len(value) == len(parts)
        return several and all(map(_fits, value, parts))
    if origin in (tuple, list, Sequence):
        return isinstance(value, list | tuple) and all(_fits(item, parts[0]) for item in value)
    if origin in (dict, Mapping):
        return isinstance(value, dict) and all(_fits(item, parts[1]) for item in value.values())
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(kind, type) and isinstance(value, kind)


def converted(value: Any, kind: Any) -> Any:
    """Return a value as code has it: tuples for lists, floats where whole numbers stand for them.

    Args:
        value: A value that fits.
        kind: Its type, as an annotation.
    """
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return converted(value, next(part for part in parts if _fits(value, part)))
    if origin is tuple and parts[-1] is not Ellipsis:
        return tuple(map(converted, value, parts))
    if origin in (tuple, list, Sequence):
        return tuple(converted(item, parts[0]) for item in value)
    if origin in (dict, Mapping):
        return {name: converted(item, parts[1]) for name, item in value.items()}
    return float(value) if kind is float else value


_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
_PLURALS = {str: "texts", int: "whole numbers", float: "numbers", bool: "truth values"}


def expected(kind: Any) -> str:
    """Say in words what a value must be.

    Args:
        kind: Its type, as an annotation.
    """
    origin, parts = get_origin(kind), get_args(kind)
    if kind in _WORDS:
        return _WORDS[kind]
    if origin is Literal:
        return f"one of {', '.join(map(repr, parts))}"
    if origin in (Union, types.UnionType):
        shown = [expected(part) for part in parts if part is not type(None)]
        return " or ".join(dict.fromkeys(word for word in shown if word))
    if origin is tuple and parts[-1] is not Ellipsis:
        return f"a list of {len(parts)} {_PLURALS.get(parts[0], 'values')}"
    if origin in (tuple, list, Sequence):
        return f"a list of {_PLURALS.get(parts[0], 'values')}"
    if origin in (dict, Mapping):
        return f"a table of names and {_PLURALS.get(parts[1], 'values')}"
    return ""


def _shown(value: Any) -> str:
    text = repr(value)
    kind = _WORDS.get(type(value), "a list" if isinstance(value, list) else "a table")
    return f"{kind}: {text if len(text) <= 60 else text[:57] + '...'}"
