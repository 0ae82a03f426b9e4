"""What an experiment is: a table of runs, every configuration with every seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

from mtl_utils.arguments import (
    check_callable,
    check_file_name,
    check_kind,
    check_number,
    check_path,
    check_seed,
    check_several,
    check_strings,
    check_text,
    check_whole,
)

Config = Mapping[str, Any]
Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Where one run of an experiment keeps its files.

    Args:
        workspace: A folder of this configuration and seed alone, kept until the record is written:
            a long run that was killed finds its checkpoint there.
        results: The folder of results files, where the records of other experiments are read.

    Raises:
        TypeError: If one is no path.
        ValueError: If one is empty.
    """

    workspace: Path
    results: Path

    def __post_init__(self) -> None:
        check_path("workspace", self.workspace)
        check_path("results", self.results)


@dataclass(frozen=True)
class Experiment:
    """A table of runs: every configuration with every seed.

    Args:
        name: Also the name of its results file.
        description: One sentence.
        configs: One mapping a configuration, of values that JSON can write.
        seeds: The seeds of each configuration.
        run: ``run(config, seed, place) -> metrics``, a mapping of values that JSON can write; the
            third argument is a :class:`Place`.
        deterministic: Tells whether a configuration uses no randomness; such a one is run once,
            with the first seed.
        needs: Names of the experiments whose records a run reads: they come first, all of them.
        priority: Of several experiments the one with the highest comes first.
        minutes: How long one run is expected to take on one core, which is asked for only as long
            as there is no record to tell.

    Raises:
        TypeError: If something is not of its kind.
        ValueError: If the name is none of a file, there is no configuration or no seed, a seed is
            negative or occurs twice, an experiment needs itself or one of them twice, or the
            minutes are not above 0.
    """

    name: str
    description: str
    configs: tuple[Config, ...]
    seeds: tuple[int, ...]
    run: Callable[[Config, int, Place], Metrics]
    deterministic: Callable[[Config], bool] = lambda config: False
    _: KW_ONLY
    needs: tuple[str, ...] = ()
    priority: int = 0
    minutes: float | None = None

    def __post_init__(self) -> None:
        check_file_name("name", self.name)
        check_text("description", self.description)
        check_several("configs", self.configs, "configurations")
        for place, config in enumerate(self.configs):
            check_kind(f"configs[{place}]", config, Mapping, "a mapping")
        if not self.configs:
            raise ValueError(f"configs must have at least one configuration, got {self.configs!r}")
        check_seeds(self.seeds)
        check_callable("run", self.run)
        check_callable("deterministic", self.deterministic)
        check_strings("needs", self.needs, distinct=True)
        if self.name in self.needs:
            raise ValueError(f"needs must be other experiments, got {self.name!r} itself")
        check_whole("priority", self.priority)
        if self.minutes is not None:
            check_number("minutes", self.minutes, above=0)

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
            check_seeds(seeds)
        chosen = self.seeds if seeds is None else tuple(seeds)
        return [
            (config, seed)
            for seed in chosen
            for config in self.configs
            if not (self.deterministic(config) and seed != chosen[0])
        ]


def check_seeds(seeds: Sequence[int]) -> None:
    """Refuse what are no seeds of the runs of a configuration.

    Args:
        seeds: The seeds.

    Raises:
        TypeError: If they are not several, or one is no whole number.
        ValueError: If there is none, or one is negative or occurs twice.
    """
    check_several("seeds", seeds, "whole numbers")
    for place, seed in enumerate(seeds):
        check_seed(f"seeds[{place}]", seed)
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must be at least one and none twice, got {seeds!r:.200}")
