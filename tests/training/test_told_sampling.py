"""Data sets drawn by what was learnt of them: the draws, what is told, and runs that go on."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sampled_sets import classified, numbered, tagged
from scipy.stats import chisquare
from tiny_training import Stopped, same_weights, tiny_model, weights_of

from mtl_utils.training import (
    EXP3S,
    Callback,
    CheckpointError,
    JointBatches,
    LearningProgressBatches,
    RewardScale,
    SampledBatches,
    StepReport,
    ToldBatches,
    ToldLoader,
    Trainer,
    TrainerConfig,
    UncertaintyBatches,
)

NAMES = ("a", "b", "c")


def sets() -> list[Any]:
    return [numbered(name, size) for name, size in zip(NAMES, (100, 25, 4), strict=True)]


# By uncertainty.


def test_uncertainty_is_a_running_mean_of_losses_over_a_guess() -> None:
    """Written out: u ← 0.9 u + 0.1 loss / scale, and (1 - ε) u^(1/T) / Σ + ε / K."""
    scales = {"a": 2.0, "b": 0.5, "c": 1.0}
    sampler = UncertaintyBatches(sets(), scales, temperature=2.0, exploration=0.1, num_batches=300)
    generator = np.random.default_rng(0)
    expected: dict[str, float] = {}
    for batches in sampler.batches():
        (task,) = batches
        loss = float(generator.uniform(0.1, 2))
        ratio = loss / scales[task]
        expected[task] = 0.9 * expected[task] + 0.1 * ratio if task in expected else ratio
        sampler.after_step({task: loss})
        roots = [expected.get(name, 1.0) ** 0.5 for name in NAMES]
        shares = [0.9 * root / sum(roots) + 0.1 / 3 for root in roots]
        assert sampler.probabilities == pytest.approx(shares, abs=1e-12)
    assert len(expected) == 3
    assert sampler.passes == pytest.approx(np.asarray(sampler.taken) / (100, 25, 4))


def test_draws_follow_the_probabilities() -> None:
    """With losses that stay, the first of each data set aside, they are 2 : 1 : 1."""
    sampler = UncertaintyBatches(
        sets(), dict.fromkeys(NAMES, 1.0), exploration=0.0, num_batches=4000
    )
    losses = {"a": 1.0, "b": 0.5, "c": 0.5}
    seen: list[str] = []
    for batches in sampler.batches():
        (task,) = batches
        seen.append(task)
        sampler.after_step({task: losses[task]})
    counts = Counter(seen[50:])
    assert chisquare([counts[n] for n in NAMES], [3950 / 2, 3950 / 4, 3950 / 4]).pvalue > 1e-4


def test_without_scales_the_first_loss_is_the_guess() -> None:
    sampler = UncertaintyBatches(sets()[:2], decay=0.0, exploration=0.0, num_batches=200)
    for batches in sampler.batches():
        (task,) = batches
        first = sampler.uncertainties[NAMES.index(task)] is None
        sampler.after_step({task: {"a": 8.0, "b": 0.5}[task] * (1.0 if first else 0.5)})
    assert sampler.uncertainties == [0.5, 0.5]
    assert sampler.probabilities == pytest.approx((0.5, 0.5))


def test_steps_of_several_batches_tell_of_each_data_set_once() -> None:
    scales = {"tags": 1.0, "topic": 1.0}
    sampler = UncertaintyBatches([tagged(), classified()], scales, 0.5, num_batches=12)
    told: list[StepReport] = []

    class Note(Callback):
        def on_step(self, report: StepReport) -> None:
            told.append(report)

    config = TrainerConfig(epochs=1, learning_rate=0.01, accumulate=4)
    Trainer(tiny_model(), config, callbacks=[Note()], progress=False).fit(sampler)
    assert len(told) == 3
    for place, task in enumerate(("tags", "topic")):
        expected: float | None = None
        for report in told:
            if task in report.losses:
                loss = report.losses[task]
                expected = loss if expected is None else 0.5 * expected + 0.5 * loss
        assert sampler.uncertainties[place] == pytest.approx(expected)


# By learning progress.


class Measuring:
    """Gives numbers of its own for losses, and keeps what it was given to measure."""

    def __init__(self) -> None:
        self.generator = np.random.default_rng(1)
        self.rows: list[dict[str, list[int]]] = []
        self.losses: list[float] = []

    def __call__(self, batches: Any) -> dict[str, float]:
        (task,) = batches
        self.rows.append({task: batches[task].labels[task].tolist()})
        self.losses.append(float(self.generator.normal()))
        return {task: self.losses[-1]}


@pytest.mark.parametrize("gain", ["prediction", "self_prediction"])
def test_progress_is_what_losses_fell_by_scaled_and_given_to_the_bandit(gain: Any) -> None:
    """Also the measures: of the batch of the step, or of the next one, before and after."""
    sampler = LearningProgressBatches(sets(), gain, 0.1, num_batches=40, seed=3)
    bandit, scale = EXP3S(3, 0.1), RewardScale(seed=3)
    upcoming: dict[str, list[int]] = {}
    for batches in sampler.batches():
        (task,) = batches
        rows = batches[task].labels[task].tolist()
        assert upcoming.pop(task, rows) == rows  # what was measured is what comes next
        assert sampler.probabilities == pytest.approx(bandit.probabilities)
        measure = Measuring()
        sampler.before_step(measure)
        sampler.after_step({task: 5.0}, measure)
        if gain == "prediction":
            assert measure.rows == [{task: rows}]
            before = 5.0
        else:
            assert measure.rows[0] == measure.rows[1]
            assert len(measure.rows) == 2
            upcoming |= measure.rows[0]
            before = measure.losses[0]
        bandit.update(NAMES.index(task), scale(before - measure.losses[-1]))
    assert sampler.probabilities == pytest.approx(bandit.probabilities)


@pytest.mark.parametrize("gain", ["prediction", "self_prediction"])
def test_a_trainer_measures_the_same_rows_with_the_same_dropout(gain: Any) -> None:
    """With a step of next to nothing both losses are the same, though dropout is half of it."""
    falls: list[float] = []

    class Note(RewardScale):
        def __call__(self, reward: float) -> float:
            falls.append(reward)
            return super().__call__(reward)

    class Noting(LearningProgressBatches):
        def begin(self) -> None:
            super().begin()
            self.scale = Note()

    def fit(rate: float) -> list[float]:
        falls.clear()
        sampler = Noting([tagged(), classified()], gain, num_batches=10)
        config = TrainerConfig(epochs=1, learning_rate=rate, schedule="constant")
        Trainer(tiny_model(dropout=0.5), config, progress=False).fit(sampler)
        return list(falls)

    nothing = fit(1e-12)
    assert len(nothing) == 10
    assert max(map(abs, nothing)) < 1e-6
    if gain == "prediction":
        assert min(fit(0.01)) > 0  # a step against the gradient of a batch helps with that batch


def test_the_training_itself_is_not_changed_by_measuring() -> None:
    """With all draws from all alike it is the run of a sampler that looks at nothing."""
    settings: dict[str, Any] = {"num_batches": 9, "seed": 2}
    told = LearningProgressBatches([tagged(), classified()], exploration=1.0, **settings)
    plain = SampledBatches([tagged(), classified()], "uniform", **settings)
    models = [tiny_model(), tiny_model()]
    config = TrainerConfig(epochs=2, learning_rate=0.02)
    for model, loader in zip(models, (told, plain), strict=True):
        Trainer(model, config, progress=False).fit(loader)
    assert same_weights(weights_of(models[0]), weights_of(models[1]))


# Going on.

MAKERS: dict[str, Any] = {
    "uncertainty": lambda: UncertaintyBatches([tagged(), classified()], num_batches=7),
    "prediction": lambda: LearningProgressBatches(
        [tagged(), classified()], "prediction", 0.2, num_batches=7
    ),
    "self_prediction": lambda: LearningProgressBatches(
        [tagged(), classified()], step_size=0.2, num_batches=7
    ),
}
CONFIG = TrainerConfig(epochs=3, learning_rate=0.05, checkpoint_every=2)


def run(sampler: Any, path: Path | None, stop: int | None = None) -> dict[str, Any]:
    """Train; the session ends before some step, if that is said."""
    steps, before = [0], sampler.before_step

    def until(measure: Any = None) -> None:
        steps[0] += 1
        if steps[0] == stop:
            raise Stopped
        before(measure)

    sampler.before_step = until
    model = tiny_model()
    Trainer(model, CONFIG, checkpoint=path, progress=False).fit(sampler)
    return {**weights_of(model), "probabilities": torch.tensor(sampler.probabilities)}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_run_that_is_killed_goes_on_to_the_last_bit(kind: str, tmp_path: Path) -> None:
    expected = run(MAKERS[kind](), None)
    for stop in (2, 6, 9, 15, 20):
        path = tmp_path / f"{stop}.pt"
        sampler = MAKERS[kind]()
        with pytest.raises(Stopped):
            run(sampler, path, stop)
        again = sampler if stop % 2 else MAKERS[kind]()  # in the same session, or in another
        again.before_step = type(again).before_step.__get__(again)
        assert same_weights(run(again, path), expected)
    assert expected["probabilities"].tolist() != pytest.approx([0.5, 0.5], abs=1e-4)


@pytest.mark.parametrize("kind", MAKERS)
def test_every_training_begins_anew(kind: str) -> None:
    sampler = MAKERS[kind]()
    first = run(sampler, None)
    sampler.before_step = type(sampler).before_step.__get__(sampler)
    assert same_weights(run(sampler, None), first)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    with pytest.raises(Stopped):
        run(MAKERS["uncertainty"](), path, 9)
    other = UncertaintyBatches([tagged(), classified()], decay=0.5, num_batches=7)
    with pytest.raises(CheckpointError, match=r"decay is 0.9 there and 0.5 here"):
        run(other, path)


def test_steps_out_of_turn_are_refused() -> None:
    sampler = UncertaintyBatches(sets(), num_batches=5)
    with pytest.raises(RuntimeError, match=r"Step 8 was asked for.*stands before step 1"):
        next(sampler.batches(1, 2))
    list(sampler.batches(0))
    state = copy.deepcopy(sampler.state_dict())
    next(sampler.batches(1))
    with pytest.raises(RuntimeError, match=r"Step 6 was asked for.*stands before step 7"):
        next(sampler.batches(1))
    sampler.load_state_dict(state)
    assert len(list(sampler.batches(1))) == 5
    with pytest.raises(ValueError, match="of 3 data sets, and there are 2"):
        UncertaintyBatches(sets()[:2]).load_state_dict(state)


# What is refused, and what is dropped.


def test_nobody_tells_what_is_within_another() -> None:
    sampler = UncertaintyBatches(sets())
    assert isinstance(sampler, ToldLoader)
    assert not isinstance(SampledBatches(sets()), ToldLoader)
    with pytest.raises(ValueError, match=r"loaders\[0\] is UncertaintyBatches.*told of every step"):
        JointBatches([sampler])


def test_progress_needs_steps_of_one_batch_and_something_to_measure_with() -> None:
    sampler = LearningProgressBatches([tagged(), classified()])
    config = TrainerConfig(epochs=1, accumulate=2)
    with pytest.raises(ValueError, match=r"accumulate=2 makes steps of several"):
        Trainer(tiny_model(), config, progress=False).fit(sampler)
    next(sampler.batches())
    with pytest.raises(ValueError, match="needs a function that measures losses"):
        sampler.before_step()


def test_what_is_stopped_is_drawn_no_more() -> None:
    sampler = UncertaintyBatches(sets(), num_batches=30, drops_stopped=True)
    assert {n for step in sampler.batches(0) for n in step} >= {"a", "b"}
    sampler.leave_out({"a": 1})
    assert "a" not in {n for step in sampler.batches(1) for n in step}
    assert sampler.probabilities[0] == 0


def test_a_kind_of_ones_own_says_what_it_lacks() -> None:
    with pytest.raises(NotImplementedError, match="ToldBatches does not define begin"):
        ToldBatches(sets())
