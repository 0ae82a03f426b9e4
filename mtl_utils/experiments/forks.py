"""Starting runs as forks of one process that has imported what they need."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtl_utils.experiments.processes import LOST, Process, new_interpreter

POSSIBLE = sys.platform == "linux" and hasattr(os, "pidfd_open") and hasattr(socket, "send_fds")
"""Whether this system and this Python have what forking runs takes."""

FORKABLE = {
    # No thread of Arrow's that gives memory back, since it would be missing in forked processes.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    # Devices are counted without initialising CUDA, which forked processes could not use then.
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
}
"""Added to the environment of a process that others are forked from."""

LARGEST_ANSWER = 1 << 12
"""Bytes of what a nursery says."""


class Nursery:
    """The process that others are forked from, as its worker sees it.

    Args:
        source: The function that lists experiments, as ``module:name``.
        environment: Of the process and of all that are forked from it.

    Raises:
        RuntimeError: If it ended before anything could be forked; what it said is in the message.
    """

    def __init__(self, source: str, environment: Mapping[str, str]) -> None:
        self._numbers = itertools.count()
        self._worker_lives: dict[int, int] = {}
        self._ended: dict[int, int] = {}
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        with theirs:
            self.popen = subprocess.Popen(
                [sys.executable, "-P", "-m", "mtl_utils.experiments.nursery", source],
                stdin=theirs.fileno(),
                stdout=self._said,
                stderr=subprocess.STDOUT,
                env={**FORKABLE, **environment},
                start_new_session=True,
            )
        if not self._received():
            self.close()
            raise RuntimeError(self.end())
        self._socket.setblocking(False)

    def start(
        self, words: Sequence[str], environment: Mapping[str, str], log: int, claimed: int | None
    ) -> Fork:
        """Have a run forked, which has the environment of this process; see :data:`Start`."""
        number = next(self._numbers)
        worker_lives, self._worker_lives[number] = os.pipe()
        files = [worker_lives, log] + ([] if claimed is None else [claimed])
        try:
            self._send({"number": number, "words": list(words)}, files)
        except OSError:
            self._note(number, LOST)
        finally:
            os.close(worker_lives)
        return Fork(self, number)

    def status(self, number: int) -> int | None:
        """Return the exit status of a process, ``None`` as long as it runs."""
        if number not in self._ended:
            self.ended()
        return self._ended.get(number)

    def signal(self, number: int, sent: int) -> None:
        """Send a signal to a process, unless it has ended."""
        if number not in self._ended:
            with contextlib.suppress(OSError):  # it has ended, and with it what is to be signalled
                self._send({"number": number, "signal": sent})

    def ended(self) -> bool:
        """Return whether it has ended, after listening to what it says or said."""
        gone = self.popen.poll() is not None
        while answer := self._received():
            self._note(answer["number"], answer["status"])
        if gone:
            self.close()
        return gone

    def end(self) -> str:
        """Say how it ended, and what it wrote last."""
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").splitlines()
        last = [line for line in lines if line.strip()][-1:]
        return ", ".join([f"exit status {self.popen.returncode}", *last])

    def close(self) -> None:
        """End it; what was forked from it and still runs is told to end, and counts as lost."""
        self._socket.close()
        self.popen.kill()
        self.popen.wait()
        for number in list(self._worker_lives):
            self._note(number, LOST)

    def _note(self, number: int, status: int) -> None:
        self._ended[number] = status
        os.close(self._worker_lives.pop(number))

    def _received(self) -> dict[str, Any] | None:
        """Return what it says next; ``None`` if that is nothing, now or for ever."""
        if self._socket.fileno() < 0:
            return None
        try:
            text = self._socket.recv(LARGEST_ANSWER)
        except (BlockingIOError, ConnectionError):
            return None
        return json.loads(text) if text else None

    def _send(self, message: Mapping[str, Any], files: Sequence[int] = ()) -> None:
        socket.send_fds(self._socket, [json.dumps(message).encode()], files)


@dataclass(frozen=True)
class Fork:
    """A run in a process that was forked for it; it ends when this one does.

    Args:
        nursery: What it was forked from.
        number: What it is called there.
    """

    nursery: Nursery
    number: int

    def poll(self) -> int | None:
        """Return its exit status, ``None`` as long as it runs."""
        return self.nursery.status(self.number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.nursery.signal(self.number, signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.nursery.signal(self.number, signal.SIGKILL)


class Forks:
    """Forks each run from one process, or starts new interpreters where that cannot be.

    That process starts with the first run, and is replaced when it has ended before its time.
    """

    def __init__(self) -> None:
        self.nursery: Nursery | None = None
        self._possible = POSSIBLE

    def __call__(
        self, words: Sequence[str], environment: Mapping[str, str], log: int, claimed: int | None
    ) -> Process:
        """Start one run; see :data:`Start`."""
        nursery = self._living(words[0], environment)
        start = new_interpreter if nursery is None else nursery.start
        return start(words, environment, log, claimed)

    def _living(self, source: str, environment: Mapping[str, str]) -> Nursery | None:
        if self.nursery is not None and self.nursery.ended():
            warnings.warn(
                "The process that runs are forked from ended and another is started: "
                f"{self.nursery.end()}",
                stacklevel=2,
            )
            self.nursery = None
        if self.nursery is None and self._possible:
            try:
                self.nursery = Nursery(source, environment)
            except (OSError, RuntimeError) as error:
                self._possible = False
                warnings.warn(
                    f"Each run starts a new interpreter, since none can be forked: {error}",
                    stacklevel=2,
                )
        return self.nursery

    def close(self) -> None:
        """End the process that runs are forked from; none of them goes on by now."""
        if self.nursery is not None:
            self.nursery.close()
            self.nursery = None
