"""What is told of a training, what may end it, and the lines that it prints."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_training import PatternLoader, TinyLoader, same_weights, tiny_model, weights_of

from mtl_utils.training import (
    Callback,
    EpochLines,
    StepReport,
    StopTraining,
    Trainer,
    TrainerConfig,
    load_checkpoint,
)

VALIDATION = TinyLoader(3, seed=9)


def fit(config: TrainerConfig, train: Any = None, **settings: Any) -> tuple[pd.DataFrame, Any]:
    model = tiny_model()
    trainer = Trainer(model, config, **{"progress": False, **settings})
    return trainer.fit(train or TinyLoader(), VALIDATION), model


class Recording(Callback):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[StepReport] = []
        self.rows: list[Mapping[str, float]] = []

    def on_step(self, report: StepReport) -> None:
        self.steps.append(report)
        # What it draws must not be missing in the training.
        torch.rand(3), random.random(), np.random.rand()

    def on_epoch(self, row: Mapping[str, float]) -> None:
        self.rows.append(row)
        torch.rand(3), random.random(), np.random.rand()


def test_everything_is_told_once_and_changes_nothing(tmp_path: Path) -> None:
    config = TrainerConfig(epochs=3, learning_rate=0.02, warmup_steps=3)
    told, plain = Recording(), []
    settings: dict[str, Any] = {"checkpoint": tmp_path / "run"}
    history, model = fit(config, callbacks=[told, plain.append], **settings)
    silent = fit(config)[1]
    assert same_weights(weights_of(model), weights_of(silent))
    assert told.rows == plain == history.to_dict("records")
    assert [report.step for report in told.steps] == list(range(1, 19))
    assert [report.epoch for report in told.steps] == [1] * 6 + [2] * 6 + [3] * 6
    rates = [r.learning_rate for r in told.steps]
    assert rates[:3] == pytest.approx([0.02 / 3, 0.04 / 3, 0.02])
    assert rates[5::6] == history["learning_rate"].tolist()
    fit(config, callbacks=[told, plain.append], **settings)
    assert len(plain) == 3  # it was finished
    assert len(told.steps) == 18


def test_losses_of_a_step_are_those_before_it() -> None:
    told = Recording()
    pattern = [{"tags", "topic"}, set(), {"topic"}]
    loader = PatternLoader(pattern, absent=False)
    model = tiny_model(dropout=0.0)
    with torch.no_grad():
        expected = model(loader.batch(0, 0)).by_task
    Trainer(model, TrainerConfig(epochs=1), callbacks=[told], progress=False).fit(loader)
    assert told.steps[0].losses == pytest.approx({t: float(v) for t, v in expected.items()})
    assert told.steps[0].penalty == 0
    assert [list(report.losses) for report in told.steps] == [["tags", "topic"], [], ["topic"]]


class Ending(Callback):
    """Ends the training at a step, or after an epoch."""

    def __init__(self, step: int | None = None, epoch: int | None = None) -> None:
        self.step, self.epoch = step, epoch

    def on_step(self, report: StepReport) -> None:
        if report.step == self.step:
            raise StopTraining

    def on_epoch(self, row: Mapping[str, float]) -> None:
        if row["epoch"] == self.epoch:
            raise StopTraining


@pytest.mark.parametrize(
    "settings", [{}, {"validate_every": 2}, {"accumulate": 2}, {"checkpoint_every": 2}]
)
@pytest.mark.parametrize("end", [{"step": 2}, {"step": 3}, {"epoch": 1}, {"step": 1}, {"epoch": 2}])
def test_a_training_that_was_ended_goes_on_as_if_it_had_not_been(
    tmp_path: Path, end: dict[str, int], settings: dict[str, Any]
) -> None:
    config = TrainerConfig(epochs=3, learning_rate=0.02, **settings)
    whole, path = tmp_path / "whole", tmp_path / "run"
    expected, model = fit(config, TinyLoader(3), checkpoint=whole)
    history, stopped = fit(config, TinyLoader(3), checkpoint=path, callbacks=[Ending(**end)])
    last = end["step"] if "step" in end else end["epoch"] * -(-3 // config.accumulate)
    assert history["step"].iloc[-1] == last
    assert not stopped.training
    assert load_checkpoint(path)["progress"]["step"] == last
    rows, again = fit(config, TinyLoader(3), checkpoint=path)
    assert same_weights(weights_of(again), weights_of(model))
    pd.testing.assert_frame_equal(
        rows.drop(columns="seconds"), expected.drop(columns="seconds"), check_exact=True
    )


def test_an_end_in_an_epoch_has_a_row_a_validation_and_the_best_weights() -> None:
    scores = iter([0.9, 0.1])
    seen = []

    def evaluate(model: Any) -> dict[str, float]:
        seen.append(weights_of(model))
        return {"score": next(scores)}

    settings: dict[str, Any] = {"evaluate": evaluate, "metric": "score", "mode": "max"}
    config = TrainerConfig(epochs=5)
    history, model = fit(config, callbacks=[Ending(step=8)], **settings)
    assert history["step"].tolist() == [6, 8]
    assert history["score"].tolist() == [0.9, 0.1]
    assert same_weights(weights_of(model), seen[0])


def test_all_callbacks_are_told_though_one_ends_the_training() -> None:
    told = Recording()
    fit(TrainerConfig(epochs=3), callbacks=[Ending(step=1), told])
    assert [report.step for report in told.steps] == [1]
    assert len(told.rows) == 1


def test_what_a_callback_raises_besides_is_raised(tmp_path: Path) -> None:
    def broken(row: Any) -> None:
        raise OSError("no such log")

    with pytest.raises(OSError, match="no such log"):
        fit(TrainerConfig(epochs=3), callbacks=[broken], checkpoint=tmp_path / "run")
    assert load_checkpoint(tmp_path / "run")["progress"]["epoch"] == 2


# Lines.


def test_a_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    config = TrainerConfig(epochs=2, validate_every=2)
    scores = {"tags_f1": 0.25, "tags_PER_f1": 0.5, "other": 0.125}
    settings: dict[str, Any] = {"evaluate": lambda model: scores, "metric": "other", "mode": "max"}
    history, _ = fit(config, progress="lines", **settings)
    said = capsys.readouterr()
    assert said.err == ""
    first, second = said.out.splitlines()
    losses = [f"train_loss {loss:.4f}" for loss in history["train_loss"]]
    rates = [f"rate {rate:.2g}" for rate in history["learning_rate"]]
    assert first == f"epoch 1/2  {losses[0]}  {rates[0]}  0 s"
    loss = f"validation_loss {history['validation_loss'][1]:.4f}"
    numbers = f"{losses[1]}  {loss}  tags_f1 0.2500  other 0.1250  {rates[1]}"
    assert second == f"epoch 2/2  {numbers}  0 s"


def test_lines_for_a_log(caplog: pytest.LogCaptureFixture) -> None:
    lines = EpochLines(logging.getLogger("run").info)
    with caplog.at_level(logging.INFO, "run"):
        fit(TrainerConfig(epochs=2), callbacks=[lines])
    assert [record.getMessage()[:20] for record in caplog.records] == [
        f"epoch {epoch}  train_loss " for epoch in (1, 2)
    ]


@pytest.mark.parametrize("progress", [False, True])
def test_without_lines_nothing_is_printed(
    progress: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(TrainerConfig(epochs=1), progress=progress)
    assert capsys.readouterr().out == ""
