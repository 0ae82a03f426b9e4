"""A process that has imported all that runs need, and forks a process for each of them.

:mod:`mtl_utils.experiments.forks` starts it as ``python -m mtl_utils.experiments.nursery SOURCE``
and talks to it through a socket, its standard input. What a worker sends there is JSON:

- ``{"number": 3, "words": [...]}`` has a run started, with the words of :func:`child.main`. Three
  open files come along: a pipe that ends when the worker does, which becomes the standard input of
  the run, the log that it writes to, and, where there are locks, that of the workspace, which the
  run then holds.
- ``{"number": 3, "signal": 15}`` has the signal sent to that run, if it has not ended.

It says ``{"ready": true}`` when runs can be started, and ``{"number": 3, "status": 0}`` when one
has ended. It ends when the worker does.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy
import torch

from mtl_utils.experiments import child, records

LARGEST = 1 << 18
"""Bytes of a message; a socket of this kind takes fewer."""

FILES = 3
"""Most that come along with a message."""

NOT_FORKED = 71
"""Exit status of a run for which the system had no process."""

USED_BY_RUNS = (
    "torch._dynamo",  # which the first optimiser imports
    "accelerate",
    "torch.distributed.tensor",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.bert.modeling_bert",
    "transformers.models.bert.tokenization_bert",
    "sacrebleu.metrics",
    "seqeval.metrics",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "conllu.parser",
)
"""What some of them import when they want it, which takes seconds in all."""


def main(arguments: Sequence[str]) -> int:
    """Import what runs need, and fork them until the worker ends.

    Args:
        arguments: The function that lists experiments, as ``module:name``.

    Returns:
        The exit status. It does not return in a process that is forked for a run.

    Raises:
        RuntimeError: If a process that is forked from this one would not be what a new one is.
    """
    (source,) = arguments
    worker = socket.socket(fileno=sys.stdin.fileno())
    prepare(source)
    check_forkable()
    _say(worker, ready=True)
    words = Nursery(worker).serve()
    if words is not None:
        run(words)
    return 0


def prepare(source: str) -> None:
    """Import what runs need, and note the commit that this is.

    Args:
        source: The function that lists experiments, as ``module:name``.
    """
    child.listed(source)
    for name in USED_BY_RUNS:
        with contextlib.suppress(ImportError):  # a run says so that cannot do without
            importlib.import_module(name)
    records.commit()
    gc.collect()
    gc.freeze()  # so that no collection in a run copies the memory that all share


def check_forkable() -> None:
    """Fork once, and check that there is what a new process would find.

    BLAS starts threads when it is imported, and ends them when the process forks; whoever is forked
    starts its own. Other threads would be missing there, with whatever they hold locked.

    Raises:
        RuntimeError: If there are other threads, CUDA is initialised, or the system forks none.
    """
    pid = os.fork()
    if pid == 0:
        # Private, and the only one to say that the devices were counted too early.
        os._exit(getattr(torch.cuda, "_is_in_bad_fork", lambda: False)())
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError("CUDA was initialised by an import; forked processes cannot use it")
    names = threads()
    if len(names) > 1:
        raise RuntimeError(f"Expected one thread after all imports, got {', '.join(names)}")
    os.close(os.pidfd_open(os.getpid()))  # which old kernels have not
    sys.stdout.flush()
    sys.stderr.flush()


def threads() -> list[str]:
    """Return the names of all threads of this process, also those that Python knows nothing of."""
    return [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]


def run(words: Sequence[str]) -> NoReturn:
    """Make one run, and end as an interpreter does that was started for it.

    It ends all but what belongs to the process alone: an interpreter that takes all its modules
    apart spends half a second of a core on that, and copies the memory that it shares.

    Args:
        words: The arguments of :func:`child.main`.
    """
    status = 1
    try:
        sys.argv[1:] = words
        status = _status(words)
        threading._shutdown()  # type: ignore[attr-defined]  # public in no version
        atexit._run_exitfuncs()
        sys.stdout.flush()
    finally:
        os._exit(status)


def _status(words: Sequence[str]) -> int:
    try:
        return child.main(words)
    except SystemExit as leaving:
        if leaving.code is None or isinstance(leaving.code, int):
            return leaving.code or 0
        print(leaving.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    return 1


@dataclass
class Nursery:
    """Forks runs, and tells how they end.

    Args:
        worker: Where it is asked to.
    """

    worker: socket.socket
    _running: dict[int, tuple[int, int]] = field(default_factory=dict, init=False)
    """The number and the id of each process, by the file that stands for it."""

    def serve(self) -> list[str] | None:
        """Do what the worker asks, until it ends.

        Returns:
            In each process that is forked, the words of its run; ``None`` in this one.
        """
        while True:
            ready = select.poll()
            for file in (self.worker.fileno(), *self._running):
                ready.register(file, select.POLLIN)
            for file, _ in ready.poll():
                if file != self.worker.fileno():
                    self._reap(file)
                    continue
                message, files = self._heard()
                if message is None:
                    return None
                if "signal" in message:
                    self._signal(message["number"], message["signal"])
                elif self._fork(message["number"], files):
                    return list(message["words"])

    def _heard(self) -> tuple[dict[str, Any] | None, list[int]]:
        """Receive a message and the files that come along; ``None`` if the worker has ended."""
        try:
            text, files, _, _ = socket.recv_fds(self.worker, LARGEST, FILES)
        except ConnectionError:
            return None, []
        return (json.loads(text) if text else None), files

    def _fork(self, number: int, files: Sequence[int]) -> bool:
        """Start a process; return whether this is it."""
        try:
            pid = os.fork()
        except OSError as error:
            os.write(files[1], f"No process could be forked: {error}\n".encode())
            _say(self.worker, number=number, status=NOT_FORKED)
            pid = None
        if pid == 0:
            self._become(*files)
            return True
        for file in files:
            os.close(file)
        if pid is not None:
            self._running[os.pidfd_open(pid)] = number, pid
        return False

    def _become(self, worker_lives: int, log: int, *held: int) -> None:
        """Be what a new process would be; what it holds stays open until it ends."""
        os.setsid()
        self.worker.detach()
        for file in self._running:
            os.close(file)
        for file, standard in ((worker_lives, 0), (log, 1), (log, 2)):
            os.dup2(file, standard)
        os.close(worker_lives)
        os.close(log)
        numpy.random.seed()  # as Python's own generator does after a fork

    def _reap(self, file: int) -> None:
        """Tell how a process ended."""
        number, pid = self._running.pop(file)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(file)
        _say(self.worker, number=number, status=status)

    def _signal(self, number: int, sent: int) -> None:
        """Signal a process; none that has ended, whose id another may have by now."""
        for file, (running, _) in self._running.items():
            if running == number:
                signal.pidfd_send_signal(file, sent)


def _say(worker: socket.socket, **message: object) -> None:
    with contextlib.suppress(ConnectionError):  # that it has ended is seen where it is listened to
        worker.send(json.dumps(message).encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
