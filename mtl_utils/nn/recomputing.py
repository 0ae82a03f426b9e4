"""Layers that keep what they read and compute the rest again on the way back."""

from __future__ import annotations

from typing import Any

from torch import nn as torch_nn

from mtl_utils.arguments import check_flag, check_module, shown
from mtl_utils.nn.pretrained import PretrainedEncoder
from mtl_utils.nn.transformer import TransformerStack


def recompute_layers(module: torch_nn.Module, on: bool = True) -> int:
    """Have the layers of Transformers keep less for the pass back (Chen et al., 2016).

    A layer then keeps what it reads alone, and computes itself once more when its gradients are
    asked for, with the same dropout: the same gradients for about a third more time. It changes
    training alone, and is no part of what is saved with a model.

    Args:
        module: An encoder, or a model that has some.
        on: Whether to do so from now on.

    Returns:
        How many layers do.

    Raises:
        ValueError: If there is no layer that can: an LSTM reads all positions in one operation.
        TypeError: If it is no module, or ``on`` no truth value.
    """
    check_module("module", module)
    check_flag("on", on)
    found = 0
    for part in module.modules():
        if isinstance(part, TransformerStack):
            part.recomputes = on
            found += len(part.layers)
        elif isinstance(part, PretrainedEncoder):
            _set_pretrained(part.model, on)
            found += part.num_layers
    if not found:
        raise ValueError(
            f"module has no layers of a Transformer that could be recomputed, got {shown(module)}. "
            "An LSTM keeps the states of all positions; smaller batches, with accumulate, help."
        )
    return found


def _set_pretrained(model: Any, on: bool) -> None:
    if on:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    else:
        model.gradient_checkpointing_disable()
