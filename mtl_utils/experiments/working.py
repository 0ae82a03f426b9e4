"""Working through the queue of all runs that are missing."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal, get_args

from tqdm.auto import tqdm

from mtl_utils.arguments import (
    check_callable,
    check_choice,
    check_number,
    check_path,
    check_sizes,
    check_strings,
    check_text,
    check_whole,
)
from mtl_utils.cluster import connected
from mtl_utils.experiments.experiment import Experiment
from mtl_utils.experiments.forks import Forks
from mtl_utils.experiments.on_ray import OnRay
from mtl_utils.experiments.processes import Children, Launch, cores, usual_jobs
from mtl_utils.experiments.queue import Known, all_needs, importable_name, planned
from mtl_utils.experiments.records import results_folder
from mtl_utils.experiments.registry import registry
from mtl_utils.experiments.worker import Worker, WorkReport

Engine = Literal["here", "ray"]
"""Where runs are made: on this machine, or on a Ray cluster."""


def work(
    names: Sequence[str] = (),
    folder: str | Path | None = None,
    *,
    jobs: int | None = None,
    minutes: float | None = None,
    nice: int = 0,
    known: Known = registry,
    on: Engine = "here",
    address: str | None = None,
) -> WorkReport:
    """Run what is not recorded yet, several runs at a time, each in a process of its own.

    The next run is always the one that is missing of the experiment with the highest priority, the
    first seed of all configurations first; what an experiment needs comes before it. Any number of
    workers may share a folder of results: no run is made twice. One that is killed, or told to stop
    (Ctrl-C, ``SIGTERM``, minutes that are over), goes on from its last checkpoint when it is taken
    again. One that raises an error is not taken again, and the others go on.

    On a Ray cluster runs are tasks, and their records are written here. A run whose process dies is
    begun again, at most twice; it goes on from its checkpoint where the machine that it is on sees
    the folder of workspaces (``MTL_WORKSPACES``). All machines need this version of the package,
    the module of ``known``, and data that runs read.

    Args:
        names: Of the experiments, what they need comes along; all if there is none.
        folder: Where the results files are, or are to be; see :func:`results_folder` for where
            they are looked for without one.
        jobs: How many runs go on at a time; ``None`` for one a core, or for one where there is a
            GPU. They share the cores.
        minutes: Stop after so many; ``None`` for when all is done.
        nice: Added to the niceness of the runs, which gives way to other programs; on a cluster
            that others have started to Ray's own, which is 15.
        known: Lists all experiments. Runs are made by processes that import this function, so it
            stands at the top of a module.
        on: Where runs are made: ``"here"``, on this machine, or ``"ray"``, on a cluster.
        address: Of the cluster. If ``None``, the environment variable ``RAY_ADDRESS`` has it, or
            a cluster is started on this machine, with a CPU for each of ``jobs``, and ended
            afterwards.

    Returns:
        What was done, and what is left.

    Raises:
        ConnectionError: If there is no cluster at the address, or none can be started.
        ImportError: If there is to be a cluster, and Ray is not installed.
        FileNotFoundError: If no folder is given and there is none.
        KeyError: If there is no experiment of a name.
        TypeError: If an argument is not of its kind.
        ValueError: If a number is out of its range, a results file is damaged, experiments need
            each other in a circle, ``known`` cannot be imported, or there is an address of a
            cluster and runs are made here.
    """
    check_strings("names", names)
    if folder is not None:
        check_path("folder", folder)
    if jobs is not None:
        check_sizes(jobs=jobs)
    if minutes is not None:
        check_number("minutes", minutes, above=0)
    check_whole("nice", nice, least=0, most=19)
    check_callable("known", known)
    check_choice("on", on, get_args(Engine))
    _check_address(address, on)
    source, there = importable_name(known), known()
    runs = planned(names, there)
    where = Path(folder) if folder is not None else results_folder()
    starting = _Starting(where.resolve(), source, nice)
    with (
        starting.on_ray(address, jobs, there) if on == "ray" else starting.here(jobs) as engine,
        tqdm(total=len(runs), disable=None, unit="run", leave=False) as bar,
    ):

        def say(line: str) -> None:
            with bar.external_write_mode():
                print(line, flush=True)

        def show(done: int) -> None:
            bar.n = done
            bar.refresh()

        launch, jobs = engine
        worker = Worker(runs, where, launch, jobs, minutes, say=say, show=show)
        with _told_to_stop(worker):
            return worker.work()


@dataclass(frozen=True)
class _Starting:
    """What starts runs, and how many at a time, for as long as they go on."""

    folder: Path
    source: str
    nice: int

    @contextlib.contextmanager
    def here(self, jobs: int | None) -> Iterator[tuple[Launch, int]]:
        jobs = jobs or usual_jobs()
        threads = max(1, cores() // jobs)
        with contextlib.closing(Forks()) as start:
            yield Children(self.folder, self.source, threads, self.nice, start), jobs

    @contextlib.contextmanager
    def on_ray(
        self, address: str | None, jobs: int | None, known: Mapping[str, Experiment]
    ) -> Iterator[tuple[Launch, int]]:
        with connected(address, jobs, cores()) as cluster:
            launch = OnRay(self.folder, self.source, all_needs(known), cluster, self.nice)
            yield launch, cluster.jobs


def _check_address(address: str | None, on: Engine) -> None:
    if address is None:
        return
    check_text("address", address)
    if on != "ray":
        raise ValueError(f'address={address!r} is that of a cluster, for on="ray", got on={on!r}')


@contextlib.contextmanager
def _told_to_stop(worker: Worker) -> Iterator[None]:
    """Let a worker hear of Ctrl-C and of SIGTERM, which only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: FrameType | None) -> None:
        worker.stop_requests += 1

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
