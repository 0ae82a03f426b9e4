"""Several batches a step against one batch with all their rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from parallel_runs import GeometricBalancer, Penalised, shared_private
from tiny_training import (
    DisjointLoader,
    InterruptedLoader,
    PatternLoader,
    Stopped,
    TinyLoader,
    same_weights,
    tiny_model,
    weights_of,
)

from mtl_utils.data import MISSING_LABEL, Batch, BatchLoader, Example, Inputs
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.objectives import DynamicWeightAverage, EqualWeights, FixedWeights
from mtl_utils.sharing import HardSharing, Sharing
from mtl_utils.tasks import Classification, Tagging
from mtl_utils.training import (
    CheckpointError,
    JointBatches,
    SampledBatches,
    Trainer,
    TrainerConfig,
    load_checkpoint,
    save_checkpoint,
)

VALIDATION = TinyLoader(3, seed=9)


def together(batches: Sequence[Batch]) -> Batch:
    """Return one batch with the rows of several; a label that one of them lacks is missing."""
    tasks = dict.fromkeys(task for batch in batches for task in batch.labels)
    examples = {task: next(b.labels[task] for b in batches if task in b.labels) for task in tasks}

    def labels(batch: Batch, task: str) -> torch.Tensor:
        if task in batch.labels:
            return batch.labels[task]
        like = examples[task]
        return torch.full((len(batch), *like.shape[1:]), MISSING_LABEL, dtype=like.dtype)

    return Batch(
        Inputs(
            *(torch.cat([getattr(b.inputs, n) for b in batches]) for n in ("input_ids", "mask"))
        ),
        {task: torch.cat([labels(batch, task) for batch in batches]) for task in tasks},
    )


class Concatenated:
    """The same rows in fewer batches, which a step of several of them is to equal."""

    def __init__(self, loader: Any, size: int) -> None:
        self.loader, self.size = loader, size
        self.num_batches = math.ceil(loader.num_batches / size)

    def batches(
        self, epoch: int, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[Batch | Mapping[str, Batch]]:
        assert start == 0
        read = list(self.loader.batches(epoch, 0, rank, world_size))
        for place in range(0, len(read), self.size):
            window = read[place : place + self.size]
            if isinstance(window[0], Batch):
                yield together(window)
                continue
            tasks = dict.fromkeys(task for step in window for task in step)
            yield {
                task: together([step[task] for step in window if task in step]) for task in tasks
            }


def trained(
    loader: Any, accumulate: int = 1, model: Any = None, epochs: int = 3, **options: Any
) -> tuple[Any, pd.DataFrame, Trainer]:
    """Train in double precision, without dropout."""
    named = ("weight_decay", "clip_norm", "warmup_steps", "max_steps", "schedule", "optimizer")
    settings = {name: options.pop(name) for name in named if name in options}
    config = TrainerConfig(epochs=epochs, learning_rate=0.02, accumulate=accumulate, **settings)
    model = model or tiny_model(dropout=0.0, dtype=torch.float64)
    trainer = Trainer(model, config, progress=False, **options)
    history = trainer.fit(loader, VALIDATION)
    return model, history.drop(columns="seconds"), trainer


def assert_same(found: Any, expected: Any, tolerance: float = 1e-9) -> None:
    """Compare weights, histories and shares."""
    torch.testing.assert_close(
        found[0].state_dict(), expected[0].state_dict(), rtol=tolerance, atol=tolerance
    )
    pd.testing.assert_frame_equal(found[1], expected[1], rtol=tolerance, check_like=True)
    shares = [each[2].shares for each in (found, expected)]
    pd.testing.assert_frame_equal(*shares, rtol=1e-7)


#: Tasks that stand in one batch of a step alone, or in none of its batches.
GAPS = [{"tags"}, {"topic"}, set(), set(), {"tags", "topic"}, set(), {"topic"}]

LOADERS: dict[str, Any] = {
    "aligned": TinyLoader,
    "disjoint": DisjointLoader,
    "absent tasks": lambda: PatternLoader(GAPS, absent=True),
    "missing labels": lambda: PatternLoader(GAPS, absent=False),
}


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("name", LOADERS)
def test_a_step_is_that_of_one_batch_with_all_rows(name: str, size: int) -> None:
    """Batches have unequal numbers of labels, and some lack a task; 6 and 7 are no multiples."""
    options: dict[str, Any] = {"weight_decay": 0.1, "clip_norm": 0.3, "warmup_steps": 2}
    options |= {"shares_every": 1}
    found = trained(LOADERS[name](), size, **options)
    expected = trained(Concatenated(LOADERS[name](), size), **options)
    assert_same(found, expected)
    assert found[1]["step"].tolist() == [
        math.ceil(LOADERS[name]().num_batches / size) * epoch for epoch in (1, 2, 3)
    ]
    once = trained(LOADERS[name](), 1, **options)
    assert not torch.allclose(
        once[0].sharing.encoder.mix.weight, found[0].sharing.encoder.mix.weight, atol=1e-4
    )


MODELS: dict[str, Any] = {
    "of parameters": lambda: Penalised(
        HardSharing(tiny_model(dropout=0.0).sharing.encoder), tiny_model().tasks.values()
    ).double(),
    "of states": lambda: shared_private(orthogonality_strength=1.0, adversary_strength=0.5),
}


@pytest.mark.parametrize("loader", ["aligned", "disjoint", "absent tasks"])
@pytest.mark.parametrize("name", MODELS)
def test_a_penalty_counts_once(name: str, loader: str) -> None:
    torch.manual_seed(0)
    first = MODELS[name]()
    state = weights_of(first)
    found, expected = MODELS[name](), MODELS[name]()
    found.load_state_dict(state), expected.load_state_dict(state)
    results = [
        trained(LOADERS[loader](), 4, found),
        trained(Concatenated(LOADERS[loader](), 4), 1, expected),
    ]
    assert_same(*results)
    assert (results[0][1]["train_penalty"] > 0).all()


def test_weights_of_losses_are_those_of_one_batch() -> None:
    weights = {"tags": 10.0, "topic": 0.3}
    options: dict[str, Any] = {"balancer": FixedWeights(weights), "shares_every": 1}
    found = trained(TinyLoader(), 3, **options)
    assert_same(found, trained(Concatenated(TinyLoader(), 3), **options))


def test_weights_that_change_by_epochs_are_those_of_one_batch() -> None:
    def of(loader: Any, size: int) -> Any:
        balancer = DynamicWeightAverage(("tags", "topic"), temperature=0.05)
        return trained(loader, size, epochs=4, balancer=balancer, shares_every=1)

    found, expected = of(TinyLoader(), 3), of(Concatenated(TinyLoader(), 3), 1)
    assert_same(found, expected, 1e-6)  # weights are in single precision
    weights = found[2].weights
    pd.testing.assert_frame_equal(weights, expected[2].weights, rtol=1e-6)
    assert weights["tags"][:4].tolist() == [1.0] * 4
    assert (weights["tags"][4:] - 1.0).abs().min() > 1e-3


@pytest.mark.parametrize("scale", ["token", "text", "uniform"])
def test_scales_and_weights_of_labels_and_the_crf(scale: str) -> None:
    """Counts that are sums of weights, or of texts, not of labels."""

    def made() -> MultiTaskModel:
        torch.manual_seed(4)
        tagging = Tagging(
            "tags", ("O", "B-X", "I-X", "B-Y"), crf=scale == "text", scale=scale, tags="tags"
        )
        weights = {"a": 3.0, "b": 0.2}
        topic = Classification("topic", ("a", "b", "c"), class_weights=weights, scale=scale)
        sharing = HardSharing(BiLSTMEncoder(20, 8, dropout=0.0))
        return MultiTaskModel(sharing, [tagging, topic]).double()

    found = trained(TinyLoader(), 3, made())
    assert_same(found, trained(Concatenated(TinyLoader(), 3), 1, made()), 1e-8)


def test_schedules_and_limits_count_steps() -> None:
    """Of 7 batches, four steps of two make an epoch."""
    history = trained(TinyLoader(7), 2, epochs=2, max_steps=6, schedule="linear")[1]
    assert history["step"].tolist() == [4, 6]
    rates = [0.02 * (1 - step / 6) for step in (3, 5)]
    np.testing.assert_allclose(history["learning_rate"], rates)
    one, other = trained(TinyLoader(7), 7)[1], trained(TinyLoader(7), 100)[1]
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert one["step"].tolist() == [1, 2, 3]


def test_one_batch_a_step_is_as_it_was() -> None:
    """To the last bit, with dropout."""
    results = []
    for options in ({}, {"accumulate": 1}):
        model = tiny_model()
        Trainer(model, TrainerConfig(epochs=2, **options), progress=False).fit(TinyLoader())
        results.append(weights_of(model))
    assert same_weights(*results)


def test_a_step_without_any_label_counts_and_changes_nothing() -> None:
    pattern = [{"tags"}, {"topic"}, set(), set(), set(), {"tags"}]
    model = tiny_model(dropout=0.0)
    seen = []

    class Watched(PatternLoader):
        def batch(self, epoch: int, index: int) -> Batch:
            seen.append((index, weights_of(model)))
            return super().batch(epoch, index)

    Trainer(model, TrainerConfig(epochs=1, accumulate=2), progress=False).fit(
        Watched(pattern, absent=False)
    )
    at = dict(seen)
    assert not same_weights(at[1], at[2])
    assert same_weights(at[2], at[4])
    assert not same_weights(at[4], weights_of(model))


def test_nothing_is_read_before_its_step() -> None:
    """A loader may draw random numbers: a run that is resumed must draw the same."""
    read: list[int] = []

    class Reading(TinyLoader):
        def batch(self, epoch: int, index: int) -> Batch:
            read.append(index)
            return super().batch(epoch, index)

    config = TrainerConfig(max_steps=1, accumulate=2)
    Trainer(tiny_model(), config, progress=False).fit(Reading())
    assert read == [0, 1]


# Data sets together.


def data_sets() -> list[BatchLoader]:
    generator = np.random.default_rng(0)

    def ids() -> list[int]:
        return generator.integers(1, 20, 5).tolist()

    tags = [Example(ids(), {"tags": generator.integers(0, 4, 5).tolist()}) for _ in range(9)]
    topics = [Example(ids(), {"topic": int(generator.integers(3))}) for _ in range(5)]
    return [BatchLoader(tags, batch_size=2), BatchLoader(topics, batch_size=2)]


@pytest.mark.parametrize("kind", [JointBatches, SampledBatches])
def test_steps_of_several_data_sets(kind: Any) -> None:
    found = trained(kind(data_sets()), 3)
    assert_same(found, trained(Concatenated(kind(data_sets()), 3), 1))


# Checkpoints.


@pytest.mark.parametrize("stop", [2, 5, 6, 9, 13])
def test_a_run_that_is_killed_within_a_step_goes_on_to_the_last_bit(
    tmp_path: Path, stop: int
) -> None:
    config = TrainerConfig(epochs=3, learning_rate=0.02, checkpoint_every=1, accumulate=4)

    def session(loader: TinyLoader, path: Path) -> tuple[dict[str, Any], pd.DataFrame]:
        model = tiny_model()
        trainer = Trainer(model, config, progress=False, checkpoint=path, shares_every=1)
        history = trainer.fit(loader, VALIDATION)
        return weights_of(model), history.drop(columns="seconds")

    weights, history = session(InterruptedLoader(10**9), tmp_path / "whole.pt")
    with pytest.raises(Stopped):
        session(InterruptedLoader(stop), tmp_path / "parts.pt")
    again, rows = session(InterruptedLoader(10**9), tmp_path / "parts.pt")
    assert same_weights(again, weights)
    pd.testing.assert_frame_equal(rows, history, check_exact=True)


def test_the_checkpoint_knows_how_many_batches_make_a_step(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"

    def fit(**settings: Any) -> None:
        config = TrainerConfig(epochs=1, schedule="constant", **settings)
        Trainer(tiny_model(), config, progress=False, checkpoint=path).fit(TinyLoader())

    fit()
    with pytest.raises(CheckpointError, match=r"config\.accumulate is 1 there and 2 here"):
        fit(accumulate=2)
    state = load_checkpoint(path)
    del state["fingerprint"]["config.accumulate"]  # as before there was such a setting
    save_checkpoint(path, state)
    fit()
    with pytest.raises(CheckpointError, match=r"config\.accumulate is absent there and 2 here"):
        fit(accumulate=2)


# What cannot be put together.


def test_a_balancer_that_looks_at_losses_is_refused() -> None:
    config = TrainerConfig(accumulate=2)
    with pytest.raises(ValueError, match=r"accumulate=2 .* GeometricBalancer has to see"):
        Trainer(tiny_model(), config, balancer=GeometricBalancer(0.5))
    Trainer(tiny_model(), config, balancer=EqualWeights())
    Trainer(tiny_model(), balancer=GeometricBalancer(0.5))


def test_a_penalty_that_does_not_say_its_counts_is_refused() -> None:
    class Own(HardSharing):
        penalty_on_states = True
        penalty_counts = Sharing.penalty_counts

    own = MultiTaskModel(Own(tiny_model().sharing.encoder), tiny_model().tasks.values())
    with pytest.raises(ValueError, match="how many texts the penalty of Own is a mean over"):
        Trainer(own, TrainerConfig(accumulate=2))
    with pytest.raises(NotImplementedError, match="Own has a penalty on states and does not say"):
        own.sharing.penalty_counts(TinyLoader().batch(0, 0), ["tags"])


def test_what_is_frozen_in_one_batch_is_not_refused_if_another_trains() -> None:
    model = tiny_model(dropout=0.0)
    model.sharing.requires_grad_(False)
    model.heads["topic"].requires_grad_(False)
    pattern = [{"tags"}, {"topic"}, {"topic"}, {"topic"}]
    config = TrainerConfig(epochs=1, accumulate=2)
    with pytest.raises(ValueError, match=r"\['topic'\] depend on is frozen"):
        Trainer(model, config, progress=False).fit(PatternLoader(pattern, absent=True))
    Trainer(model, config, progress=False).fit(PatternLoader(pattern[:2], absent=True))
