"""Balancers by the settings that a configuration names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtl_utils import objectives
from mtl_utils.objectives import Balancer, RandomWeights, TaskScalarization


def balancer_of(settings: Mapping[str, Any], tasks: Sequence[str], seed: int) -> Balancer:
    """Make a balancer.

    Args:
        settings: Its ``kind``, the name of a class of :mod:`mtl_utils.objectives`, and the
            arguments of that beside the names of tasks and a seed.
        tasks: Names of the tasks.
        seed: For what is drawn.

    Raises:
        KeyError: If there is no such balancer.
    """
    own = {name: value for name, value in settings.items() if name != "kind"}
    made: Any = getattr(objectives, settings["kind"], None)
    if not _is_balancer(made):
        kinds = [name for name in objectives.__all__ if _is_balancer(getattr(objectives, name))]
        raise KeyError(f"No balancer of the kind {settings['kind']!r}; there are {kinds}")
    if made is RandomWeights:
        own["seed"] = seed
    named = issubclass(made, TaskScalarization)
    balancer: Balancer = made(list(tasks), **own) if named else made(**own)
    return balancer


def _is_balancer(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Balancer)
