"""Experiments and trials for the tests of a Ray cluster, which its processes can import."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from forked_experiments import TRAINS, trains
from queued_experiments import experiment, fails, steps

from mtl_utils.commands.tuning import Trials
from mtl_utils.experiments import records


def tells(config, seed, place):
    """Say what this process is like, and what another experiment measured."""
    (needed,) = records.read(place.results / "steps.jsonl")
    return {
        "threads": torch.get_num_threads(),
        "omp": os.environ["OMP_NUM_THREADS"],
        "bars": os.environ["TQDM_DISABLE"],
        "x_there": needed["metrics"]["x"],
    }


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
        experiment("trains", trains, TRAINS),
        experiment("waits", waits, {"n": 1}),
    )
    return {one.name: one for one in made}


@dataclass(frozen=True)
class DyingTrials(Trials):
    """Trials of which one is killed, once.

    Args:
        killed: A file that is written then.
    """

    killed: Path = Path()

    def __call__(self, settings, attempt):
        """Make a trial, unless it is the second and none was killed yet."""
        if attempt.number == 1 and not self.killed.exists():
            self.killed.write_text("once")
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(settings, attempt)
