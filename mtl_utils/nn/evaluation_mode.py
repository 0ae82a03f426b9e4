"""Using a model without dropout for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn as torch_nn


@contextmanager
def evaluation_mode(module: torch_nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode, and every part of it back into its own mode afterwards.

    Args:
        module: The module. Parts that were in evaluation mode already, such as a frozen encoder,
            stay in it.
    """
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training
