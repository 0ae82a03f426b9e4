"""Experiments for the tests of runs on a Ray cluster, which its processes can import."""

import os
import signal
import time

import torch
from queued_experiments import experiment, fails, steps

from mtl_utils.experiments import load_results


def tells(config, seed, place):
    """Say what this process is like, and what another experiment measured."""
    (needed,) = load_results("steps", place.results).to_dict("records")
    draws = torch.nn.Linear(4, 2).weight if config["n"] else torch.zeros(1)
    return {
        "threads": torch.get_num_threads(),
        "omp": os.environ["OMP_NUM_THREADS"],
        "bars": os.environ["TQDM_DISABLE"],
        "x_there": needed["x"],
        "kind": type(draws).__name__,
    }


def dies(config, seed, place):
    """Die whenever it is tried."""
    with (place.results / "died.txt").open("a") as file:
        file.write("x")
    os.kill(os.getpid(), signal.SIGKILL)


def waits(config, seed, place):
    """Wait to be stopped, and say that it was told to."""
    (place.workspace / "checkpoint.txt").write_text("step 7")
    try:
        (place.results / "begun.txt").write_text(str(os.getpid()))
        while True:
            time.sleep(0.05)
    finally:
        (place.results / "ended.txt").write_text("ended")


def known():
    """List the experiments."""
    made = (
        experiment("steps", steps, {"steps": 7, "killed_at": 5}),
        experiment("fails", fails, {"n": 1}, priority=1),
        experiment("tells", tells, {"n": 0}, needs=("steps",)),
        experiment("dies", dies, {"n": 1}),
        experiment("waits", waits, {"n": 1}),
    )
    return {one.name: one for one in made}
