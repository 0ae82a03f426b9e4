"""Runs on record whose settings are no longer the best of what was tried."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtl_utils.experiments import records
from mtl_utils.experiments.experiment import Place
from mtl_utils.files import lock

if TYPE_CHECKING:
    from mtl_utils.experiments.comparison import Comparison


def superseded(comparison: Comparison, folder: str | Path) -> dict[str, list[records.Record]]:
    """Find runs of a comparison that were made with settings that something tried since beats.

    A run keeps the settings that were best when it was made. Where step sizes or trials are added
    later, another may be best, and its contender is no longer what the comparison says it is.

    Args:
        comparison: Whose runs.
        folder: Of the results files.

    Returns:
        By name of the results file its records to be made again; nothing of a setting whose trials
        are not all on record or are of other settings, or whose best step size is at the edge of
        the grid.
    """
    best = _best_of_all(comparison, folder)
    found = {}
    for experiment in comparison.experiments():
        old = [
            record
            for record in records.read(records.file_of(folder, experiment.name))
            if "chosen" in record["metrics"]
            and record["metrics"]["chosen"] != best.get(_whose(record), record["metrics"]["chosen"])
        ]
        if old:
            found[experiment.name] = old
    return found


def delete_superseded(comparison: Comparison, folder: str | Path) -> dict[str, int]:
    """Delete what :func:`superseded` finds, so that it is run again.

    Args:
        comparison: Whose runs.
        folder: Of the results files.

    Returns:
        By name of the results file how many records are gone.
    """
    found = superseded(comparison, folder)
    for name, old in found.items():
        gone = {records.key(record) for record in old}
        path = records.file_of(folder, name)
        with path.open("rb+") as file:  # in place: workers lock the file that they append to
            lock(file.fileno(), path)
            lines = file.read().splitlines(keepends=True)
            kept = [line for line in lines if records.key(json.loads(line)) not in gone]
            file.seek(0)
            file.truncate()
            file.writelines(kept)
    return {name: len(old) for name, old in found.items()}


def _whose(record: Mapping[str, Any]) -> tuple[str, str]:
    return record["config"]["setting"], record["config"]["contender"]


def _best_of_all(comparison: Comparison, folder: str | Path) -> dict[tuple[str, str], Any]:
    """Return by setting and contender the best settings of its units, where all was tried."""
    found = {}
    for setting in comparison.settings:
        for contender in comparison.contenders:
            try:
                tuning = comparison.tuning(setting, Place(Path(folder), Path(folder)))
                found[setting, contender.name] = tuning.chosen(contender.name)
            except (FileNotFoundError, ValueError):  # not all was tried, or the grid is too narrow
                continue
    return found
