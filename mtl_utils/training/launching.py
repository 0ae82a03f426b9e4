"""Starting the processes of one training from here, and ending all where one is lost."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import pickle
import signal
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from mtl_utils.arguments import check_callable, check_kind, check_whole
from mtl_utils.data.loading import Loader
from mtl_utils.training.history import History
from mtl_utils.training.loader import check_named_loader
from mtl_utils.training.lost import LONGEST_WAIT, LostProcessError, is_lost_peer
from mtl_utils.training.own_device import backend
from mtl_utils.training.trainer import Trainer

#: How a process ends that found another one gone, which is the one to name.
_ABANDONED = 77
_PRELOADED = ["mtl_utils.training", "torch._dynamo", "torch.distributed.tensor"]


def run_in_processes(
    function: Callable[..., Any], num_processes: int, *arguments: Any
) -> list[Any]:
    """Call a function in several processes that can talk to each other; return what each returned.

    They are one process group of ``torch.distributed``, and within them a
    :class:`~mtl_utils.training.Trainer` trains data-parallel: on a GPU each where there are enough,
    else on CPUs (gloo). They start anew, so that the function must be importable: one of the
    package, or of a module of your own, not of a notebook's cells; a script that calls this does so
    under ``if __name__ == "__main__"``. Arguments and results are pickled. Where one process ends
    before it is done, the others are ended too.

    Args:
        function: What to call.
        num_processes: How many processes.
        arguments: What to call it with, the same in each.

    Returns:
        The result of each process, by rank.

    Raises:
        LostProcessError: If a process was killed. What a trainer's checkpoint holds by then is
            whole: the same call goes on from it.
        RuntimeError: If the function raised an error in one; the message has its traceback.
        ValueError: If the function or an argument cannot be handed over, or there is no process.
        TypeError: If something is not of its kind.
    """
    check_callable("function", function, "a function of a module")
    check_whole("num_processes", num_processes, least=1)
    with tempfile.TemporaryDirectory(prefix="processes-") as folder:
        _hand_over(Path(folder), function, arguments)
        processes = _start(Path(folder), num_processes)
        try:
            _wait(processes, Path(folder))
        finally:
            for process in processes:
                process.kill()
            for process in processes:
                process.join()
        return [_result(Path(folder), rank) for rank in range(num_processes)]


def fit_in_processes(
    trainer: Trainer, train: Loader, validation: Loader | None = None, *, num_processes: int
) -> History:
    """Train as :meth:`Trainer.fit` does, in several processes that are started for it.

    Args:
        trainer: What to train and how. Its model gets the weights; its balancer, ``shares``,
            ``weights`` and ``stopped_tasks`` are those of the first process, as after ``fit``.
        train: Training data, read by all, each its rows of every batch.
        validation: Data on which the first process measures.
        num_processes: How many processes.

    Returns:
        See :meth:`Trainer.fit`.

    Raises:
        LostProcessError: See :func:`run_in_processes`.
        RuntimeError: Likewise.
        ValueError: Likewise; so it is where the trainer has functions of a notebook.
        TypeError: If something is not of its kind.
    """
    check_kind("trainer", trainer, Trainer, "a Trainer")
    check_named_loader("train", train)
    trainer.model.note_start()
    found = run_in_processes(_fit, num_processes, trainer, train, validation)[0]
    history, model, balancer = found.pop("history"), found.pop("model"), found.pop("balancer")
    trainer.model.load_state_dict(model)
    trainer.model.eval()
    trainer.balancer.load_state_dict(balancer)
    for name, value in found.items():
        setattr(trainer, name, value)
    return History(history)


def _fit(trainer: Trainer, train: Loader, validation: Loader | None) -> dict[str, Any]:
    history = trainer.fit(train, validation)
    if distributed.get_rank() != 0:
        return {}
    return {
        "history": history.to_dict("list"),
        "model": {name: value.cpu() for name, value in trainer.model.state_dict().items()},
        "balancer": trainer.balancer.state_dict(),
        "shares": trainer.shares,
        "weights": trainer.weights,
        "stopped_tasks": trainer.stopped_tasks,
    }


def _hand_over(folder: Path, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    """Write down what to call, by name: a process that starts anew knows no notebook."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if module in (None, "__main__") or "<" in name:
        raise ValueError(
            f"{name or function!r} is defined in a notebook, a script or another function, and "
            "processes that start anew import what they call. Put it into a module, as a file "
            "beside the notebook, and import it from there."
        )
    try:
        content = pickle.dumps((module, name, arguments))
    except Exception as error:  # whatever is not picklable says so in its own way
        raise ValueError(
            f"An argument of {name} cannot be handed to another process: {error}. Functions and "
            "classes that it refers to must stand in a module, not in a notebook."
        ) from error
    (folder / "call").write_bytes(content)


def _start(folder: Path, number: int) -> list[BaseProcess]:
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        context.set_forkserver_preload(_PRELOADED)  # imported once, for all that are started
    on_gpus = torch.cuda.is_available() and torch.cuda.device_count() >= number
    processes = [
        # A daemon could have no processes of its own, and a DataLoader may want some.
        context.Process(target=_child, args=(str(folder), rank, number, on_gpus), daemon=False)
        for rank in range(number)
    ]
    with _quietly():
        for process in processes:
            process.start()
    return processes


@contextmanager
def _quietly() -> Iterator[None]:
    """Start processes that say nothing of what data parallel found unused: it is meant to be so."""
    level = "TORCH_CPP_LOG_LEVEL"
    given = level in os.environ
    os.environ.setdefault(level, "ERROR")
    try:
        yield
    finally:
        if not given:
            del os.environ[level]


def _wait(processes: Sequence[BaseProcess], folder: Path) -> None:
    """Wait until all have ended well, or one has not: the first that was not abandoned by others.

    Raises:
        LostProcessError: If it was killed.
        RuntimeError: If it raised an error.
    """
    running = {process.sentinel: rank for rank, process in enumerate(processes)}
    abandoned: int | None = None
    while running:
        for sentinel in connection.wait(list(running)):
            rank = running.pop(sentinel)  # type: ignore[arg-type]
            processes[rank].join()
            code = processes[rank].exitcode
            if code == _ABANDONED:
                abandoned = rank
            elif code != 0:
                raise _failure(rank, len(processes), code or 0, folder)
    for rank, process in enumerate(processes):
        if process.exitcode == 0 and not (folder / f"result{rank}").exists():
            raise LostProcessError(
                f"Process {rank} of {len(processes)} (counted from 0) ended without a word, and "
                "the others could not go on. Look for what ends it, such as os._exit."
            )
    if abandoned is not None:
        raise _failure(abandoned, len(processes), _ABANDONED, folder)


def _failure(rank: int, number: int, code: int, folder: Path) -> RuntimeError:
    if code < 0:
        return LostProcessError(
            f"Process {rank} of {number} (counted from 0) was killed by "
            f"{signal.Signals(-code).name}, and the others were ended. If the trainer has a "
            "checkpoint, the same call goes on from what it held last."
        )
    said = folder / f"error{rank}"
    text = said.read_text("utf-8") if said.exists() else f"it ended with the exit code {code}"
    kind = LostProcessError if code == _ABANDONED else RuntimeError
    return kind(f"Process {rank} of {number} (counted from 0) failed: {text}")


def _result(folder: Path, rank: int) -> Any:
    return pickle.loads((folder / f"result{rank}").read_bytes())


def _child(folder: str, rank: int, number: int, on_gpus: bool) -> None:
    """Be one of the processes."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": number, "LOCAL_WORLD_SIZE": number}
    os.environ.update({name: str(value) for name, value in places.items()})
    if on_gpus:
        torch.cuda.set_device(rank)
    else:
        os.environ["ACCELERATE_USE_CPU"] = "true"
        threads = max(1, (os.cpu_count() or 1) // number)
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))
        torch.set_num_threads(threads)
    code = 0
    try:
        module, name, arguments = pickle.loads(Path(folder, "call").read_bytes())
        # A file is a meeting point that no other program can have taken, as it may a port.
        distributed.init_process_group(
            backend(on_gpus),
            init_method=Path(folder, "meeting").as_uri(),
            rank=rank,
            world_size=number,
            timeout=LONGEST_WAIT,
        )
        function: Any = importlib.import_module(module)
        for part in name.split("."):
            function = getattr(function, part)
        result = pickle.dumps(function(*arguments))
        Path(folder, f"result{rank}").write_bytes(result)
        distributed.barrier()  # nobody leaves while another may still ask for something
    except BaseException as error:
        code = _ABANDONED if is_lost_peer(error) else 1
        last = "" if code == _ABANDONED else f"\n{traceback.format_exc()}"
        Path(folder, f"error{rank}").write_text(f"{type(error).__name__}: {error}{last}", "utf-8")
    os._exit(code)  # without waiting for those that will not answer


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
