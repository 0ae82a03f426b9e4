"""Chapter 22: how long a step takes, by processes, rows and width."""

from __future__ import annotations

from typing import Any

from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.training import time_steps

PROCESSES, ROWS, WIDTHS = (1, 2), (8, 32, 128), (32, 64, 128)
STEPS = 10


def run(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Time the steps of one number of processes.

    Args:
        config: ``processes``, ``rows`` and ``widths``.
        seed: Tells repetitions apart; what is timed is the same.
        place: Not needed: a run is short.

    Returns:
        ``points``: one mapping a measured step.
    """
    points = time_steps([config["processes"]], config["rows"], config["widths"], STEPS)
    return {"points": [vars(point) for point in points]}


EXPERIMENTS = (
    Experiment(
        name="scaling_steps",
        description="Seconds of a data-parallel step by processes, rows and width.",
        configs=tuple(
            {"processes": number, "rows": list(ROWS), "widths": list(WIDTHS)}
            for number in PROCESSES
        ),
        seeds=(0, 1, 2),
        run=run,
        priority=1,
        minutes=1,
    ),
)
