"""Runs that are killed, run out of disk or are called twice."""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import another_process
import pandas as pd
import pytest
import torch
from tiny_training import TinyLoader, same_weights, tiny_model, weights_of

from mtl_utils.training import (
    CheckpointError,
    CheckpointWarning,
    Trainer,
    TrainerConfig,
    load_checkpoint,
    save_checkpoint,
)

VALIDATION = TinyLoader(3, seed=9)
CONFIG = TrainerConfig(epochs=3, learning_rate=0.02)


@pytest.fixture(scope="module")
def doomed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the runs of doomed_runs.py ended with, by name."""
    folder = tmp_path_factory.mktemp("doomed")
    code = "import doomed_runs, pathlib, sys\ndoomed_runs.main(pathlib.Path(sys.argv[1]))"
    done = another_process.run(code, folder)
    assert done.returncode == 0, done.stderr
    return {path.stem: torch.load(path) for path in folder.glob("*.result")}


KILLED = [
    *(f"steps-{number}" for number in range(4)),
    *("half-written", "before-move", "after-move", "first-write"),
]


@pytest.mark.parametrize("name", KILLED)
def test_a_killed_run_ends_as_if_nothing_had_happened(doomed: dict[str, Any], name: str) -> None:
    expected, found = doomed["uninterrupted"], doomed[name]
    assert found["kills"] > 0
    assert same_weights(found["weights"], expected["weights"])
    assert found["scores"] == expected["scores"]
    history = pd.DataFrame(found["history"]).drop(columns="seconds")
    pd.testing.assert_frame_equal(
        history, pd.DataFrame(expected["history"]).drop(columns="seconds"), check_exact=True
    )
    assert found["files"] == ["run.pt"]


def test_seconds_are_those_of_all_sessions(doomed: dict[str, Any]) -> None:
    for name in KILLED:
        seconds = [row["seconds"] for row in doomed[name]["history"]]
        assert 0 < seconds[0] <= seconds[-1]
        assert seconds == sorted(seconds)


def test_a_file_system_that_takes_no_more_costs_no_training(doomed: dict[str, Any]) -> None:
    expected, found = doomed["uninterrupted"], doomed["full"]
    assert same_weights(found["weights"], expected["weights"])
    assert len(found["warnings"]) >= 2
    assert all("Training goes on" in text for text in found["warnings"])
    assert all("is untouched" in text for text in found["warnings"])
    assert found["files"] == ["run.pt"]
    assert found["step of the file"] == 8


def fit(path: Path, config: TrainerConfig = CONFIG, **settings: Any) -> tuple[Any, pd.DataFrame]:
    model = settings.pop("model", None) or tiny_model()
    train = settings.pop("train", None) or TinyLoader()
    trainer = Trainer(model, config, checkpoint=path, progress=False, **settings)
    return model, trainer.fit(train, VALIDATION)


def test_a_full_disk_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(CheckpointWarning, match=r"No space left on device.*Training goes on"):
        _, history = fit(tmp_path / "run.pt")
    assert len(history) == 3
    assert os.listdir(tmp_path) == []


class CountingLoader(TinyLoader):
    """Counts how many batches are read."""

    read = 0

    def digest(self) -> str:
        return super().digest()

    def batch(self, epoch: int, index: int) -> Any:
        self.read += 1
        return super().batch(epoch, index)


def test_a_finished_run_returns_at_once(tmp_path: Path) -> None:
    model, history = fit(tmp_path / "run.pt")
    loader = CountingLoader()
    again, same = fit(tmp_path / "run.pt", train=loader)
    assert loader.read == 0
    pd.testing.assert_frame_equal(same, history, check_exact=True)
    assert same_weights(weights_of(again), weights_of(model))


def test_best_weights_survive_too(tmp_path: Path) -> None:
    def scored() -> tuple[list[Any], Callable[[torch.nn.Module], dict[str, float]]]:
        scores, seen = [0.9, 0.1, 0.2], []

        def evaluate(model: torch.nn.Module) -> dict[str, float]:
            seen.append(weights_of(model))
            return {"score": scores[len(seen) - 1]}

        return seen, evaluate

    settings: dict[str, Any] = {"metric": "score", "mode": "max"}
    seen, evaluate = scored()
    fit(tmp_path / "run.pt", evaluate=evaluate, **settings)
    unseen, evaluate = scored()
    again, _ = fit(tmp_path / "run.pt", evaluate=evaluate, **settings)
    assert unseen == []
    assert same_weights(weights_of(again), seen[0])
    assert load_checkpoint(tmp_path / "run.pt")["progress"]["best"] == 0.9


def test_how_often_checkpoints_are_written_may_change(tmp_path: Path) -> None:
    _, history = fit(tmp_path / "run.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, same = fit(
            tmp_path / "run.pt", TrainerConfig(epochs=3, learning_rate=0.02, checkpoint_every=2)
        )
    assert same.equals(history)


def test_a_damaged_checkpoint_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "run.pt").write_bytes(b"PK")
    with pytest.raises(CheckpointError, match="is truncated"):
        fit(tmp_path / "run.pt")
    assert (tmp_path / "run.pt").read_bytes() == b"PK"


class Failing:
    """Measures with the help of random numbers, and fails some time."""

    def __init__(self, fail_at: int | None, name: str = "score") -> None:
        self.calls, self.fail_at, self.name = 0, fail_at, name

    def __call__(self, model: torch.nn.Module) -> dict[str, float]:
        self.calls += 1
        score = float(torch.rand(()))
        if self.calls == self.fail_at:
            raise RuntimeError("no such file")
        return {self.name: score}


@pytest.mark.parametrize("fail_at", [1, 2, 3])
@pytest.mark.parametrize("settings", [{}, {"max_steps": 15}, {"checkpoint_every": 3}])
def test_what_was_trained_before_a_validation_failed_is_not_trained_again(
    tmp_path: Path, fail_at: int, settings: dict[str, Any]
) -> None:
    config = TrainerConfig(epochs=3, learning_rate=0.02, **settings)
    ends = [6, 12, settings.get("max_steps", 18)]
    by_score: dict[str, Any] = {"metric": "score", "mode": "max"}
    expected, history = fit(tmp_path / "whole.pt", config, evaluate=Failing(None), **by_score)

    path, loader = tmp_path / "run.pt", CountingLoader()
    with pytest.raises(RuntimeError, match="no such file"):
        fit(path, config, evaluate=Failing(fail_at), train=loader, **by_score)
    assert loader.read == ends[fail_at - 1]
    mended, loader = Failing(None), CountingLoader()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found, rows = fit(path, config, evaluate=mended, train=loader, **by_score)
    # What was never asked cannot have been another.
    told = [str(warning.message) for warning in caught if fail_at > 1]
    assert len(told) == len(caught) == (fail_at > 1)
    assert all(f"evaluate.fail_at is {fail_at} there and None here" in text for text in told)
    assert loader.read == ends[-1] - ends[fail_at - 1]
    assert mended.calls == 3 - (fail_at - 1)
    assert same_weights(weights_of(found), weights_of(expected))
    pd.testing.assert_frame_equal(
        rows.drop(columns="seconds"), history.drop(columns="seconds"), check_exact=True
    )


def test_a_misspelt_metric_can_be_mended_without_training_again(tmp_path: Path) -> None:
    expected, _ = fit(tmp_path / "whole.pt", evaluate=Failing(None), metric="score", mode="max")
    with pytest.raises(KeyError, match="'skore' is not measured"):
        fit(tmp_path / "run.pt", evaluate=Failing(None), metric="skore", mode="min")
    loader = CountingLoader()
    settings: dict[str, Any] = {"metric": "score", "mode": "max", "train": loader}
    found, _ = fit(tmp_path / "run.pt", evaluate=Failing(None), **settings)
    assert loader.read == 12
    assert same_weights(weights_of(found), weights_of(expected))
    # Weights that were judged by another metric are those of another run.
    with pytest.raises(CheckpointError, match="metric is 'score' there"):
        fit(tmp_path / "run.pt", evaluate=Failing(None), metric="other", mode="max")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": None}, "'model'"),
        ({"progress": None}, "'progress'"),
        ({"fingerprint": None}, "'fingerprint'"),
        ({"generators": None}, "'generators'"),
        ({"optimizer": {"no": "optimizer"}}, "not that of a run"),
        ({"progress": 3}, "not that of a run"),
        ({"generators": 3}, "not that of a run"),
        ({"fingerprint": 3}, "not that of a run"),
    ],
)
def test_a_checkpoint_that_lacks_a_part_is_named(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "run.pt"
    fit(path)
    state = load_checkpoint(path) | change
    lacking = {name for name, part in change.items() if part is None}
    save_checkpoint(path, {name: part for name, part in state.items() if name not in lacking})
    with pytest.raises(CheckpointError, match=message) as caught:
        fit(path)
    assert str(path) in str(caught.value)
