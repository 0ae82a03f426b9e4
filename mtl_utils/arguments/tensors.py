"""Checks of tensors, modules and devices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments.showing import shown
from mtl_utils.arguments.values import check_kind

#: Kinds of numbers that a tensor may be asked to hold.
_KINDS = {
    "boolean": lambda dtype: dtype == torch.bool,
    "integer": lambda dtype: (
        not (dtype.is_floating_point or dtype.is_complex) and dtype != torch.bool
    ),
    "floating-point": lambda dtype: dtype.is_floating_point,
}


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
