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
        raise TypeError(f"Expected a boolean {name}, a tensor, got {type(mask).__name__}")
    if mask.dtype != torch.bool:
        raise TypeError(f"Expected a boolean {name}, got {mask.dtype}; use {name}.bool()")
