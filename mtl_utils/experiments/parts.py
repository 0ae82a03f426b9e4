"""The parts of a comparison, each an experiment of its own in the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mtl_utils.experiments.controls import (
    ABLATIONS,
    FRESH,
    RATES,
    TRIALS,
    TWICE,
    borrowed,
    tuned_by,
)
from mtl_utils.experiments.experiment import Config, Experiment, Metrics

if TYPE_CHECKING:
    from mtl_utils.experiments.comparison import Comparison

TUNING_SEED = 100
DOUBLED = 2
"""How many of the seeds, the first, are run at twice the steps."""

ABLATED = 3
"""How many of the seeds, the first, are run with one thing changed, unless a comparison says."""

FRESH_SEEDS = (10, 11, 12, 13, 14)
"""Of the runs that try again what was found with others."""


def parts_of(comparison: Comparison) -> tuple[Experiment, ...]:
    """Return what a comparison has to run: tuning first, then what was best in several ways.

    Args:
        comparison: The comparison.
    """
    tuning = _tuning(comparison)
    tuned = (*_tuned_elsewhere(comparison), *(experiment.name for experiment in tuning))
    return (*tuning, *_of_the_best(comparison, tuned))


def _tuning(comparison: Comparison) -> list[Experiment]:
    """Step sizes, and what each contender tries beside."""
    here = [config for config in _own(comparison) if config["setting"] not in comparison.tuned_at]
    rates = [{**config, "rate": rate} for config in here for rate in comparison.rates]
    trials = [
        {**config, "trial": dict(trial)}
        for config in here
        for trial in comparison.contender(config["contender"]).trials
    ]
    seeds, run, made = (TUNING_SEED,), comparison.run_trial, []
    if rates:
        made.append(_part(comparison, RATES, "Step sizes, on validation.", rates, seeds, run))
    if trials:
        needs = (*_tuned_elsewhere(comparison), *(experiment.name for experiment in made))
        text = "Further settings, on validation."
        made.append(_part(comparison, TRIALS, text, trials, seeds, run, needs))
    return made


def _of_the_best(comparison: Comparison, tuned: Sequence[str]) -> list[Experiment]:
    """All seeds, twice the steps, ablations and fresh seeds."""
    own, seeds, run = _own(comparison), comparison.seeds, comparison.run
    doubles = comparison.doubles or [contender.name for contender in comparison.contenders]
    twice = [{**config, "times": 2} for config in own if config["contender"] in doubles]
    made = [
        _part(comparison, "", "", own, seeds, run, tuned),
        _part(comparison, TWICE, "At twice the steps.", twice, seeds[:DOUBLED], run, tuned, 2),
    ]
    changed = [
        {**config, **ablation.config()}
        for config in own
        for ablation in comparison.ablations
        if ablation.of == config["contender"]
    ]
    if changed:
        text, again = "With one thing changed.", comparison.run_ablation
        made.append(
            _part(comparison, ABLATIONS, text, changed, seeds[: comparison.ablated], again, tuned)
        )
    found = _found(comparison)
    if found:
        text = "What was found, with fresh seeds."
        made.append(_part(comparison, FRESH, text, found, FRESH_SEEDS, run, tuned))
    return made


def _own(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the configurations that are not run for another comparison."""
    theirs = borrowed(comparison)
    return [config for config in comparison.configs() if config["contender"] not in theirs]


def _tuned_elsewhere(comparison: Comparison) -> tuple[str, ...]:
    return () if comparison.controls is None else tuned_by(comparison.controls)


def _found(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the configurations of both sides of what was found."""
    again = {
        (setting, name)
        for setting, several in comparison.found.items()
        for contrast in several
        for name in (contrast.first, contrast.second)
    }
    return [
        config
        for config in comparison.configs()
        if (config["setting"], config["contender"]) in again
    ]


def _part(
    comparison: Comparison,
    ending: str,
    text: str,
    configs: Iterable[Config],
    seeds: Sequence[int],
    run: Callable[..., Metrics],
    needs: Sequence[str] = (),
    times: int = 1,
) -> Experiment:
    return Experiment(
        name=comparison.name + ending,
        description=f"{comparison.description} {text}".strip(),
        configs=tuple(configs),
        seeds=tuple(seeds),
        run=run,
        needs=tuple(needs),
        priority=comparison.priority,
        minutes=None if comparison.minutes is None else times * comparison.minutes,
    )
