"""What an experiment is, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Config = Mapping[str, Any]
Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class Experiment:
    """A table of runs: every configuration with every seed.

    Args:
        name: Also the name of its results file.
        description: One sentence.
        configs: One mapping a configuration, of values that JSON can write.
        seeds: The seeds of each configuration.
        run: ``run(config, seed, workspace) -> metrics``, a mapping of values that JSON can write.
            The workspace is a folder of this configuration and seed alone, kept until the record
            is written: a long run that was killed finds its checkpoint there.
        deterministic: Tells whether a configuration uses no randomness; such a one is run once,
            with the first seed.
    """

    name: str
    description: str
    configs: tuple[Config, ...]
    seeds: tuple[int, ...]
    run: Callable[[Config, int, Path], Metrics]
    deterministic: Callable[[Config], bool] = lambda config: False

    def cells(self, seeds: Sequence[int] | None = None) -> list[tuple[Config, int]]:
        """List what there is to run.

        Args:
            seeds: Use these instead of the experiment's own.

        Returns:
            Pairs of configuration and seed; all configurations with the first seed come first, so
            that a run cut short covers them all.
        """
        chosen = self.seeds if seeds is None else tuple(seeds)
        return [
            (config, seed)
            for seed in chosen
            for config in self.configs
            if not (self.deterministic(config) and seed != chosen[0])
        ]


def registry() -> dict[str, Experiment]:
    """Return every experiment by name."""
    # What these import, scikit-learn among it, is only needed to run.
    from mtl_utils.experiments import (
        atlas_difficulty,
        data_sets,
        language_models,
        multitask_transformer,
        named_entities,
        pretrained,
        sharing_families,
        three_tasks,
        transformer,
        translation,
    )

    modules = (
        atlas_difficulty,
        data_sets,
        language_models,
        translation,
        named_entities,
        three_tasks,
        transformer,
        multitask_transformer,
        pretrained,
        sharing_families,
    )
    return {experiment.name: experiment for module in modules for experiment in module.EXPERIMENTS}


def find(name: str) -> Experiment:
    """Look up an experiment.

    Args:
        name: Its name.

    Returns:
        The experiment.

    Raises:
        KeyError: If there is none of that name.
    """
    experiments = registry()
    if name not in experiments:
        raise KeyError(f"No experiment named {name!r}; there are {', '.join(sorted(experiments))}")
    return experiments[name]
