"""The tests of a diagnosis, run on the reader's own model and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from mtl_utils.diagnosis.tempered import tempered_losses
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
    compared with the better of half way and the end, each at the temperature that suits it, since a
    model that is trained for long grows surer without growing better. A part of the training rows
    is put aside and never trained on: where its labels are harder to predict than those of the
    validation rows, they are wrong. Rows that have labels of several tasks show whether gradients
    agree because of the labels (:func:`row_agreement`).

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
        return _Tests(trainings, thresholds or Thresholds()).run()


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


@dataclass
class _Tests:
    """The tests of a diagnosis, one after the other, and what they found so far.

    Args:
        trainings: Runs what they need.
        thresholds: From where on evidence names a cause.
    """

    trainings: Trainings
    thresholds: Thresholds
    found: dict[str, dict[str, Any]] = field(init=False)
    untested: dict[str, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        trainings = self.trainings
        self.steps, self.half = trainings.settings.steps, trainings.settings.steps // 2
        self.found = {task: {} for task in trainings.model.tasks}
        self.untrained = trainings.losses(trainings.model, trainings.rows.validation)
        self.first = trainings.losses(trainings.model, trainings.rows.fitted)
        for name, losses in (("train", self.first), ("validation", self.untrained)):
            _check_something_to_learn(name, losses)

    def run(self) -> Diagnosis:
        """Run them all, as far as the budget goes."""
        joint = self._joint()
        self._equalised(joint)
        longer = self.trainings.longer(joint, self.half)
        losses = joint.losses[self.steps], longer.losses[self.half]
        self._put("longer", _changes(*losses, self.untrained))
        wider = self._wider(joint)
        self._put("held_out", _held_out([joint, *wider]))
        self._alone(joint)
        evidence = {task: Evidence(**of) for task, of in self.found.items()}
        spent = self.trainings.spent
        return Diagnosis(evidence, self.thresholds, spent, self.steps, self.untested)

    def _joint(self) -> Trained:
        looks = sorted({max(1, self.steps // 4), self.half})
        joint = self.trainings.joint({self.half, self.steps}, looks=looks)
        half, end = joint.fitted[self.half], joint.fitted[self.steps]
        self._put("share", {t: s * len(self.found) for t, s in joint.shares.items()})
        self._put("unlearnt", {t: float(of.mean() / self.first[t].mean()) for t, of in end.items()})
        self._put("late", _late(self.first, half, end))
        agreement = _agreement(joint)
        for task, of in self.found.items():
            of |= _partner(agreement, task)
        return joint

    def _equalised(self, joint: Trained) -> None:
        if all(of.get("share", 1.0) >= self.thresholds.share for of in self.found.values()):
            return
        weights = self.trainings.settings.balancer.loss_weights(list(self.found))
        equal = self.trainings.equalised(joint.shares, weights, self.half)
        losses = joint.fitted[self.half], equal.fitted[self.half]
        self._put("equalised", _changes(*losses, self.first))

    def _wider(self, joint: Trained) -> list[Trained]:
        try:
            wide = widened(self.trainings.model, self.trainings.settings.config.seed)
        except ValueError as error:
            self.untested["too little width"] = str(error)
            return []
        wider = self.trainings.other(wide, self.half)
        losses = joint.fitted[self.steps], wider.fitted[self.half]
        self._put("wider", _changes(*losses, self.first))
        return [wider]

    def _alone(self, joint: Trained) -> None:
        rows = self.trainings.rows.validation
        untrained = tempered_losses(self.trainings.model, rows, self.trainings.pad_id)
        for task in _least_agreeing(self.found):
            if self.trainings.spent + self.trainings.cost(self.half, task) > BUDGET + 1e-9:
                self.untested[f"unrelated task: {task}"] = "the budget was spent on other tests"
                continue
            alone = self.trainings.alone(task, self.half).tempered[self.half][task]
            both = [joint.tempered[step][task] for step in (self.half, self.steps)]
            better = min(both, key=lambda losses: float(losses.mean()))
            self.found[task]["beside"] = paired_change(alone, better, untrained[task])
        for of in self.found.values():
            of["partner_beside"] = self.found.get(of.get("partner", ""), {}).get("beside")

    def _put(self, name: str, values: Mapping[str, Any]) -> None:
        for task, value in values.items():
            self.found[task][name] = value


def _check_something_to_learn(name: str, losses: Losses) -> None:
    for task, of in losses.items():
        if of.mean() <= 0:
            raise ValueError(
                f"{name} must have something to learn for each task; the loss of {task!r} is "
                f"{of.mean():.2g} before any training"
            )


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
