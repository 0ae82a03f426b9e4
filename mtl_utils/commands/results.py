"""What a run leaves in its folder beside the model: tables, curves, confusions."""

from __future__ import annotations

import io
import json
import math
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import pandas as pd

from mtl_utils.files import whole_file
from mtl_utils.models import TextModel
from mtl_utils.models.rows import rows_of
from mtl_utils.tasks import Classification, Tagging, TextTask
from mtl_utils.training import History

CONFUSION = "confusion"
_FILES = (
    *("resolved.toml", "history.csv", "gradient_shares.csv", "curves.png", "curves.svg"),
    *("loss_weights.csv", "metrics.json", "comparison.json", "checkpoint"),
)
_FOLDERS = (CONFUSION, "model")


def clear(folder: Path) -> None:
    """Remove what a run left in its folder, and nothing else.

    Args:
        folder: The folder.
    """
    for name in _FILES:
        (folder / name).unlink(missing_ok=True)
    for name in _FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV.

    Args:
        path: Where to.
        table: The table.
    """
    with whole_file(path) as file:
        file.write(table.to_csv(index=False, lineterminator="\n").encode("utf-8"))


def write_scores(path: Path, content: Mapping[str, Any]) -> None:
    """Write scores as plain JSON.

    Args:
        path: Where to.
        content: What JSON can hold.
    """
    with whole_file(path) as file:
        file.write((json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))


def without_nan(found: Mapping[str, float]) -> dict[str, float | None]:
    """Return numbers as JSON can hold them: ``None`` for what is not finite.

    Args:
        found: The numbers by name.
    """
    return {n: float(value) if math.isfinite(value) else None for n, value in found.items()}


def draw_curves(folder: Path, history: History) -> None:
    """Draw losses and metrics over epochs, as PNG and as SVG.

    Args:
        folder: Where to.
        history: One row an epoch.
    """
    import matplotlib  # takes a while, and what comes before needs none of it

    from mtl_utils.plots import use_style

    figure = history.plot()
    for ending in ("png", "svg"):
        drawn = io.BytesIO()
        with matplotlib.rc_context():
            use_style()  # of the dots an inch, and of the names in a drawing of lines
            figure.savefig(drawn, format=ending)
        with whole_file(folder / f"curves.{ending}") as file:
            file.write(drawn.getvalue())


def write_confusion(folder: Path, model: TextModel, task: TextTask, rows: datasets.Dataset) -> None:
    """Count which label was predicted for which, for tasks with one label a text or a word.

    Args:
        folder: Folder of the run.
        model: The model.
        task: The task.
        rows: Rows with labels of it.
    """
    if not isinstance(task, Classification | Tagging):
        return
    labels = list(task.labels)
    counts: Counter[tuple[str, str]] = Counter()
    read = rows_of(rows, {task.name: task}, model.beside.names)
    known = [row for row in read if task.reference(row) is not None]
    for row, said in zip(known, model.predict(known, [task.name]), strict=True):
        found, wanted = said[task.name], task.reference(row)
        if isinstance(task, Classification):
            found, wanted = [found], [wanted]
        pairs = zip(wanted, found, strict=True)
        counts.update((_name(a, labels), b) for a, b in pairs if a is not None)
    table = [[counts[wanted, found] for found in labels] for wanted in labels]
    frame = pd.DataFrame(table, labels, labels).rename_axis("label \\ predicted").reset_index()
    (folder / CONFUSION).mkdir(exist_ok=True)
    write_table(folder / CONFUSION / f"{file_name(task.name)}.csv", frame)


def _name(label: str | int, labels: Sequence[str]) -> str:
    return label if isinstance(label, str) else labels[label]


def file_name(name: str) -> str:
    """Return the name of a task as that of a file, different for different names.

    Args:
        name: The name.
    """
    return "".join(f"%{ord(c):02X}" if c in '%/\\:*?"<>|' or c < " " else c for c in name)
