"""Models that no process holds whole: parameters, gradients and optimiser states in shards."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from torch import Tensor, distributed
from torch import nn as torch_nn
from torch.utils import _pytree as pytree

from mtl_utils.arguments import check_kind, shown
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.transformer_layer import TransformerLayer
from mtl_utils.objectives.across import in_process_group
from mtl_utils.objectives.base import Balancer, Losses
from mtl_utils.objectives.gradient_norms import GradNorm

#: What may be back-propagated; features are a view, to which no hook would stick.
_DIFFERENTIABLE = ["by_task", "penalty", "penalty_by_task"]
_OTHERS = [field.name for field in fields(Losses) if field.name not in _DIFFERENTIABLE]


def shard_model(
    model: MultiTaskModel,
    layers: Iterable[torch_nn.Module] | None = None,
    *,
    balancer: Balancer | None = None,
) -> MultiTaskModel:
    """Deal the parameters of a model out to all processes, in place (Rajbhandari et al., 2020).

    Each process keeps an Nth of every parameter, of its gradient and of its optimiser state, by
    ``torch.distributed.fsdp.fully_shard``. A layer is put together when its turn comes, in the
    pass there and in the pass back, and dealt out again; what belongs to no layer, embeddings and
    heads, is whole while a step computes. Gradients are averaged on the way, so that losses must
    come from :func:`weighed_by_counts`. Make the optimiser afterwards. All processes must hold the
    same weights before.

    Args:
        model: The model.
        layers: Parts that are put together one at a time; all layers of Transformers that share no
            parameter with other parts if ``None``.
        balancer: What will turn losses into gradients, to be told here if it cannot.

    Returns:
        The same model.

    Raises:
        TypeError: If it is no multi-task model.
        ValueError: If the balancer looks at the gradients of tasks one by one, which need
            parameters that are whole; or the model is sharded already.
        RuntimeError: If no processes have been started.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    refuse_sharded_balancer(balancer)
    if is_sharded(model):
        raise ValueError(f"{type(model).__name__} is sharded already; shard it once")
    if not in_process_group():
        raise RuntimeError(
            "A model is sharded over processes, and none have been started. Call it within "
            "run_in_processes, or after torch.distributed.init_process_group."
        )
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    _register_losses()
    # It warns of losses that are views, which nobody here changes in place.
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module", category=UserWarning)
    device = next(model.parameters()).device.type
    mesh = init_device_mesh(device, (distributed.get_world_size(),))
    for layer in _alone(model, layers):
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model


def is_sharded(model: torch_nn.Module) -> bool:
    """Tell whether parameters of a model are dealt out to several processes.

    Args:
        model: The model.
    """
    return any(hasattr(parameter, "full_tensor") for parameter in model.parameters())


def whole_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Put a state together from the shards of all processes, which must all call it.

    Args:
        state: What ``state_dict`` of a sharded model, or of its optimiser, returned.

    Returns:
        The same with whole tensors on the CPU, which a model that is not sharded loads, and
        :func:`~mtl_utils.training.save_checkpoint` writes.

    Raises:
        TypeError: If the state is no mapping.
    """
    check_kind("state", state, Mapping, "a state_dict")
    found: dict[str, Any] = pytree.tree_map(_whole, dict(state))
    return found


def refuse_sharded_balancer(balancer: Balancer | None) -> None:
    """Refuse what needs parameters that are whole.

    Args:
        balancer: What turns losses into gradients.

    Raises:
        ValueError: If it looks at the gradients of tasks one by one.
    """
    if balancer is None or not (balancer.averages or isinstance(balancer, GradNorm)):
        return
    raise ValueError(
        f"{type(balancer).__name__} looks at the gradient of each task on whole parameters, and a "
        "sharded model has them for a moment only, in the pass of all tasks together. Train "
        "data-parallel, or use a balancer that weighs losses, such as FixedWeights, "
        "UncertaintyWeights or FAMO."
    )


def _whole(value: Any) -> Any:
    if hasattr(value, "full_tensor"):
        value = value.full_tensor()
    return value.detach().cpu() if isinstance(value, Tensor) else value


def _alone(
    model: torch_nn.Module, layers: Iterable[torch_nn.Module] | None
) -> list[torch_nn.Module]:
    """Return the layers of which no parameter belongs to another part too."""
    given = list(layers) if layers is not None else None
    chosen: list[torch_nn.Module] = given or []
    if given is None:
        chosen = [m for m in model.modules() if isinstance(m, TransformerLayer)]
    owned = {id(layer): {id(p) for p in layer.parameters()} for layer in chosen}
    inside = {id(part) for layer in chosen for part in layer.modules()}
    outside: set[int] = set()
    for part in model.modules():
        if id(part) not in inside:
            outside |= {id(p) for p in part.parameters(recurse=False)}
    times: dict[int, int] = {}
    for parameters in owned.values():
        for parameter in parameters:
            times[parameter] = times.get(parameter, 0) + 1
    shared = outside | {parameter for parameter, number in times.items() if number > 1}
    found = [layer for layer in chosen if owned[id(layer)].isdisjoint(shared)]
    if given is not None and len(found) < len(given):
        raise ValueError(
            f"{shown(next(layer for layer in given if layer not in found))} shares parameters "
            "with another part of the model; leave it out of layers"
        )
    return found


def _register_losses() -> None:
    """Let hooks find the tensors of what a model returns: without, nothing is put together."""
    if Losses in pytree.SUPPORTED_NODES:
        return
    pytree.register_pytree_node(
        Losses,
        lambda losses: (
            [getattr(losses, name) for name in _DIFFERENTIABLE],
            [getattr(losses, name) for name in _OTHERS],
        ),
        lambda values, others: Losses(
            **dict(zip(_DIFFERENTIABLE, values, strict=True)),
            **dict(zip(_OTHERS, others or [], strict=True)),
        ),
    )


def check_whole_model(model: torch_nn.Module) -> None:
    """Refuse a sharded model where a whole one is needed.

    Args:
        model: The model.

    Raises:
        ValueError: If it is sharded.
    """
    if is_sharded(model):
        raise ValueError(
            f"{type(model).__name__} is sharded, and Trainer is given whole models: with "
            "sharded=True it deals them out itself. One that training.shard_model has dealt out is "
            "trained in a loop, as train_sharded does."
        )
