"""What a trainer trains: the model as it is, or a sharded copy in its place."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from accelerate import Accelerator  # type: ignore[import-untyped]
from torch import Tensor
from torch import nn as torch_nn
from torch.optim import Optimizer

from mtl_utils.multitask import MultiTaskModel
from mtl_utils.objectives.base import Balancer
from mtl_utils.training.configuration import TrainerConfig
from mtl_utils.training.processes import same_everywhere
from mtl_utils.training.sharding import refuse_sharded_balancer, shard_model, whole_state

Groups = Sequence[Mapping[str, Any]]


class WholeModel:
    """A model that is trained as it is, by each process its own.

    Args:
        model: The model.
        accelerator: Knows the processes.

    Attributes:
        trained: What is trained.
        measures_shares: Whether gradients of tasks can be looked at one by one.
    """

    measures_shares = True

    def __init__(self, model: MultiTaskModel, accelerator: Accelerator) -> None:
        self.model = self.trained = model
        self._accelerator = accelerator

    def prepared(self, module: torch_nn.Module) -> torch_nn.Module:
        """Return a module around what is trained as processes train it together.

        Args:
            module: The module.
        """
        # The optimizer stays as it is: in every step accelerate's wrapper of it looks twice on the
        # disk for a package that nobody has installed, 5% of the time of a small model.
        prepared: torch_nn.Module = self._accelerator.prepare(module)
        return prepared

    def groups(self, groups: Groups | None) -> Groups | None:
        """Return groups of parameters of what is trained.

        Args:
            groups: Groups of the model's parameters.
        """
        return groups

    def parts(self, optimizer: Optimizer) -> dict[str, Any]:
        """Return what a checkpoint holds of model and optimiser, both whole.

        Args:
            optimizer: That of what is trained.
        """
        return {"model": self.model, "optimizer": optimizer}

    def put_together(self) -> None:
        """Give the model the weights that were trained: it has them."""

    def end_epoch(self) -> None:
        """Tell the way of sharing that an epoch has ended."""
        self.model.sharing.epoch_ended()


class ShardedCopy:
    """A model that is trained in shards, while the model itself stays whole where it is.

    Its weights are put together into the model where whole ones are needed: to validate, to write a
    checkpoint, and at the end. Every process must call each method; those that are not explained
    do what they do for a :class:`WholeModel`.

    Args:
        model: The model.
        accelerator: Knows the processes, and where the shards are to be.
    """

    measures_shares = False

    def __init__(self, model: MultiTaskModel, accelerator: Accelerator) -> None:
        self.model, self.trained = model, copy.deepcopy(model).to(accelerator.device)
        same_everywhere((*self.trained.parameters(), *self.trained.buffers()), accelerator)
        shard_model(self.trained)

    def prepared(self, module: torch_nn.Module) -> torch_nn.Module:
        """Return the module as it is: shards know the processes."""
        return module

    def parts(self, optimizer: Optimizer) -> dict[str, Any]:
        """Return what puts model and optimiser together, and deals them out."""
        return {"model": self, "optimizer": ShardedOptimizer(optimizer)}

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the whole model."""
        return whole_state(self.trained.state_dict())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Deal the state of a whole model out.

        Args:
            state: What :meth:`state_dict` returned, or that of the model.
        """
        own = self.trained.state_dict()
        self.trained.load_state_dict({n: _dealt(v, own.get(n)) for n, v in state.items()})

    def put_together(self) -> None:
        """Give the model the weights that the copy has now."""
        self.model.load_state_dict(self.state_dict())

    def end_epoch(self) -> None:
        """Tell the way of sharing that an epoch has ended; what it remembers is in buffers."""
        self.put_together()
        self.model.sharing.epoch_ended()
        for ours, told in zip(self.trained.buffers(), self.model.buffers(), strict=True):
            ours.copy_(told)

    def groups(self, groups: Groups | None) -> Groups | None:
        """Return groups of parameters with those of the copy in their place.

        Args:
            groups: Groups of the model's parameters.
        """
        if groups is None:
            return None
        names = {id(parameter): name for name, parameter in self.model.named_parameters()}
        own = dict(self.trained.named_parameters())
        return [{**g, "params": [own[names[id(p)]] for p in g["params"]]} for g in groups]


class ShardedOptimizer:
    """The state of an optimiser of shards, as that of a whole model would have it.

    Args:
        optimizer: The optimiser.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    def state_dict(self) -> dict[str, Any]:
        """Return the whole state; every process must call it."""
        return whole_state(self.optimizer.state_dict())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Deal a whole state out; every process must call it.

        Args:
            state: What :meth:`state_dict` returned, or an optimiser of the whole model.
        """
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        dealt = {
            place: {name: _dealt(value, parameters[place]) for name, value in values.items()}
            for place, values in state["state"].items()
        }
        self.optimizer.load_state_dict({**state, "state": dealt})


def check_sharded(config: TrainerConfig, balancer: Balancer | None) -> None:
    """Refuse what a trainer cannot do in shards.

    Args:
        config: How to train.
        balancer: What turns losses into gradients.

    Raises:
        ValueError: If it is to train in mixed precision, or the balancer looks at the gradients of
            tasks one by one.
    """
    refuse_sharded_balancer(balancer)
    if config.mixed_precision != "no":
        raise ValueError(
            f"sharded=True trains in the precision of the weights, got mixed_precision="
            f'{config.mixed_precision!r}; use "no", or train data-parallel'
        )


def _dealt(value: Any, like: Any) -> Any:
    """Return a tensor as shards, if what is to have it is in shards of a tensor of that shape."""
    if not isinstance(value, Tensor) or not hasattr(like, "full_tensor"):
        return value
    if value.shape != like.shape:
        return value
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)
