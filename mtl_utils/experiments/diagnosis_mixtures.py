"""Chapter 15: does a diagnosis name what was planted, on mixtures that it has not seen?"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import torch

from mtl_utils.diagnosis import CAUSES, NOTHING, Evidence, diagnose
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.experiments.planted_mixtures import Mixture, plant
from mtl_utils.training import TrainerConfig

HARMLESS = "nothing"
"""What is planted in a mixture of related tasks with nothing wrong."""

NUMBERS = {
    HARMLESS: 8,
    "drowned loss": 7,
    "label noise": 7,
    "under-training": 6,
    "too little width": 6,
    "unrelated task": 6,
}
"""How many fresh mixtures have each."""

CALIBRATED = {
    "related": (("event", "topic"), ("entities", "chunks")),
    "unrelated": ("event", "pos"),
}
FRESH = {"related": (("event", "topic"), ("pos", "classes")), "unrelated": ("topic", "pos")}
"""Tasks of the mixtures that thresholds were set on, and of those that were measured after that.

Events and topics are in both, on other corpora of other sizes; as unrelated tasks their topics are
exchanged at random.
"""

_RATE = 0.02


def _tasks(families: Any, cause: str, number: int) -> tuple[str, str]:
    first, second = families["related"]
    if number % 2 == 0:
        return first
    return families["unrelated"] if cause == "unrelated task" else second


def calibration() -> list[Mixture]:
    """Return the mixtures that thresholds were set on."""
    return [
        Mixture(_tasks(CALIBRATED, cause, n), cause, (n // 2) % 2, 400, 0.6, 32, 120, 20 + n // 2)
        for cause in NUMBERS
        for n in range(4)
    ]


def fresh() -> list[Mixture]:
    """Return the mixtures that the diagnosis is measured on: other corpora, sizes and tasks."""
    found = []
    for cause, count in NUMBERS.items():
        for number in range(count):
            place = len(found)
            rows, labelled = (360, 440, 520)[place % 3], (0.5, 0.7)[place // 2 % 2]
            width, steps = (28, 40)[place // 3 % 2], (110, 130)[place // 4 % 2]
            tasks = _tasks(FRESH, cause, number)
            found.append(
                Mixture(tasks, cause, number // 2 % 2, rows, labelled, width, steps, 1000 + place)
            )
    return found


def run(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Diagnose one mixture.

    Args:
        config: The fields of a :class:`Mixture`.
        seed: Of weights and of the order of batches.
        place: Not needed: a run is short.

    Returns:
        ``named``, the cause that is to be mended first; by task the cause; all evidence as pairs of
        mean and half-width; and the trainings it took.
    """
    torch.set_num_threads(1)
    planted = plant(Mixture(**{**config, "tasks": tuple(config["tasks"])}))
    found = diagnose(
        planted.model,
        planted.train,
        planted.validation,
        config=TrainerConfig(max_steps=planted.steps, learning_rate=_RATE, epochs=10**6, seed=seed),
        balancer=planted.balancer,
        progress=False,
    )
    return {
        "named": found.cause or NOTHING,
        "by_task": {task: cause or NOTHING for task, cause in found.causes.items()},
        "evidence": {task: _numbers(of) for task, of in found.evidence.items()},
        "trainings": round(found.trainings, 3),
    }


def _numbers(evidence: Evidence) -> dict[str, Any]:
    found = {}
    for name, value in asdict(evidence).items():
        if isinstance(value, dict):
            found[name] = [round(value["mean"], 4), round(value["half_width"], 4)]
        elif value is not None:
            found[name] = round(value, 4) if isinstance(value, float) else value
    return found


def confusion(frame: pd.DataFrame) -> pd.DataFrame:
    """Count what was named for what was planted.

    Args:
        frame: The records of ``diagnosis_mixtures``, as :func:`load_results` returns them.

    Returns:
        A row for each that was planted, a column for each that was named.
    """
    counts = Counter(zip(frame["cause"], frame["named"], strict=True))
    rows, columns = [*CAUSES, HARMLESS], [*CAUSES, NOTHING]
    table = np.array([[counts[planted, named] for named in columns] for planted in rows])
    return pd.DataFrame(
        table, index=pd.Index(rows, name="planted"), columns=pd.Index(columns, name="named")
    )


def _configs(mixtures: list[Mixture]) -> tuple[Config, ...]:
    return tuple({**asdict(mixture), "tasks": list(mixture.tasks)} for mixture in mixtures)


EXPERIMENTS = (
    Experiment(
        name="diagnosis_calibration",
        description="Mixtures with planted causes, on which thresholds of a diagnosis were set.",
        configs=_configs(calibration()),
        seeds=(0,),
        run=run,
        minutes=0.3,
    ),
    Experiment(
        name="diagnosis_mixtures",
        description="The diagnosis on mixtures with planted causes that it has not seen.",
        configs=_configs(fresh()),
        seeds=(0,),
        run=run,
        minutes=0.3,
    ),
)
