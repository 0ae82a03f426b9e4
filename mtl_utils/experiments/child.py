"""One run in a process of its own, which :mod:`mtl_utils.experiments.processes` starts."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from mtl_utils.experiments import records
from mtl_utils.experiments.experiment import Experiment
from mtl_utils.experiments.processes import KNOWN
from mtl_utils.experiments.runner import record_in


def main(arguments: Sequence[str]) -> int:
    """Run one configuration and seed, and record it.

    Args:
        arguments: The function that lists experiments, as ``module:name``; the folder of results;
            the workspace, which this process holds; what is added to its niceness; the experiment's
            name; the seed; the configuration, as :func:`records.canonical` writes it.

    Returns:
        The exit status: 0, or :data:`KNOWN`.

    Raises:
        ValueError: If the experiment has no such configuration any more.
    """
    source, folder, workspace, nice, name, seed, text = arguments
    _give_way(int(nice))
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    records.commit()  # what is running now, whatever the folder holds when it ends
    experiment = listed(source)[name]
    for config in experiment.configs:
        if records.canonical(config) == text:
            done = record_in(Path(workspace), experiment, config, int(seed), Path(folder))
            return KNOWN if done == "known" else 0
    raise ValueError(f"{name} has no configuration {text} any more; start the worker again")


def _give_way(nice: int, group: Path = Path("/proc/self/autogroup")) -> None:
    """Let other programs go first, also on systems that share time out between sessions.

    There a niceness counts within a session alone, and this process has a session of its own.
    """
    if not hasattr(os, "nice"):
        return
    os.nice(nice)
    if nice and group.exists():
        with contextlib.suppress(OSError):  # where the kernel does not let us, nothing is lost
            group.write_text(str(nice))


def listed(source: str) -> Mapping[str, Experiment]:
    """Return all experiments by name.

    Args:
        source: The function that lists them, as ``module:name``.
    """
    module, function = source.split(":")
    found: Mapping[str, Experiment] = getattr(importlib.import_module(module), function)()
    return found


def _leave(number: int, frame: FrameType | None) -> None:
    """End as if the program had come to its end, so that files are closed and folders removed."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
    raise SystemExit(128 + number)


def _leave_with_parent() -> None:
    """Wait for the end of the worker: its end of this pipe closes, however it ends."""
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
