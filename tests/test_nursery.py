"""Runs that are forked from a process that has imported what they need."""

import contextlib
import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest
from forked_experiments import known

from mtl_utils.experiments import forks, nursery, records
from mtl_utils.experiments.processes import LOST, Children
from mtl_utils.experiments.queue import Run, importable_name
from mtl_utils.experiments.worker import Worker
from mtl_utils.experiments.workspaces import claim, give_up, log_of, workspace_of

pytestmark = pytest.mark.skipif(not forks.POSSIBLE, reason="processes are not forked here")
THREADS = 2
"""BLAS has threads of its own then, which a process that forks must not have."""


@pytest.fixture(scope="module")
def start():
    with contextlib.closing(forks.Forks()) as start:
        yield start


def run(name, seed=0):
    experiment = known()[name]
    return Run(experiment, experiment.configs[0], seed)


def launched(folder, start, name, seed=0):
    return Children(folder, importable_name(known), THREADS, start=start)(run(name, seed))


def finished(process):
    while process.poll() is None:
        time.sleep(0.02)
    return process.poll()


def begun(folder, seed=0):
    """Wait until a run says that it waits; return its temporary folder."""
    file = folder / f"begun-{seed}"
    while not (file.exists() and file.read_text()):
        time.sleep(0.02)
    return Path(file.read_text())


def free(folder, name, seed=0):
    """Wait until nobody holds the workspace of a run."""
    while True:
        with contextlib.suppress(TimeoutError):
            return give_up(claim(workspace(folder, name, seed)))
        time.sleep(0.02)


def workspace(folder, name, seed=0):
    return workspace_of(folder, name, run(name).config, seed)


def test_a_run_that_is_forked_records_what_a_new_interpreter_does(tmp_path, start):
    forked, new = tmp_path / "forked", tmp_path / "new"
    processes = [launched(forked, start, "trains", seed) for seed in (0, 1)]
    processes.append(Children(new, importable_name(known), THREADS)(run("trains", 1)))
    assert [finished(process) for process in processes] == [0, 0, 0]
    (expected,) = records.read(new / "trains.jsonl")
    found = {one["seed"]: one for one in records.read(forked / "trains.jsonl")}
    assert found[0]["metrics"] != found[1]["metrics"]
    for record in (expected, found[1]):
        del record["seconds"], record["date"], record["metrics"]["training_seconds"]
    assert found[1] == expected
    assert expected["hardware"]["threads"] == THREADS


def test_a_process_that_is_forked_is_as_a_new_one_is(tmp_path, start):
    told = []
    for seed in (0, 1):
        assert launched(tmp_path, start, "waits", seed) is not None  # open files of another run
    for seed in (0, 1):
        assert finished(launched(tmp_path, start, "tells", seed)) == 0
        told.append(records.read(tmp_path / "tells.jsonl")[-1]["metrics"])
        assert told[-1]["words"][-2] == str(seed)
    first, second = told
    assert first["leads_its_session"]
    assert first["reads_from_a_pipe"]
    assert len(first["threads"]) == 2  # itself, and what waits for the end of the worker
    assert first["torch"] == second["torch"]
    assert first["python"] != second["python"]
    assert first["numpy"] != second["numpy"]
    held = str(workspace(tmp_path, "tells") / ".lock")
    assert held in first["open_files"]
    others = [file for file in first["open_files"] if "waits" in file or "pidfd" in file]
    assert others == []
    assert not any(file.startswith("socket:") for file in first["open_files"])
    assert len(os.listdir(f"/proc/{start.nursery.popen.pid}/task")) == 1


def test_what_a_run_wrote_and_how_it_ended_are_told(tmp_path, start):
    children = Children(tmp_path, importable_name(known), THREADS, start=start)
    said = []
    runs = [run(name) for name in ("fails", "ends", "tells")]
    report = Worker(runs, tmp_path, children, 1, say=said.append).work()
    assert (report.recorded, report.left) == (1, 2)
    failed, ended = report.failed
    assert "exit status 1, FloatingPointError: the loss is nan at step 3; see" in failed
    assert "killed by signal 9" in ended
    log = log_of(workspace(tmp_path, "fails")).read_text()
    assert log.startswith("Traceback (most recent call last):\n")
    assert 'raise FloatingPointError("the loss is nan at step 3")' in log


@pytest.mark.parametrize(
    ("seed", "status", "said"), [(0, 0, set()), (1, 7, set()), (2, 1, {"why it leaves"})]
)
def test_a_run_that_leaves_by_itself_has_what_it_wrote_on_the_disk(
    tmp_path, start, seed, status, said
):
    assert finished(launched(tmp_path, start, "leaves", seed)) == status
    assert (tmp_path / "unclosed.txt").read_text() == "all of it"
    log = log_of(workspace(tmp_path, "leaves", seed)).read_text()
    assert set(log.splitlines()) == said | {"what was printed"}


def test_a_run_that_is_told_to_stop_leaves_as_it_should(tmp_path, start):
    stopped, killed, orphan = (launched(tmp_path, start, "waits", seed) for seed in (0, 1, 2))
    assert launched(tmp_path, start, "waits", 0) is None
    folders = [begun(tmp_path, seed) for seed in (0, 1, 2)]
    assert all(folder.is_dir() for folder in folders)
    stopped.terminate()
    killed.kill()
    os.close(start.nursery._worker_lives[orphan.number])  # as when this process is killed
    start.nursery._worker_lives[orphan.number] = os.open(os.devnull, os.O_RDONLY)
    assert [finished(process) for process in (stopped, killed, orphan)] == [143, -9, 143]
    assert [folder.is_dir() for folder in folders] == [False, True, False]
    stopped.terminate()  # which is nobody any more
    stopped.kill()
    free(tmp_path, "waits")


def test_a_nursery_that_is_killed_loses_its_runs_and_has_a_successor(tmp_path, start):
    lost = launched(tmp_path, start, "waits")
    begun(tmp_path)
    start.nursery.popen.kill()
    assert finished(lost) == LOST
    free(tmp_path, "waits")  # it ends all the same
    lost.terminate()
    with pytest.warns(UserWarning, match="ended and another is started: exit status -9"):
        process = launched(tmp_path, start, "tells")
    assert finished(process) == 0


def test_a_nursery_ends_with_its_worker_and_starts_nothing_then(tmp_path, start):
    launched(tmp_path, start, "waits")
    begun(tmp_path)
    gone = start.nursery
    gone._socket.shutdown(socket.SHUT_RDWR)  # as when this process is killed
    os.waitid(os.P_PID, gone.popen.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(TimeoutError):
        claim(workspace(tmp_path, "waits"))  # what ends it has not come yet
    with open(os.devnull, "wb") as log:
        process = gone.start(["module:name"], {}, log.fileno(), None)
    assert process.poll() == LOST
    assert gone.ended()
    assert gone.popen.returncode == 0
    free(tmp_path, "waits")
    worker = Worker([run("fails")], tmp_path, lambda run: process, 1, say=lambda line: None)
    (line,) = worker.work().failed
    assert "lost with the process that it was forked from, which ended before it; see" in line


@pytest.mark.parametrize(
    ("program", "said"), [("false", "exit status 1$"), ("echo", "exit status 0, -P -m mtl_utils")]
)
def test_where_no_nursery_starts_new_interpreters_do(monkeypatch, program, said):
    monkeypatch.setattr(forks.sys, "executable", program)
    monkeypatch.setattr(forks, "new_interpreter", lambda *given: given)
    start, given = forks.Forks(), (["module:name"], dict(os.environ), 1, None)
    with pytest.warns(UserWarning, match=f"since none can be forked: {said}"):
        assert start(*given) == given
    assert start(*given) == given  # without another attempt
    monkeypatch.setattr(forks, "POSSIBLE", False)
    assert forks.Forks()(*given) == given


def test_a_process_with_threads_or_cuda_forks_none(monkeypatch):
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="Expected one thread after all imports, got"):
            nursery.check_forkable()
    finally:
        stop.set()
        thread.join()
    monkeypatch.setattr(nursery.torch.cuda, "_is_in_bad_fork", lambda: True)
    with pytest.raises(RuntimeError, match="CUDA was initialised"):
        nursery.check_forkable()


def test_a_system_without_room_for_a_process_is_told_of(tmp_path, monkeypatch):
    def fork():
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(nursery.os, "fork", fork)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    log = tmp_path / "log"
    with ours, theirs, log.open("w") as file, open(os.devnull) as alive:
        socket.send_fds(ours, [b'{"number": 3, "words": []}'], [alive.fileno(), file.fileno()])
        ours.shutdown(socket.SHUT_WR)
        assert nursery.Nursery(theirs).serve() is None
        assert json.loads(ours.recv(99)) == {"number": 3, "status": nursery.NOT_FORKED}
    assert log.read_text() == "No process could be forked: no more processes\n"
