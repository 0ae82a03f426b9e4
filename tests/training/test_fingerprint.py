"""What changes a result makes another run, which is refused by name; nothing else does."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from labelled_runs import (
    Cut,
    Scorer,
    alternating,
    examples,
    hard,
    joint,
    loader,
    model,
    partial,
    run,
    scores,
    shared_private,
    soft,
)
from parallel_runs import GeometricBalancer
from run_changes import CHANGES, Changes, halves, of_tasks, weights
from tiny_training import Stopped, same_weights

from mtl_utils.objectives import FixedWeights
from mtl_utils.training import (
    CheckpointError,
    FingerprintWarning,
    load_checkpoint,
    save_checkpoint,
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Changes], Path]:
    """Return a function that gives the checkpoint of a run that was begun, written once a run."""
    folder = tmp_path_factory.mktemp("written")
    known: dict[int, Path] = {}

    def write(settings: Changes) -> Path:
        key = id(settings) if settings else 0
        if key not in known:
            known[key] = folder / f"{len(known)}.pt"
            run(known[key], **settings)
        return known[key]

    return write


@pytest.mark.parametrize("name", CHANGES)
def test_another_run_is_refused_by_name(
    written: Callable[[Changes], Path], tmp_path: Path, name: str
) -> None:
    before, after, message = CHANGES[name]
    path = tmp_path / "run.pt"
    shutil.copy(written(before), path)
    content = path.read_bytes()
    with pytest.raises(CheckpointError, match="belongs to another run") as caught:
        run(path, **after)
    assert message in str(caught.value)
    assert 'on_other_run="restart"' in str(caught.value)
    assert path.read_bytes() == content
    # The same run, all of it made anew, is none that is refused.
    run(path, **before)


@pytest.mark.parametrize("scale", ["token", "uniform"])
def test_a_checkpoint_of_before_there_were_scales_had_means_over_labels(
    written: Callable[[Changes], Path], tmp_path: Path, scale: str
) -> None:
    state = load_checkpoint(written({}))
    entries = state["fingerprint"]
    scales = {name for name in entries if name.endswith(".scale")}
    assert {f"model.tasks.{task}.scale" for task in ("tags", "topic", "relation")} < scales
    path = tmp_path / "old.pt"
    kept = {name: value for name, value in entries.items() if name not in scales}
    save_checkpoint(path, {**state, "fingerprint": kept})
    settings = {task: {"scale": "token"} for task in ("tags", "topic", "relation")}
    settings["tags"] = {"scale": scale}
    if scale == "token":
        run(path, model=of_tasks(**settings))
        return
    with pytest.raises(CheckpointError, match=r"tags\.scale is absent there and 'uniform' here"):
        run(path, model=of_tasks(**settings))


def test_there_are_as_many_kinds_of_differences_as_one_can_think_of() -> None:
    assert len(CHANGES) >= 60


def test_another_run_may_replace_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.pt"
    run(path)
    found = run(path, balancer=weights(tags=3.0), on_other_run="restart")
    expected = run(None, balancer=weights(tags=3.0))
    assert same_weights(found[0], expected[0])
    said = capsys.readouterr().err
    assert "balancer.weights.tags is 1.0 there and 3.0 here. It is replaced by a new run." in said
    # What is no other run is not begun again.
    run(path, balancer=weights(tags=3.0), on_other_run="restart")
    assert "finished after 10 steps: it is read, nothing is trained." in capsys.readouterr().err


def test_a_sweep_over_one_path_says_so_at_the_second_value(tmp_path: Path) -> None:
    run(tmp_path / "run.pt", balancer=weights(tags=0.01))
    for weight in (1.0, 100.0):
        with pytest.raises(CheckpointError, match=r"balancer.weights.tags is 0.01 there"):
            run(tmp_path / "run.pt", balancer=weights(tags=weight))


IDENTICAL: dict[str, Changes] = {
    "as it is": {},
    "data sets in turn": {"train": alternating, "balancer": lambda: GeometricBalancer(0.5)},
    "soft": {"model": lambda: model(sharing=soft), "train": joint},
    "shared and private": {"model": lambda: model(sharing=shared_private)},
    "groups": {"groups": halves(swapped=True), "evaluate": lambda: Scorer(0.3).score},
    "CRF": {"model": of_tasks(tags={"crf": True}), "evaluate": partial},
}


@pytest.mark.parametrize("name", IDENTICAL)
def test_the_same_run_goes_on_to_the_last_bit(tmp_path: Path, name: str) -> None:
    settings = IDENTICAL[name]
    make = settings.get("train", loader)
    expected = run(None, **settings)
    for steps in (3, 4, 2):
        cut = {"train": lambda steps=steps: Cut(make(), steps)}
        with pytest.raises(Stopped):
            run(tmp_path / "run.pt", **{**settings, **cut, "checkpoint_every": 2})
    with warnings.catch_warnings():
        warnings.simplefilter("error", FingerprintWarning)
        found = run(tmp_path / "run.pt", **settings)
    assert same_weights(found[0], expected[0])
    pd.testing.assert_frame_equal(found[1], expected[1], check_exact=True)


# What changes no result.


@pytest.mark.parametrize(
    "changes",
    [
        {"checkpoint_every": 1},
        {"mixed_precision": "no"},
        {"epochs": 9, "max_steps": 10},
        {"balancer": lambda: FixedWeights({"relation": 0.5, "topic": 1, "tags": 1})},
        {"train": lambda: loader([as_arrays(row) for row in examples()])},
        {"groups": lambda m: [{"params": list(m.parameters())}]},
        {"evaluate": lambda: scores(tuple(examples(8, 4)))},
    ],
)
def test_what_changes_nothing_is_no_other_run(tmp_path: Path, changes: Changes) -> None:
    expected = run(tmp_path / "run.pt")
    found = run(tmp_path / "run.pt", **changes)
    assert same_weights(found[0], expected[0])


def as_arrays(row: Any) -> Any:
    """Return an example in arrays and tensors."""
    labels = {**row.labels, "tags": torch.tensor(row.labels["tags"])}
    return type(row)(np.array(row.input_ids), labels, tuple(row.segment_ids))


def test_a_global_variable_of_evaluate_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: Changes = {"evaluate": lambda: evaluate_by_global}
    run(tmp_path / "run.pt", **settings)
    run(tmp_path / "run.pt", **settings)
    monkeypatch.setattr("test_fingerprint.CUTOFF", 0.4)
    with pytest.raises(CheckpointError, match=r"evaluate.helper.CUTOFF is 0.3 there and 0.4 here"):
        run(tmp_path / "run.pt", **settings)


CUTOFF = 0.3


def helper(value: float) -> float:
    return float(value > CUTOFF)


def evaluate_by_global(trained: Any) -> dict[str, float]:
    return {"score": helper(0.35)}


# What cannot be known.


def test_what_cannot_be_looked_into_is_warned_of_once(tmp_path: Path) -> None:
    def evaluate(values: Iterator[float], lines: Any) -> Any:
        return lambda trained: {"score": 1.0} if lines or values else {}

    def make() -> Any:
        return evaluate(iter([1.0]), zip([1], [2], strict=True))

    with pytest.warns(FingerprintWarning) as caught:
        run(tmp_path / "run.pt", evaluate=make)
    assert len(caught) == 1
    text = str(caught[0].message)
    assert "evaluate.lines (builtins.zip), evaluate.values (builtins.list_iterator)" in text
    assert "a change of content will not be noticed" in text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(None, evaluate=make)


def test_many_differences_are_not_all_listed(tmp_path: Path) -> None:
    run(tmp_path / "run.pt")
    other = lambda: model(sharing=lambda: hard(dropout=0.3, num_layers=2))  # noqa: E731
    with pytest.raises(CheckpointError, match=r"and \d+ more") as caught:
        run(tmp_path / "run.pt", model=other, learning_rate=0.1)
    assert "config.learning_rate is 0.02 there and 0.1 here" in str(caught.value)
    assert len(str(caught.value)) < 2500


def test_the_format_before_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    state = {"fingerprint": {"metric": "validation_loss"}, "progress": {"step": 3}}
    torch.save({"format": "mtl_utils checkpoint", "version": 1, "state": state}, path)
    with pytest.raises(CheckpointError, match=r"has version 1.*delete it to start afresh"):
        run(path)
    save_checkpoint(path, state)
    with pytest.raises(CheckpointError, match=r"run\.pt"):
        run(path)


def test_a_fingerprint_is_plain(tmp_path: Path) -> None:
    run(tmp_path / "run.pt", model=lambda: model(sharing=shared_private), train=alternating)
    state = load_checkpoint(tmp_path / "run.pt")
    assert all(isinstance(v, str | int | float | None) for v in state["fingerprint"].values())
    save_checkpoint(tmp_path / "copy.pt", state)
