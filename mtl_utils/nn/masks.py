"""What a mask has to be: a number where a truth value belongs would be added, not obeyed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def check_mask(mask: Any, name: str = "mask") -> None:
    """Refuse what is no tensor of truth values.

    Args:
        mask: The mask, True where there is a token.
        name: What the message is to call it.

    Raises:
        TypeError: If it is none.
    """
    if not isinstance(mask, Tensor):
        raise TypeError(
            f"Expected a boolean {name}, a tensor, got {type(mask).__name__} {mask!r:.60}"
        )
    if mask.dtype != torch.bool:
        raise TypeError(f"Expected a boolean {name}, got {mask.dtype}; use {name}.bool()")


def cleared(hidden: Tensor, mask: Tensor) -> Tensor:
    """Set states to zero at padding, where 0 times what stands there might be nan.

    Args:
        hidden: ``[B, T, D]``.
        mask: ``[B, T]``, True where there is a token.

    Returns:
        ``[B, T, D]``; what was given, where there is no padding and asking costs nothing (on the
        CPU).
    """
    # What is traced for an export is to clear whatever it is given, and not to remember the answer.
    if mask.device.type == "cpu" and not torch.jit.is_tracing() and bool(mask.all()):
        return hidden
    return hidden.masked_fill(~mask.unsqueeze(-1), 0.0)


def check_attended(mask: Any, memory: Tensor) -> None:
    """Refuse a mask that does not say of each position of a memory whether it is attended to.

    Args:
        mask: Expected to be boolean ``[B, T]``, or ``[B, U, T]`` where queries differ.
        memory: ``[B, T, ...]``.

    Raises:
        TypeError: If it is no tensor of truth values.
        ValueError: If it has another shape.
    """
    check_mask(mask)
    batch, length = memory.shape[:2]
    if mask.dim() not in (2, 3) or (mask.shape[0], mask.shape[-1]) != (batch, length):
        raise ValueError(
            f"Expected a mask [B, T] or [B, U, T] with B={batch} and T={length}, got "
            f"{list(mask.shape)}"
        )
