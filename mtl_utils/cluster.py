"""Tasks on a Ray cluster (Moritz et al., 2018): finding one or starting one, and waiting for tasks.

Ray is imported when a cluster is asked for.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

STORE_BYTES = 1 << 27
"""What a cluster that is started here has in memory for arguments and results, in bytes."""

MOST_BEGUN = 3
"""So often a task is begun whose process dies each time: it may be what kills it."""

_ATTEMPTS = 3
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nobody asked for numbers to be sent to the makers of Ray
    "RAY_worker_niceness": "0",  # Ray's own 15 would be added to what is asked for
}
"""Of a cluster that is started here, where the environment says nothing else."""

_LOSSES = (
    *("WorkerCrashedError", "OutOfMemoryError", "NodeDiedError", "LocalRayletDiedError"),
    "ObjectLostError",
)


def ray() -> ModuleType:
    """Return the module ``ray``.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import ray as found
    except ImportError as error:
        raise ImportError(
            "Work on a cluster needs Ray, which is not installed: pip install ray, or "
            'pip install "mtl_utils[cluster]"'
        ) from error
    return found


@dataclass(frozen=True)
class Cluster:
    """What tasks have on a cluster.

    Args:
        jobs: How many go on at a time.
        cpus: That each takes up of what the cluster has.
        threads: Of each.
        gpus: Of each, perhaps a part of one.
        environment: Set for each.
    """

    jobs: int
    cpus: int
    threads: int
    gpus: float
    environment: Mapping[str, str]

    def share(self, value: Any) -> Any:
        """Send what many tasks take once to each machine.

        Args:
            value: What can be pickled.

        Returns:
            Ray's reference, an argument that tasks get the value for.
        """
        return ray().put(value)

    def submit(self, function: Callable[..., Any], *arguments: Any, alone: bool) -> Any:
        """Hand a task over; Ray does not begin it again when its process dies.

        Args:
            function: What to call, one of a module.
            arguments: What with.
            alone: Whether its process has had no other task before.

        Returns:
            Ray's reference to what it will return.
        """
        once: dict[str, Any] = {"max_calls": 1} if alone else {}
        remote = ray().remote(max_retries=0, num_cpus=self.cpus, **once)(_interruptible)
        own = {"TQDM_DISABLE": "1", "OMP_NUM_THREADS": str(self.threads)}
        variables = {**self.environment, **own}
        options = {"num_gpus": self.gpus, "runtime_env": {"env_vars": variables}}
        return remote.options(name=function.__name__, **options).remote(function, *arguments)


@contextlib.contextmanager
def connected(address: str | None, jobs: int | None, cores: int) -> Iterator[Cluster]:
    """Join a cluster, or start one on this machine and end it afterwards.

    Where this process is connected already, as a notebook may be, it is that cluster.

    Args:
        address: Of a cluster. If ``None``, the environment variable ``RAY_ADDRESS`` has it, or one
            is started here with as many CPUs as there are jobs.
        jobs: How many tasks go on at a time; one a GPU or a CPU of the cluster if ``None``.
        cores: Of this machine; tasks of a cluster that is started here share them.

    Yields:
        The cluster.

    Raises:
        ConnectionError: If there is none at the address, or none can be started.
        ImportError: If Ray is not installed.
    """
    address = address or os.environ.get("RAY_ADDRESS") or None
    if ray().is_initialized():
        yield _joined(jobs)
        return
    with _own_handler():
        try:
            if address is None:
                _start(jobs or cores)
                yield _started(jobs, cores)
            else:
                _join(address)
                yield _joined(jobs)
        finally:
            ray().shutdown()


def outcome(reference: Any) -> Any:
    """Return what a task returned that is over.

    Args:
        reference: What :meth:`Cluster.submit` returned.

    Raises:
        LostTaskError: If its process, or the machine that it was on, has gone.
        BaseException: What it raised, or what kept it from beginning.
    """
    exceptions = ray().exceptions
    try:
        return ray().get(reference)
    except exceptions.RayTaskError as error:
        raise error.cause or error from error
    except tuple(getattr(exceptions, name) for name in _LOSSES) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise LostTaskError(said[0]) from error


def _interruptible(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a process that can be told to end.

    Ray asks by an interrupt, and whatever a shell has put in the background ignores those, as do
    the processes that it starts.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if in_main and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return function(*arguments)


class LostTaskError(RuntimeError):
    """The process of a task has gone before its end."""


def _join(address: str) -> None:
    try:
        ray().init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # ValueError, ConnectionError, RuntimeError or a bare one
        raise ConnectionError(
            f"There is no Ray cluster at {address!r} that this process can join "
            f"({_first_line(error)}). Give the address of one that this machine belongs to, such "
            "as auto, or none, to start one here."
        ) from error


def _start(cpus: int) -> None:
    """Start a cluster; on a busy machine Ray gives its own processes too little time at first."""
    for attempt in range(_ATTEMPTS):
        try:
            with _environment(_SETTINGS):
                ray().init(
                    address="local",
                    num_cpus=cpus,
                    include_dashboard=False,
                    object_store_memory=STORE_BYTES,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
            return
        except Exception as error:  # a bare one where its processes do not come up in time
            ray().shutdown()
            if attempt == _ATTEMPTS - 1:
                raise ConnectionError(
                    f"Ray did not start on this machine in {_ATTEMPTS} attempts "
                    f"({_first_line(error)}). Its logs are in /tmp/ray/session_latest/logs."
                ) from error


def _started(jobs: int | None, cores: int) -> Cluster:
    gpus = ray().cluster_resources().get("GPU", 0.0)
    jobs = jobs or int(gpus) or cores
    # The same modules are found, and as many threads made, as where runs are forked here.
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    return Cluster(
        jobs,
        cpus=1,  # of as many as there are jobs
        threads=max(1, cores // jobs),
        gpus=_gpus_of_each(gpus, jobs),
        environment={"PYTHONPATH": paths},
    )


def _joined(jobs: int | None) -> Cluster:
    resources = ray().cluster_resources()
    cpus, gpus = int(resources.get("CPU", 0)), resources.get("GPU", 0.0)
    largest = max((int(node["Resources"].get("CPU", 0)) for node in ray().nodes()), default=1)
    jobs = jobs or int(gpus) or max(1, cpus)
    # A task is on one machine, and one that asks for more than it has would wait for ever.
    threads = max(1, min(cpus // jobs, largest))
    return Cluster(jobs, threads, threads, gpus=_gpus_of_each(gpus, jobs), environment={})


def _gpus_of_each(gpus: float, jobs: int) -> float:
    return min(1.0, gpus / jobs)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables that are not set, for a while."""
    new = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _own_handler() -> Iterator[None]:
    """Put back what is done at SIGTERM, which Ray changes and leaves so when it has gone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
