"""Experiments for the tests of the queue, which processes of their own can import."""

import os
import signal
import time

from mtl_utils.experiments import Experiment


def steps(config, seed, place):
    """Iterate a chaotic map, with a checkpoint at every second step; killed once on the way."""
    checkpoint, killed = place.workspace / "checkpoint.txt", place.results / "killed.txt"
    first, x = (0, 0.3)
    if checkpoint.exists():
        text = checkpoint.read_text().split()
        first, x = int(text[0]), float(text[1])
    for step in range(first, config["steps"]):
        if step == config.get("killed_at") and not killed.exists():
            killed.write_text("once")
            os.kill(os.getpid(), signal.SIGKILL)
        x = 3.9 * x * (1 - x)
        with (place.results / "steps.txt").open("a") as file:
            file.write(f"{step} ")
        if step % 2:
            checkpoint.write_text(f"{step + 1} {x!r}")
    return {"x": x}


def fails(config, seed, place):
    """Raise an error."""
    raise FloatingPointError("the loss is nan at step 3")


def waits(config, seed, place):
    """Wait to be stopped, and say that it was told to."""
    (place.workspace / "checkpoint.txt").write_text("step 7")
    try:
        (place.results / "begun.txt").write_text(str(os.getpid()))  # may be told from here on
        while True:
            time.sleep(0.05)
    finally:
        (place.results / "ended.txt").write_text(os.environ["OMP_NUM_THREADS"])


def counts(config, seed, place):
    """Say which process it ran in, and take long enough that others often come."""
    with (place.results / "pids.txt").open("a") as file:
        file.write(f"{config['n']}-{seed} {os.getpid()}\n")
    time.sleep(0.02)
    return {"score": seed}


def counts_in_company(config, seed, place):
    """Say which process it ran in, and wait until another process has had a run too."""
    score = counts(config, seed, place)
    while len({line.split()[1] for line in _whole_lines(place.results / "pids.txt")}) < 2:
        time.sleep(0.005)
    return score


def _whole_lines(path):
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def experiment(name, run, *configs, seeds=(0,), **settings):
    """Make an experiment."""
    return Experiment(name, f"It {name}.", configs, seeds, run, **settings)


def known():
    """List the experiments."""
    made = (
        experiment("steps", steps, {"steps": 7, "killed_at": 5}),
        experiment("fails", fails, {"n": 1}, priority=1),
        experiment("waits", waits, {"n": 1}),
    )
    return {one.name: one for one in made}
