"""``train --compare-separate``: does sharing help these tasks?"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtl_utils.commands.beside import holds_pictures
from mtl_utils.commands.data_files import load_all
from mtl_utils.commands.results import file_name, write_scores
from mtl_utils.commands.run_file import RunFile
from mtl_utils.commands.toml_files import read_toml
from mtl_utils.commands.training import COMPARISON, RESOLVED, Scores, train
from mtl_utils.experiments.analysis import student_t_quantile
from mtl_utils.training.directions import direction_of
from mtl_utils.training.history_columns import main_metric


def compare(file: RunFile, seeds: Sequence[int], *, force: bool, quiet: bool) -> str:
    """Train all tasks together, and each alone with the same settings.

    Every run has a folder of its own within that of the joint run, so that a comparison that was
    cut goes on. Scores are those on the test data of a task, or else on its validation data.

    Args:
        file: What is trained together.
        seeds: Seeds, with each of which everything is trained.
        force: Whether other runs in the folders are replaced.
        quiet: Whether to print a line for each epoch instead of showing a bar.

    Returns:
        The table as text; ``comparison.json`` has it as numbers.

    Raises:
        ValueError: If a run is refused.
    """
    seeds = list(dict.fromkeys(seeds))
    folder = file.output / "comparison"
    pictured = _with_pictures(file)
    joint: list[dict[str, float]] = []
    alone: list[dict[str, float]] = []
    for seed in seeds:
        output = file.output if seed == file.seed else folder / f"joint-{seed}"
        _say("all tasks", seed)
        scores = train(replace(file, seed=seed, output=output), force=force, quiet=quiet)
        joint.append(_by_task(scores, list(file.tasks)))
        file = _with_names(file, output)
        found: dict[str, float] = {}
        for name in file.tasks:
            own = replace(file.of_one(name, folder / f"{file_name(name)}-{seed}"), seed=seed)
            own = own if name in pictured else replace(own, pictures=None)
            _say(f"{name} alone", seed)
            found |= _by_task(train(own, force=force, quiet=quiet), [name])
        alone.append(found)
    rows = [_row(metric, name, joint, alone) for name, metric in _metrics(file, joint)]
    write_scores(file.output / COMPARISON, {"seeds": seeds, "tasks": rows})
    return show(rows, len(seeds))


def _with_pictures(file: RunFile) -> set[str]:
    """Return the tasks with pictures in their training data, which read them alone too."""
    if file.pictures is None:
        return set()
    column = file.pictures["column"]
    data = load_all(file)
    return {name for name, splits in data.items() if holds_pictures(splits["train"], column)}


def _with_names(file: RunFile, joint: Path) -> RunFile:
    """Return the file with the languages of the joint run, all of which each task alone has too."""
    if file.languages is None:
        return file
    names = tuple(read_toml(joint / RESOLVED)["languages"]["names"])
    return replace(file, languages={**file.languages, "names": names})


def _say(what: str, seed: int) -> None:
    print(f"== {what}, seed {seed}", file=sys.stderr)


def _by_task(scores: Scores, tasks: Sequence[str]) -> dict[str, float]:
    """Return the metric that speaks for each task, by its name."""
    found: dict[str, float] = {}
    for task in tasks:
        for split in ("test", "validation"):
            metric = main_metric(task, scores.get(split, {}))
            if metric is not None:
                value = scores[split][metric]
                found[metric] = math.nan if value is None else value
                break
    return found


def _metrics(file: RunFile, joint: Sequence[dict[str, float]]) -> list[tuple[str, str]]:
    pairs = [(name, main_metric(name, joint[0])) for name in file.tasks]
    return [(name, metric) for name, metric in pairs if metric is not None]


def _row(
    metric: str, task: str, joint: Sequence[dict[str, float]], alone: Sequence[dict[str, float]]
) -> dict[str, Any]:
    together = [scores[metric] for scores in joint]
    apart = [scores[metric] for scores in alone]
    differences = [a - b for a, b in zip(together, apart, strict=True)]
    mean, half = mean_and_half_width(differences)
    sign = -1 if direction_of(metric, [task]) == "min" else 1
    verdict = "one seed"
    if half is not None:
        clear = abs(mean) > half
        verdict = ("sharing helps" if sign * mean > 0 else "sharing hurts") if clear else "unclear"
    return {
        "task": task,
        "metric": metric.removeprefix(f"{task}_"),
        "joint": together,
        "separate": apart,
        "difference": mean,
        "half_width": half,
        "verdict": verdict,
    }


def mean_and_half_width(differences: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean of paired differences, and half of its 95% interval (Student's t).

    Args:
        differences: One a seed.

    Returns:
        Half of the interval is ``None`` for a single one.
    """
    mean, count = statistics.fmean(differences), len(differences)
    if count < 2:
        return mean, None
    error = statistics.stdev(differences) / math.sqrt(count)
    return mean, student_t_quantile(0.975, count - 1) * error


def show(rows: Sequence[dict[str, Any]], num_seeds: int) -> str:
    """Return a comparison as a table.

    Args:
        rows: A task each.
        num_seeds: How many seeds there were.
    """
    table = [["task", "metric", "joint", "separate", "difference", ""]]
    for row in rows:
        half = "" if row["half_width"] is None else f" ± {row['half_width']:.4f}"
        means = [f"{statistics.fmean(row[key]):.4f}" for key in ("joint", "separate")]
        difference = f"{row['difference']:+.4f}{half}"
        table.append([row["task"], row["metric"], *means, difference, row["verdict"]])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in table
    ]
    about = (
        "One seed tells nothing of chance, so there is no interval: --seeds 0 1 2 has one."
        if num_seeds == 1
        else f"Means over {num_seeds} seeds; ± is half of a 95% interval of the paired difference."
    )
    return "\n".join([*lines, about])
