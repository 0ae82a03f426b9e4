"""How a message shows what was given."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def shown(value: Any) -> str:
    """Return how a message shows what was given: its type, and its value or shape.

    Args:
        value: Anything.
    """
    if isinstance(value, Tensor):
        return f"a tensor of shape {list(value.shape)} and type {value.dtype}"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
