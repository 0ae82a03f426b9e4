"""Working through the queue of all runs that are missing."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from tqdm.auto import tqdm

from mtl_utils.arguments import (
    check_callable,
    check_number,
    check_path,
    check_sizes,
    check_strings,
    check_whole,
)
from mtl_utils.experiments.forks import Forks
from mtl_utils.experiments.processes import Children, cores, usual_jobs
from mtl_utils.experiments.queue import Known, importable_name, planned
from mtl_utils.experiments.records import results_folder
from mtl_utils.experiments.registry import registry
from mtl_utils.experiments.worker import Worker, WorkReport


def work(
    names: Sequence[str] = (),
    folder: str | Path | None = None,
    *,
    jobs: int | None = None,
    minutes: float | None = None,
    nice: int = 0,
    known: Known = registry,
) -> WorkReport:
    """Run what is not recorded yet, several runs at a time, each in a process of its own.

    The next run is always the one that is missing of the experiment with the highest priority, the
    first seed of all configurations first; what an experiment needs comes before it. Any number of
    workers may share a folder of results: no run is made twice. One that is killed, or told to stop
    (Ctrl-C, ``SIGTERM``, minutes that are over), goes on from its last checkpoint when it is taken
    again. One that raises an error is not taken again, and the others go on.

    Args:
        names: Of the experiments, what they need comes along; all if there is none.
        folder: Where the results files are, or are to be; see :func:`results_folder` for where
            they are looked for without one.
        jobs: How many runs go on at a time; ``None`` for one a core, or for one where there is a
            GPU. They share the cores.
        minutes: Stop after so many; ``None`` for when all is done.
        nice: Added to the niceness of the runs, which gives way to other programs.
        known: Lists all experiments. Runs are made by processes that import this function, so it
            stands at the top of a module.

    Returns:
        What was done, and what is left.

    Raises:
        FileNotFoundError: If no folder is given and there is none.
        KeyError: If there is no experiment of a name.
        TypeError: If an argument is not of its kind.
        ValueError: If a number is out of its range, a results file is damaged, experiments need
            each other in a circle, or ``known`` cannot be imported.
    """
    check_strings("names", names)
    if folder is not None:
        check_path("folder", folder)
    jobs = usual_jobs() if jobs is None else jobs
    check_sizes(jobs=jobs)
    if minutes is not None:
        check_number("minutes", minutes, above=0)
    check_whole("nice", nice, least=0, most=19)
    check_callable("known", known)
    source, runs = importable_name(known), planned(names, known())
    where = Path(folder) if folder is not None else results_folder()
    threads = max(1, cores() // jobs)
    with (
        contextlib.closing(Forks()) as start,
        tqdm(total=len(runs), disable=None, unit="run", leave=False) as bar,
    ):
        launch = Children(where.resolve(), source, threads, nice, start)

        def say(line: str) -> None:
            with bar.external_write_mode():
                print(line, flush=True)

        def show(done: int) -> None:
            bar.n = done
            bar.refresh()

        worker = Worker(runs, where, launch, jobs, minutes, say=say, show=show)
        with _told_to_stop(worker):
            return worker.work()


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
