"""Training one model on data sets of texts, and measuring each of its tasks."""

from __future__ import annotations

import copy
import functools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from mtl_utils.data import BatchLoader, BytePairTokenizer, PretrainedTokenizer, Tokenizer
from mtl_utils.experiments.experiment import Config
from mtl_utils.experiments.settings_read import arguments_of
from mtl_utils.experiments.sharings import sharing_of
from mtl_utils.experiments.text_set import Row, TextSet
from mtl_utils.experiments.text_sets import examples, load
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import (
    BiLSTMEncoder,
    Encoder,
    PretrainedEncoder,
    TransformerEncoder,
    packaged_encoder,
)
from mtl_utils.objectives import FixedWeights
from mtl_utils.tasks import Classification, Tagging
from mtl_utils.training import JointBatches, Loader, Trainer, TrainerConfig, layerwise_groups

MAIN_METRICS = ("f1", "micro_f1", "accuracy")
"""What a task is judged by on validation: the first of these that it has."""

MEAN = "mean"

ENCODERS = ("transformer", "bilstm", "pretrained")


def names_of_encoder(settings: Mapping[str, Any]) -> set[str] | None:
    """Name the settings of an encoder; see :func:`encoder_of`.

    Args:
        settings: Its ``kind``, and others.

    Returns:
        What it may have; ``None`` if there is no such kind.
    """
    if settings.get("kind") == "pretrained":
        return {"kind", "frozen"}
    classes: Mapping[str, type[Encoder]] = {
        "transformer": TransformerEncoder,
        "bilstm": BiLSTMEncoder,
    }
    made = classes.get(settings.get("kind", ""))
    return None if made is None else {"kind"} | arguments_of(made, "vocab_size")


def names_of_groups(settings: Mapping[str, Any]) -> set[str]:
    """Name the settings of step sizes by layer; see :func:`groups_of`.

    Args:
        settings: Those that are given.
    """
    return {"head_times"} | arguments_of(layerwise_groups, "model", "learning_rate")


def tokenizer_of(config: Config, seed: int) -> Tokenizer:
    """Make the tokenizer of a configuration, which is the same for all contenders.

    Args:
        config: Its ``vocab_size`` is the number of pieces to learn from the training texts of its
            data sets, or of ``tokenizer_data``, as ``[name, training rows or None]``. A pretrained
            encoder has its own.
        seed: Of the run.
    """
    if config["encoder"]["kind"] == "pretrained":
        return PretrainedTokenizer.from_pretrained(packaged_encoder())
    data = config.get("tokenizer_data", config["data"])
    sets = tuple((name, size) for name, size, *_ in data)
    return _trained_tokenizer(sets, config["vocab_size"], seed)


@functools.lru_cache(maxsize=4)
def _trained_tokenizer(
    sets: tuple[tuple[str, int | None], ...], vocab_size: int, seed: int
) -> BytePairTokenizer:
    texts = [text for name, size in sets for text in load(name, size, seed).texts()]
    return BytePairTokenizer.train(texts, vocab_size)


def encoder_of(settings: Mapping[str, Any], vocab_size: int) -> Encoder:
    """Make an encoder.

    Args:
        settings: Its ``kind``, ``"transformer"``, ``"bilstm"`` or ``"pretrained"``, and the
            arguments of its class. A pretrained one has ``frozen``, the number of its lowest layers
            that are not trained.
        vocab_size: Number of ids, V.

    Raises:
        KeyError: If there is no such kind.
    """
    rest = {name: value for name, value in settings.items() if name != "kind"}
    if settings["kind"] == "transformer":
        return TransformerEncoder(vocab_size, **rest)
    if settings["kind"] == "bilstm":
        return BiLSTMEncoder(vocab_size, **rest)
    if settings["kind"] != "pretrained":
        raise KeyError(f"No encoder of the kind {settings['kind']!r}; there are {ENCODERS}")
    encoder = PretrainedEncoder(packaged_encoder())
    if rest.get("frozen"):
        encoder.freeze(rest["frozen"])
    return encoder


def model_of(config: Config, sets: Sequence[TextSet], vocab_size: int) -> MultiTaskModel:
    """Make the model of a configuration.

    Args:
        config: See :func:`train_and_measure`.
        sets: The data sets.
        vocab_size: Number of ids, V.
    """
    named = config["tasks"]
    bilstm = config["encoder"]["kind"] == "bilstm"
    pooling = config.get("pooling", "mean" if bilstm else "first")
    tasks: list[Classification | Tagging] = []
    for name in named:
        text_set = next(text_set for text_set in sets if name in text_set.kinds)
        settings = {"dropout": config["head_dropout"], "smoothing": config.get("smoothing", 0.0)}
        settings["scale"] = config.get("scale", "token")  # as recorded, whatever the default is
        if text_set.kinds[name] is Tagging:
            settings["crf"] = config.get("crf", False)
            settings["smoothing"] = 0.0 if settings["crf"] else settings["smoothing"]
        else:
            pair = text_set.kinds[name] is not Classification
            pair_pooling = config.get("pair_pooling", "compare" if pooling == "mean" else pooling)
            settings["pooling"] = pair_pooling if pair else pooling
        tasks.append(text_set.task(name, **settings))
    make = functools.partial(encoder_of, config["encoder"], vocab_size)
    return MultiTaskModel(sharing_of(config["sharing"], named, make), tasks)


def groups_of(config: Config, model: MultiTaskModel) -> list[dict[str, Any]] | None:
    """Make the groups of parameters that a pretrained encoder and its heads are trained in.

    Args:
        config: See :func:`train_and_measure`.
        model: The model.

    Returns:
        As :func:`mtl_utils.training.layerwise_groups`; ``None`` for an encoder from scratch.
    """
    if config["encoder"]["kind"] != "pretrained":
        return None
    rate, settings = config["training"]["learning_rate"], dict(config["layerwise"])
    if "head_times" in settings:
        settings["head_learning_rate"] = settings.pop("head_times") * rate
    return layerwise_groups(model, rate, **settings)


@dataclass
class BestWeights:
    """Keeps the weights that did best on validation: for each task, and for all on average.

    Args:
        loaders: The validation examples of each data set.
    """

    loaders: Sequence[Loader]
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    weights: dict[str, dict[str, Tensor]] = field(default_factory=dict)

    def __call__(self, model: MultiTaskModel) -> dict[str, float]:
        """Measure the model, and keep its weights wherever they are the best so far.

        Args:
            model: The model.
        """
        scores = main_scores(measure(model, self.loaders), list(model.tasks))
        scores[MEAN] = fmean(scores.values())
        state: dict[str, Tensor] | None = None
        for name, score in scores.items():
            if name not in self.scores or score > self.scores[name][name]:
                state = state or copy.deepcopy(model.state_dict())
                self.scores[name], self.weights[name] = scores, state
        return {f"best_{name}": score for name, score in scores.items()}


def measure(model: MultiTaskModel, loaders: Sequence[Loader]) -> dict[str, float]:
    """Measure every task on the data sets that have labels of it.

    Args:
        model: The model.
        loaders: The examples of each data set.
    """
    measured: dict[str, float] = {}
    for loader in loaders:
        measured |= model.evaluate(loader)
    return measured


def main_scores(measured: Mapping[str, float], tasks: Sequence[str]) -> dict[str, float]:
    """Pick the metric that each task is judged by.

    Args:
        measured: All metrics, as :meth:`MultiTaskModel.evaluate` names them.
        tasks: Names of the tasks.
    """
    return {
        task: next(measured[f"{task}_{m}"] for m in MAIN_METRICS if f"{task}_{m}" in measured)
        for task in tasks
    }


def loaders_of(
    config: Config, sets: Sequence[TextSet], tokenizer: Tokenizer, split: str, seed: int
) -> list[BatchLoader]:
    """Make one loader a data set, or for training one a task where these are kept ``apart``.

    Args:
        config: See :func:`train_and_measure`.
        sets: The data sets, in the order of its ``data``.
        tokenizer: Of the model.
        split: Name of the split; only that for training is shuffled.
        seed: Of the order.
    """
    made = []
    for text_set, (_, _, batch) in zip(sets, config["data"], strict=True):
        tasks = [task for task in config["tasks"] if task in text_set.kinds]
        given, limit = text_set.splits[split], config.get("max_length")
        if split != "train":
            measured = _drawn(given, config.get(f"max_{split}"))
            rows = examples(measured, tokenizer, tasks, limit)
            made.append(BatchLoader(rows, max_tokens=4096, seed=0))
            continue
        parts = [tasks]
        if config.get("apart"):
            dealt = config["tasks"] if config["apart"] is True else config["apart"]
            parts = [[task] for task in dealt if task in text_set.kinds]
        for place, part in enumerate(parts):
            if not set(part) <= set(tasks):
                continue
            rows = examples(given[place :: len(parts)], tokenizer, part, limit)
            made.append(BatchLoader(rows, batch_size=batch, seed=seed))
    return made


def _drawn(rows: Sequence[Row], count: int | None) -> Sequence[Row]:
    """Draw rows, the same in every run; the first would not do, SNIPS is sorted by intent."""
    if count is None or count >= len(rows):
        return rows
    return random.Random(0).sample(list(rows), count)


def train_and_measure(config: Config, seed: int) -> tuple[MultiTaskModel, dict[str, Any]]:
    """Train one model, and measure each of its tasks with the weights that did best.

    Args:
        config: ``data`` lists data sets as ``[name, training rows or None, rows a batch]``;
            ``tasks`` names the tasks. ``encoder`` and ``sharing`` are as :func:`encoder_of` and
            :func:`sharings.sharing_of` take them, ``vocab_size`` as :func:`tokenizer_of`.
            With ``apart`` the training rows of a data set are dealt out, and each of its tasks has
            the labels of its own rows alone; it may name all tasks that rows are dealt to. At most
            ``max_validation`` and ``max_test`` rows of a data set are measured. Heads have
            ``head_dropout``, ``pooling`` (``"first"``, or ``"mean"`` and for pairs ``"compare"``;
            ``pair_pooling`` for pairs alone), ``smoothing`` and ``crf``, and their losses the
            ``scale`` (``"token"``). A step takes a batch of each data set, and there are ``steps``
            of them with ``validations`` in between;
            ``training`` are the other settings of the trainer, ``weights`` those of the losses,
            equal ones where there are none, and ``layerwise`` for a pretrained encoder those of
            :func:`mtl_utils.training.layerwise_groups`, where ``head_times`` gives the step size
            of the heads as a multiple of the encoder's, so that both are tuned as one. ``choose``
            is ``"mean"`` where one set of weights must serve all tasks, and ``"each"`` where every
            task has a model of its own.
        seed: Of the draw of rows, weights, dropout and the order of batches.

    Returns:
        The model, and what was measured: the metrics of each task on test and its main one on
        validation, in percent; for a data set with several tasks ``<name>_exact``, the share of
        rows of which everything is right; learning curves, parameters, and seconds of training.
    """
    sets = [load(name, size, seed) for name, size, _ in config["data"]]
    tokenizer = tokenizer_of(config, seed)
    torch.manual_seed(seed)
    model = model_of(config, sets, tokenizer.vocab_size)
    kept = BestWeights(loaders_of(config, sets, tokenizer, "validation", seed))
    train = loaders_of(config, sets, tokenizer, "train", seed)
    groups = groups_of(config, model)
    trained = train_jointly(config, model, train, kept, seed, groups)
    measured = _measured(config, model, kept, loaders_of(config, sets, tokenizer, "test", seed))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return model, {**measured, **trained, "parameters": parameters}


def train_jointly(
    config: Config,
    model: MultiTaskModel,
    train: Sequence[Loader],
    kept: BestWeights,
    seed: int,
    groups: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Train a model on a batch of each data set a step.

    Args:
        config: Its ``steps``, ``validations``, ``training`` and ``weights`` are those of
            :func:`train_and_measure`.
        model: The model, left with the weights that were best on average.
        train: The training examples of each data set.
        kept: What measures it on validation, and keeps what does best.
        seed: Of dropout.
        groups: Groups of parameters with step sizes of their own.

    Returns:
        Learning curves, in percent, and seconds of training.
    """
    history = Trainer(
        model,
        TrainerConfig(**config["training"], epochs=config["validations"], seed=seed),
        balancer=FixedWeights(config.get("weights") or dict.fromkeys(config["tasks"], 1.0)),
        evaluate=kept,
        metric=f"best_{MEAN}",
        mode="max",
        parameter_groups=groups,
        progress=False,
    ).fit(JointBatches(train, num_batches=config["steps"] // config["validations"]))
    return {
        "curves": {name: (100 * history[f"best_{name}"]).round(2).tolist() for name in kept.scores},
        "training_seconds": round(float(history["seconds"].iloc[-1]), 1),
    }


def _measured(
    config: Config, model: MultiTaskModel, kept: BestWeights, test: Sequence[BatchLoader]
) -> dict[str, float]:
    chosen = {task: task if config["choose"] == "each" else MEAN for task in config["tasks"]}
    rows: dict[str, list[tuple[Any, Any]]] = {}
    for name in dict.fromkeys(chosen.values()):
        model.load_state_dict(kept.weights[name])
        served = {task for task in chosen if chosen[task] == name}
        for loader in (loader for loader in test if served & set(loader.examples[0].labels)):
            compared = model.compare(loader)
            for task in served & set(compared):
                rows[task] = [row for row in compared[task] if row is not None]
    found: dict[str, float] = {}
    for task, name in chosen.items():
        scores = model.tasks[task].metrics(*zip(*rows[task], strict=True))
        found |= {f"{task}_{metric}": value for metric, value in scores.items()}
        found[f"{task}_validation"] = kept.scores[name][task]
    for (set_name, *_), loader in zip(config["data"], test, strict=True):
        together = [rows[task] for task in chosen if task in loader.examples[0].labels]
        if len(together) > 1:
            exact = [all(a == b for a, b in row) for row in zip(*together, strict=True)]
            found[f"{set_name}_exact"] = fmean(exact)
    return {name: round(100 * value, 2) for name, value in found.items()}
