"""Whether a module that was made again is the same: its weights, their ties, and what is beside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.saving.blueprint import HOW, is_ours

#: Of buffers that are not among a module's weights, and would be others in one that is made again.
_BESIDE = "buffer:"
_CHANGED = (
    f"Parts that were changed after they were made are not known; make them as they are. {HOW}"
)


def own_classes(model: torch_nn.Module) -> list[type]:
    """Return the classes of a model's modules and tasks that are not this package's.

    Args:
        model: The model.
    """
    tasks = getattr(model, "tasks", {}).values()
    return [kind for kind in {*map(type, model.modules()), *map(type, tasks)} if not is_ours(kind)]


def checked_weights(weights: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the tensors of a module, after a look at them.

    Args:
        weights: Its ``state_dict``.

    Raises:
        TypeError: If something is no tensor, as an extra state of one's own may be.
    """
    for name, value in weights.items():
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{name} in the state_dict of the model is a {type(value).__name__}, and only "
                "tensors can be stored: return one from get_extra_state"
            )
    return dict(weights)


def refuse_others(
    model: torch_nn.Module, made: torch_nn.Module, weights: Mapping[str, Tensor]
) -> None:
    """Refuse to store what would be something else when it is read.

    Args:
        model: The model.
        made: One that was made of what would be stored, with whatever weights.
        weights: The tensors of the model.

    Raises:
        ValueError: If modules, names or shapes of weights, or what is tied to what differs.
    """
    found = made.state_dict()
    # What only a head that was calibrated has is made when weights are put in.
    buffers = {name for name, _ in model.named_buffers()}
    wanted = [name for name in weights if name in found or name not in buffers]
    difference = _difference(wanted, list(found)) or next(
        (
            f"{name} has the shape {list(weights[name].shape)}, and would have {list(shape)}"
            for name, shape in ((name, found[name].shape) for name in wanted)
            if weights[name].shape != shape
        ),
        "",
    )
    if difference:
        raise ValueError(
            "The model cannot be stored: made of the same parts it has other weights. "
            f"{difference}. {_CHANGED}"
        )
    kinds = dict(made.named_modules())
    for name, module in model.named_modules():
        if type(kinds.get(name)) is not type(module):
            raise ValueError(
                f"The model cannot be stored: {name or 'it'} is a {type(module).__name__}, and "
                f"would be a {type(kinds.get(name)).__name__}. {_CHANGED}"
            )
    ties = [*_ties(model) ^ _ties(made)]
    if ties:
        raise ValueError(
            f"The model cannot be stored: {sorted(ties[0])} are one parameter in it and several "
            f"in one that is made of the same parts, or the other way round. {_CHANGED}"
        )


def take_weights(module: torch_nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put weights into a module, each in the precision it has.

    Args:
        module: The module.
        weights: What ``state_dict`` and :func:`lasting_buffers` of such a module returned.

    Raises:
        ValueError: If there are none, or a buffer does not fit.
        RuntimeError: If they do not fit otherwise.
    """
    own = {name: tensor for name, tensor in weights.items() if not name.startswith(_BESIDE)}
    _take_precision(module, own)
    module.load_state_dict(own)
    buffers = dict(module.named_buffers())
    for name, tensor in weights.items():
        if not name.startswith(_BESIDE):
            continue
        name = name.removeprefix(_BESIDE)
        if name in own or name not in buffers or buffers[name].shape != tensor.shape:
            raise ValueError(f"there is no buffer {name!r} of the shape {list(tensor.shape)}")
        where, _, leaf = name.rpartition(".")
        setattr(module.get_submodule(where), leaf, tensor)


def lasting_buffers(
    model: torch_nn.Module, made: torch_nn.Module, weights: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return what is computed when a model is made, and was changed since, by rounding or by hand.

    Args:
        model: The model.
        made: One that was made again, with the same weights.
        weights: The tensors of the model by name.
    """
    again = dict(made.named_buffers())
    return {
        _BESIDE + name: buffer
        for name, buffer in model.named_buffers()
        if name not in weights and not _same(buffer, again.get(name))
    }


def _same(left: Tensor, right: Tensor | None) -> bool:
    if right is None or left.dtype != right.dtype or left.shape != right.shape:
        return False
    left, right = left.detach().cpu(), right.detach().cpu()
    return torch.equal(left, right) or bool(
        ((left == right) | (left.isnan() & right.isnan())).all()
    )


def _ties(module: torch_nn.Module) -> set[frozenset[str]]:
    """Return names that stand for one parameter."""
    groups: dict[int, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        groups.setdefault(id(parameter), []).append(name)
    return {frozenset(names) for names in groups.values() if len(names) > 1}


def _take_precision(module: torch_nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give each tensor of a module the precision of its weights.

    What is not among the weights, such as sinusoids, takes part in that of most of them. Which
    tensor comes first in a file is left to chance, and not all are numbers with a point.
    """
    counts: Counter[torch.dtype] = Counter()
    for tensor in weights.values():
        if tensor.is_floating_point():
            counts[tensor.dtype] += tensor.numel()
    if not counts:
        raise ValueError("it has no weights")
    module.to(max(counts, key=lambda dtype: (counts[dtype], str(dtype))))
    for name, tensor in module.state_dict(keep_vars=True).items():
        if tensor.is_floating_point() and name in weights:
            tensor.data = tensor.data.to(weights[name].dtype)


def _difference(wanted: Sequence[str], found: Sequence[str]) -> str:
    """Say how two lists of names differ; empty where they do not."""
    missing, beyond = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    parts = [f"{len(missing)} are missing, such as {missing[0]!r}"] if missing else []
    parts += [f"{len(beyond)} are new, such as {beyond[0]!r}"] if beyond else []
    return "; ".join(parts)
