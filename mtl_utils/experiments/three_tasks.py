"""Chapter 04: one BiLSTM for tags, translation and language, on Atlas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mtl_utils.data import BatchLoader
from mtl_utils.experiments.atlas_tasks import NAMES, Labelled, corpus, examples_of, tokenizer
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.experiments.joint_measures import MEASURES, probes, tagging_scores
from mtl_utils.models import BiLSTMFramework, MultiTaskModel
from mtl_utils.objectives import FixedWeights, Scale
from mtl_utils.training import (
    AlternatingBatches,
    JointBatches,
    Loader,
    Trainer,
    TrainerConfig,
    evaluate_losses,
)

MEASURED = 300
"""Sentences of the validation split, and of the test split, on which every run is measured."""

SCALES: Mapping[str, Scale] = {"tags": "token", "translation": "token", "language": "text"}
"""Of the losses, as recorded; their weights belong to them."""

BEGINNINGS = ("The", "Two weeks after", "Le", "Deux semaines après")
"""Beginnings that a language model continues."""


def loader_of(model: BiLSTMFramework, config: Config, seed: int) -> Loader:
    """Put the data sets of a configuration together.

    Args:
        model: The model that will read them.
        config: One of this module's configurations. Each of its ``data`` is a number of sentences,
            the tasks whose labels they have, and the tokens of a batch.
        seed: Of the order.
    """
    train = corpus(seed)["train"]
    loaders = [
        BatchLoader(
            examples_of(model, train.first(size), labels),
            max_tokens=max_tokens,
            seed=seed,
        )
        for size, labels, max_tokens in config["data"]
    ]
    steps = config["steps"] // config["validations"]
    if config["alternating"]:
        return AlternatingBatches(loaders, num_batches=steps)
    return JointBatches(loaders, num_batches=steps)


@dataclass
class BestByTask:
    """Keeps, for each task, the weights with which it did best on validation.

    Args:
        part: The validation sentences.
        loader: The same for the losses.
    """

    part: Labelled
    loader: Loader
    best: dict[str, float] = field(default_factory=dict)
    weights: dict[str, dict[str, Tensor]] = field(default_factory=dict)

    def __call__(self, model: MultiTaskModel) -> dict[str, float]:
        """Measure the model, and keep its weights for the tasks that improved.

        Args:
            model: The model.
        """
        assert isinstance(model, BiLSTMFramework)
        scores = {task: -loss for task, loss in evaluate_losses(model, self.loader).items()}
        if "tags" in model.tasks:
            scores["tags"] = tagging_scores(model, self.part)["f1"]
        for task, score in scores.items():
            if score > self.best.get(task, -torch.inf):
                self.best[task] = score
                state = model.state_dict()
                self.weights[task] = {name: value.clone() for name, value in state.items()}
        return {f"best_{task}": score for task, score in scores.items()}


def run(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Train one model and measure it; see :func:`train_and_measure`.

    Args:
        config: One of this module's configurations.
        seed: Of the corpus, weights, dropout and the order of batches.
        place: Not needed: a run takes minutes.
    """
    return train_and_measure(config, seed)[1]


def run_longer(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Train one model, measure it and let it write.

    Args:
        config: One of :data:`LONGER_CONFIGS`.
        seed: Of the corpus, weights, dropout and the order of batches.
        place: Not needed: a run takes minutes.

    Returns:
        What :func:`train_and_measure` measures, and texts that a model with a language model
        continues, with the weights that were best for it.
    """
    model, measured = train_and_measure(config, seed)
    if "language" in config["tasks"]:
        generator = torch.Generator().manual_seed(seed)
        continued = [model.continue_text(b, top_p=0.9, generator=generator) for b in BEGINNINGS]
        measured["continued"] = continued
    return measured


def train_and_measure(config: Config, seed: int) -> tuple[BiLSTMFramework, dict[str, Any]]:
    """Train one model, and measure each of its tasks where it did best on validation.

    Args:
        config: One of this module's configurations.
        seed: Of the corpus, weights, dropout and the order of batches.

    Returns:
        The model with the weights of its last task, and what was measured. On test: strict entity
        F1; BLEU and negative log-likelihood a token of the translation, and the share of names
        that are the same in French and arrive there; negative log-likelihood a token of the
        English text. How well linear probes read the encoder. Learning curves on validation.
    """
    splits = corpus(seed)
    torch.manual_seed(seed)
    model = BiLSTMFramework(
        tokenizer(seed), NAMES, config["width"], tasks=config["tasks"], scale=SCALES
    )
    validation = splits["validation"].first(MEASURED)
    held_out = examples_of(model, validation, config["tasks"])
    kept = BestByTask(validation, BatchLoader(held_out, max_tokens=4000))
    history = Trainer(
        model,
        TrainerConfig(**config["training"], epochs=config["validations"], seed=seed),
        balancer=FixedWeights(config["weights"]),
        evaluate=kept,
        metric=f"best_{config['tasks'][0]}",
        mode="max",
    ).fit(loader_of(model, config, seed))
    test = splits["test"].first(MEASURED)
    measured: dict[str, Any] = {}
    for task in config["tasks"]:
        model.load_state_dict(kept.weights[task])
        measured |= MEASURES[task](model, test)
        measured[f"{task}_curve"] = history[f"best_{task}"].round(4).tolist()
    model.load_state_dict(kept.weights[config["tasks"][0]])
    measured |= probes(model, splits["train"].first(1000), test)
    model.load_state_dict(kept.weights[config["tasks"][-1]])
    return model, measured


TRAINING = {"optimizer": "adam", "learning_rate": 0.01, "warmup_steps": 50}
WEIGHTS = {"tags": 1.0, "translation": 1.0, "language": 0.05}
ALL = ["tags", "translation", "language"]


def _config(method: str, size: int, tasks: Sequence[str], **settings: Any) -> Config:
    return {
        "method": method,
        "size": size,
        "tasks": list(tasks),
        "data": [[size, list(tasks), 2000]],
        "alternating": False,
        "weights": WEIGHTS,
        "width": 96,
        "steps": 400,
        "validations": 4,
        "training": TRAINING,
        **settings,
    }


def _low_data() -> list[Config]:
    """List the contenders for each number of labelled sentences."""
    everything = 10_000
    configs = []
    for size in (250, 1000, everything):
        configs += [_config(f"{task} alone", size, [task]) for task in ALL]
        configs += [_config("joint", size, ALL)]
    for size in (250, 1000):
        labelled = [size, ["tags", "translation"], 2000]
        text = [everything, ["language", "french"], 1000]
        configs += [_config("joint, more text", size, ALL, data=[labelled, text])]
        more = [[size, ["tags"], 1000], [everything, ["translation", "language"], 2000]]
        configs += [_config("tags, with much of the rest", size, ALL, data=more)]
    return configs


def _weights() -> list[Config]:
    """List the contenders with other weights, and with one task a step."""
    configs = [
        _config("joint", 1000, ALL, weights={**WEIGHTS, "tags": weight}) for weight in (0.1, 3.0)
    ]
    apart = [[1000, [task], 2000] for task in ALL]
    return [*configs, _config("alternating", 1000, ALL, data=apart, alternating=True, steps=1200)]


LONGER_CONFIGS: tuple[Config, ...] = tuple(
    _config(method, 10_000, tasks, steps=1000)
    for method, tasks in (("joint", ALL), ("translation alone", ["translation"]))
)

EXPERIMENTS = (
    Experiment(
        name="three_tasks_atlas",
        description="One BiLSTM for three tasks against one for each, by the number of sentences.",
        configs=tuple(_low_data()),
        seeds=(0, 1, 2, 3, 4),
        run=run,
    ),
    Experiment(
        name="three_tasks_weights",
        description="One BiLSTM for three tasks: the weight of the tags, and one task a step.",
        configs=tuple(_weights()),
        seeds=(0, 1, 2, 3, 4),
        run=run,
    ),
    Experiment(
        name="three_tasks_longer",
        description="One BiLSTM for three tasks and a translator alone, trained for longer.",
        configs=LONGER_CONFIGS,
        seeds=(0, 1, 2, 3, 4),
        run=run_longer,
    ),
)
