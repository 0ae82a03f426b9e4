"""More epochs or steps than before: one long run, to the last bit, or none."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from parallel_runs import GeometricBalancer
from tiny_training import (
    InterruptedLoader,
    Stopped,
    TinyLoader,
    same_weights,
    tiny_model,
    weights_of,
)

from mtl_utils.training import CheckpointError, Trainer, TrainerConfig, load_checkpoint


def draws(model: torch.nn.Module) -> dict[str, float]:
    """Score at random, as a sampler would, so that one more or less of it is noticed."""
    return {"score": float(torch.rand(())) + random.random()}


def fit(
    path: Path | None, train: TinyLoader | None = None, **settings: Any
) -> tuple[dict[str, torch.Tensor], pd.DataFrame]:
    """Train or go on training; return weights and history."""
    other = {"on_other_run": settings.pop("on_other_run", "refuse")}
    config = TrainerConfig(**{"learning_rate": 0.02, "schedule": "constant", **settings})
    model = tiny_model()
    trainer = Trainer(
        model,
        config,
        balancer=GeometricBalancer(0.5),
        evaluate=draws,
        metric="score",
        mode="max",
        checkpoint=path,
        progress=False,
        **other,
    )
    history = trainer.fit(train or TinyLoader(), TinyLoader(3, seed=9))
    return weights_of(model), history.drop(columns="seconds")


def assert_same(found: tuple[Any, pd.DataFrame], expected: tuple[Any, pd.DataFrame]) -> None:
    pd.testing.assert_frame_equal(found[1], expected[1], check_exact=True)
    assert same_weights(found[0], expected[0])


def of_file(path: Path) -> dict[str, Any]:
    """Return what a file holds that a run goes on from."""
    state = load_checkpoint(path)
    progress = {name: v for name, v in state["progress"].items() if name != "seconds"}
    for row in progress["history"]:
        del row["seconds"]
    return {**state, "progress": progress, "before the end": None, "fingerprint": None}


def same(one: Any, other: Any) -> bool:
    """Tell whether states agree to the last bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


# An epoch has six steps.
LENGTHS: dict[str, list[dict[str, Any]]] = {
    "epochs": [{"epochs": 2}, {"epochs": 5}],
    "one at a time": [{"epochs": number} for number in (1, 2, 3, 4)],
    "an epoch without its validation": [
        {"epochs": number, "validate_every": 2} for number in (3, 5, 6)
    ],
    "in the middle of an epoch": [
        {"epochs": 9, "max_steps": number} for number in (2, 7, 11, 18, 20, 30)
    ],
    "steps, then epochs": [{"epochs": 2, "max_steps": 9}, {"epochs": 2}, {"epochs": 3}],
    "validation neither": [
        {"epochs": 9, "max_steps": number, "validate_every": 3} for number in (8, 12, 13, 40)
    ],
}


@pytest.mark.parametrize("schedule", [("constant", 0), ("constant", 15), ("inverse_sqrt", 8)])
@pytest.mark.parametrize("name", LENGTHS)
def test_a_run_that_is_prolonged_is_one_long_run(
    tmp_path: Path, name: str, schedule: tuple[str, int]
) -> None:
    shape = {"schedule": schedule[0], "warmup_steps": schedule[1]}
    for settings in LENGTHS[name]:
        found = fit(tmp_path / "parts.pt", **settings, **shape)
        assert_same(found, fit(None, **settings, **shape))
    fit(tmp_path / "whole.pt", **settings, **shape)
    parts, whole = of_file(tmp_path / "parts.pt"), of_file(tmp_path / "whole.pt")
    assert same(parts, whole)


def test_best_weights_may_be_those_of_the_shorter_run(tmp_path: Path) -> None:
    """Otherwise the tests above would say nothing of weights that are not the last ones."""
    _, history = fit(None, epochs=5)
    assert history["score"].idxmax() == 1


def test_a_run_that_was_killed_may_be_prolonged_or_cut(tmp_path: Path) -> None:
    for epochs in (2, 3, 6):
        path = tmp_path / f"{epochs}.pt"
        with pytest.raises(Stopped):
            fit(path, InterruptedLoader(9), epochs=4, checkpoint_every=2)
        assert load_checkpoint(path)["progress"]["step"] == 8
        assert_same(fit(path, epochs=epochs), fit(None, epochs=epochs))


def test_a_run_may_end_at_the_very_step_that_was_saved(tmp_path: Path) -> None:
    for step, settings in ((8, {"max_steps": 8}), (6, {"epochs": 1}), (6, {"max_steps": 6})):
        path = tmp_path / f"{step} {settings}.pt"
        every = 2 if step == 8 else None
        with pytest.raises(Stopped):
            fit(path, InterruptedLoader(step + 1), epochs=4, checkpoint_every=every)
        assert load_checkpoint(path)["progress"]["step"] == step
        settings = {"epochs": 4, **settings}
        assert_same(fit(path, **settings), fit(None, **settings))


@pytest.mark.parametrize("every", [1, 2])
def test_patience_that_ran_out_ends_a_longer_run_too(tmp_path: Path, every: int) -> None:
    settings = {"patience": 2, "validate_every": every}
    ends = set()
    for epochs in (3, 4, 5, 7, 12, 20):
        found = fit(tmp_path / "run.pt", epochs=epochs, **settings)
        assert_same(found, fit(None, epochs=epochs, **settings))
        ends.add(found[1]["epoch"].iloc[-1])
    assert max(ends) < 20
    assert len(ends) > 1


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_a_schedule_that_ends_with_the_run_is_not_prolonged(tmp_path: Path, schedule: str) -> None:
    path = tmp_path / "run.pt"
    first = fit(path, epochs=2, schedule=schedule)
    with pytest.raises(CheckpointError) as caught:
        fit(path, epochs=5, schedule=schedule)
    for part in (
        "config.steps of the whole schedule is 12 there and 30 here",
        f"The schedule '{schedule}' ends with the last step",
        '"constant" and "inverse_sqrt" can be prolonged',
        'on_other_run="restart"',
    ):
        assert part in str(caught.value)
    assert_same(fit(path, epochs=2, schedule=schedule), first)
    # As many steps, said in another way.
    assert_same(fit(path, epochs=9, max_steps=12, schedule=schedule), first)
    again = fit(path, epochs=5, schedule=schedule, on_other_run="restart")
    assert_same(again, fit(None, epochs=5, schedule=schedule))


def test_a_shorter_run_than_was_done_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    fit(path, epochs=3)
    with pytest.raises(CheckpointError, match="has done 18 steps, and this call asks for 12"):
        fit(path, epochs=2)
    again = fit(path, epochs=2, on_other_run="restart")
    assert_same(again, fit(None, epochs=2))


def test_a_run_without_the_validation_that_a_shorter_one_ends_with(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    with pytest.raises(Stopped):
        fit(path, InterruptedLoader(7), epochs=4, validate_every=2)
    with pytest.raises(CheckpointError, match="6 steps of a longer run without the validation"):
        fit(path, epochs=1, validate_every=2)
    settings = {"epochs": 4, "validate_every": 2}
    assert_same(fit(path, **settings), fit(None, **settings))
