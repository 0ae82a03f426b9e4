"""A module of the tests as processes that train together: what each of them came to."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import another_process
import torch


def free_port() -> int:
    """Return a port that nothing listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def results_of(module: str, folder: Path, number: int = 2) -> list[dict[str, Any]]:
    """Run a module as the processes of one training; return what each wrote.

    Args:
        module: Its ``main`` is given the folder, and saves ``process<rank>.result`` in it.
        folder: Where to.
        number: How many processes.
    """
    code = f"import {module}, pathlib, sys\n{module}.main(pathlib.Path(sys.argv[1]))"
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "ACCELERATE_USE_CPU": "true",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "WORLD_SIZE": str(number),
    }
    processes = [
        another_process.start(
            code, folder, env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        )
        for rank in range(number)
    ]
    ended = [process.wait() for process in processes]
    assert [done.returncode for done in ended] == [0] * number, "\n".join(
        done.stderr for done in ended
    )
    return [torch.load(folder / f"process{rank}.result") for rank in range(number)]
