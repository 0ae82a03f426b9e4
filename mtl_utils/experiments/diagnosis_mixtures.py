"""Chapter 15: does a diagnosis name what was planted, on mixtures that it has not seen?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import torch

from mtl_utils.diagnosis import CAUSES, NOTHING, Change, Diagnosis, Evidence, Thresholds, diagnose
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

RELATED, OTHERS, UNRELATED = ("event", "topic"), ("people", "chunks"), ("topic", "classes")
"""Tasks of the mixtures, in turn; the last stand in for the second as unrelated tasks.

Thresholds were set on events and topics of other corpora and sizes, with entities or places and
chunks, parts of speech and their classes beside them, and on two earlier lists like this one, of
corpora 2000 to 2039 and 8000 to 8039, each of which was fresh when it was recorded. As unrelated
tasks the topics of events are exchanged at random. Too little width is planted in events and topics
alone: names are learnt in a width of 4.
"""

_RATE = 0.03


def _tasks(cause: str, number: int) -> tuple[str, str]:
    if number % 2 == 0 or cause == "too little width":
        return RELATED
    return UNRELATED if cause == "unrelated task" else OTHERS


def fresh() -> list[Mixture]:
    """Return the mixtures that the diagnosis is measured on, once thresholds were set."""
    found: list[Mixture] = []
    for cause, count in NUMBERS.items():
        for number in range(count):
            place = len(found)
            rows, labelled = (360, 420, 480)[place % 3], (0.7, 1.0)[place // 2 % 2]
            width, steps = (28, 40)[place // 3 % 2], (95, 105)[place // 4 % 2]
            planted_in, corpus = number // 2 % 2, 9000 + place
            tasks = _tasks(cause, number)
            found.append(Mixture(tasks, cause, planted_in, rows, labelled, width, steps, corpus))
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
    found: dict[str, Any] = {}
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


def named_with(frame: pd.DataFrame, thresholds: Thresholds) -> list[str]:
    """Return what would have been named with other thresholds.

    Args:
        frame: The records of ``diagnosis_mixtures``, as :func:`load_results` returns them.
        thresholds: From where on evidence would have named a cause.
    """
    found = []
    for stored in frame["evidence"]:
        evidence = {task: _evidence(numbers) for task, numbers in stored.items()}
        found.append(Diagnosis(evidence, thresholds, 0.0, 1).cause or NOTHING)
    return found


def _evidence(numbers: Mapping[str, Any]) -> Evidence:
    pairs: dict[str, Any] = {
        k: Change(*v) if isinstance(v, list) else v for k, v in numbers.items()
    }
    return Evidence(**pairs)


EXPERIMENTS = (
    Experiment(
        name="diagnosis_mixtures",
        description="The diagnosis on mixtures with planted causes that it has not seen.",
        configs=tuple({**asdict(mixture), "tasks": list(mixture.tasks)} for mixture in fresh()),
        seeds=(0,),
        run=run,
        minutes=0.3,
    ),
)
