"""Data sets drawn by size: capped, annealed, and without those that are trained no more."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampled_sets import classified, numbered, tagged
from scipy.stats import chisquare
from tiny_training import TinyLoader, same_weights, tiny_model, weights_of

from mtl_utils.training import (
    AnnealedBatches,
    DrawnBatches,
    JointBatches,
    SampledBatches,
    Trainer,
    TrainerConfig,
    sampler_of,
    tempered_shares,
)

SIZES = (100, 25, 4)


def loaders() -> list[Any]:
    return [numbered(name, size) for name, size in zip("abc", SIZES, strict=True)]


def drawn(sampler: Any, epoch: int) -> list[int]:
    """Count how often an epoch takes each data set."""
    seen = Counter(name for name, *_ in sampler.batches(epoch))
    return [seen[name] for name in "abc"]


def test_a_limit_is_what_the_greatest_count_for() -> None:
    """T5 has min(n, K) / Σ min(n, K), and takes the root of that."""
    sampler = SampledBatches(loaders(), limit=20)
    assert sampler.probabilities == pytest.approx((20 / 44, 20 / 44, 4 / 44), abs=1e-12)
    sampler = SampledBatches(loaders(), "sqrt", limit=25)
    assert sampler.probabilities == pytest.approx((5 / 12, 5 / 12, 2 / 12), abs=1e-12)
    assert (
        SampledBatches(loaders(), limit=100).probabilities
        == SampledBatches(loaders()).probabilities
    )


def test_what_is_annealed_is_drawn_by_size_at_first_and_nearly_alike_at_the_end() -> None:
    """With α = 1 - 0.8 (e - 1) / (E - 1), as Stickland and Murray (2019) write it."""
    epochs = 5
    sampler = AnnealedBatches(loaders(), epochs, num_batches=6000, seed=3)
    for number in range(1, epochs + 1):
        alpha = 1 - 0.8 * (number - 1) / (epochs - 1)
        powers = [size**alpha for size in SIZES]
        expected = [power / sum(powers) for power in powers]
        assert sampler.shares(number - 1) == pytest.approx(expected, abs=1e-12)
        seen = drawn(sampler, number - 1)
        assert chisquare(seen, [6000 * p for p in expected]).pvalue > 1e-4
    assert sampler.exponent(epochs - 1) == pytest.approx(0.2)
    assert sampler.exponent(100) == pytest.approx(0.2)
    means = np.mean([sampler.shares(epoch) for epoch in range(epochs)], axis=0)
    assert sampler.passes == pytest.approx(6000 * means / np.asarray(SIZES))
    assert AnnealedBatches(loaders(), 1).exponent(0) == 1.0


def test_what_is_annealed_goes_on_from_a_position() -> None:
    def steps(start_epoch: int, start: int) -> list[Any]:
        sampler = AnnealedBatches(loaders(), 3, num_batches=20)
        return [
            (n, b.labels[n].tolist())
            for s in sampler.batches(start_epoch, start)
            for n, b in s.items()
        ]

    assert steps(2, 7) == steps(2, 0)[7:]
    rows = [row for epoch in range(3) for name, row in steps(epoch, 0) if name == "c"]
    assert len(rows) > 4
    assert all(len({r[0] for r in rows[i : i + 4]}) == 4 for i in range(0, len(rows) - 3, 4))


@given(
    st.lists(st.floats(0.5, 1e6), min_size=1, max_size=5),
    st.floats(0.2, 50),
    st.none() | st.floats(0.5, 1e6),
)
def test_shares_are_probabilities_that_keep_the_order_of_the_sizes(
    sizes: list[float], temperature: float, limit: float | None
) -> None:
    shares = tempered_shares(sizes, temperature, limit)
    counted = [min(size, limit or size) for size in sizes]
    powers = [(size / max(counted)) ** (1 / temperature) for size in counted]
    assert shares == pytest.approx([p / sum(powers) for p in powers], rel=1e-9, abs=1e-300)
    assert tempered_shares([7 * s for s in sizes], temperature) == pytest.approx(
        tempered_shares(sizes, temperature), rel=1e-9, abs=1e-12
    )


def test_shares_of_an_infinite_temperature_are_alike() -> None:
    assert tempered_shares([5, 50, 500], float("inf")) == pytest.approx([1 / 3] * 3)
    assert tempered_shares([9, 1], 2) == pytest.approx([0.75, 0.25])


# What is stopped.


def test_what_is_stopped_gives_its_steps_to_the_others_if_that_is_wanted() -> None:
    sampler = SampledBatches(loaders(), num_batches=4000, drops_stopped=True)
    before = [list(map(list, sampler.batches(epoch))) for epoch in (0, 1)]
    sampler.leave_out({"a": 1})
    assert [list(s) for s in sampler.batches(0)] == before[0]  # what was read is as it was
    seen = drawn(sampler, 1)
    assert seen[0] == 0
    assert chisquare(seen[1:], [4000 * 25 / 29, 4000 * 4 / 29]).pvalue > 1e-4
    sampler.leave_out({})
    assert [list(s) for s in sampler.batches(1)] == before[1]
    sampler.leave_out({"a": 1, "b": 1, "c": 1})  # nothing is left to draw from
    assert [list(s) for s in sampler.batches(1)] == before[1]
    passed_over = SampledBatches(loaders(), num_batches=4000)
    passed_over.leave_out({"a": 1})
    assert [list(s) for s in passed_over.batches(1)] == before[1]


def test_a_data_set_is_dropped_once_all_its_tasks_have_stopped() -> None:
    joint = JointBatches([numbered("a", 3), numbered("b", 3)])
    sampler = SampledBatches([joint, numbered("c", 3)], "uniform", 200, drops_stopped=True)
    sampler.leave_out({"a": 1})
    assert {tuple(step) for step in sampler.batches(4)} == {("a", "b"), ("c",)}
    sampler.leave_out({"a": 1, "b": 3})
    assert {tuple(step) for step in sampler.batches(2)} == {("a", "b"), ("c",)}
    assert {tuple(step) for step in sampler.batches(3)} == {("c",)}


class AsIfKnown(SampledBatches):
    """Knows from the start that the tags are stopped after the second epoch."""

    def batches(self, epoch: int = 0, *position: int) -> Any:
        super().leave_out({"tags": 2})
        return super().batches(epoch, *position)

    def leave_out(self, stopped: Any) -> None:
        pass


def test_a_trainer_says_what_is_stopped() -> None:
    """It is the training of a loader that has nothing of the task from the third epoch on."""
    scores = iter(zip([0.5, 0.4, 0.4, 0.4], [0.1, 0.2, 0.3, 0.4], strict=True))

    def evaluate(model: Any) -> dict[str, float]:
        return dict(zip(("tags_f1", "topic_f1"), next(scores), strict=True))

    sets: dict[str, Any] = {"num_batches": 8, "drops_stopped": True}
    metrics = {"tags": "tags_f1", "topic": "topic_f1"}
    settings: dict[str, Any] = {"epochs": 4, "learning_rate": 0.02}
    model, other = tiny_model(), tiny_model()
    trainer = Trainer(
        model,
        TrainerConfig(**settings, task_patience=1),
        evaluate=evaluate,
        task_metrics=metrics,
        metric="topic_f1",
        progress=False,
    )
    history = trainer.fit(SampledBatches([tagged(), classified()], **sets), TinyLoader(3, seed=9))
    assert trainer.stopped_tasks == {"tags": 2}
    assert history["train_tags"].notna().tolist() == [True, True, False, False]
    known = AsIfKnown([tagged(), classified()], **sets)
    assert [set(step) for step in known.batches(2)] == [{"topic"}] * 8
    Trainer(other, TrainerConfig(**settings), progress=False).fit(known)
    assert same_weights(weights_of(model), weights_of(other))


# By name.


def test_samplers_by_name_are_those_of_the_classes() -> None:
    sets = loaders()
    for name in ("size", "sqrt", "uniform", 3.0):
        found: Any = sampler_of(sets, name, num_batches=9, seed=4)
        assert found.digest() == SampledBatches(sets, name, 9, 4).digest()
    found = sampler_of(sets, {"kind": "annealed", "epochs": 4, "last": 0.5}, seed=2)
    assert found.digest() == AnnealedBatches(sets, 4, last=0.5, seed=2).digest()
    found = sampler_of(sets, {"kind": "size", "limit": 9})
    assert found.digest() == SampledBatches(sets, limit=9).digest()
    assert isinstance(sampler_of(sets), JointBatches)
    for name in ("turns", "uncertainty", "learning_progress"):
        assert sampler_of(sets, name, num_batches=5).num_batches == 5


@pytest.mark.parametrize(
    ("sampling", "error", "message"),
    [
        ("sizes", ValueError, "sampling must be one of .*'sqrt'.*, got 'sizes'"),
        ("annealed", ValueError, "needs the number of epochs"),
        ({"kind": "size", "limits": 3}, TypeError, "no argument 'limits'.*limit"),
        ({"kind": "size", "by": 3}, TypeError, "no argument 'by'"),
        ({"limit": 3}, ValueError, "sampling needs its kind"),
        (None, TypeError, "must be the name of a way, a temperature or a mapping"),
        (-1, ValueError, "greater than 0"),
    ],
)
def test_samplings_that_are_refused(sampling: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        sampler_of(loaders(), sampling)


def test_shares_of_ones_own() -> None:
    class Turning(DrawnBatches):
        def shares(self, epoch: int) -> Any:
            return [1.0, 0.0, 0.0] if epoch % 2 == 0 else [0.0, 0.5, 0.5]

    sampler = Turning(loaders(), num_batches=1000)
    assert drawn(sampler, 0) == [1000, 0, 0]
    seen = drawn(sampler, 1)
    assert seen[0] == 0
    assert chisquare(seen[1:]).pvalue > 1e-4
    with pytest.raises(NotImplementedError, match="does not define shares"):
        DrawnBatches(loaders()).shares(0)
