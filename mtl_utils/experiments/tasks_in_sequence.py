"""Chapter 20: four tasks of Atlas one after the other, and what keeps the first ones."""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from mtl_utils import continual
from mtl_utils.data import BatchLoader, Example
from mtl_utils.data.loading import Loader
from mtl_utils.experiments.analysis import load_results
from mtl_utils.experiments.atlas_sequences import AtlasTasks
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing, Sharing, TaskAdapters, TaskLoRA
from mtl_utils.tasks import Task
from mtl_utils.training import JointBatches, Trainer, TrainerConfig

ORDER = ("event", "parts", "topic", "entities")
"""The tasks, in the order in which they come; each has sentences of its own."""

ROWS, MEASURED, KEPT, FISHER_ROWS, STEPS, BATCH, WIDTH = 800, 400, 40, 200, 300, 16, 64
"""Of each task: sentences to train on, to measure on, to keep for replay and to measure the Fisher
information on, and steps. Then the rows of a batch, and the width."""

RATES = (0.001, 0.003, 0.01, 0.03)
_MANY_RATES = tuple(round(float(rate), 6) for rate in np.geomspace(0.0005, 0.06, 12))


@dataclass(frozen=True)
class Remedy:
    """A way of dealing with tasks that come one after the other.

    Args:
        name: What it is called.
        strengths: Of which the best on validation is taken; where it has none, it is tried with as
            many more step sizes instead.
    """

    name: str
    strengths: tuple[float, ...] = ()

    def trials(self) -> list[tuple[float, float | None]]:
        """Return what is tried: pairs of a step size and a strength, twelve for every remedy."""
        if not self.strengths:
            return [(rate, None) for rate in _MANY_RATES]
        return list(itertools.product(RATES, self.strengths))


REMEDIES = (
    Remedy("separate"),
    Remedy("joint"),
    Remedy("fine-tuning"),
    Remedy("frozen"),
    Remedy("adapters", (4, 16, 64)),
    Remedy("LoRA", (2, 8, 32)),
    Remedy("replay", (2, 8, 32)),
    Remedy("EWC", (10.0, 100.0, 1000.0)),
    Remedy("even anchor", (0.001, 0.01, 0.1)),
    Remedy("LwF", (0.3, 1.0, 3.0)),
    Remedy("task arithmetic", (0.2, 0.4, 0.8)),
    Remedy("TIES", (0.5, 1.0, 2.0)),
)
"""``separate`` and ``joint`` know no order: the lines that the others are held against.

The strength of additions is their size, that of replay the old rows beside each batch of new ones.
Merged models are fine-tuned apart from the one that has learnt the first task.
"""

Sets = Mapping[str, Mapping[str, list[Example]]]


@functools.lru_cache(maxsize=2)
def sequence_data(seed: int, rows: int = ROWS, measured: int = MEASURED) -> tuple[Sets, AtlasTasks]:
    """Return examples of each task by split, and the corpus that they are of.

    Args:
        seed: Of the corpus.
        rows: Training sentences of each task, which no other task has.
        measured: Sentences of validation and test, which all tasks share.
    """
    size = max(len(ORDER) * rows * 5 // 4 + 10, measured * 10 + 10)
    corpus = AtlasTasks(size, seed)
    found: dict[str, dict[str, list[Example]]] = {
        "train": {t: corpus.rows(t, n * rows, (n + 1) * rows) for n, t in enumerate(ORDER)}
    }
    for split in ("validation", "test"):
        found[split] = {task: corpus.rows(task, 0, measured, split) for task in ORDER}
    return found, corpus


class Sequential:
    """One run: the data, the settings, and what trains and measures."""

    def __init__(self, config: Config, seed: int) -> None:
        self.config, self.seed = config, seed
        rows, measured = config.get("rows", ROWS), config.get("measured", MEASURED)
        self.sets, self.corpus = sequence_data(seed, rows, measured)
        self.width = config.get("width", WIDTH)

    def task(self, name: str) -> Task:
        """Return a task."""
        return self.corpus.task(name)

    def model(self, tasks: Sequence[str]) -> MultiTaskModel:
        """Return a new model; the first weights of a seed are the same for all remedies."""
        torch.manual_seed(self.seed)
        encoder = BiLSTMEncoder(len(self.corpus.words), self.width, dropout=0.1)
        names = list(tasks)
        strength: Any = self.config.get("strength")
        sharing: Sharing = HardSharing(encoder)
        if self.config["remedy"] == "adapters":
            sharing = TaskAdapters(encoder, names, int(strength))
        if self.config["remedy"] == "LoRA":
            sharing = TaskLoRA(encoder, names, int(strength), float(strength))
        return MultiTaskModel(sharing, [self.task(name) for name in names])

    def loader(self, task: str) -> Loader:
        """Return the training batches of a task."""
        return BatchLoader(self.sets["train"][task], batch_size=BATCH, seed=self.seed)

    def learn(self, model: MultiTaskModel, loader: Loader, *terms: continual.Term) -> None:
        """Train for the steps of one task."""
        config = TrainerConfig(
            max_steps=self.config["steps"],
            epochs=10**6,
            learning_rate=self.config["rate"],
            schedule="linear",
            seed=self.seed,
        )
        with continual.penalised(model, *terms):
            Trainer(model, config, progress=False, shares_every=0).fit(loader)

    def scores(self, model: MultiTaskModel, split: str) -> dict[str, float]:
        """Measure each task of a model, from 0 to 100."""
        found = self.corpus.scores(model, self.sets[split])
        return {task: round(score, 2) for task, score in found.items()}


def run(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Learn the tasks one after the other under one remedy.

    Args:
        config: ``remedy`` and ``steps``, with ``rate`` and ``strength`` in a trial; where these are
            left out, they are the best of the trials on record.
        seed: Of corpus, weights and order of batches.
        place: Where the trials are read.

    Returns:
        By split, ``rows``, the scores of all tasks learnt so far after each task (only after the
        last where tasks do not come one by one), and ``average``; ``forgetting`` and
        ``backward_transfer`` on test where there is an order; and what was chosen.
    """
    torch.set_num_threads(1)
    chosen = dict(config)
    if "rate" not in config:
        chosen |= best_of(config["remedy"], load_results(TRIALS.name, place.results))
    at_hand = Sequential(chosen, seed)
    rows = _learnt(at_hand)
    found: dict[str, Any] = {"rate": chosen["rate"], "strength": chosen.get("strength")}
    for split in ("validation", "test"):
        scores = [{task: row[split][task] for task in row[split]} for row in rows]
        found[split] = {"rows": scores, "average": float(np.mean([*scores[-1].values()]))}
    if len(rows) == len(ORDER):
        table = score_table(found["test"]["rows"])
        found["forgetting"] = continual.forgetting(table)
        found["backward_transfer"] = continual.backward_transfer(table)
    return found


def score_table(rows: Sequence[Mapping[str, float]]) -> pd.DataFrame:
    """Return the matrix R of scores after each task; nan where a task was not learnt yet.

    Args:
        rows: What a record has as ``rows``.
    """
    return pd.DataFrame(list(rows), index=list(ORDER), columns=list(ORDER))


def best_of(remedy: str, frame: pd.DataFrame) -> dict[str, Any]:
    """Return the step size and the strength with the best average on validation.

    Args:
        remedy: Its name.
        frame: The records of the trials.
    """
    of = frame[frame["remedy"] == remedy]
    averages = [result["average"] for result in of["validation"]]
    best = of.iloc[int(np.argmax(averages))]
    found = {"rate": float(best["rate"])}
    strength = best["strength"]
    return found | ({} if pd.isna(strength) else {"strength": float(strength)})


def _learnt(run: Sequential) -> list[dict[str, dict[str, float]]]:
    remedy = run.config["remedy"]
    if remedy == "separate":
        scores: dict[str, dict[str, float]] = {"validation": {}, "test": {}}
        for task in ORDER:
            model = run.model([task])
            run.learn(model, run.loader(task))
            for split in scores:
                scores[split] |= run.scores(model, split)
        return [scores]
    if remedy == "joint":
        model = run.model(ORDER)
        run.learn(model, JointBatches([run.loader(task) for task in ORDER]))
        return [_both(run, model)]
    if remedy in ("task arithmetic", "TIES"):
        return [_both(run, _merged(run))]
    return _one_after_the_other(run)


def _both(run: Sequential, model: MultiTaskModel) -> dict[str, dict[str, float]]:
    return {split: run.scores(model, split) for split in ("validation", "test")}


def _merged(run: Sequential) -> MultiTaskModel:
    base = run.model(ORDER[:1])
    run.learn(base, run.loader(ORDER[0]))
    models = {ORDER[0]: base}
    for task in ORDER[1:]:
        model = copy.deepcopy(base)
        model.add_task(run.task(task))
        run.learn(model, run.loader(task))
        models[task] = model
    scale = run.config["strength"]
    how: continual.Merging = continual.TaskArithmetic(scale)
    if run.config["remedy"] == "TIES":
        how = continual.TIES(scale=scale)
    return continual.merge_models(models, base, how)


def _one_after_the_other(run: Sequential) -> list[dict[str, dict[str, float]]]:
    remedy = run.config["remedy"]
    strength: Any = run.config.get("strength")
    model = run.model(ORDER[:1])
    kept: continual.Reservoir[Example] = continual.Reservoir(KEPT, run.seed)
    anchors: list[continual.Anchor] = []
    rows = []
    for place, task in enumerate(ORDER):
        loader = run.loader(task)
        terms: list[continual.Term] = []
        if place:
            if remedy == "LwF":
                terms.append(continual.taught_by(model, strength=strength))
            if remedy in ("frozen", "adapters", "LoRA"):
                model.requires_grad_(False)
            torch.manual_seed(run.seed + place)
            model.add_task(run.task(task))
        if anchors:
            terms.append(continual.Elastic(anchors, strength))
        if place and remedy == "replay":
            loader = continual.replayed(loader, kept.rows, batch_size=int(strength), seed=run.seed)
        run.learn(model, loader, *terms)
        if remedy == "EWC":
            old = run.loader(task)
            anchors.append(
                continual.anchored(model, old, [task], max_rows=FISHER_ROWS, seed=run.seed)
            )
        if remedy == "even anchor":
            anchors = [continual.Anchor.even(model)]
        kept.add(run.sets["train"][task])
        rows.append(_both(run, model))
    return rows


def _trials() -> tuple[Config, ...]:
    found: list[Config] = []
    for remedy in REMEDIES:
        for rate, strength in remedy.trials():
            given = {} if strength is None else {"strength": strength}
            found.append({"remedy": remedy.name, "steps": STEPS, "rate": rate, **given})
    return tuple(found)


TRIALS = Experiment(
    name="tasks_in_sequence_trials",
    description="Step sizes and strengths for four tasks of Atlas, one after the other.",
    configs=_trials(),
    seeds=(100,),
    run=run,
    priority=3,
    minutes=0.35,
)
"""On a corpus and first weights of its own: a seed that no other run has."""

SEQUENCES = Experiment(
    name="tasks_in_sequence",
    description="Four tasks of Atlas one after the other: what is forgotten, and what keeps it.",
    configs=tuple({"remedy": remedy.name, "steps": STEPS} for remedy in REMEDIES),
    seeds=(0, 1, 2, 3, 4),
    run=run,
    needs=(TRIALS.name,),
    priority=3,
    minutes=0.35,
)

DOUBLED = Experiment(
    name="tasks_in_sequence_doubled",
    description="The same at twice the steps.",
    configs=tuple({"remedy": remedy.name, "steps": 2 * STEPS} for remedy in REMEDIES),
    seeds=(0, 1),
    run=run,
    needs=(TRIALS.name,),
    priority=3,
    minutes=0.7,
)

EXPERIMENTS = (TRIALS, SEQUENCES, DOUBLED)
