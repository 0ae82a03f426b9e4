"""What a step cannot do without: its products of matrices, recorded and done once more alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

ATEN = torch.ops.aten
PRODUCTS = frozenset(
    {
        ATEN.mm.default,
        ATEN.addmm.default,
        ATEN.bmm.default,
        ATEN.baddbmm.default,
        ATEN.mkldnn_rnn_layer.default,
        ATEN.mkldnn_rnn_layer_backward.default,
        ATEN._scaled_dot_product_flash_attention_for_cpu.default,
        ATEN._scaled_dot_product_flash_attention_for_cpu_backward.default,
    }
)
"""Products, and the kernels of LSTMs and of attention, which are products for the most part."""

Call = tuple[Any, tuple[Any, ...], dict[str, Any]]


class _Recording(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in PRODUCTS:
            kept = tuple(a.detach() if isinstance(a, Tensor) else a for a in args)
            self.calls.append((func, kept, dict(kwargs or {})))
        return func(*args, **(kwargs or {}))


@contextmanager
def recorded() -> Iterator[list[Call]]:
    """Record the products that are done within the block, with what they were given."""
    mode = _Recording()
    with mode:
        yield mode.calls


def again(calls: list[Call]) -> Callable[[], None]:
    """Return a function that does the recorded products once more, and nothing else."""

    def products() -> None:
        with torch.no_grad():
            for func, args, kwargs in calls:
                func(*args, **kwargs)

    return products
