"""Training one unit of a contender: one model, one trainer, one stored set of weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from mtl_utils.data import BatchLoader, Tokenizer
from mtl_utils.experiments.balancing import balancer_of
from mtl_utils.experiments.contenders import Unit
from mtl_utils.experiments.experiment import Config
from mtl_utils.experiments.settings_read import Reading, arguments_of, reads
from mtl_utils.experiments.sharings import names_of_sharing
from mtl_utils.experiments.text_set import TextSet
from mtl_utils.experiments.text_sets import load, tasks_of
from mtl_utils.experiments.text_training import (
    groups_of,
    loaders_of,
    main_scores,
    measure,
    model_of,
    names_of_encoder,
    names_of_groups,
    tokenizer_of,
)
from mtl_utils.models import MultiTaskModel
from mtl_utils.objectives import Balancer, FixedWeights
from mtl_utils.training import (
    History,
    Loader,
    Trainer,
    TrainerConfig,
    sampler_of,
)
from mtl_utils.training.callbacks import AnyCallback
from mtl_utils.training.sampling import with_epochs

JUDGED = "judged"
"""Column of the history: the mean over judged tasks of score over reference."""

FITTED = Reading(
    frozenset({"tasks", "steps", "validations", "training", "weights", "balancer", "sampling"}),
    {"training": lambda _: arguments_of(TrainerConfig, "epochs", "seed")},
)
"""What :func:`fit_judged` reads."""

OF_TEXTS = FITTED.and_others(
    *("data", "apart", "vocab_size", "tokenizer_data"),
    *("max_length", "max_validation", "max_test"),
    *("head_dropout", "pooling", "pair_pooling", "smoothing", "crf", "scale"),
    encoder=names_of_encoder,
    sharing=names_of_sharing,
    layerwise=names_of_groups,
)
"""What :func:`train_unit` reads."""

Compared = Mapping[str, Mapping[str, Sequence[tuple[Any, Any]]]]
"""By task and data set, what was predicted and what is right for each row."""


@dataclass(frozen=True)
class Judge:
    """Measures each task on validation, and the mean over tasks of score over reference.

    A plain mean of scores would choose weights by the task whose scores move most.

    Args:
        loaders: The validation examples of each data set.
        tasks: The tasks that count.
        reference: By task the score that counts as 1, that of the separate model.
    """

    loaders: Sequence[Loader]
    tasks: tuple[str, ...]
    reference: Mapping[str, float]

    def __call__(self, model: MultiTaskModel) -> dict[str, float]:
        """Measure a model.

        Args:
            model: The model.
        """
        scores = main_scores(measure(model, self.loaders), list(self.tasks))
        return judged_columns(scores, self.reference)


def judged_columns(scores: Mapping[str, float], reference: Mapping[str, float]) -> dict[str, float]:
    """Return what the history has of a validation: each task's score, and what they are worth.

    Args:
        scores: By task, from 0 to 1.
        reference: By task the score that counts as 1.

    Returns:
        ``<task>_score``, and :data:`JUDGED`, the mean over tasks of score over reference.
    """
    relative = fmean(score / reference[task] for task, score in scores.items())
    return {JUDGED: relative} | {f"{task}_score": score for task, score in scores.items()}


@dataclass(frozen=True)
class Trained:
    """What a unit learnt.

    Attributes:
        history: Of the training.
        scores: By task the main score on validation of the weights that are kept, from 0 to 1.
        rows: By task, what was predicted and what is right for each row that was measured, by data
            set; empty unless test data were asked for.
        metrics: By task, all metrics on test, from 0 to 1; likewise.
        parameters: Numbers that were trained or frozen, P.
        texts: Texts, or pairs, that the encoder read in training.
    """

    history: History
    scores: Mapping[str, float]
    rows: Compared
    metrics: Mapping[str, Mapping[str, float]]
    parameters: int
    texts: int


@dataclass(frozen=True)
class Prepared:
    """A unit before its training.

    Attributes:
        model: Its model.
        settings: Those of the unit: its tasks, and the data sets that have any of them.
        sets: The data sets.
        tokenizer: The same for all units.
        seed: Of everything.
    """

    model: MultiTaskModel
    settings: Mapping[str, Any]
    sets: Sequence[TextSet]
    tokenizer: Tokenizer
    seed: int

    def loaders(self, split: str, order: int | None = None) -> list[BatchLoader]:
        """Make one loader a data set, or for training one a task where rows are dealt out.

        Args:
            split: Name of the split.
            order: Seed of the order of training rows; the unit's if ``None``.
        """
        seed = self.seed if order is None else order
        return loaders_of(self.settings, self.sets, self.tokenizer, split, seed)


Watch = Callable[[Prepared], Sequence[AnyCallback]]


def prepare(settings: Config, unit: Unit, seed: int) -> Prepared:
    """Load the data of a unit and draw its model.

    Args:
        settings: As :func:`train_unit` takes them.
        unit: Its tasks.
        seed: Of the draw of rows and of weights.
    """
    own = of_unit(settings, unit, seed)
    sets = [load(name, size, seed) for name, size, _ in own["data"]]
    tokenizer = tokenizer_of(settings, seed)
    torch.manual_seed(seed)
    return Prepared(model_of(own, sets, tokenizer.vocab_size), own, sets, tokenizer, seed)


@reads(OF_TEXTS)
def train_unit(
    settings: Config,
    unit: Unit,
    seed: int,
    workspace: Path,
    reference: Mapping[str, float] | None = None,
    test: bool = True,
    watch: Watch | None = None,
) -> Trained:
    """Train one model for the tasks of a unit; what was killed goes on from its last validation.

    Args:
        settings: As :func:`text_training.train_and_measure` takes them, of all tasks that are
            compared: the tokenizer is the same for all units, and rows that are dealt out to tasks
            (``apart``) are dealt alike. ``weights`` may leave out tasks, which weigh 1; a
            ``balancer``, as :func:`balancing.balancer_of` takes it, stands in their place. A
            ``sampling``, as :func:`mtl_utils.training.sampler_of` takes it, draws one data set a
            step; without it, a step takes a batch of each.
        unit: Its tasks.
        seed: Of the draw of rows, weights, dropout and the order of batches.
        workspace: Where the checkpoint is.
        reference: By task the score that counts as 1 when weights are chosen; 1 if ``None``.
        test: Whether to measure on test data.
        watch: Makes callbacks of the training. What they note is not in the checkpoint.

    Returns:
        What was learnt, measured with the weights of the best validation.

    Raises:
        ValueError: If there are settings that nothing reads, or weights of no task.
    """
    made = prepare(settings, unit, seed)
    model, own, tokenizer = made.model, made.settings, made.tokenizer
    judged = of_unit(settings, Unit(unit.judged), seed)
    of_judged = [load(name, size, seed) for name, size, _ in judged["data"]]
    validation = loaders_of(judged, of_judged, tokenizer, "validation", seed)
    judge = Judge(validation, unit.judged, reference or dict.fromkeys(unit.judged, 1.0))
    train = made.loaders("train")
    groups = groups_of(own, model)
    callbacks = () if watch is None else watch(made)
    history, scores = fit_judged(model, own, unit, seed, workspace, judge, train, groups, callbacks)
    rows: Compared = {}
    if test:
        loaders = loaders_of(judged, of_judged, tokenizer, "test", seed)
        names = [name for name, *_ in judged["data"]]
        rows = compared_on(model, unit, dict(zip(names, loaders, strict=True)))
    sizes = [loader.batch_size or 0 for loader in train]
    # Where rows are dealt out, a step takes a batch for each task of a data set; where one is
    # drawn, all have as many rows.
    texts = own["steps"] * (max(sizes) if "sampling" in own else sum(sizes))
    return learnt(model, history, scores, rows, texts)


def learnt(
    model: MultiTaskModel,
    history: History,
    scores: Mapping[str, float],
    rows: Compared,
    texts: int,
) -> Trained:
    """Put together what a model learnt.

    Args:
        model: The model, with the weights that are kept.
        history: Of its training.
        scores: See :class:`Trained`.
        rows: Likewise; they are measured.
        texts: Likewise.
    """
    metrics = {task: measured_on(model, task, found.values()) for task, found in rows.items()}
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Trained(history, scores, rows, metrics, parameters, texts)


def fit_judged(
    model: MultiTaskModel,
    settings: Config,
    unit: Unit,
    seed: int,
    workspace: Path,
    judge: Callable[[MultiTaskModel], Mapping[str, float]],
    train: Sequence[Loader],
    groups: Sequence[Mapping[str, Any]] | None = None,
    callbacks: Sequence[AnyCallback] = (),
) -> tuple[History, dict[str, float]]:
    """Train the model of a unit, which is left with the weights of its best validation.

    Args:
        model: The model.
        settings: Its ``steps``, ``validations``, ``training``, ``weights`` or ``balancer``, and
            ``sampling``.
        unit: Its tasks.
        seed: Of dropout.
        workspace: Where the checkpoint is.
        judge: Measures what :func:`judged_columns` returns.
        train: The training examples of each data set, of which a step takes a batch each unless
            they are drawn.
        groups: Groups of parameters with step sizes of their own.
        callbacks: Of the trainer.

    Returns:
        The history, and by judged task the score of the best validation.
    """
    sampling = with_epochs(settings.get("sampling", "joint"), settings["validations"])
    num_batches = settings["steps"] // settings["validations"]
    history = Trainer(
        model,
        TrainerConfig(**settings["training"], epochs=settings["validations"], seed=seed),
        balancer=balancer_of_unit(settings, unit, seed),
        evaluate=judge,
        metric=JUDGED,
        mode="max",
        checkpoint=workspace / f"{unit.name}.pt",
        parameter_groups=groups,
        callbacks=callbacks,
        progress=False,
    ).fit(sampler_of(train, sampling, num_batches=num_batches, seed=seed))
    best = history.iloc[int(history[JUDGED].argmax())]
    return history, {task: float(best[f"{task}_score"]) for task in unit.judged}


def balancer_of_unit(settings: Config, unit: Unit, seed: int) -> Balancer:
    """Make the balancer of a unit: the one that is named, or fixed weights, 1 if left out.

    Args:
        settings: Its ``balancer``, or its ``weights``.
        unit: Its tasks.
        seed: For what is drawn.
    """
    if "balancer" in settings:
        return balancer_of(settings["balancer"], unit.tasks, seed)
    weights = settings.get("weights", {})
    return FixedWeights({task: weights.get(task, 1.0) for task in unit.tasks})


def of_unit(settings: Config, unit: Unit, seed: int) -> dict[str, Any]:
    """Return the settings with the tasks of the unit, and the data sets that have any of them.

    Args:
        settings: Of all tasks that are compared.
        unit: The unit.
        seed: Of the run.
    """
    dealt = settings["tasks"] if settings.get("apart") else None
    data = [
        [name, size, batch]
        for name, size, batch in settings["data"]
        if set(unit.tasks) & tasks_of(name, seed)
    ]
    return {**settings, "tasks": list(unit.tasks), "data": data, "apart": dealt}


def compared_on(model: MultiTaskModel, unit: Unit, loaders: Mapping[str, Loader]) -> Compared:
    """Return what a model says of rows beside what is right.

    Args:
        model: The model.
        unit: Its judged tasks are compared.
        loaders: The rows by data set.
    """
    found: dict[str, dict[str, list[tuple[Any, Any]]]] = {task: {} for task in unit.judged}
    for name, loader in loaders.items():
        compared = model.compare(loader)
        for task in unit.judged:
            rows = [row for row in compared.get(task, []) if row is not None]
            if rows:
                found[task][name] = rows
    return found


def measured_on(model: MultiTaskModel, task: str, sets: Any) -> dict[str, float]:
    """Measure a task on the rows of several data sets.

    Args:
        model: The model.
        task: Name of the task.
        sets: The rows of each data set, as :func:`compared_on` returns them.
    """
    rows = [row for rows in sets for row in rows]
    return model.tasks[task].metrics(*zip(*rows, strict=True))


def exact(units: Sequence[Trained]) -> dict[str, float]:
    """Return, for each data set of several tasks, the share of rows of which all is right.

    Args:
        units: The units of a contender; a row counts if each task's own model is right about it.

    Returns:
        ``<data set>_exact``, from 0 to 1.
    """
    by_set: dict[str, list[Sequence[tuple[Any, Any]]]] = {}
    for unit in units:
        for found in unit.rows.values():
            for name, rows in found.items():
                by_set.setdefault(name, []).append(rows)
    return {
        f"{name}_exact": fmean(all(a == b for a, b in row) for row in zip(*parts, strict=True))
        for name, parts in by_set.items()
        if len(parts) > 1 and len({len(rows) for rows in parts}) == 1
    }
