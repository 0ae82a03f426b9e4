"""A curriculum: its pacing, what it draws from, and a training with it that goes on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sampled_sets import classified
from scipy.stats import chisquare
from tiny_training import Stopped, same_weights, tiny_model, weights_of

from mtl_utils.data import Example
from mtl_utils.training import CurriculumBatches, Trainer, TrainerConfig, competence


@given(st.integers(0, 200), st.integers(1, 100), st.floats(0.01, 1.0))
def test_competence_is_the_formula(step: int, steps: int, first: float) -> None:
    root = min(1.0, np.sqrt(step * (1 - first**2) / steps + first**2))
    assert competence(step, steps, first) == pytest.approx(root)
    linear = min(1.0, step * (1 - first) / steps + first)
    assert competence(step, steps, first, power=1) == pytest.approx(linear)
    assert competence(0, steps, first) == pytest.approx(first)
    assert competence(steps, steps, first) == 1.0
    assert competence(step + 1, steps, first) >= competence(step, steps, first)


def test_competence_worked_by_hand() -> None:
    """A quarter of the way with c₀ = 0.01: the root of 0.25 (1 - 0.0001) + 0.0001."""
    assert competence(25, 100) == pytest.approx(0.500075, abs=1e-6)
    assert competence(5, 10, 0.5, power=1) == pytest.approx(0.75)


def curriculum(size: int = 40, **settings: Any) -> CurriculumBatches:
    generator = np.random.default_rng(0)
    examples = [Example([i + 1], {"a": i}) for i in range(size)]
    difficulty = generator.permutation(size).tolist()
    options = {"batch_size": 4, "steps": 20, "first": 0.1, **settings}
    return CurriculumBatches(examples, difficulty, **options)


def rows(loader: Any, epoch: int, start: int = 0) -> list[list[int]]:
    return [batch.labels["a"].tolist() for batch in loader.batches(epoch, start)]


def test_rows_come_from_the_easiest_share_and_none_twice_in_a_batch() -> None:
    loader = curriculum()
    difficulty = np.random.default_rng(0).permutation(40)
    drawn = [row for epoch in range(3) for row in rows(loader, epoch)]
    assert len(drawn) == 30
    for step, row in enumerate(drawn):
        allowed = max(4, int(np.ceil(round(40 * competence(step, 20, 0.1), 9))))
        assert loader.num_rows(step) == allowed
        assert max(difficulty[row]) < allowed
        assert len(set(row)) == 4
    assert rows(loader, 1, 6) == rows(loader, 1)[6:]
    assert rows(loader, 0) != rows(curriculum(seed=1), 0)


def test_rows_that_may_be_drawn_are_drawn_alike() -> None:
    loader = curriculum(20, steps=1, first=1.0, num_batches=1000)
    seen = Counter(row for batch in rows(loader, 0) for row in batch)
    assert chisquare([seen[row] for row in range(20)]).pvalue > 1e-4


def test_ties_keep_their_order_and_all_rows_are_read_once() -> None:
    examples = [Example([i + 1], {"a": i}) for i in range(6)]
    loader = CurriculumBatches(examples, [2, 1, 1, 0, 2, 1], batch_size=2, steps=5)
    assert loader.order == [3, 1, 2, 5, 0, 4]
    assert sorted(row for b in loader.once() for row in b.labels["a"].tolist()) == list(range(6))
    few = CurriculumBatches(examples[:2], [0, 1], batch_size=9, steps=5)
    assert sorted(rows(few, 0)[0]) == [0, 1]


def test_processes_share_the_rows() -> None:
    loader = curriculum()
    shards = [loader.batches(0, 0, rank, 2) for rank in range(2)]
    for whole, one, other in zip(loader.batches(0), *shards, strict=True):
        assert torch.equal(one.labels["a"], whole.labels["a"][0::2])
        assert torch.equal(other.labels["a"], whole.labels["a"][1::2])


def stopping(drawn: Any, stop: int) -> Any:
    """Return a function that draws until it is asked for the n-th time."""
    calls = []

    def until(step: int) -> Any:
        calls.append(step)
        if len(calls) == stop:
            raise Stopped
        return drawn(step)

    return until


def test_a_training_that_is_killed_goes_on(tmp_path: Path) -> None:
    examples = classified(12).examples

    def fit(path: Path | None, stop: int | None = None) -> Any:
        loader = CurriculumBatches(examples, list(range(12)), 3, 8, num_batches=5)
        if stop is not None:
            loader.drawn = stopping(loader.drawn, stop)  # type: ignore[method-assign]
        model = tiny_model()
        config = TrainerConfig(epochs=2, learning_rate=0.05, checkpoint_every=1)
        Trainer(model, config, checkpoint=path, progress=False).fit(loader)
        return weights_of(model)

    expected = fit(None)
    with pytest.raises(Stopped):
        fit(tmp_path / "run.pt", stop=8)
    assert same_weights(fit(tmp_path / "run.pt"), expected)


@pytest.mark.parametrize(
    ("message", "settings"),
    [
        ("a difficulty for each of 3 examples, got 2", {"difficulty": [1, 2]}),
        (r"difficulty\[1\] must be finite", {"difficulty": [1, float("nan"), 2]}),
        ("steps must be at least 1", {"steps": 0}),
        ("first must lie in", {"first": 0.0}),
        ("power must be", {"power": 0.5}),
    ],
)
def test_what_is_refused(message: str, settings: Any) -> None:
    examples = [Example([1], {"a": 0})] * 3
    with pytest.raises(ValueError, match=message):
        CurriculumBatches(
            examples, **{"difficulty": [1, 2, 3], "batch_size": 1, "steps": 3, **settings}
        )
