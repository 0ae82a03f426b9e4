"""Starting runs as tasks of a Ray cluster."""

from __future__ import annotations

import secrets
import signal
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_utils.cluster import MOST_BEGUN, Cluster, LostTaskError, outcome, ray
from mtl_utils.experiments import records
from mtl_utils.experiments.processes import KNOWN, Process
from mtl_utils.experiments.queue import Run, recorded
from mtl_utils.experiments.remote import MARK, Answer, Asked, answer
from mtl_utils.experiments.workspaces import (
    claim,
    give_up,
    kept_sets_folder,
    log_of,
    remove,
    workspace_of,
)


@dataclass(frozen=True)
class OnRay:
    """Starts runs on a cluster, and writes their records here.

    Args:
        folder: Where the results files are.
        source: The function that lists experiments, as ``module:name``.
        needs: By name of an experiment, all that it needs, and that these need.
        cluster: The cluster.
        nice: Added to the niceness of runs.
    """

    folder: Path
    source: str
    needs: Mapping[str, frozenset[str]]
    cluster: Cluster
    nice: int = 0

    def __call__(self, run: Run) -> Process | None:
        """Start one run.

        Args:
            run: The run.

        Returns:
            What stands for its process; this process holds the workspace as long as it goes on.
            ``None`` if another holds it.
        """
        workspace = workspace_of(self.folder, run.experiment.name, run.config, run.seed)
        try:
            claimed = claim(workspace)
        except TimeoutError:
            return None
        try:
            if run.key in recorded([run], self.folder):  # meanwhile, by another worker
                remove(workspace)
                give_up(claimed)
                return _Over(KNOWN)
            return RayRun(self._asked(run, workspace), self.cluster, claimed)
        except BaseException:
            give_up(claimed)
            raise

    def _asked(self, run: Run, workspace: Path) -> Asked:
        mark = secrets.token_hex(16)
        (workspace / MARK).write_text(mark, "utf-8")
        name, config, seed = run.key
        return Asked(
            self.source,
            name,
            config,
            seed,
            self.folder,
            workspace,
            kept_sets_folder(self.folder),
            mark,
            {other: self._results(other) for other in self.needs[name]},
            self.nice,
        )

    def _results(self, name: str) -> str:
        path = records.file_of(self.folder, name)
        return path.read_text("utf-8") if path.is_file() else ""


@dataclass(frozen=True)
class _Over:
    status: int

    def poll(self) -> int:
        return self.status

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


class RayRun:
    """A run on a cluster, as a worker sees a process.

    A run whose process is lost is begun again, from the checkpoint in its workspace where that can
    be seen from there.

    Args:
        asked: The run, whose workspace is held.
        cluster: The cluster.
        claimed: What :func:`claim` returned, given up at the end.
    """

    def __init__(self, asked: Asked, cluster: Cluster, claimed: int | None) -> None:
        self._asked, self._cluster, self._claimed = asked, cluster, claimed
        self._begun, self._told = 0, 0
        self._status: int | None = None
        self._begin()

    def poll(self) -> int | None:
        """Return its exit status, ``None`` as long as it runs."""
        if self._status is None and ray().wait([self._reference], timeout=0)[0]:
            self._status = self._ended()
            if self._status is not None:
                give_up(self._claimed)
        return self._status

    def terminate(self) -> None:
        """Ask it to end."""
        self._cancel(signal.SIGTERM, force=False)

    def kill(self) -> None:
        """End it."""
        self._cancel(signal.SIGKILL, force=True)

    def _cancel(self, number: int, force: bool) -> None:
        self._told = number
        ray().cancel(self._reference, force=force)

    def _begin(self) -> None:
        self._begun += 1
        self._reference: Any = self._cluster.submit(answer, self._asked, alone=True)

    def _ended(self) -> int | None:
        """Look at what came of it; ``None`` if it is begun again."""
        try:
            found: Answer = outcome(self._reference)
            return self._recorded(found)
        except LostTaskError as error:
            if self._told:
                return -self._told
            if self._begun < MOST_BEGUN:
                self._begin()
                return None
            return self._failed(f"lost with its process each of {self._begun} times: {error}")
        except Exception:  # it could not be begun, or its record not be written
            return -self._told if self._told else self._failed(traceback.format_exc())

    def _recorded(self, found: Answer) -> int:
        if found.record is None:
            self._failed(found.said)
            return found.status or 1
        records.append(records.file_of(self._asked.folder, self._asked.name), found.record)
        remove(self._asked.workspace)
        return 0

    def _failed(self, text: str) -> int:
        log_of(self._asked.workspace).write_text(text, "utf-8")
        return 1
