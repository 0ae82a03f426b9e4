"""The tests of a diagnosis, run on the reader's own model and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from mtl_utils.arguments import check_flag, check_kind, check_number
from mtl_utils.diagnosis.changes import Change, excess, paired_change
from mtl_utils.diagnosis.evidence import Evidence, Thresholds
from mtl_utils.diagnosis.report import Diagnosis
from mtl_utils.diagnosis.rows import Losses, rows_for
from mtl_utils.diagnosis.trainings import Settings, Trained, Trainings
from mtl_utils.diagnosis.widening import widened
from mtl_utils.models.text_model import Data
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.objectives.base import Balancer
from mtl_utils.objectives.weighting import EqualWeights
from mtl_utils.training.configuration import TrainerConfig

#: The most that a diagnosis trains, in trainings of all tasks.
BUDGET = 3.0
#: Below so many steps nothing can be told.
_LEAST_STEPS = 8


def diagnose(
    model: MultiTaskModel,
    train: Data | Mapping[str, Data],
    validation: Data | Mapping[str, Data],
    *,
    config: TrainerConfig | None = None,
    balancer: Balancer | None = None,
    batch_size: int | None = None,
    max_tokens: int | None = None,
    head_learning_rate: float | None = None,
    held_out: float = 0.25,
    thresholds: Thresholds | None = None,
    progress: bool = True,
) -> Diagnosis:
    """Say why tasks that are trained together do worse than they might.

    Copies of the model are trained with one thing changed at a time: as it is, to its end; for half
    as many steps again; and for half of the steps with equal shares of the gradient (where one is
    faint), with twice the width, and with each task alone. Runs that end half way follow the
    schedule of the whole and are compared with the joint training at the same step; a task alone is
    compared with the better of half way and the end. A part of the training rows is put aside and
    never trained on: where its labels are harder to predict than those of the validation rows, they
    are wrong. Rows that have labels of several tasks show whether gradients agree because of the
    labels (:func:`row_agreement`).

    All of that is at most three joint trainings, counted in rows that an encoder reads in training;
    what does not fit is not tested, and the diagnosis says so. Measurements come on top: some 12
    backward passes a task for shares of the gradient, 12 for agreement, and a few readings of the
    validation rows, at most 512 of a data set.

    Causes that stand outside: labels that are wrong in the validation rows as well look like a hard
    task; a step size that is too great, or any other setting, has no test here.

    Args:
        model: The model before it is trained; it stays as it is. Its weights are where each
            training starts.
        train: Training data, as :meth:`mtl_utils.models.TextModel.fit` takes them, with labels of
            each task: rows or examples, or one of these for each task, which are then trained side
            by side.
        validation: Validation data, likewise, whose labels can be trusted.
        config: How the model is trained. Its ``patience`` is left out.
        balancer: What turns the losses into one update; their sum if ``None``.
        batch_size: See :meth:`mtl_utils.models.TextModel.loader`.
        max_tokens: Likewise.
        head_learning_rate: See :meth:`mtl_utils.models.TextModel.fit`.
        held_out: Share of the training rows that is put aside, at most 256 of a data set; below 16
            nothing is, and noise is not tested.
        thresholds: From where on evidence names a cause; the calibrated ones if ``None``.
        progress: Whether to show a progress bar.

    Returns:
        What was found of each task. The same call gives the same.

    Raises:
        ValueError: If there are fewer than two tasks, one has no label, there are fewer than 8
            steps, a share is outside [0, 0.5], or as the model and its trainer do.
        KeyError: If data are of a task that there is not.
        TypeError: If something is not of its kind, or loaders are given.
        FloatingPointError: If a loss or gradient stops being a finite number.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    check_kind("config", config, (TrainerConfig, NoneType), "a TrainerConfig")
    check_kind("balancer", balancer, (Balancer, NoneType), "a Balancer")
    check_kind("thresholds", thresholds, (Thresholds, NoneType), "Thresholds")
    check_number("held_out", held_out, least=0, most=0.5)
    check_flag("progress", progress)
    if len(model.tasks) < 2:
        raise ValueError(
            f"model must have at least two tasks that share something, got {list(model.tasks)}"
        )
    config = config or TrainerConfig()
    rows = rows_for(model, train, validation, held_out, config.seed)
    given = Settings(config, balancer or EqualWeights(), batch_size, max_tokens, head_learning_rate)
    with tqdm(disable=not progress, leave=False, unit="step", desc="diagnosis") as bar:
        trainings = Trainings(model, rows, given, bar)
        trainings.settings = replace(given, config=_with_steps(trainings, config))
        bar.reset(int(BUDGET * trainings.settings.steps))
        return _diagnosed(trainings, thresholds or Thresholds())


def _with_steps(trainings: Trainings, config: TrainerConfig) -> TrainerConfig:
    """Say in steps how long the training is, and nothing of stopping."""
    batches = trainings.num_batches
    steps = config.epochs * -(-batches // config.accumulate)
    steps = steps if config.max_steps is None else min(steps, config.max_steps)
    if steps < _LEAST_STEPS:
        raise ValueError(
            f"config must ask for at least {_LEAST_STEPS} steps, got {steps} of {config!r:.200}"
        )
    return replace(config, epochs=steps, max_steps=steps, patience=None, task_patience=None)


def _diagnosed(trainings: Trainings, thresholds: Thresholds) -> Diagnosis:
    steps = trainings.settings.steps
    half = steps // 2
    untrained = trainings.losses(trainings.model, trainings.rows.validation)
    first = trainings.losses(trainings.model, trainings.rows.fitted)
    looks = sorted({max(1, steps // 4), half})
    joint = trainings.joint({half, steps}, looks=looks)
    tasks = list(trainings.model.tasks)
    found: dict[str, dict[str, Any]] = {task: {} for task in tasks}
    untested: dict[str, str] = {}
    _put(found, "share", {t: s * len(tasks) for t, s in joint.shares.items()})
    left = {t: float(of.mean() / first[t].mean()) for t, of in joint.fitted[steps].items()}
    _put(found, "unlearnt", left)
    _put(found, "late", _late(first, joint.fitted[half], joint.fitted[steps]))
    agreement = _agreement(joint)
    for task in tasks:
        found[task] |= _partner(agreement, task)
    together = [joint]
    faint = [t for t in tasks if found[t].get("share", 1.0) < thresholds.share]
    if faint:
        weights = trainings.settings.balancer.loss_weights(tasks)
        equal = trainings.equalised(joint.shares, weights, half)
        _put(found, "equalised", _changes(joint.fitted[half], equal.fitted[half], first))
    longer = trainings.longer(joint, half)
    _put(found, "longer", _changes(joint.losses[steps], longer.losses[half], untrained))
    try:
        wide = widened(trainings.model, trainings.settings.config.seed)
    except ValueError as error:
        untested["too little width"] = str(error)
    else:
        wider = trainings.other(wide, half)
        together.append(wider)
        _put(found, "wider", _changes(joint.fitted[steps], wider.fitted[half], first))
    _put(found, "held_out", _held_out(together))
    for task in _least_agreeing(found):
        if trainings.spent + trainings.cost(half, task) > BUDGET + 1e-9:
            untested[f"unrelated task: {task}"] = "the budget was spent on other tests"
            continue
        alone = trainings.alone(task, half)
        better = min((joint.losses[s][task] for s in (half, steps)), key=lambda of: of.mean())
        found[task]["beside"] = paired_change(alone.losses[half][task], better, untrained[task])
    for task in tasks:
        partner = found.get(found[task].get("partner", ""), {})
        found[task]["partner_beside"] = partner.get("beside")
    evidence = {task: Evidence(**of) for task, of in found.items()}
    return Diagnosis(evidence, thresholds, trainings.spent, steps, untested)


def _put(found: dict[str, dict[str, Any]], name: str, values: Mapping[str, Any]) -> None:
    for task, value in values.items():
        found[task][name] = value


def _late(first: Losses, half: Losses, end: Losses) -> dict[str, float]:
    """Return which part of what training took from each loss came in its second half."""
    found = {}
    for task, losses in first.items():
        start, middle, last = (float(of.mean()) for of in (losses, half[task], end[task]))
        if last < start:
            found[task] = (middle - last) / (start - last)
    return found


def _changes(before: Losses, after: Losses, untrained: Losses) -> dict[str, Change]:
    return {task: paired_change(of, after[task], untrained[task]) for task, of in before.items()}


def _held_out(trained: Sequence[Trained]) -> dict[str, Change]:
    """Compare rows put aside with validation rows, by losses half way, on average over models.

    Later a model may have learnt wrong labels by heart, and be wrong about others for that.
    """
    known = [of for one in trained for of in one.trusted.values()]
    aside = [of for one in trained for of in one.aside.values()]
    return {task: excess(_mean(known, task), _mean(aside, task)) for task in aside[0]}


def _mean(losses: Sequence[Losses], task: str) -> NDArray[np.float64]:
    return np.mean([of[task] for of in losses], axis=0)


def _agreement(joint: Trained) -> pd.DataFrame | None:
    if not joint.agreements:
        return None
    return pd.concat(joint.agreements).groupby(level=0, sort=False).mean()


def _partner(agreement: pd.DataFrame | None, task: str) -> dict[str, Any]:
    """Return the task that agrees with another least, and how much it does."""
    if agreement is None or agreement[task].dropna().empty:
        return {}
    others = agreement[task].dropna()
    return {"partner": str(others.idxmin()), "agreement": float(others.min())}


def _least_agreeing(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return tasks in the order in which they are worth a training alone."""
    return sorted(found, key=lambda task: found[task].get("agreement", -1.0))
