"""How settings are drawn and trials given up, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mtl_utils.tuning.needs import optuna

#: ``"random"``, ``"tpe"``, or a function that makes a sampler of Optuna from a seed.
Sampler = str | Callable[[int], Any]
#: ``"median"``, ``"halving"``, a pruner of Optuna, or ``None``.
Pruner = Any

#: Samplers that go by a name.
SAMPLERS = ("random", "tpe")
#: Pruners that go by a name.
PRUNERS = ("median", "halving")
STARTUP = 5
"""Trials that a pruner lets run to their end before it compares."""


def sampler_of(sampler: Sampler, seed: int) -> Any:
    """Return a sampler of Optuna.

    Args:
        sampler: What was asked for.
        seed: Its seed.

    Raises:
        ValueError: If there is none of that name.
        TypeError: If it is neither a name nor a function, or does not return a sampler.
    """
    module = optuna().samplers
    if isinstance(sampler, str):
        if sampler not in SAMPLERS:
            raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, got {sampler!r}")
        kind = module.RandomSampler if sampler == "random" else module.TPESampler
        return kind(seed=seed)
    made = sampler(seed) if callable(sampler) else sampler
    if not isinstance(made, module.BaseSampler) or made is sampler:
        raise TypeError(
            f"sampler must be one of {', '.join(SAMPLERS)}, or a function that makes a sampler of "
            f"Optuna from a seed, got {sampler!r:.80}"
        )
    return made


def check_pruner(pruner: Pruner, num_objectives: int) -> None:
    """Refuse what is no pruner, or cannot prune.

    Args:
        pruner: What was asked for.
        num_objectives: How many objectives there are.

    Raises:
        TypeError: If it is no pruner.
        ValueError: If there is none of that name, or there are several objectives.
    """
    pruner_of(pruner)
    if pruner is not None and num_objectives > 1:
        raise ValueError(
            f"pruner {pruner!r} compares one objective, and there are {num_objectives}: leave it "
            "out"
        )


def pruner_of(pruner: Pruner) -> Any:
    """Return a pruner of Optuna.

    Args:
        pruner: What was asked for.

    Raises:
        TypeError: If it is no pruner.
        ValueError: If there is none of that name.
    """
    module = optuna().pruners
    if pruner is None:
        return module.NopPruner()
    if isinstance(pruner, module.BasePruner):
        return pruner
    if not isinstance(pruner, str):
        raise TypeError(
            f"pruner must be one of {', '.join(PRUNERS)}, a pruner of Optuna or None, got "
            f"{pruner!r:.80}"
        )
    if pruner not in PRUNERS:
        raise ValueError(f"pruner must be one of {', '.join(PRUNERS)}, got {pruner!r}")
    if pruner == "median":
        return module.MedianPruner(n_startup_trials=STARTUP)
    return module.SuccessiveHalvingPruner()
