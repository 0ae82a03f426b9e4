"""Which runs there are, and in which order they are made."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from mtl_utils.arguments import check_strings, shown
from mtl_utils.experiments import records
from mtl_utils.experiments.experiment import Config, Experiment

Key = tuple[str, str, int]
Known = Callable[[], Mapping[str, Experiment]]
"""A function that lists experiments by name, as :func:`registry` does."""


@dataclass(frozen=True)
class Run:
    """One configuration with one seed.

    Args:
        experiment: The experiment.
        config: The configuration.
        seed: The seed.
    """

    experiment: Experiment
    config: Config
    seed: int

    @property
    def key(self) -> Key:
        """What its record is found by, as :func:`records.key` gives it."""
        return self.experiment.name, records.canonical(self.config), self.seed

    def __str__(self) -> str:
        """Name it as briefly as tells it from the others."""
        varying = [
            f"{name}={value}"
            for name, value in self.config.items()
            if not isinstance(value, list | tuple | dict)
            and any(other.get(name) != value for other in self.experiment.configs)
        ]
        told = " ".join(varying)
        return " ".join(filter(None, (self.experiment.name, f"{told:.80}", f"seed {self.seed}")))


def in_order(names: Sequence[str], known: Mapping[str, Experiment]) -> dict[str, int]:
    """Choose experiments, and put first what has the highest priority.

    Args:
        names: Those that are wanted; all if there is none. What they need comes along, with the
            priority of what needs it where that is higher.
        known: All there are, by name.

    Returns:
        The priority of each, by name.

    Raises:
        KeyError: If there is none of a name, or of one that is needed.
        TypeError: If the names are not several strings.
        ValueError: If experiments need each other in a circle.
    """
    check_strings("names", names)
    wanted = list(names or known)
    needs: dict[str, tuple[str, ...]] = {}
    for name in wanted:  # which grows
        if name not in known:
            raise KeyError(f"No experiment named {name!r}; there are {', '.join(sorted(known))}")
        if name not in needs:
            needs[name] = known[name].needs
            wanted += known[name].needs
    try:
        first_needed = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise ValueError(f"These need each other: {', '.join(error.args[1])}") from None
    priorities = {name: known[name].priority for name in known if name in needs}
    for name in reversed(first_needed):
        for needed in needs[name]:
            priorities[needed] = max(priorities[needed], priorities[name])
    return dict(sorted(priorities.items(), key=lambda item: -item[1]))


def planned(names: Sequence[str], known: Mapping[str, Experiment]) -> list[Run]:
    """List all runs, recorded or not, in the order in which they are taken.

    Experiments of the same priority begin with the first seed of each, so that work cut short
    covers all configurations.

    Args:
        names: As :func:`in_order`, which also says what is raised.
        known: All there are, by name.
    """
    found = []
    for name, priority in in_order(names, known).items():
        experiment = known[name]
        for config, seed in experiment.cells():
            place = experiment.seeds.index(seed)
            found.append((-priority, place, Run(experiment, config, seed)))
    return [run for *_, run in sorted(found, key=lambda item: item[:2])]


def all_needs(known: Mapping[str, Experiment]) -> dict[str, frozenset[str]]:
    """List what experiments need, and what these need.

    Args:
        known: All there are, by name, none of which need each other in a circle.

    Returns:
        By name of each.
    """
    found: dict[str, frozenset[str]] = {}

    def of(name: str) -> frozenset[str]:
        if name not in found:
            needs = known[name].needs
            found[name] = frozenset(needs).union(*map(of, needs))
        return found[name]

    return {name: of(name) for name in known if set(known[name].needs) <= set(known)}


def recorded(runs: Iterable[Run], folder: Path) -> dict[Key, float]:
    """Read which runs of some experiments are on record.

    Args:
        runs: Of the experiments.
        folder: Where the results files are.

    Returns:
        The seconds of each record, by its key; also of runs that are not among these.
    """
    names = dict.fromkeys(run.experiment.name for run in runs)
    with warnings.catch_warnings():
        # A line that is half there is one that another process is just writing.
        warnings.filterwarnings("ignore", message=".*half-written record")
        return {
            records.key(record): record["seconds"]
            for name in names
            for record in records.read(records.file_of(folder, name))
        }


def importable_name(known: Known) -> str:
    """Return the name by which another process finds a function that lists experiments.

    Args:
        known: The function.

    Returns:
        ``module:name``.

    Raises:
        ValueError: If another process cannot import it.
    """
    module = getattr(known, "__module__", "__main__")
    name = getattr(known, "__qualname__", "")
    if module == "__main__" or not name.isidentifier():
        raise ValueError(
            "known must be a function at the top of a module that other processes can import, "
            f"got {shown(known)} of {module}"
        )
    return f"{module}:{name}"
