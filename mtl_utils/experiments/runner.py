"""Running experiments, one record after another, without repeating any."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from tqdm.auto import tqdm

from mtl_utils.arguments import check_flag, check_kind, check_path, check_whole
from mtl_utils.experiments import records
from mtl_utils.experiments.experiment import Experiment, Place
from mtl_utils.experiments.workspaces import workspace_of


def run(
    experiment: Experiment,
    folder: str | Path,
    seeds: Sequence[int] | None = None,
    limit: int | None = None,
    progress: bool = True,
) -> Path:
    """Run what is not recorded yet.

    While it runs, each configuration and seed has a folder of its own below
    :func:`workspaces_folder`. It is deleted once the record is written, so a killed run starts
    again from what it left there.

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
    path = Path(folder) / f"{experiment.name}.jsonl"
    records.commit()  # what is running now, whatever the folder holds when it ends
    finished = {records.key(record) for record in records.read(path)}
    todo = [
        (config, seed)
        for config, seed in experiment.cells(seeds)
        if (experiment.name, records.canonical(config), seed) not in finished
    ]
    with tqdm(todo[:limit], desc=experiment.name, disable=not progress, unit="run") as bar:
        for config, seed in bar:
            bar.set_postfix_str(f"{records.canonical(config)[:60]} seed {seed}")
            workspace = workspace_of(path.parent, experiment.name, config, seed)
            workspace.mkdir(parents=True, exist_ok=True)
            began = time.perf_counter()
            metrics = experiment.run(config, seed, Place(workspace, path.parent))
            # A run that was resumed knows its time over all sessions.
            seconds = metrics.get("seconds", time.perf_counter() - began)
            measured = {name: value for name, value in metrics.items() if name != "seconds"}
            records.append(path, records.make(experiment.name, config, seed, measured, seconds))
            shutil.rmtree(workspace)
    return path
