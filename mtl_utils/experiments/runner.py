"""Running experiments, one record after another, without repeating any."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from tqdm.auto import tqdm

from mtl_utils.experiments import records
from mtl_utils.experiments.registry import Experiment


def run(
    experiment: Experiment,
    folder: str | Path,
    seeds: Sequence[int] | None = None,
    limit: int | None = None,
    progress: bool = True,
) -> Path:
    """Run what is not recorded yet.

    Args:
        experiment: The experiment.
        folder: Where ``NAME.jsonl`` is, or is to be.
        seeds: Use these instead of the experiment's own.
        limit: Run at most so many configurations and seeds.
        progress: Whether to show a progress bar.

    Returns:
        The results file.
    """
    path = Path(folder) / f"{experiment.name}.jsonl"
    finished = {records.key(record) for record in records.read(path)}
    todo = [
        (config, seed)
        for config, seed in experiment.cells(seeds)
        if (experiment.name, records.canonical(config), seed) not in finished
    ]
    with tqdm(todo[:limit], desc=experiment.name, disable=not progress, unit="run") as bar:
        for config, seed in bar:
            bar.set_postfix_str(f"{records.canonical(config)[:60]} seed {seed}")
            began = time.perf_counter()
            metrics = experiment.run(config, seed)
            seconds = time.perf_counter() - began
            records.append(path, records.make(experiment.name, config, seed, metrics, seconds))
    return path
