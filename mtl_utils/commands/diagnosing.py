"""``diagnose``: why tasks of a file do worse together than they might."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from mtl_utils.commands.building import build
from mtl_utils.commands.data_files import load_all, of_split
from mtl_utils.commands.messages import Refused, located
from mtl_utils.commands.run_file import RunFile
from mtl_utils.diagnosis import NOTHING, Diagnosis, diagnose
from mtl_utils.training import TrainerConfig

#: Endings of files that a plot can be written to.
_PICTURES = (".png", ".svg", ".pdf")


def diagnosed(file: RunFile, *, quiet: bool = False) -> Diagnosis:
    """Run the tests of a diagnosis on what a file says.

    Args:
        file: The file. Nothing is written to the folder of its run.
        quiet: Whether to show no bar.

    Raises:
        Refused: If data sets are sampled, or a task has no training or validation rows.
        ValueError: If file or data are refused.
    """
    settings = file.training
    if settings["sampling"] != "joint" and len(file.tasks) > 1:
        raise Refused(
            f"[training] sampling is {settings['sampling']!r}; a diagnosis trains data sets side "
            'by side, as sampling = "joint" does'
        )
    data = load_all(file)
    built = build(file, data)
    parts = {
        split: of_split(built.model.text_tasks, data, split) for split in ("train", "validation")
    }
    for split, part in parts.items():
        missing = [name for name in file.tasks if name not in part]
        if missing:
            raise Refused(f"[tasks.{missing[0]}]: no row of {split} has a label")
    names = [field.name for field in fields(TrainerConfig) if field.name != "seed"]
    with located("[training]"):
        config = TrainerConfig(**{name: settings[name] for name in names}, seed=file.seed)
        return diagnose(
            built.model,
            parts["train"],
            parts["validation"],
            config=config,
            balancer=built.balancer,
            batch_size=settings["batch_size"],
            max_tokens=settings["max_tokens"],
            head_learning_rate=settings["head_learning_rate"],
            progress=not quiet,
        )


def check_picture(path: Path | None) -> None:
    """Refuse a file that no plot can be written to, before anything is trained.

    Args:
        path: The file; ``None`` where none is wanted.

    Raises:
        Refused: If its name ends in something else.
    """
    if path is not None and path.suffix.lower() not in _PICTURES:
        raise Refused(f"--plot {path}: the name must end in {', '.join(_PICTURES)}")


def report(found: Diagnosis, *, as_json: bool, plot: Path | None) -> str:
    """Return what is printed, and write the plot.

    Args:
        found: What was found.
        as_json: Whether to print JSON.
        plot: File of the plot.
    """
    if plot is not None:
        found.plot().savefig(plot)
        print(f"The plot is in {plot}", file=sys.stderr)
    if as_json:
        return json.dumps(_content(found), ensure_ascii=False, indent=2)
    return f"{found.table().to_string()}\n\n{found}"


def _content(found: Diagnosis) -> dict[str, Any]:
    return {
        "cause": found.cause or NOTHING,
        "tasks": {
            task: {"cause": found.causes[task] or NOTHING, "evidence": asdict(evidence)}
            for task, evidence in found.evidence.items()
        },
        "trainings": found.trainings,
        "steps": found.steps,
        "untested": dict(found.untested),
    }
