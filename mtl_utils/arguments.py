"""Checks of arguments: what was given, what was expected, said in one way everywhere."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Mapping, Set
from numbers import Real
from operator import index
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn

#: Kinds of numbers that a tensor may be asked to hold.
_KINDS = {
    "boolean": lambda dtype: dtype == torch.bool,
    "integer": lambda dtype: (
        not (dtype.is_floating_point or dtype.is_complex) and dtype != torch.bool
    ),
    "floating-point": lambda dtype: dtype.is_floating_point,
}


def check_whole(name: str, value: Any, least: int | None = None, most: int | None = None) -> None:
    """Refuse what is no whole number, or lies outside a range.

    Args:
        name: What the message is to call it.
        value: The number; a boolean is none, an integer of NumPy is one.
        least: The smallest that is allowed; any if ``None``.
        most: The greatest that is allowed; any if ``None``.

    Raises:
        TypeError: If it is no whole number.
        ValueError: If it is outside the range.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or isinstance(value, Tensor):
        raise TypeError(f"{name} must be a whole number{_range(least, most)}, got {shown(value)}")
    number = index(value)
    if (least is not None and number < least) or (most is not None and number > most):
        raise ValueError(f"{name} must be{_range(least, most)}, got {value}")


def check_sizes(**sizes: int) -> None:
    """Refuse sizes that are no whole numbers, or below 1.

    Args:
        **sizes: Sizes by the name that the message is to have.

    Raises:
        TypeError: If one is no whole number.
        ValueError: If one is below 1.
    """
    for name, size in sizes.items():
        check_whole(name, size, least=1)


def check_number(
    name: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> None:
    """Refuse what is no finite number, or lies outside a range.

    Args:
        name: What the message is to call it.
        value: The number; a boolean is none.
        least: The smallest that is allowed.
        above: What it must be greater than.
        most: The greatest that is allowed.
        below: What it must be less than.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is not finite, or outside the range.
    """
    wanted = _interval(least, above, most, below)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number{wanted}, got {shown(value)}")
    try:
        number = float(value)
    except OverflowError:  # a whole number of more than 308 digits
        number = math.inf
    fits = (
        math.isfinite(number)
        and (least is None or number >= least)
        and (above is None or number > above)
        and (most is None or number <= most)
        and (below is None or number < below)
    )
    if not fits:
        raise ValueError(f"{name} must {_demand(least, above, most, below)}, got {value}")


def check_probability(name: str, value: Any) -> None:
    """Refuse a probability of dropping something that leaves nothing.

    Args:
        name: What the message is to call it.
        value: The probability.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is outside [0, 1).
    """
    check_number(name, value, least=0, below=1)


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
        value: The flag. The text ``"no"`` would count as True.

    Raises:
        TypeError: If it is no boolean.
    """
    if not isinstance(value, bool):
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


def check_device(name: str, value: Any) -> None:
    """Refuse what names no device.

    Args:
        name: What the message is to call it.
        value: The device, its name, or its number.

    Raises:
        TypeError: If it is something else.
        ValueError: If PyTorch knows no such device.
    """
    if isinstance(value, torch.device):
        return
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f'{name} must be a device such as "cpu" or "cuda:0", got {shown(value)}')
    try:
        torch.device(value)
    except RuntimeError as error:
        raise ValueError(
            f'{name} must be a device such as "cpu" or "cuda:0", got {value!r}: {error}'
        ) from error


def check_seed(name: str, value: Any) -> None:
    """Refuse what is no seed of PyTorch's generators.

    Args:
        name: What the message is to call it.
        value: The seed.

    Raises:
        TypeError: If it is no whole number.
        ValueError: If it is negative, or not below 2⁶³.
    """
    check_whole(name, value)
    if not 0 <= index(value) < 2**63:
        raise ValueError(f"{name} must be a whole number from 0 and below 2**63, got {value}")


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


def check_tensor(name: str, value: Any, shape: str, kind: str | None = None) -> None:
    """Refuse what is no tensor, or one with another number of dimensions or another type.

    Args:
        name: What the message is to call it.
        value: The tensor.
        shape: Its dimensions as the message is to show them, for example ``"[B, T, D]"``; their
            number is checked. ``"[..., C]"`` has at least as many as are named.
        kind: ``"boolean"``, ``"integer"``, ``"floating-point"``, or ``None`` for any.

    Raises:
        TypeError: If it is no tensor, or its numbers are of another kind.
        ValueError: If it has another number of dimensions.
    """
    article = "a tensor" if kind is None else f"{'an' if kind[0] == 'i' else 'a'} {kind} tensor"
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be {article} {shape}, got {shown(value)}")
    names = [part for part in shape.strip("[]").split(",") if part.strip()]
    open_ended = any(part.strip() == "..." for part in names)
    least = len(names) - open_ended
    if value.dim() < least or (value.dim() > least and not open_ended):
        raise ValueError(f"{name} must be {article} {shape}, got one of shape {list(value.shape)}")
    if kind is not None and not _KINDS[kind](value.dtype):
        hint = f"; use {name}.bool()" if kind == "boolean" else ""
        raise TypeError(f"{name} must be {article} {shape}, got numbers of {value.dtype}{hint}")


def check_fits(name: str, value: Tensor, dimension: int, size: int) -> None:
    """Refuse a tensor of another size in one dimension.

    Args:
        name: What the message is to call it.
        value: The tensor.
        dimension: Which of its dimensions.
        size: What size it must have there.

    Raises:
        ValueError: If it has another.
    """
    if value.shape[dimension] != size:
        raise ValueError(
            f"{name} must have size {size} in dimension {dimension}, got one of shape "
            f"{list(value.shape)}"
        )


def check_broadcast(name: str, value: Tensor, other: Tensor) -> None:
    """Refuse a tensor that cannot be expanded to the shape of another.

    Args:
        name: What the message is to call it.
        value: The tensor.
        other: The other.

    Raises:
        ValueError: If it cannot.
    """
    pairs = zip(reversed(value.shape), reversed(other.shape), strict=False)
    if value.dim() > other.dim() or any(size not in (1, whole) for size, whole in pairs):
        raise ValueError(
            f"{name} must fit the shape {list(other.shape)}, got one of shape {list(value.shape)}"
        )


def check_module(name: str, value: Any, kind: type[torch_nn.Module] = torch_nn.Module) -> None:
    """Refuse what is no module of a kind.

    Args:
        name: What the message is to call it.
        value: The module.
        kind: Its class.

    Raises:
        TypeError: If it is none.
    """
    check_kind(name, value, kind, f"a {kind.__name__}")


def check_cut(num_layers: int, available: int) -> None:
    """Refuse a number of layers to cut off that there are not.

    Args:
        num_layers: How many.
        available: How many layers there are.

    Raises:
        TypeError: If it is no whole number.
        ValueError: If it is negative or greater.
    """
    check_whole("num_layers", num_layers)
    if not 0 <= num_layers <= available:
        raise ValueError(
            f"An encoder of {available} layers can be cut after 0 to {available} of them, got "
            f"num_layers={num_layers}"
        )


def shown(value: Any) -> str:
    """Return how a message shows what was given: its type, and its value or shape.

    Args:
        value: Anything.
    """
    if isinstance(value, Tensor):
        return f"a tensor of shape {list(value.shape)} and type {value.dtype}"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def _has_length(value: Any) -> bool:
    """Whether something has a length; an array of a single number has not."""
    return hasattr(value, "__len__") and getattr(value, "ndim", 1) > 0


def _range(least: int | None, most: int | None) -> str:
    if least is None and most is None:
        return ""
    if most is None:
        return f" at least {least}"
    if least is None:
        return f" at most {most}"
    return f" from {least} to {most}"


def _demand(
    least: float | None, above: float | None, most: float | None, below: float | None
) -> str:
    interval = _interval(least, above, most, below)
    return (
        f"lie{interval}"
        if interval.startswith(" in ")
        else f"be finite{interval and ' and'}{interval}"
    )


def _interval(
    least: float | None, above: float | None, most: float | None, below: float | None
) -> str:
    low, high = least if above is None else above, most if below is None else below
    if low is None and high is None:
        return ""
    if high is None:
        return f" at least {low}" if above is None else f" greater than {low}"
    if low is None:
        return f" at most {high}" if below is None else f" less than {high}"
    left, right = "[" if above is None else "(", "]" if below is None else ")"
    return f" in {left}{low}, {high}{right}"
