"""Starting runs in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from mtl_utils.experiments.kept_sets import KEPT_VARIABLE
from mtl_utils.experiments.queue import Run
from mtl_utils.experiments.workspaces import (
    claim,
    give_up,
    kept_sets_folder,
    log_of,
    workspace_of,
)

KNOWN = 75
"""Exit status of a process that found its run on record already."""

LOST = 76
"""Stands for the exit status of a process whose end nobody can tell any more."""


class Process(Protocol):
    """What a worker asks of a process."""

    def poll(self) -> int | None:
        """Return its exit status, ``None`` as long as it runs."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""


ROOM_ON_GPU = 6 * 2**30
"""Bytes that a run may need on a GPU: the largest recorded models, their states and a context."""

Launch = Callable[[Run], Process | None]
"""Starts a run, unless another worker is at it."""


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usual_jobs() -> int:
    """Return how many runs go on at a time unless someone says.

    One per core. A GPU has a few, as models of this size leave most of it idle: as many as have
    :data:`ROOM_ON_GPU` each, and not more than there are cores to feed it.
    """
    if not torch.cuda.is_available():
        return cores()
    memory = torch.cuda.get_device_properties(0).total_memory
    return max(1, min(cores(), memory // ROOM_ON_GPU))


@dataclass(frozen=True)
class Child:
    """A run in a process that ends when this one does.

    Args:
        popen: The process; its standard input is a pipe that nobody writes into.
    """

    popen: subprocess.Popen[bytes]

    def poll(self) -> int | None:
        """Return its exit status, ``None`` as long as it runs."""
        code = self.popen.poll()
        if code is not None and self.popen.stdin is not None:
            self.popen.stdin.close()
        return code

    def terminate(self) -> None:
        """Ask it to end."""
        self.popen.terminate()

    def kill(self) -> None:
        """End it."""
        self.popen.kill()


Start = Callable[[Sequence[str], Mapping[str, str], int, int | None], Process]
"""Starts a process that runs :func:`child.main`, and that ends when this one does.

It is given the words of the run, the environment, the file that is the log, and the one that locks
the workspace, which the process holds from then on.
"""


def new_interpreter(
    words: Sequence[str], environment: Mapping[str, str], log: int, claimed: int | None
) -> Child:
    """Start a new interpreter, which imports all that a run needs; see :data:`Start`."""
    # Not sent what is typed into this terminal; it ends when its standard input does.
    return Child(
        subprocess.Popen(
            [sys.executable, "-P", "-m", "mtl_utils.experiments.child", *words],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            pass_fds=() if claimed is None else (claimed,),
        )
    )


@dataclass(frozen=True)
class Children:
    """Starts runs as processes.

    Args:
        folder: Where the results files are.
        source: The function that lists experiments, as ``module:name``.
        threads: Of each process.
        nice: Added to its niceness, where the system knows that.
        start: How a process is made.
    """

    folder: Path
    source: str
    threads: int
    nice: int = 0
    start: Start = new_interpreter

    def __call__(self, run: Run) -> Process | None:
        """Start one run; what it writes goes to the log beside its workspace.

        Args:
            run: The run.

        Returns:
            Its process, which holds the workspace; ``None`` if another does.
        """
        workspace = workspace_of(self.folder, run.experiment.name, run.config, run.seed)
        try:
            claimed = claim(workspace)
        except TimeoutError:
            return None
        try:
            return self._started(run, workspace, claimed)
        finally:
            give_up(claimed)

    def _started(self, run: Run, workspace: Path, claimed: int | None) -> Process:
        name, config, seed = run.key
        words = [self.source, self.folder, workspace, self.nice, name, seed, config]
        with log_of(workspace).open("wb") as log:
            return self.start([*map(str, words)], self._environment(), log.fileno(), claimed)

    def _environment(self) -> dict[str, str]:
        """Return the environment of a process that imports what this one would."""
        return {
            "TQDM_DISABLE": "1",
            KEPT_VARIABLE: str(kept_sets_folder(self.folder)),
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
            "OMP_NUM_THREADS": str(self.threads),
        }
