"""What tells a run from others: everything that changes its result, by names a reader knows."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from torch import Tensor
from torch import nn as torch_nn
from torch.optim import Optimizer

from mtl_utils.data.content import Plain, tensor_digest, text_digest
from mtl_utils.training import schedules
from mtl_utils.training.configuration import TrainerConfig
from mtl_utils.training.description import Description
from mtl_utils.training.precision import choose_precision

#: Settings that change no weight, or that say how far to go, which a run may be told anew.
_HARMLESS = ("checkpoint_every", "epochs", "max_steps")
_MOST_DIFFERENCES, _LONGEST_SHOWN = 8, 80

#: What settings were before they could be set.
_BEFORE: Mapping[str, Plain] = {
    "config.accumulate": 1,
    "config.task_patience": None,
    "task metrics": None,
}

Fingerprint = dict[str, Plain]
Weights = Mapping[str, Any]


class FingerprintWarning(UserWarning):
    """A run depends on what cannot be looked into, or goes on with an ``evaluate`` that changed."""


def run_fingerprint(
    config: TrainerConfig,
    total_steps: int,
    model: torch_nn.Module,
    balancer: torch_nn.Module,
    optimizer: Optimizer,
    **others: Any,
) -> Fingerprint:
    """Return what tells a run from others, the first weights aside.

    How long it is to be counts only where the schedule depends on it.

    Args:
        config: How it trains.
        total_steps: How many steps it is to have.
        model: The model: its modules with their settings, its tasks, its parameters by type, shape
            and whether they are trained.
        balancer: The balancer, likewise.
        optimizer: The optimizer: which parameter is where in which group, and all options.
        **others: What else the result depends on, such as data and ``evaluate``.

    Returns:
        Plain values by name, long ones as digests.
    """
    settings = {name: value for name, value in asdict(config).items() if name not in _HARMLESS}
    settings["mixed_precision"] = choose_precision(config.mixed_precision)
    if schedules.depends_on_total(config.schedule):
        settings["steps of the whole schedule"] = total_steps
    described = Description((*_in_state(model), *_in_state(balancer)))
    for name, value in {"config": settings, "model": model, "balancer": balancer, **others}.items():
        described.add(name.replace("_", " "), value)
    if described.unknown:
        warnings.warn(
            f"The checkpoint depends on {', '.join(described.unknown)}, of which the type alone is "
            "compared when the run goes on: a change of content will not be noticed. Numbers, "
            "texts, arrays, collections of them, functions and objects of your own classes can be "
            "compared.",
            FingerprintWarning,
            stacklevel=2,
        )
    return described.entries | _groups(optimizer, {"model": model, "balancer": balancer})


def _in_state(module: torch_nn.Module) -> Iterator[Tensor]:
    """Yield what a checkpoint restores, so that the weights at the start are compared instead."""
    yield from module.parameters()
    for part in module.modules():
        for name, buffer in part.named_buffers(recurse=False):
            if name not in part._non_persistent_buffers_set:
                yield buffer


def _groups(optimizer: Optimizer, modules: Mapping[str, torch_nn.Module]) -> Fingerprint:
    names = {
        id(parameter): f"{owner}.{name}"
        for owner, module in modules.items()
        for name, parameter in module.named_parameters()
    }
    kind = type(getattr(optimizer, "optimizer", optimizer))  # accelerate wraps it
    found = Description()
    found.add("optimizer", kind)
    for number, group in enumerate(optimizer.param_groups, 1):
        # The rate at hand follows from the schedule, and how a step is computed changes no result.
        left_out = ("params", "lr", "foreach", "fused")
        options = {name: v for name, v in group.items() if name not in left_out}
        found.add(f"optimizer group {number}", options)
        for place, parameter in enumerate(group["params"], 1):
            name = names.get(id(parameter), f"an unknown parameter {list(parameter.shape)}")
            found.add(f"optimizer place of {name}", f"group {number}, place {place}")
    return found.entries


def weights_digests(weights: Weights) -> dict[str, str]:
    """Return a digest for each tensor of a state.

    Args:
        weights: What ``state_dict`` returned.
    """
    return {
        name: tensor_digest(value) if isinstance(value, Tensor) else text_digest(repr(value))
        for name, value in weights.items()
    }


def differences(
    there: Mapping[str, Any], here: Mapping[str, Any], ignored: Sequence[str] = ()
) -> list[str]:
    """Say in which entries two fingerprints differ.

    Where something is of another class, its settings are not listed too.

    Args:
        there: That of the checkpoint.
        here: That of the call.
        ignored: Names of what may differ, with all that is within.

    Returns:
        A text for each of the first differences, and how many more there are; empty if there are
        none.
    """
    names = [
        name
        for name in {**here, **there}
        if _differs(there, here, name) and not any(_within(name, other) for other in ignored)
    ]
    told = [n for n in names if not any(_within(n, o) for o in names if o != n)]
    texts = [
        f"{name} is {_shown(there, here, name)} there and {_shown(here, there, name)} here"
        for name in told[:_MOST_DIFFERENCES]
    ]
    left = len(told) - len(texts)
    return [*texts, f"and {left} more"] if left else texts


def _within(name: str, other: str) -> bool:
    return f"{name}.".startswith(f"{other}.")


def _differs(there: Mapping[str, Any], here: Mapping[str, Any], name: str) -> bool:
    if name not in there and _as_ever(here, name):
        return False
    return name not in there or name not in here or there[name] != here[name]


def _as_ever(here: Mapping[str, Any], name: str) -> bool:
    """Tell whether a setting is what every run had before it could be set.

    Checkpoints of before have no scale of losses, which were means over labels or, with the old
    setting for it, over sequences. Every batch was a step of its own, no task stopped alone, and no
    head gained labels.
    """
    if name in _BEFORE:
        return bool(here[name] == _BEFORE[name])
    owner, _, setting = name.rpartition(".")
    if setting == "added":
        return bool(here[name] == "[]")
    of_all = "text" if here.get(f"{owner}.per") == "sequence" else "token"
    return setting == "scale" and here[name] == of_all


def _shown(one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> str:
    """Return a value, from where it differs on if it is long."""
    if name not in one:
        return "absent"
    text, against = repr(one[name]), repr(other.get(name))
    if len(text) <= _LONGEST_SHOWN:
        return text
    pairs: Iterable[tuple[str, str]] = zip(text, against, strict=False)
    same = next((place for place, (a, b) in enumerate(pairs) if a != b), len(against))
    start = max(0, min(same - _LONGEST_SHOWN // 2, len(text) - _LONGEST_SHOWN))
    end = start + _LONGEST_SHOWN
    return f"{'...' if start else ''}{text[start:end]}{'...' if end < len(text) else ''}"
