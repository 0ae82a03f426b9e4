"""How a message shows what was given."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from torch import Tensor
from torch import nn as torch_nn


def shown(value: Any) -> str:
    """Return how a message shows what was given: its type, and its value or shape.

    Args:
        value: Anything.
    """
    if isinstance(value, Tensor):
        return f"a tensor of shape {list(value.shape)} and type {value.dtype}"
    if isinstance(value, torch_nn.Module):  # which shows all that is in it, over many lines
        return type(value).__name__
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the nearest known one, and all.

    Args:
        name: What was given.
        known: What there is.
    """
    names = list(known)
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.62)
    meant = f"; did you mean {close[0]!r}?" if close else "."
    return f"{meant} There are: {', '.join(names)}"
