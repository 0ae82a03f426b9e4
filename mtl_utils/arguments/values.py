"""Checks of names, flags, texts, paths and collections."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Set
from typing import Any

import numpy as np

from mtl_utils.arguments.showing import shown


def check_choice(name: str, value: Any, allowed: Collection[str]) -> None:
    """Refuse what is none of a few names.

    Args:
        name: What the message is to call it.
        value: The choice.
        allowed: The names there are.

    Raises:
        ValueError: If it is none of them.
    """
    if not isinstance(value, str) or value not in allowed:
        given = repr(value) if isinstance(value, str) else shown(value)
        raise ValueError(f"{name} must be one of {list(allowed)}, got {given}")


def check_flag(name: str, value: Any) -> None:
    """Refuse what is neither True nor False.

    Args:
        name: What the message is to call it.
        value: The flag, Python's or NumPy's. The text ``"no"`` would count as True.

    Raises:
        TypeError: If it is no boolean.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {shown(value)}")


def check_text(name: str, value: Any) -> None:
    """Refuse what is no string.

    Args:
        name: What the message is to call it.
        value: The text.

    Raises:
        TypeError: If it is no string.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {shown(value)}")


def check_path(name: str, value: Any) -> None:
    """Refuse what names no file.

    Args:
        name: What the message is to call it.
        value: The path, as text or as a path.

    Raises:
        TypeError: If it is neither.
        ValueError: If it is empty.
    """
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} must be a path, as text or pathlib.Path, got {shown(value)}")
    if not os.fspath(value):
        raise ValueError(f"{name} must be a path, got the empty string ''")


def check_kind(name: str, value: Any, kind: type | tuple[type, ...], expected: str) -> None:
    """Refuse what is of another class.

    Args:
        name: What the message is to call it.
        value: The object.
        kind: Its class, or classes that it may have.
        expected: What the message is to call them, such as ``"a Vocabulary"``.

    Raises:
        TypeError: If it has none of these classes.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {expected}, got {shown(value)}")


def check_several(
    name: str, value: Any, of: str, *, sized: bool = True, ordered: bool = True
) -> None:
    """Refuse what is not several things: a single text, a mapping, a number.

    What is in it is not looked at. Arrays, tensors and columns of tables are several as well.

    Args:
        name: What the message is to call it.
        value: The collection.
        of: What it holds, for the message, such as ``"strings"``.
        sized: Whether it must have a length; otherwise a generator is taken too.
        ordered: Whether it must have an order, which a set has not.

    Raises:
        TypeError: If it is something else.
    """
    if type(value) in (list, tuple):
        return
    wrong = isinstance(value, str | bytes | Mapping) or (ordered and isinstance(value, Set))
    if wrong or not isinstance(value, Iterable) or (sized and not _has_length(value)):
        hint = "; list(...) makes one of it" if hasattr(value, "__next__") else ""
        raise TypeError(f"{name} must be a list of {of}, got {shown(value)}{hint}")


def check_strings(name: str, value: Any, *, distinct: bool = False) -> None:
    """Refuse what is no list or tuple of strings.

    Args:
        name: What the message is to call it.
        value: The strings.
        distinct: Whether none may occur twice.

    Raises:
        TypeError: If it is something else, a single string for example.
        ValueError: If one occurs twice that may not.
    """
    several = isinstance(value, list | tuple)
    if not several or not all(isinstance(item, str) for item in value):
        raise TypeError(f"{name} must be a list or tuple of strings, got {shown(value)}")
    if distinct and len(set(value)) < len(value):
        raise ValueError(f"{name} must be different strings, got {shown(value)}")


def check_names(name: str, value: Any, of: str) -> None:
    """Refuse what does not map names to something.

    Args:
        name: What the message is to call it.
        value: The mapping; what the names are mapped to is not looked at.
        of: What it holds, for the message, such as ``"labels by task"``.

    Raises:
        TypeError: If it is no mapping, or a key is no string.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping, {of}, got {shown(value)}")
    for key in value:
        if not isinstance(key, str):
            raise TypeError(
                f"{name} must be a mapping, {of}, whose keys are strings; got the key "
                f"{shown(key)} in {shown(value)}"
            )


def check_file_name(name: str, value: Any) -> None:
    """Refuse what is no name of a file in a folder: a path may lead out of it.

    Args:
        name: What the message is to call it.
        value: The name.

    Raises:
        TypeError: If it is no string.
        ValueError: If it is empty, or has a part of a path.
    """
    check_text(name, value)
    if not value or value in (".", "..") or "/" in value or os.sep in value or "\0" in value:
        raise ValueError(f"{name} must be the name of a file without a folder, got {value!r}")


def check_callable(name: str, value: Any, what: str = "a function") -> None:
    """Refuse what cannot be called.

    Args:
        name: What the message is to call it.
        value: The function.
        what: What it is to be, for the message.

    Raises:
        TypeError: If it cannot be called.
    """
    if not callable(value):
        raise TypeError(f"{name} must be {what}, got {shown(value)}")


def _has_length(value: Any) -> bool:
    """Whether something has a length; an array of a single number has not."""
    return hasattr(value, "__len__") and getattr(value, "ndim", 1) > 0
