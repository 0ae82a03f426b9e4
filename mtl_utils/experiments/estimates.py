"""How long runs will take, from those that are on record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from mtl_utils.arguments import check_callable, check_path, check_strings
from mtl_utils.experiments.queue import Key, Known, Run, in_order, planned, recorded
from mtl_utils.experiments.records import results_folder
from mtl_utils.experiments.registry import registry


@dataclass(frozen=True)
class Estimate:
    """What an experiment has cost and will cost.

    Args:
        name: Of the experiment.
        priority: Its own, or that of an experiment that needs it.
        configs: How many configurations it has.
        seeds: How many seeds.
        runs: How many runs these make; a configuration without randomness is run once.
        done: How many are on record.
        hours: Core-hours of all runs of which something is known.
        hours_left: Of those that are not on record.
        unknown: How many runs nothing is known of.
    """

    name: str
    priority: int
    configs: int
    seeds: int
    runs: int
    done: int
    hours: float
    hours_left: float
    unknown: int


def estimate(
    names: Sequence[str] = (), folder: str | Path | None = None, known: Known = registry
) -> list[Estimate]:
    """Say what experiments cost in core-hours, before they are run.

    A run on record counts its seconds, as one core. Any other is expected to take the median of
    the records of its configuration with other seeds; without any, of all of its experiment;
    without any, the experiment's ``minutes``; and if it does not say, that is unknown.

    Args:
        names: Of the experiments, what they need comes along; all if there is none.
        folder: Where the results files are, or are to be; see :func:`results_folder` for where
            they are looked for without one.
        known: Lists all experiments.

    Returns:
        One for each, those of the highest priority first.

    Raises:
        FileNotFoundError: If no folder is given and there is none.
        KeyError: If there is no experiment of a name.
        TypeError: If an argument is not of its kind.
        ValueError: If a results file is damaged, or experiments need each other in a circle.
    """
    check_strings("names", names)
    check_callable("known", known)
    if folder is not None:
        check_path("folder", folder)
    there = known()
    runs = planned(names, there)
    seconds = recorded(runs, results_folder() if folder is None else Path(folder))
    expected = expected_seconds(runs, seconds)
    found = []
    for name, priority in in_order(names, there).items():
        ours = [run for run in runs if run.experiment.name == name]
        left = [run for run in ours if run.key not in seconds]
        costs = {run.key: expected[run.key] for run in ours}
        found.append(
            Estimate(
                name=name,
                priority=priority,
                configs=len(there[name].configs),
                seeds=len(there[name].seeds),
                runs=len(ours),
                done=len(ours) - len(left),
                hours=sum(cost or 0.0 for cost in costs.values()) / 3600,
                hours_left=sum(costs[run.key] or 0.0 for run in left) / 3600,
                unknown=sum(cost is None for cost in costs.values()),
            )
        )
    return found


def expected_seconds(runs: Iterable[Run], seconds: Mapping[Key, float]) -> dict[Key, float | None]:
    """Return how long each run took or can be expected to take, ``None`` where nothing tells.

    Args:
        runs: The runs.
        seconds: Of those on record, as :func:`recorded` returns them.
    """
    of_experiment: dict[str, list[float]] = {}
    of_config: dict[tuple[str, str], list[float]] = {}
    for (name, config, _), value in seconds.items():
        of_experiment.setdefault(name, []).append(value)
        of_config.setdefault((name, config), []).append(value)
    medians = {name: median(values) for name, values in of_experiment.items()}
    found: dict[Key, float | None] = {}
    for run in runs:
        name, config, _ = run.key
        minutes = run.experiment.minutes
        stated = None if minutes is None else 60 * minutes
        if run.key in seconds:
            found[run.key] = seconds[run.key]
        elif (name, config) in of_config:
            found[run.key] = median(of_config[name, config])
        else:
            found[run.key] = medians.get(name, stated)
    return found


def written(estimates: Sequence[Estimate]) -> str:
    """Write estimates as a table, with their sum."""
    table = [
        ["experiment", "priority", "configurations x seeds", *_HEADER],
        *(
            [one.name, str(one.priority), f"{one.configs} x {one.seeds}", *_costs([one])]
            for one in estimates
        ),
        ["all", "", "", *_costs(estimates)],
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join([first.ljust(widths[0]), *map(str.rjust, rest, widths[1:])])
        for first, *rest in table
    )


_HEADER = ("runs", "done", "remaining", "core-hours left", "of")


def _costs(estimates: Sequence[Estimate]) -> list[str]:
    """Sum what stands under :data:`_HEADER`."""
    runs, done, unknown = (
        sum(getattr(one, name) for one in estimates) for name in ("runs", "done", "unknown")
    )
    left, hours = sum(one.hours_left for one in estimates), sum(one.hours for one in estimates)
    numbers = [str(runs), str(done), str(runs - done)]
    return [*numbers, _hours(left, unknown), _hours(hours, unknown)]


def _hours(hours: float, unknown: int) -> str:
    if not unknown:
        return f"{hours:.2f}"
    told = f"{unknown} {'run' if unknown == 1 else 'runs'} unknown"
    return f"{hours:.2f} + {told}" if hours else told
