"""What an experiment is: a table of runs, every configuration with every seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_utils.arguments import (
    check_callable,
    check_file_name,
    check_kind,
    check_seed,
    check_several,
    check_text,
)

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

    Raises:
        TypeError: If something is not of its kind.
        ValueError: If the name is none of a file, there is no configuration or no seed, or a seed
            is negative or occurs twice.
    """

    name: str
    description: str
    configs: tuple[Config, ...]
    seeds: tuple[int, ...]
    run: Callable[[Config, int, Path], Metrics]
    deterministic: Callable[[Config], bool] = lambda config: False

    def __post_init__(self) -> None:
        check_file_name("name", self.name)
        check_text("description", self.description)
        check_several("configs", self.configs, "configurations")
        for place, config in enumerate(self.configs):
            check_kind(f"configs[{place}]", config, Mapping, "a mapping")
        if not self.configs:
            raise ValueError(f"configs must have at least one configuration, got {self.configs!r}")
        _check_seeds(self.seeds)
        check_callable("run", self.run)
        check_callable("deterministic", self.deterministic)

    def cells(self, seeds: Sequence[int] | None = None) -> list[tuple[Config, int]]:
        """List what there is to run.

        Args:
            seeds: Use these instead of the experiment's own.

        Returns:
            Pairs of configuration and seed; all configurations with the first seed come first, so
            that a run cut short covers them all.

        Raises:
            TypeError: If the seeds are not several, or one is no whole number.
            ValueError: If there is none, or one is negative or occurs twice.
        """
        if seeds is not None:
            _check_seeds(seeds)
        chosen = self.seeds if seeds is None else tuple(seeds)
        return [
            (config, seed)
            for seed in chosen
            for config in self.configs
            if not (self.deterministic(config) and seed != chosen[0])
        ]


def _check_seeds(seeds: Sequence[int]) -> None:
    check_several("seeds", seeds, "whole numbers")
    for place, seed in enumerate(seeds):
        check_seed(f"seeds[{place}]", seed)
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must be at least one and none twice, got {seeds!r:.200}")
