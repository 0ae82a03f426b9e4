"""Chapter 13: do the gradients of the tasks that balancers are compared on conflict?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations, islice
from typing import Any

import torch

from mtl_utils.data import BatchLoader
from mtl_utils.experiments.balancers import COMPARISON, TUNED
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.experiments.unit_training import Prepared
from mtl_utils.models import MultiTaskModel
from mtl_utils.relations import cosines, task_gradients

BATCHES = 6
ROWS = 500
"""Training rows of a batch; the gradient of a task is taken on all batches together."""


def whole_cosines(model: MultiTaskModel, loader: BatchLoader) -> dict[str, float]:
    """Return the cosines between gradients of tasks on many rows.

    The mean over batches of the cosine would be another number: what batches add by chance is
    independent noise, which brings a cosine towards 0.

    Args:
        model: The model, which stays as it is.
        loader: Rows with the labels of all tasks; batches of epoch 0 are read.

    Returns:
        By pair of tasks, joined by ``" and "``.
    """
    sums: dict[str, torch.Tensor] = {}
    for batch in islice(loader.batches(0), BATCHES):
        for task, gradient in task_gradients(model, batch).items():
            sums[task] = sums.get(task, torch.zeros_like(gradient)) + gradient
    found = cosines(torch.stack(list(sums.values())))
    return {
        f"{one} and {other}": round(float(found[i, j]), 4)
        for (i, one), (j, other) in combinations(enumerate(sums), 2)
    }


def run(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Train the tuned sum, and measure cosines on many training rows at each validation.

    Args:
        config: Its ``setting``.
        seed: Of everything.
        place: Of the records that tuned the sum.

    Returns:
        ``cosines``: one mapping a validation, as :func:`whole_cosines` returns.
    """
    torch.set_num_threads(1)
    noted: list[dict[str, float]] = []

    def watch(made: Prepared) -> list[Callable[[Mapping[str, float]], None]]:
        rows = [[name, size, ROWS] for name, size, _ in made.settings["data"]]
        (loader,) = replace(made, settings={**made.settings, "data": rows}).loaders("train")
        return [lambda row: noted.append(whole_cosines(made.model, loader))]

    COMPARISON.train_watched(config["setting"], TUNED, seed, place, watch)
    return {"cosines": noted}


EXPERIMENTS = (
    Experiment(
        name="gradient_conflicts",
        description="Cosines of gradients on many rows, while the tuned sum is trained.",
        configs=tuple({"setting": setting} for setting in COMPARISON.settings),
        seeds=(0, 1, 2),
        run=run,
        needs=(f"{COMPARISON.name}_trials",),
        priority=5,
        minutes=1,
    ),
)
