"""A worker: it takes the next run that is missing, several at a time, until all are on record."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtl_utils.experiments.estimates import expected_seconds
from mtl_utils.experiments.processes import KNOWN, LOST, Launch, Process
from mtl_utils.experiments.queue import Key, Run, recorded
from mtl_utils.experiments.workspaces import discard, log_of, workspace_of

TICK = 0.2
"""Seconds between two looks at the processes."""

RESCAN = 10
"""Ticks between two looks at what other workers have recorded."""

GRACE = 150
"""Ticks that a process has to end when it is told to."""


@dataclass(frozen=True)
class WorkReport:
    """What came of a worker's time.

    Args:
        recorded: Runs that it put on record.
        failed: A line for each run that failed, with the file that has its traceback.
        left: Runs that are not on record now, those that failed among them.
    """

    recorded: int
    failed: tuple[str, ...]
    left: int


@dataclass(frozen=True)
class _Begun:
    run: Run
    process: Process
    at: float


@dataclass
class Worker:
    """Takes runs in order, each in a process of its own.

    Args:
        runs: All runs, recorded or not, in the order in which they are to be taken.
        folder: Where the results files are.
        launch: Starts one.
        jobs: How many go on at a time.
        minutes: Stop when they are over; ``None`` for never.
        clock: Tells the time, in seconds.
        sleep: Waits so many seconds.
        say: Is given lines to print.
        show: Is given the number of runs that are on record.
    """

    runs: Sequence[Run]
    folder: Path
    launch: Launch
    jobs: int
    minutes: float | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = print
    show: Callable[[int], None] = lambda done: None
    stop_requests: int = field(default=0, init=False)
    """Whoever adds 1 stops the worker; at 2 it does not wait for its processes to end."""

    _running: dict[Key, _Begun] = field(default_factory=dict, init=False)
    _failed: dict[Key, str] = field(default_factory=dict, init=False)
    _seconds: dict[Key, float] = field(default_factory=dict, init=False)
    _recorded: int = field(default=0, init=False)
    _held: int = field(default=0, init=False)
    _stopping: bool = field(default=False, init=False)

    def work(self) -> WorkReport:
        """Work until all is on record, nothing more can be done, or it is told to stop."""
        began, ticks = self.clock(), 0
        self._seconds = recorded(self.runs, self.folder)
        for run in self.runs:
            if run.key in self._seconds:
                discard(self._workspace(run))
        self.say(self._outlook())
        try:
            while not self.stop_requests and not self._over(began):
                if not self._step(look=ticks % RESCAN == 0):
                    break
                ticks += 1
                self.sleep(TICK)
        finally:
            self._stop()
        self._seconds = recorded(self.runs, self.folder)
        self.say(self._outlook())
        left = len(self._missing())
        return WorkReport(self._recorded, tuple(self._failed.values()), left)

    def _over(self, began: float) -> bool:
        if self.minutes is None or self.clock() < began + 60 * self.minutes:
            return False
        self.say(f"{self.minutes:g} minutes are over.")
        return True

    def _step(self, look: bool) -> bool:
        """See what has ended, and start what can be started; tell whether to go on."""
        ended = list(self._ended())
        if ended or (look and len(self._running) < self.jobs):
            self._seconds = recorded(self.runs, self.folder)
            for begun, code in ended:
                self._tell(begun, code)
            self._start_more()
            self.show(len(self.runs) - len(self._missing()))
        return bool(self._running or self._held)

    def _ended(self) -> Iterator[tuple[_Begun, int]]:
        for key, begun in list(self._running.items()):
            code = begun.process.poll()
            if code is not None:
                del self._running[key]
                yield begun, code

    def _tell(self, begun: _Begun, code: int) -> None:
        log = log_of(self._workspace(begun.run))
        if code == 0:
            self._recorded += 1
            log.unlink(missing_ok=True)
            took = _duration(self.clock() - begun.at)
            self.say(f"done    {begun.run}, {took}; {self._outlook()}")
        elif code == KNOWN:
            log.unlink(missing_ok=True)
            self.say(f"known   {begun.run}: another worker was faster")
        elif self._stopping:
            self.say(
                f"stopped {begun.run}; next time it goes on from its checkpoint, if it has one"
            )
        else:
            line = f"{begun.run}: {_reason(code, log)}; see {log}"
            self._failed[begun.run.key] = line
            self.say(f"failed  {line}")

    def _start_more(self) -> None:
        missing = self._missing()
        unfinished = {run.experiment.name for run in missing}
        self._held = 0
        for run in missing:
            if len(self._running) >= self.jobs:
                return
            taken = run.key in self._running or run.key in self._failed
            if taken or not unfinished.isdisjoint(run.experiment.needs):
                continue
            process = self.launch(run)
            if process is None:
                self._held += 1
                continue
            self._running[run.key] = _Begun(run, process, self.clock())
            self.say(f"start   {run} ({len(self._running)} of {self.jobs} at work)")

    def _stop(self) -> None:
        """End what still runs, gently at first."""
        self._stopping = True
        for begun in self._running.values():
            begun.process.terminate()
        if self._running:
            self.say(f"ending {len(self._running)} of {self.jobs} at work")
        ticks = 0
        while self._running:
            if ticks >= GRACE or self.stop_requests > 1:
                for begun in self._running.values():
                    begun.process.kill()
            for begun, code in self._ended():
                self._tell(begun, code)
            if self._running:
                self.sleep(TICK)
                ticks += 1

    def _missing(self) -> list[Run]:
        return [run for run in self.runs if run.key not in self._seconds]

    def _workspace(self, run: Run) -> Path:
        return workspace_of(self.folder, run.experiment.name, run.config, run.seed)

    def _outlook(self) -> str:
        """Say what remains, and when it will be done."""
        missing = self._missing()
        if not missing:
            return f"{len(self.runs)} of {len(self.runs)} runs are on record"
        told = f"{len(missing)} of {len(self.runs)} runs remain"
        if self._failed:
            told += f", of which {len(self._failed)} failed"
        expected = expected_seconds(self.runs, self._seconds)
        known = [seconds for run in missing if (seconds := expected[run.key]) is not None]
        if len(known) < len(missing):
            told += f"; nothing says how long {len(missing) - len(known)} of them take"
        if not known:
            return told
        spent = sum(self.clock() - begun.at for begun in self._running.values())
        seconds = max(0.0, sum(known) - spent) / min(self.jobs, len(missing))
        end = datetime.datetime.now() + datetime.timedelta(seconds=seconds)
        return f"{told}, {_duration(seconds)} with {self.jobs} at a time, until {end:%d %b %H:%M}"


def _duration(seconds: float) -> str:
    """Write seconds in the unit that suits them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _reason(code: int, log: Path) -> str:
    """Say why a process ended: its last line is that of the traceback."""
    if code < 0:
        return f"killed by signal {-code}"
    if code == LOST:
        return "lost with the process that it was forked from, which ended before it"
    text = log.read_text("utf-8", errors="replace") if log.is_file() else ""
    lines = [line for line in text.splitlines() if line.strip()]
    return f"exit status {code}" + (f", {lines[-1]:.200}" if lines else "")
