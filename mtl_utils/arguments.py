"""Checks of arguments: what was given, what was expected, said in one way everywhere."""

from __future__ import annotations

import math
from collections.abc import Collection
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
    number = float(value)
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
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, got {shown(value)}")


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
