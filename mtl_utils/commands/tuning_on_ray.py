"""``tune --on ray``: each trial of a search as a task of a Ray cluster, over one journal."""

from __future__ import annotations

import contextlib
import io
import socket
import sys
from dataclasses import dataclass, replace
from typing import Any

from mtl_utils.cluster import (
    MOST_BEGUN,
    Cluster,
    LostTaskError,
    connected,
    outcome,
    ray,
)
from mtl_utils.commands.messages import Refused
from mtl_utils.commands.tuning import FAILURES, SEARCHED, Trials
from mtl_utils.experiments.processes import cores
from mtl_utils.tuning import Search

_GRACE = 30.0
"""Seconds that trials have to end when they are told to."""


@dataclass(frozen=True)
class OnRay:
    """Makes the trials of a search on a cluster, several at a time.

    Args:
        address: Of the cluster; see :func:`mtl_utils.cluster.connected`.
        jobs: How many at a time; one a CPU of the cluster if ``None``, or one a GPU.
    """

    address: str | None
    jobs: int | None

    def __call__(self, trials: Trials) -> Search:
        """Make the trials that are missing; a task whose process dies loses its trial alone.

        Args:
            trials: The trials, whose folder all machines must see.

        Returns:
            The search, as it is then.

        Raises:
            ConnectionError: If there is no cluster at the address, or none can be started.
            ImportError: If Ray is not installed.
            Refused: If a machine does not see the folder.
            LostTaskError: If processes die one after the other.
        """
        here = replace(trials, asked=replace(trials.asked, output=trials.asked.output.resolve()))
        with connected(self.address, self.jobs, cores()) as cluster:
            _Tasks(cluster, cluster.share(here), trials.asked.trials).run()
        return trials.search()


def one_trial(trials: Trials, number: int) -> tuple[bool, str]:
    """Make the next trial of a search.

    Args:
        trials: The trials.
        number: How many there are to be in all.

    Returns:
        Whether there was one to make, and what was said of it.

    Raises:
        Refused: If this machine does not see the folder of the search.
    """
    folder = trials.asked.output
    if not (folder / SEARCHED).is_file():
        raise Refused(
            f"{folder} is not there on {socket.gethostname()}: trials on several machines need a "
            "folder that all see; name it as output of [tuning]"
        )
    said = io.StringIO()
    search = trials.search()
    try:
        with contextlib.redirect_stderr(said):
            made = search.run_one(trials, number, catch=FAILURES)
    finally:
        search.close()
    return made, said.getvalue()


class _Tasks:
    """Keeps as many trials going as there is room for.

    Args:
        cluster: The cluster.
        trials: Ray's reference to the trials.
        number: How many there are to be in all.
    """

    def __init__(self, cluster: Cluster, trials: Any, number: int) -> None:
        self._cluster, self._trials, self._number = cluster, trials, number
        self._running: list[Any] = []
        self._lost = 0  # one after the other

    def run(self) -> None:
        """Make trials until none is missing."""
        most = min(self._cluster.jobs, self._number)
        missing = True
        try:
            while missing or self._running:
                while missing and len(self._running) < most:
                    self._begin()
                (ended,), self._running = ray().wait(self._running, num_returns=1)
                missing = self._ended(ended)
        finally:
            self._stop()

    def _begin(self) -> None:
        self._running.append(
            self._cluster.submit(one_trial, self._trials, self._number, alone=False)
        )

    def _ended(self, task: Any) -> bool:
        """Tell whether there may be more to make after a task has ended."""
        try:
            made, said = outcome(task)
        except LostTaskError as error:
            self._lost += 1
            if self._lost >= MOST_BEGUN:
                raise
            print(f"a trial was lost and is begun again: {error}", file=sys.stderr, flush=True)
            return True
        self._lost = 0
        print(said, end="", file=sys.stderr, flush=True)
        return bool(made)

    def _stop(self) -> None:
        """End what still runs; its settings are put up again."""
        for task in self._running:
            ray().cancel(task)
        if self._running:
            ray().wait(self._running, num_returns=len(self._running), timeout=_GRACE)
