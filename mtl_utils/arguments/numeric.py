"""Checks of numbers: whole ones, sizes, probabilities, numbers within a range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from operator import index
from typing import Any

from torch import Tensor

from mtl_utils.arguments.showing import shown


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


def check_betas(name: str, value: Any) -> None:
    """Refuse what is not the two decays of an optimizer.

    Args:
        name: What the message is to call them.
        value: The decays.

    Raises:
        TypeError: If they are not two, or no numbers.
        ValueError: If one is outside [0, 1).
    """
    several = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2
    if not several or not all(isinstance(b, Real) and not isinstance(b, bool) for b in value):
        raise TypeError(f"{name} must be two numbers in [0, 1), got {shown(value)}")
    if not all(0 <= beta < 1 for beta in value):
        raise ValueError(f"{name} must be two numbers in [0, 1), got {value}")


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
