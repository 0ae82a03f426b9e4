"""Runs that two comparisons have in common: made for one, read by both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from mtl_utils.arguments import check_kind
from mtl_utils.experiments import records
from mtl_utils.experiments.analysis import as_frame, read_results

if TYPE_CHECKING:
    from mtl_utils.experiments.comparison import Comparison

RATES, TRIALS, TWICE, FRESH = "_rates", "_trials", "_doubled", "_fresh"
ABLATIONS = "_ablations"
"""What the names of a comparison's parts end in; the runs with all seeds have its own name."""

_SAME = ("settings", "rates", "seeds", "train", "tuned_at")


def check_controls(comparison: Comparison, controls: Comparison) -> None:
    """Refuse controls whose runs are not those that the comparison would make itself.

    Args:
        comparison: That would read them.
        controls: That make them.

    Raises:
        ValueError: If the two differ in what every run depends on, or have no contender in common.
        TypeError: If the controls are no comparison.
    """
    check_kind("controls", controls, type(comparison), "a Comparison")
    other = [name for name in _SAME if getattr(controls, name) != getattr(comparison, name)]
    if other:
        raise ValueError(
            f"controls must have the {', '.join(other)} of {comparison.name}; {controls.name} has "
            "others"
        )
    if not borrowed(comparison, controls):
        raise ValueError(f"controls have no contender of {comparison.name}: {controls.name}")


def borrowed(comparison: Comparison, controls: Comparison | None = None) -> frozenset[str]:
    """Name the contenders whose runs are made for another comparison.

    Args:
        comparison: That reads them.
        controls: The other one; that of the comparison if ``None``.
    """
    controls = controls or comparison.controls
    if controls is None:
        return frozenset()
    theirs = set(controls.doubles or [contender.name for contender in controls.contenders])
    return frozenset(
        contender.name
        for contender in comparison.contenders
        if contender in controls.contenders and contender.name in theirs
    )


def tuned_by(comparison: Comparison) -> tuple[str, ...]:
    """Name the experiments that tune a comparison.

    Args:
        comparison: The comparison.
    """
    names = {experiment.name for experiment in comparison.experiments()}
    return tuple(
        comparison.name + part for part in (RATES, TRIALS) if comparison.name + part in names
    )


def runs_of(comparison: Comparison, part: str, folder: str | Path | None = None) -> pd.DataFrame:
    """Read the runs of one part of a comparison, those that another made for it among them.

    Args:
        comparison: The comparison.
        part: What the name of the part ends in, such as :data:`RATES`; empty for the runs with
            all seeds.
        folder: Where the records are; see :func:`load_results`.

    Raises:
        FileNotFoundError: If they are not on record.
        ValueError: As :func:`own_runs`.
    """
    own = own_runs(comparison, part, folder)
    if comparison.controls is None:
        return own
    theirs = runs_of(comparison.controls, part, folder)
    return pd.concat([theirs[theirs["contender"].isin(borrowed(comparison))], own])


def own_runs(comparison: Comparison, part: str, folder: str | Path | None = None) -> pd.DataFrame:
    """Read the runs of one part of a comparison that it makes itself.

    Args:
        comparison: The comparison.
        part: See :func:`runs_of`.
        folder: Where the records are; see :func:`load_results`.

    Returns:
        The runs with the seeds of the comparison; others, of more seeds, are left out.

    Raises:
        FileNotFoundError: If they are not on record.
        ValueError: If one is of settings that the comparison has not.
    """
    name = comparison.name + part
    found = read_results(name, folder)
    cells = [
        cell for made in comparison.experiments() if made.name == name for cell in made.cells()
    ]
    planned = {records.canonical(config) for config, _ in cells}
    strangers = [run for run in found if records.canonical(run["config"]) not in planned]
    if strangers:
        which = {key: value for key, value in strangers[0]["config"].items() if key != "settings"}
        raise ValueError(
            f"{name} has {len(strangers)} records of settings that {comparison.name} has not, the "
            f"first of {which} with seed {strangers[0]['seed']}: delete them from {name}.jsonl and "
            f"record what it has with `python -m mtl_utils.experiments work {name}`"
        )
    seeds = {seed for _, seed in cells}
    ours = [run for run in found if run["seed"] in seeds]
    if not ours:
        raise FileNotFoundError(
            f"No recorded results of {name!r} with the seeds {sorted(seeds)}. Record them with "
            f"`python -m mtl_utils.experiments work {name}`."
        )
    return as_frame(ours)
