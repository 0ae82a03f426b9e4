"""TOML, read and written: the standard library has a reader alone."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtl_utils.files import whole_file

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a file.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no TOML; the error names the line.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}")
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML: {error}") from None


def write_toml(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file.

    Args:
        path: Where to.
        content: Tables of what TOML can hold; ``None`` is left out.

    Raises:
        TypeError: If TOML cannot hold a value.
    """
    with whole_file(path) as file:
        file.write(toml(content).encode("utf-8"))


def toml(content: Mapping[str, Any]) -> str:
    """Return tables as TOML.

    Args:
        content: The tables; those in ``tasks`` get a header each, deeper ones stand in a line.

    Raises:
        TypeError: If TOML cannot hold a value.
    """
    plain = {k: v for k, v in content.items() if not isinstance(v, Mapping) and v is not None}
    parts = [_lines(plain)] if plain else []
    for name, table in content.items():
        if not isinstance(table, Mapping):
            continue
        if name == "tasks":
            parts += [f"[tasks.{_key(t)}]\n{_lines(of_task)}" for t, of_task in table.items()]
        else:
            parts.append(f"[{_key(name)}]\n{_lines(table)}")
    return "\n".join(parts)


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{_key(k)} = {toml_value(v)}\n" for k, v in table.items() if v is not None)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml_value(name)


def toml_value(value: Any) -> str:
    """Return a value as TOML.

    Args:
        value: A text, number, truth value, or a list or table of them.

    Raises:
        TypeError: If TOML cannot hold it.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        inner = [f"{_key(k)} = {toml_value(v)}" for k, v in value.items() if v is not None]
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    raise TypeError(f"A file cannot hold {type(value).__name__} {value!r:.60}")
