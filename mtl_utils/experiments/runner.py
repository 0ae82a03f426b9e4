"""Running experiments, one record after another, without repeating any."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tqdm.auto import tqdm

from mtl_utils.arguments import check_flag, check_kind, check_path, check_whole
from mtl_utils.experiments import records
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.experiments.workspaces import hold, remove, workspace_of

Outcome = Literal["recorded", "known", "held"]
"""Of an attempt at one run: it is on record now, or was before; or another process is at it."""


def run(
    experiment: Experiment,
    folder: str | Path,
    seeds: Sequence[int] | None = None,
    limit: int | None = None,
    progress: bool = True,
) -> Path:
    """Run what is not recorded yet, in this process; :func:`work` runs several at a time.

    While it runs, each configuration and seed has a folder of its own below
    :func:`workspaces_folder`. It is deleted once the record is written, so a killed run starts
    again from what it left there. What another process runs at the same time is left to it.

    Args:
        experiment: The experiment.
        folder: Where ``NAME.jsonl`` is, or is to be.
        seeds: Use these instead of the experiment's own.
        limit: Run at most so many configurations and seeds.
        progress: Whether to show a progress bar.

    Returns:
        The results file.

    Raises:
        TypeError: If an argument is not of its kind.
        ValueError: If ``limit`` is negative, or as :meth:`Experiment.cells`.
    """
    check_kind("experiment", experiment, Experiment, "an Experiment")
    check_path("folder", folder)
    if limit is not None:
        check_whole("limit", limit, least=0)
    check_flag("progress", progress)
    path = records.file_of(folder, experiment.name)
    records.commit()  # what is running now, whatever the folder holds when it ends
    finished = {records.key(record) for record in records.read(path)}
    todo = [
        (config, seed)
        for config, seed in experiment.cells(seeds)
        if (experiment.name, records.canonical(config), seed) not in finished
    ]
    held = 0
    with tqdm(todo[:limit], desc=experiment.name, disable=not progress, unit="run") as bar:
        for config, seed in bar:
            bar.set_postfix_str(f"{records.canonical(config)[:60]} seed {seed}")
            held += record_one(experiment, config, seed, path.parent) == "held"
    if held:
        warnings.warn(
            f"{held} runs of {experiment.name} were left to another process that is at them",
            stacklevel=2,
        )
    return path


def record_one(experiment: Experiment, config: Config, seed: int, folder: Path) -> Outcome:
    """Run one configuration and seed and record it, unless that is done or being done.

    Args:
        experiment: The experiment.
        config: The configuration.
        seed: The seed.
        folder: Where the results file is, or is to be.
    """
    workspace = workspace_of(folder, experiment.name, config, seed)
    with hold(workspace) as ours:
        return record_in(workspace, experiment, config, seed, folder) if ours else "held"


def record_in(
    workspace: Path, experiment: Experiment, config: Config, seed: int, folder: Path
) -> Outcome:
    """Run one configuration and seed in its workspace, which is held, and record it.

    Args:
        workspace: The folder, which is removed once the record is written.
        experiment: The experiment.
        config: The configuration.
        seed: The seed.
        folder: Where the results file is, or is to be.
    """
    path = records.file_of(folder, experiment.name)
    key = (experiment.name, records.canonical(config), seed)
    known = key in map(records.key, records.read(path))
    if not known:
        began = time.perf_counter()
        metrics = experiment.run(config, seed, Place(workspace, path.parent))
        records.append(path, records.of_run(experiment.name, config, seed, metrics, began))
    remove(workspace)
    return "known" if known else "recorded"
