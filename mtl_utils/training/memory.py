"""What training takes of memory, term by term: counted, and measured to the byte."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from mtl_utils.arguments import check_callable, check_kind, check_whole
from mtl_utils.data.batch import Batch
from mtl_utils.multitask import MultiTaskModel

Result = TypeVar("Result")

#: Adam keeps a running mean of each gradient and one of its square.
_ADAM_STATES = 2


@dataclass(frozen=True)
class Memory:
    """Bytes that one process of a training needs, term by term.

    Args:
        parameters: Of all weights, trained or not.
        gradients: One number a weight that is trained.
        optimizer: Two numbers a weight that is trained, as Adam keeps them.
        activations: What the pass there keeps for the pass back, without what recomputed layers
            make again, one at a time, on the way back (:func:`peak_bytes` sees that).
    """

    parameters: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """The sum of all terms."""
        return self.parameters + self.gradients + self.optimizer + self.activations

    def sharded(self, num_processes: int) -> Memory:
        """Return what each process keeps between steps if all but activations is dealt out.

        During a step more is there: one layer at a time is whole, and so are the weights that
        belong to no layer, embeddings and heads, and their gradients before they are dealt out.

        Args:
            num_processes: How many processes.

        Raises:
            ValueError: If there is none.
            TypeError: If it is no whole number.
        """
        check_whole("num_processes", num_processes, least=1)

        def share(number: int) -> int:
            return -(-number // num_processes)

        terms = (self.parameters, self.gradients, self.optimizer)
        parameters, gradients, optimizer = map(share, terms)
        return Memory(parameters, gradients, optimizer, self.activations)


def count_memory(model: MultiTaskModel, batches: Batch | Mapping[str, Batch]) -> Memory:
    """Count what a step of Adam with a batch needs; the model computes its losses once.

    Args:
        model: The model, in the mode in which it is to be counted.
        batches: One batch, or one a task.

    Raises:
        TypeError: If the model is none.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    trained = sum(_bytes(p) for p in model.parameters() if p.requires_grad)
    return Memory(
        parameters=sum(_bytes(parameter) for parameter in model.parameters()),
        gradients=trained,
        optimizer=_ADAM_STATES * trained,
        activations=saved_bytes(lambda: model(batches), apart_from=model.parameters()),
    )


def saved_bytes(function: Callable[[], Any], apart_from: Iterable[Tensor] = ()) -> int:
    """Count what autograd keeps of a computation for its way back.

    What several operations keep counts once.

    Args:
        function: The computation, with gradients.
        apart_from: What is there anyway, as parameters are.

    Returns:
        Bytes.

    Raises:
        TypeError: If ``function`` cannot be called.
    """
    check_callable("function", function, "a function without arguments")
    there = {tensor.untyped_storage().data_ptr() for tensor in apart_from}
    found: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in there:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = function()  # alive while we count, so that no address is used twice
    del result
    return sum(found.values())


def peak_bytes(function: Callable[[], Any]) -> int:
    """Measure how much memory tensors take at most while a function runs, beyond what was there.

    Each tensor that an operation returns is followed until it is freed: exact to the byte on any
    machine, and blind to what an operation needs within itself. It takes a few times as long.

    Args:
        function: What to run, passes back included.

    Returns:
        Bytes.

    Raises:
        TypeError: If ``function`` cannot be called.
    """
    check_callable("function", function, "a function without arguments")
    with _Followed() as followed:
        function()
    return followed.peak


class _Followed(TorchDispatchMode):
    """Follows the storages that operations make."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.known: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {id(t.untyped_storage()) for t in _tensors((args, kwargs or {}))}
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            if id(storage) not in given and id(storage) not in self.known:
                self._follow(storage)
        return result

    def _follow(self, storage: Any) -> None:
        key, size = id(storage), storage.nbytes()

        def freed(_: Any) -> None:
            self.known.pop(key, None)
            self.now -= size

        self.known[key] = weakref.ref(storage, freed)
        self.now += size
        self.peak = max(self.peak, self.now)


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in pytree.tree_leaves(tree) if isinstance(leaf, Tensor)]


def _bytes(tensor: Tensor | torch_nn.Parameter) -> int:
    return tensor.numel() * tensor.element_size()
