"""Kernels that notebooks run in: how they start, what they owe, what time they take.

A client of a kernel waits for two things: that the kernel says on one channel that it is idle
again, and for the reply to its request on another. The reply can be lost on the way. Clients in
Python send past ``asyncio`` on the socket they also read (``jupyter_client``'s ``Session.send``),
so that a message which arrives while they are busy may wake nobody; and ``nbclient`` sends to
widgets while it waits (https://github.com/jupyter/nbclient/issues/312). Until the limit of the cell
it then waits for a reply that lies beside it, whatever kernel sent it. The client here looks again
after it has sent. Should a reply stay out all the same, it gives up after :data:`PATIENCE` seconds.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Any

import psutil  # type: ignore[import-untyped]
import zmq
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete, DeadKernelError
from nbformat import NotebookNode
from traitlets import Type, default

#: Seconds without the answer that an idle kernel owes before it counts as lost.
PATIENCE = 30.0
#: Seconds that the start of a kernel may take; only a hang takes longer.
START_SECONDS = 600

NEVER_READ = "the kernel has shown no sign of having read the request"
NEVER_ANSWERED = "the kernel is idle again, and its reply has not come"


class LostReplyError(RuntimeError):
    """A kernel owes an answer, and nothing more is to be expected of it."""

    def __init__(self, what: str, seconds: float, source: str) -> None:
        """Say what has not come, for how long, and to which cell."""
        first = next(iter(source.strip().splitlines()), "")
        super().__init__(f"{what} after {seconds:g} s, in the cell that begins {first!r}")


def kernel_environment() -> dict[str, str]:
    """The environment a notebook runs in: a reader's, with neither threads nor back end set.

    Threads that wait sleep instead of spinning. Results are the same, and a machine with other work
    to do is not slowed down many times over by threads that spin for a core that is taken.
    """
    dropped = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "MPLBACKEND", "PYTHONWARNINGS")
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    return {"OMP_WAIT_POLICY": "PASSIVE", **kept}


def processor_seconds(process: int) -> float:
    """Processor time that a process and those it started have taken so far.

    Args:
        process: Id of a process that runs.

    Returns:
        Seconds, summed over all threads and over processes that have ended. Unlike the clock's,
        they hardly depend on what else the machine does.
    """
    kernel = psutil.Process(process)
    total = 0.0
    for member in (kernel, *kernel.children(recursive=True)):
        try:
            times = member.cpu_times()
        except psutil.NoSuchProcess:  # ended just now; its parent has its time
            continue
        total += times.user + times.system
        # Linux and macOS add what has ended; elsewhere it is not known.
        total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return total


class _OneKernel(KernelSpecManager):
    """Finds one kernel, that of a Python, whatever kernels the machine has registered."""

    python = sys.executable

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        launch = ["-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"]
        return KernelSpec(argv=[self.python, *launch], display_name="Python 3", language="python")


class AttentiveChannel(AsyncZMQSocketChannel):
    """A channel on which sending does not put a message that has just arrived to sleep."""

    def send(self, msg: dict[str, Any]) -> None:
        """Send a message, then look for what arrived before it.

        Sending consumes the signal of an arrival without telling ``asyncio``, which then waits for
        a signal that has been. To ask for the socket's events is to look, and to wake it.
        """
        super().send(msg)
        self.socket.get(zmq.EVENTS)


class _Client(AsyncKernelClient):
    shell_channel_class = Type(AttentiveChannel)  # type: ignore[assignment]
    control_channel_class = Type(AttentiveChannel)  # type: ignore[assignment]


class _Kernel(AsyncKernelManager):
    @default("kernel_spec_manager")
    def _spec_manager(self) -> KernelSpecManager:
        return _OneKernel()

    @default("client_factory")
    def _client_factory(self) -> type[AsyncKernelClient]:
        return _Client


def kernel_of(python: str) -> type[AsyncKernelManager]:
    """Return what starts kernels in another environment.

    Args:
        python: Path of its interpreter.
    """

    class Elsewhere(_Kernel):
        @default("kernel_spec_manager")
        def _spec_manager(self) -> KernelSpecManager:
            found = _OneKernel()
            found.python = python
            return found

    return Elsewhere


class PatientClient(NotebookClient):
    """Executes a notebook, measures its kernel, and never waits long for an idle one.

    Attributes:
        patience: Seconds before an answer that an idle kernel owes counts as lost. How long a cell
            takes plays no part in it.
        processor_seconds: Processor time of the kernel at the end of the last cell that ran.
    """

    patience = PATIENCE
    processor_seconds = 0.0

    def __init__(self, notebook: NotebookNode, **options: Any) -> None:
        """Take what ``NotebookClient`` takes."""
        usual = {
            "kernel_manager_class": _Kernel,
            "startup_timeout": START_SECONDS,
            # Outputs that come late belong to their cell too; by default they are left out.
            "iopub_timeout": PATIENCE,
            "raise_on_iopub_timeout": True,
        }
        super().__init__(notebook, **{**usual, **options})
        self._alarm: asyncio.TimerHandle | None = None
        self._lost: str | None = None

    async def async_execute_cell(
        self, cell: NotebookNode, cell_index: int, *rest: Any, **options: Any
    ) -> NotebookNode:
        """Execute a cell.

        Raises:
            LostReplyError: If an idle kernel owes an answer for longer than ``patience``.
        """
        others = asyncio.all_tasks()
        self._lost = None
        self._expect(NEVER_READ)
        try:
            executed = await super().async_execute_cell(cell, cell_index, *rest, **options)
        except DeadKernelError:
            if self._lost is None:
                raise
            for task in asyncio.all_tasks() - others:  # what watched over this cell
                task.cancel()
            raise LostReplyError(self._lost, self.patience, cell.source) from None
        finally:
            self._be_quiet()
        self.processor_seconds = processor_seconds(self.km.provisioner.pid)
        return executed

    def process_message(
        self, msg: Mapping[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Take what a kernel says of a cell: a sign of life, and at the end a promise to reply."""
        self._be_quiet()
        try:
            return super().process_message(msg, cell, cell_index)
        except CellExecutionComplete:
            self._expect(NEVER_ANSWERED)
            raise

    def _expect(self, otherwise: str) -> None:
        self._alarm = asyncio.get_running_loop().call_later(self.patience, self._give_up, otherwise)

    def _be_quiet(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()

    def _give_up(self, what: str) -> None:
        waiting = self.task_poll_for_reply
        if waiting is not None and not waiting.done():
            self._lost = what
            waiting.cancel()  # which nbclient takes for a dead kernel
