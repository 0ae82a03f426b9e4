"""One run in a process of a Ray cluster, which need not see the disk of the one that asked."""

from __future__ import annotations

import contextlib
import io
import os
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from mtl_utils.experiments import records
from mtl_utils.experiments.child import listed
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.experiments.kept_sets import KEPT_VARIABLE
from mtl_utils.experiments.workspaces import remove, workspace_of

MARK = ".asked_by"
"""A file of a workspace, by which a run finds out that this is the one it was given."""


@dataclass(frozen=True)
class Asked:
    """A run, as it is handed over.

    Args:
        source: The function that lists experiments, as ``module:name``.
        name: Of the experiment.
        config: The configuration, as :func:`records.canonical` writes it.
        seed: The seed.
        folder: Where the results files are.
        workspace: Of the run.
        kept: Folder of data sets that are kept.
        mark: What the file :data:`MARK` of the workspace holds.
        results: By name of an experiment that it needs, its results file, for where there is none.
        nice: Added to its niceness, where the system knows that.
    """

    source: str
    name: str
    config: str
    seed: int
    folder: Path
    workspace: Path
    kept: Path
    mark: str
    results: Mapping[str, str]
    nice: int


@dataclass(frozen=True)
class Answer:
    """What came of a run.

    Args:
        record: Its record, which is not written yet; ``None`` if it failed.
        said: What it printed, and its traceback.
        status: The exit status that a process of its own would have had.
    """

    record: records.Record | None
    said: str
    status: int


def answer(asked: Asked) -> Answer:
    """Make a run; whoever asked writes its record.

    Args:
        asked: The run.
    """
    if hasattr(os, "nice"):
        os.nice(asked.nice)
    said = io.StringIO()
    record, status = None, 1
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            record, status = _recorded(asked), 0
        except SystemExit as leaving:
            if leaving.code is None or isinstance(leaving.code, int):
                status = leaving.code or 0
            else:
                print(leaving.code)
        except Exception:
            traceback.print_exc()
    return Answer(record, said.getvalue(), status)


def _recorded(asked: Asked) -> records.Record:
    records.commit()  # what is running now, whatever the folder holds when it ends
    experiment = listed(asked.source)[asked.name]
    config = _config(experiment, asked.config)
    with _place(asked, config) as place:
        began = time.perf_counter()
        metrics = experiment.run(config, asked.seed, place)
        return records.of_run(asked.name, config, asked.seed, metrics, began)


def _config(experiment: Experiment, text: str) -> Config:
    for config in experiment.configs:
        if records.canonical(config) == text:
            return config
    raise ValueError(f"{experiment.name} has no configuration {text} here; install one version")


@contextlib.contextmanager
def _place(asked: Asked, config: Config) -> Iterator[Place]:
    """Find the folders of a run, or make some on a machine that does not see those."""
    if _sees(asked):
        os.environ.setdefault(KEPT_VARIABLE, str(asked.kept))
        yield Place(asked.workspace, asked.folder)
        return
    workspace = workspace_of(asked.folder, asked.name, config, asked.seed)
    workspace.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        for name, text in asked.results.items():
            records.file_of(folder, name).write_text(text, "utf-8")
        yield Place(workspace, Path(folder))
    remove(workspace)  # after an error, or where this process dies, it stays as elsewhere


def _sees(asked: Asked) -> bool:
    try:
        return (asked.workspace / MARK).read_text("utf-8") == asked.mark
    except OSError:
        return False
