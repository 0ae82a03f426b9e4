"""Waiting for kernels: nothing that has come is overlooked, and what does not come is given up."""

import asyncio
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import execute
import kernels
import nbformat
import pytest
import tiny_notebooks as tiny
import zmq
import zmq.asyncio
from jupyter_client.session import Session
from jupyter_core.utils import ensure_event_loop
from kernels import LostReplyError
from nbval.kernel import CURRENT_ENV_KERNEL_NAME
from patient_kernel import Message, PatientKernel

#: A cell whose reply the kernel makes and does not send, where `path` is not there yet.
LOSES_ITS_REPLY = """\
import pathlib
kernel = get_ipython().kernel
send = type(kernel.session).send

def lossy(stream, kind, content=None, *rest, **options):
    if kind != "execute_reply":
        return send(kernel.session, stream, kind, content, *rest, **options)
    del kernel.session.send
    return kernel.session.msg(kind, content)

if not pathlib.Path({path!r}).exists():
    pathlib.Path({path!r}).touch()
    kernel.session.send = lossy
print("said")"""


# --- what has come is not overlooked --------------------------------------------------------------


def test_a_message_that_arrives_before_one_is_sent_is_read() -> None:
    """nbclient sends to widgets while it waits for a reply, and a busy client sends late."""

    async def read() -> Message:
        with zmq.Context() as context, zmq.asyncio.Context() as clients:
            kernel, socket = context.socket(zmq.ROUTER), clients.socket(zmq.DEALER)
            with kernel, socket:
                socket.connect(f"tcp://127.0.0.1:{kernel.bind_to_random_port('tcp://127.0.0.1')}")
                session = Session(key=b"secret")
                channel = kernels.AttentiveChannel(socket, session)
                channel.send(session.msg("execute_request"))
                identity, *_ = kernel.recv_multipart()
                waiting = asyncio.ensure_future(channel.get_msg())
                await asyncio.sleep(0.01)
                session.send(kernel, "execute_reply", ident=identity)
                assert select.select([socket.FD], [], [], 60)[0], "nothing arrived"
                time.sleep(0.01)  # ZeroMQ looks at most once a millisecond
                channel.send(session.msg("comm_msg"))
                return await asyncio.wait_for(waiting, timeout=30)

    assert asyncio.run(read())["header"]["msg_type"] == "execute_reply"


# --- executing ------------------------------------------------------------------------------------


def test_a_notebook_whose_reply_is_lost_runs_once_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lossy = LOSES_ITS_REPLY.format(path=str(tmp_path / "lost"))
    notebook = tiny.notebook(tiny.code("number = 1"), tiny.code(lossy), tiny.code("number + 1"))
    taken = execute.run(notebook, tmp_path, patience=5)
    assert notebook.cells[1].outputs[0].text == "said\n"
    assert notebook.cells[2].outputs[0].data == {"text/plain": "2"}
    assert taken.processor_seconds > 0
    assert (
        "once more, since the kernel is idle again, and its reply has not come after 5 s, in the "
        "cell that begins 'import pathlib'" in capsys.readouterr().err
    )


def test_a_request_that_is_lost_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = kernels.AttentiveChannel.send

    def lose(channel: Any, message: Message) -> None:
        if message["content"].get("code") != "lost":
            send(channel, message)

    monkeypatch.setattr(kernels.AttentiveChannel, "send", lose)
    client = kernels.PatientClient(tiny.notebook(tiny.code("lost")))
    client.patience = 1
    with pytest.raises(LostReplyError, match="no sign of having read the request after 1 s"):
        client.execute(env=kernels.kernel_environment())
    assert not asyncio.all_tasks(ensure_event_loop()), "something waits still"


def test_a_notebook_that_loses_two_replies_is_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []

    def lose(*_: object) -> execute.Taken:
        runs.append(1)
        raise LostReplyError(kernels.NEVER_ANSWERED, 30, "x = 1")

    monkeypatch.setattr(execute, "_run_once", lose)
    path = tmp_path / "01_x.ipynb"
    nbformat.write(tiny.notebook(tiny.code("x = 1")), path)
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="its reply has not come after 30 s"):
        execute.execute(path, tmp_path / "records.jsonl")
    assert len(runs) == 2
    assert path.read_bytes() == before


# --- validating -----------------------------------------------------------------------------------


class HastyKernel(PatientKernel):
    """A kernel for which time flies, from the first look on, while it is in a state."""

    flies_in: str | None = "no state"
    state: str | None = None
    looked = False

    def now(self) -> float:
        """Return seconds, many more once the time has come."""
        return 1e6 * (self.looked and self.state == self.flies_in) + super().now()

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """Wait as the kernel under test does."""
        self.state, self.looked = None, False
        super().await_reply(msg_id, timeout)

    def _read_ahead(self, msg_id: str) -> str | None:
        said = super()._read_ahead(msg_id)
        self.state, self.looked = said or self.state, True
        return said


@pytest.fixture(scope="module")
def shared_kernel() -> Iterator[HastyKernel]:
    made = HastyKernel(CURRENT_ENV_KERNEL_NAME, startup_timeout=kernels.START_SECONDS)
    yield made
    made.stop()


@pytest.fixture
def kernel(shared_kernel: HastyKernel) -> HastyKernel:
    shared_kernel.flies_in = "no state"
    shared_kernel.glance = 0.1
    shared_kernel.lost_replies = 0
    return shared_kernel


def run(kernel: PatientKernel, source: str, timeout: float = 600) -> list[Message]:
    """Run a cell as nbval does; return what it showed, until the kernel was idle."""
    request = kernel.execute_cell_input(source, allow_stdin=False)
    kernel.await_reply(request, timeout=timeout)
    shown = []
    while True:
        message = kernel.get_message("iopub", timeout=60)
        if message["parent_header"].get("msg_id") != request:
            continue
        if message["content"].get("execution_state") == "idle":
            return shown
        shown.append(message)


def streams(messages: list[Message]) -> str:
    return "".join(message["content"].get("text", "") for message in messages)


def test_a_lost_reply_is_done_without(kernel: HastyKernel, tmp_path: Path) -> None:
    kernel.flies_in = "idle"
    lossy = LOSES_ITS_REPLY.format(path=str(tmp_path / "lost"))
    assert streams(run(kernel, lossy)) == "said\n"
    assert kernel.lost_replies == 1
    kernel.flies_in = "no state"
    assert streams(run(kernel, "print('next')")) == "next\n"
    assert kernel.lost_replies == 1


def test_outputs_that_were_read_ahead_keep_their_order(kernel: HastyKernel) -> None:
    source = "import time\nfor n in range(20):\n    print(n, flush=True)\n    time.sleep(0.02)"
    assert streams(run(kernel, source)) == "".join(f"{n}\n" for n in range(20))
    assert kernel.lost_replies == 0


def test_a_busy_kernel_is_waited_for(kernel: HastyKernel) -> None:
    kernel.flies_in = "busy"
    kernel.glance = 0.01
    assert streams(run(kernel, "time.sleep(0.5)\nprint('done')", timeout=1e9)) == "done\n"
    assert kernel.lost_replies == 0


def test_a_busy_kernel_is_not_waited_for_longer_than_nbval_says(kernel: HastyKernel) -> None:
    kernel.flies_in = "busy"
    with pytest.raises(Empty):
        run(kernel, "input = time.sleep(2)", timeout=600)
    kernel.flies_in = "no state"
    assert streams(run(kernel, "print('next')")) == "next\n"


def test_a_request_that_is_not_read_is_an_error(
    kernel: HastyKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.flies_in = None
    monkeypatch.setattr(kernel.kc.shell_channel, "send", lambda message: None)
    with pytest.raises(LostReplyError, match=r"no sign of having read .* begins 'print\(1\)'"):
        run(kernel, "print(1)\nprint(2)")


def test_a_kernel_that_dies_is_not_waited_for() -> None:
    kernel = HastyKernel(CURRENT_ENV_KERNEL_NAME, startup_timeout=kernels.START_SECONDS)
    try:
        with pytest.raises(RuntimeError, match="the kernel died"):
            run(kernel, "import os\nos._exit(1)")
    finally:
        kernel.stop()


# --- processor time -------------------------------------------------------------------------------

WORKS = """\
import subprocess, sys, time
work = "import time\\nwhile time.process_time() < 0.4: pass"
print("ready", flush=True)
input()
exec(work)
subprocess.run([sys.executable, "-c", work])
running = subprocess.Popen([sys.executable, "-c", work + "\\nprint(1, flush=True)\\ninput()"],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
running.stdout.readline()
print("done", flush=True)
input()
running.communicate(b"1")
"""


def test_processor_time_is_that_of_a_process_and_of_those_it_started() -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", WORKS], **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.2)  # is not counted
        before = kernels.processor_seconds(process.pid)
        process.stdin.write(b"go\n")
        process.stdin.flush()
        process.stdout.readline()
        after = kernels.processor_seconds(process.pid)
        process.communicate(b"\n")
    # Three times 0.4 s less what starting took, to a clock tick each, and the start of two Pythons.
    assert 1.0 < after - before < 3.0
    assert before < 1.0


def test_a_notebook_keeps_the_threads_of_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    found = kernels.kernel_environment()
    assert "OMP_NUM_THREADS" not in found
    assert found["OMP_WAIT_POLICY"] == "ACTIVE"
    assert found["PATH"] == os.environ["PATH"]
