"""Experiments for the tests of runs that are forked, which processes of their own can import."""

import os
import random
import signal
import stat
import sys
import tempfile
import time
from pathlib import Path

import numpy
import torch
from queued_experiments import experiment, fails

from mtl_utils.experiments import nursery, text_sets, text_training

TRAINS = {
    "method": "joint",
    "data": [["atlas", 40, 8]],
    "tasks": ["topic", "entities", "inference"],
    "vocab_size": 300,
    "encoder": {"kind": "transformer", "width": 16, "num_layers": 1, "num_heads": 2},
    "sharing": {"kind": "hard"},
    "head_dropout": 0.1,
    "steps": 6,
    "validations": 3,
    "choose": "mean",
    "training": {"learning_rate": 0.003},
}


def trains(config, seed, place):
    """Train what recorded runs train, on few data."""
    text_sets.ATLAS_PAIRS = 100
    return text_training.train_and_measure(config, seed)[1]


def tells(config, seed, place):
    """Say what this process is like."""
    return {
        "threads": nursery.threads(),
        "leads_its_session": os.getsid(0) == os.getpid(),
        "reads_from_a_pipe": stat.S_ISFIFO(os.fstat(0).st_mode),
        "open_files": sorted(os.readlink(file) for file in _open_files()),
        "words": sys.argv[1:],
        "python": random.random(),
        "numpy": numpy.random.random(),
        "torch": torch.initial_seed(),
    }


def _open_files():
    return [file for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]


def ends(config, seed, place):
    """End by a signal."""
    os.kill(os.getpid(), signal.SIGKILL)


def leaves(config, seed, place):
    """Leave by itself, from within a file that it has not closed."""
    file = (place.results / "unclosed.txt").open("w")
    file.write("all of it")
    print("what was printed")
    raise SystemExit({0: None, 1: 7, 2: "why it leaves"}[seed])


def waits(config, seed, place):
    """Wait to be stopped, with a temporary folder that nothing but the end removes."""
    folder = tempfile.TemporaryDirectory(dir=place.results, prefix="temporary-")
    (place.results / f"begun-{seed}").write_text(folder.name)
    while True:
        time.sleep(0.05)


def known():
    """List the experiments."""
    made = (
        experiment("trains", trains, TRAINS, seeds=(0, 1)),
        experiment("tells", tells, {"n": 1}, seeds=(0, 1)),
        experiment("fails", fails, {"n": 1}),
        experiment("ends", ends, {"n": 1}),
        experiment("leaves", leaves, {"n": 1}, seeds=(0, 1, 2)),
        experiment("waits", waits, {"n": 1}, seeds=range(9)),
    )
    return {one.name: one for one in made}
