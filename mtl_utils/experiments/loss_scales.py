"""Which scale of losses a first user can trust: three scales against weights that were searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd
import torch

from mtl_utils.data import BatchLoader
from mtl_utils.experiments.analysis import load_results
from mtl_utils.experiments.atlas_tasks import NAMES, corpus, examples_of, tokenizer
from mtl_utils.experiments.crossner_files import ENTITIES, TYPES
from mtl_utils.experiments.crossner_files import train_and_measure as train_on_files
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.experiments.joint_measures import framework_scores
from mtl_utils.experiments.text_training import main_scores, train_and_measure
from mtl_utils.models import BiLSTMFramework, MultiTaskModel
from mtl_utils.objectives import FixedWeights
from mtl_utils.objectives.scales import SCALES
from mtl_utils.training import JointBatches, Trainer, TrainerConfig

SEARCH = "loss_scales_search"
REFERENCE = "best of 16 weights"
DRAWS = 16

MEASURED = 200
"""Sentences of Atlas' validation split, and of its test split, on which a run is measured."""

_BILSTM = {"kind": "bilstm", "width": 96, "num_layers": 1, "dropout": 0.2}
_TEXTS: Mapping[str, Any] = {
    "encoder": _BILSTM,
    "sharing": {"kind": "hard"},
    "head_dropout": 0.2,
    "max_validation": 500,
    "max_test": 2000,
    "choose": "mean",
}

MIXTURES: Mapping[str, Mapping[str, Any]] = {
    "SNIPS": {
        **_TEXTS,
        "data": [["snips", None, 32]],
        "tasks": ["intent", "slots"],
        "vocab_size": 4000,
        "crf": True,
        "steps": 400,
        "validations": 4,
        "training": {"learning_rate": 0.01, "warmup_steps": 50},
    },
    "TREC, UNER, SICK": {
        **_TEXTS,
        "data": [["trec", None, 32], ["universal_ner", None, 32], ["sick", None, 32]],
        "tasks": ["question", "entities", "inference"],
        "vocab_size": 6000,
        "crf": False,
        "steps": 600,
        "validations": 4,
        "training": {"learning_rate": 0.01, "warmup_steps": 50},
    },
    "Atlas": {
        "data": [[4000, ["tags", "translation", "language"], 1000]],
        "tasks": ["tags", "translation", "language"],
        "alternating": False,
        "width": 64,
        "steps": 1000,
        "validations": 4,
        "training": {"optimizer": "adam", "learning_rate": 0.01, "warmup_steps": 50},
    },
    "CrossNER": {
        "tasks": [ENTITIES, TYPES],
        "dropout": 0.3,
        "batch": 16,
        "steps": 300,
        "validations": 3,
        "max_validation": 500,
        "max_test": 1000,
        "training": {"learning_rate": 0.01, "warmup_steps": 20},
    },
}
"""Tasks that are trained together, on the same texts (SNIPS, Atlas) or each on its own."""


def weights_drawn(mixture: str, draw: int) -> dict[str, float]:
    """Draw a weight for each task, log-uniformly from 0.1 to 10.

    Args:
        mixture: One of :data:`MIXTURES`.
        draw: Its number, below :data:`DRAWS`.
    """
    tasks = MIXTURES[mixture]["tasks"]
    table = np.random.default_rng(0).uniform(-1, 1, (DRAWS, len(tasks)))
    return {
        task: round(float(10**power), 3) for task, power in zip(tasks, table[draw], strict=True)
    }


def run(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Train one model and measure each of its tasks.

    Args:
        config: Its ``mixture`` with all settings, and the ``contender``: a scale with equal
            weights, or :data:`REFERENCE`, the weights that were best in the search.
        seed: Of weights, dropout and the order of batches.
        place: Where the records of the search are.

    Returns:
        By task ``<task>_test`` and ``<task>_validation``, in percent; ``test`` and ``validation``,
        their means; the weights, and seconds of training.
    """
    mixture, contender = config["mixture"], config["contender"]
    if contender == REFERENCE:
        draw = best_draw(load_results(SEARCH, place.results), mixture)
        return _trained(config, "token", weights_drawn(mixture, draw), seed, place)
    return _trained(config, contender, dict.fromkeys(config["tasks"], 1.0), seed, place)


def run_search(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Train one model with weights that were drawn; see :func:`run`.

    Args:
        config: Its ``mixture`` with all settings, and the number of the ``draw``.
        seed: Of weights, dropout and the order of batches.
        place: Its workspace is for the files of CrossNER.
    """
    weights = weights_drawn(config["mixture"], config["draw"])
    return _trained(config, "token", weights, seed, place)


def best_draw(search: pd.DataFrame, mixture: str) -> int:
    """Return the number of the weights with the best mean validation score.

    Args:
        search: The records of the search.
        mixture: One of :data:`MIXTURES`.

    Raises:
        ValueError: If a draw is not on record yet.
    """
    rows = search[search["mixture"] == mixture]
    if set(rows["draw"]) != set(range(DRAWS)):
        raise ValueError(
            f"{SEARCH} has the draws {sorted(rows['draw'])} of {mixture!r}, and needs {DRAWS}; run "
            "it first"
        )
    return int(rows["draw"].iloc[int(rows["validation"].argmax())])


def _trained(
    config: Config, scale: str, weights: Mapping[str, float], seed: int, place: Place
) -> dict[str, Any]:
    settings = {**config, "scale": scale, "weights": dict(weights)}
    if config["mixture"] == "CrossNER":
        measured = train_on_files(settings, seed, place.workspace)
    else:
        measured = (_framework if config["mixture"] == "Atlas" else _text_model)(settings, seed)
    means = {
        kind: round(fmean(measured[f"{task}_{kind}"] for task in weights), 2)
        for kind in ("test", "validation")
    }
    return {**measured, **means, "weights": dict(weights)}


def _text_model(settings: Config, seed: int) -> dict[str, Any]:
    measured = train_and_measure(settings, seed)[1]
    tested = main_scores(measured, settings["tasks"])
    return {f"{task}_test": score for task, score in tested.items()} | measured


def _framework(settings: Config, seed: int) -> dict[str, Any]:
    splits = corpus(seed)
    torch.manual_seed(seed)
    model = BiLSTMFramework(tokenizer(seed), NAMES, settings["width"], scale=settings["scale"])
    held_out, test = (splits[split].first(MEASURED) for split in ("validation", "test"))

    def measure(trained: MultiTaskModel) -> dict[str, float]:
        assert isinstance(trained, BiLSTMFramework)
        scores = framework_scores(trained, held_out)
        return {
            **{f"{task}_score": v for task, v in scores.items()},
            "mean": fmean(scores.values()),
        }

    history = Trainer(
        model,
        TrainerConfig(**settings["training"], epochs=settings["validations"], seed=seed),
        balancer=FixedWeights(settings["weights"]),
        evaluate=measure,
        metric="mean",
        mode="max",
        progress=False,
    ).fit(_loader(model, settings, seed))
    best = history.iloc[int(history["mean"].argmax())]
    tested = framework_scores(model, test)
    return {
        **{f"{task}_validation": round(float(best[f"{task}_score"]), 2) for task in tested},
        **{f"{task}_test": round(score, 2) for task, score in tested.items()},
        "curves": {"mean": history["mean"].round(2).tolist()},
        "training_seconds": round(float(history["seconds"].iloc[-1]), 1),
    }


def _loader(model: BiLSTMFramework, config: Mapping[str, Any], seed: int) -> JointBatches:
    """Put the data sets of a configuration together.

    Each of its ``data`` is a number of sentences, the tasks whose labels they have, and the tokens
    of a batch.
    """
    train = corpus(seed)["train"]
    loaders = [
        BatchLoader(examples_of(model, train.first(size), labels), max_tokens=most, seed=seed)
        for size, labels, most in config["data"]
    ]
    return JointBatches(loaders, num_batches=config["steps"] // config["validations"])


def compared_scales(frame: pd.DataFrame, scales: Sequence[str] = SCALES) -> pd.DataFrame:
    """Compare scales with the weights that were searched.

    Args:
        frame: The records of ``loss_scales``, as :func:`load_results` returns them.
        scales: The scales.

    Returns:
        One row for each mixture and task: ``mixture``, ``task``, ``reference`` (mean test score
        over seeds), for each scale its own, and ``<scale>_ratio``, that over the reference. What
        is not on record is missing, as is a ratio to 0.
    """
    rows = []
    for mixture in dict.fromkeys(frame["mixture"]):
        runs = frame[frame["mixture"] == mixture]
        for task in MIXTURES[mixture]["tasks"]:
            means = runs.groupby("contender")[f"{task}_test"].mean()
            reference = float(means.get(REFERENCE, np.nan))
            row: dict[str, Any] = {"mixture": mixture, "task": task, "reference": reference}
            for scale in scales:
                row[scale] = float(means.get(scale, np.nan))
                row[f"{scale}_ratio"] = row[scale] / reference if reference else np.nan
            rows.append(row)
    return pd.DataFrame(rows)


EXPERIMENTS = (
    Experiment(
        name=SEARCH,
        description="Weights of losses drawn at random, of which the best is the reference.",
        configs=tuple(
            {"mixture": m, "draw": draw, **MIXTURES[m]} for m in MIXTURES for draw in range(DRAWS)
        ),
        seeds=(0,),
        run=run_search,
    ),
    Experiment(
        name="loss_scales",
        description="Scales of losses with equal weights, and the best of 16 weights.",
        configs=tuple(
            {"mixture": mixture, "contender": contender, **MIXTURES[mixture]}
            for contender in (*SCALES, REFERENCE)
            for mixture in MIXTURES
        ),
        seeds=(0, 1, 2),
        run=run,
        needs=(SEARCH,),
    ),
)
