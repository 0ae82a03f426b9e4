"""What a model costs: parameters, and multiplications of a forward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn as torch_nn
from torch.utils.flop_counter import FlopCounterMode

from mtl_utils.arguments import check_callable, check_module


def count_multiplications(forward: Callable[..., Any], *given: Any) -> int:
    """Count the multiplications in the products of matrices of a forward pass.

    Element-wise products are left out, and so are the layers that PyTorch has no count for, of
    recurrent networks among them. Padding is counted like the rest.

    Args:
        forward: A module, or a function.
        given: What it is called with, once and without gradients.

    Raises:
        TypeError: If ``forward`` is no function.
    """
    check_callable("forward", forward)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        forward(*given)
    return int(counter.get_total_flops()) // 2  # a multiplication and an addition each


def count_parameters(module: torch_nn.Module) -> int:
    """Count the numbers that a module has to learn, frozen ones included.

    A parameter that stands in several places counts once.

    Args:
        module: The module.

    Raises:
        TypeError: If ``module`` is none.
    """
    check_module("module", module)
    return sum(parameter.numel() for parameter in module.parameters())
