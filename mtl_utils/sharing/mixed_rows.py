"""Texts of different tasks in one pass of an encoder, to whose linear layers each adds its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.nn import functional

from mtl_utils.data.batch import Inputs
from mtl_utils.nn.encoder import Encoder


@dataclass(frozen=True)
class Additions:
    """What G tasks add to one matrix ``[m, n]``, in factors of rank R.

    Args:
        inner: ``[G R, n]``.
        outer: ``[m, G R]``.
    """

    inner: Tensor
    outer: Tensor


class _OtherRowsError(Exception):
    """A layer reads something whose rows are not known to be those of texts."""


def read_mixed(
    encoder: Encoder, added: Mapping[str, Additions], inputs: Inputs, index: Tensor
) -> Tensor | None:
    """Run an encoder once, with additions that differ from text to text.

    Args:
        encoder: The encoder.
        added: What is added, by name of the linear layer.
        inputs: B texts of at most T tokens.
        index: For each text the place of its task ``[B]``.

    Returns:
        Hidden states ``[B, T, D]``; ``None`` if a name is that of something else than a linear
        layer, or one of them is not called as such, or on something else than texts or tokens.
    """
    layers = {name: encoder.get_submodule(name) for name in added}
    if not all(type(layer) is torch_nn.Linear for layer in layers.values()):
        return None
    called: set[str] = set()
    of_tokens = index.unsqueeze(1).expand(inputs.mask.shape)[inputs.mask]
    number = int(index.max()) + 1 if index.numel() else 1

    def add(name: str) -> Any:
        def adding(_: torch_nn.Module, given: tuple[Tensor, ...], made: Tensor) -> Tensor:
            called.add(name)
            read = given[0]
            which = _rows(read, inputs.mask, index, of_tokens)
            factors = added[name]
            rank = len(factors.inner) // number
            kept = functional.one_hot(which, number).repeat_interleave(rank, dim=-1)
            return made + (read @ factors.inner.T * kept.to(read.dtype)) @ factors.outer.T

        return adding

    hooks = [layer.register_forward_hook(add(name)) for name, layer in layers.items()]
    # Should the pass be in vain, the next one is to draw the same random numbers.
    generators = torch.get_rng_state()
    try:
        hidden: Tensor = encoder(inputs)
    except _OtherRowsError:
        hidden, called = index, set()
    finally:
        for hook in hooks:
            hook.remove()
    if called == set(layers):
        return hidden
    torch.set_rng_state(generators)
    return None


def _rows(read: Tensor, mask: Tensor, index: Tensor, of_tokens: Tensor) -> Tensor:
    """Return the place of the task of each row of what a layer reads."""
    if read.dim() == 3 and read.shape[:2] == mask.shape:
        return index.unsqueeze(1)
    if read.dim() == 2 and len(read) == len(of_tokens):
        return of_tokens
    raise _OtherRowsError
