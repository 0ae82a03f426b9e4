"""Making a module again: whatever the caller's settings, and of a size that nothing vouches for."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator
from contextvars import ContextVar

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

from mtl_utils.nn import SinusoidalPositions

_SMALL_TABLE = 2**24  # numbers, made in a second or two
#: How many parameters, and how many numbers in them, are left; of this thread alone.
_left: ContextVar[list[int] | None] = ContextVar("_left", default=None)


@contextlib.contextmanager
def afresh() -> Iterator[None]:
    """Make modules as if nothing else was going on.

    First weights are drawn, then overwritten, which is not to change what the caller draws next;
    tensors made in inference mode could not be trained; and what a default type rounds or a default
    device holds would depend on the program that saves and the one that loads.
    """
    default = torch.get_default_dtype()
    if default != torch.float32:  # of all threads, so it is left alone where it is that already
        torch.set_default_dtype(torch.float32)
    try:
        with (
            torch.random.fork_rng(devices=[]),
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.device("cpu"),
        ):
            yield
    finally:
        if default != torch.float32:
            torch.set_default_dtype(default)


@contextlib.contextmanager
def no_more_parameters(weights: Iterable[Tensor], spare: int) -> Iterator[None]:
    """Stop the construction of modules that need more parameters than there are weights for.

    Modules register a parameter before they fill it, so that neither 20,000 layers nor an embedding
    of a billion tokens cost more than the first part of them that is too much.

    Args:
        weights: The weights.
        spare: How many times as many parameters, and numbers in them, there may be.

    Raises:
        ValueError: If there are more, from within the construction.
    """
    sizes = [tensor.numel() for tensor in weights]
    _watch()
    token = _left.set([len(sizes) * spare, sum(sizes) * spare])
    try:
        yield
    finally:
        _left.reset(token)


@functools.cache
def _watch() -> None:
    """Have torch tell of every parameter and buffer; once for all.

    Were the hook put in and taken out again, other threads that make modules at that moment would
    fail.
    """
    register_module_parameter_registration_hook(_count)
    register_module_buffer_registration_hook(_check_positions)


def _count(module: torch_nn.Module, name: str, parameter: torch_nn.Parameter) -> None:
    left = _left.get()
    if left is None:
        return
    left[0] -= 1
    left[1] -= parameter.numel()
    if min(left) < 0:
        raise ValueError(
            f"its settings declare more than there are weights for: the {name} "
            f"{list(parameter.shape)} of a {type(module).__name__} is too much"
        )


def _check_positions(module: torch_nn.Module, name: str, buffer: Tensor | None) -> None:
    """Refuse more positions than a model of that size has; they are not among its weights."""
    left = _left.get()
    if left is None or buffer is None or not isinstance(module, SinusoidalPositions):
        return
    if buffer.numel() > max(_SMALL_TABLE, left[1]):
        raise ValueError(
            f"max_length is {module.max_length}, far more than a model of its weights has"
        )
