"""``tune``: a search by file, cut, killed, resumed, refused; and the file that comes of it."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import another_process
import pandas as pd
import pytest
import torch
from tiny_runs import THREE, write_run

from mtl_utils.commands import building, main, tuning
from mtl_utils.commands.toml_files import read_toml
from mtl_utils.commands.tuning_file import read_tuning_file
from mtl_utils.tuning import Attempt, Choice, Number, Ratios, Search, Simplex, Whole, pareto_front

ONE_TASK = THREE[: THREE.index("[tasks.names]")] + THREE[THREE.index("[encoder]") :]
TWO_TASKS = THREE[: THREE.index("[tasks.likeness]")] + THREE[THREE.index("[encoder]") :]
TUNING = """
[tuning]
trials = 3
objectives = ["topic_accuracy", "parameters"]
[tuning.space]
"training.learning_rate" = {low = 1e-3, high = 1e-1, log = true}
"encoder.width" = [8, 12]
"""
WEIGHTS = '"balancer.weights" = {kind = "simplex", least = 0.1}\n'

KILLED = """\
import os, signal, sys
from mtl_utils.commands import main, tuning

of_trial = tuning.Trials.__call__
def dying(self, settings, attempt):
    if attempt.number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return of_trial(self, settings, attempt)

tuning.Trials.__call__ = dying
main(["tune", sys.argv[1]])
"""


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: ")
    return said


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a search, of which a process was killed in its second trial, and its end."""
    folder = tmp_path_factory.mktemp("place")
    file = write_run(folder, ONE_TASK + TUNING)
    done = another_process.run(KILLED, file)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert main(["tune", str(file)]) == 0
    return folder


def _trials(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "runs/run-tuning/trials.csv")


def test_a_killed_process_loses_its_running_trial_only(place: Path) -> None:
    trials = _trials(place)
    assert list(trials["state"]) == ["finished", "lost", "finished", "finished"]
    settings = ["training.learning_rate", "encoder.width"]
    assert trials.loc[1, settings].equals(trials.loc[2, settings])
    assert trials["training.learning_rate"].nunique() == 3
    assert list(trials["session"]) == [0, 0, 1, 1]


def test_the_best_settings_are_a_file_that_train_takes(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = place / "runs/run-tuning"
    trials = _trials(place)
    best = trials["topic_accuracy"].idxmax()
    content = read_toml(search / "best.toml")
    assert content["training"]["learning_rate"] == trials["training.learning_rate"][best]
    assert content["encoder"]["width"] == trials["encoder.width"][best]
    assert "tuning" not in content
    assert main(["train", str(search / "best.toml"), "--quiet"]) == 0
    scores = json.loads((search / "best/metrics.json").read_text("utf-8"))
    assert scores["validation"]["topic_accuracy"] == trials["topic_accuracy"][best]
    front = [path.stem for path in (search / "front").iterdir()]
    finished = trials[trials["state"] == "finished"]
    points = finished[["topic_accuracy", "parameters"]].to_numpy().tolist()
    unbeaten = finished["trial"][pareto_front(points, ["max", "min"])]
    assert sorted(front) == sorted(f"trial-{number}" for number in unbeaten)
    assert {"history.png", "slices.png", "front.png"} <= {p.name for p in search.iterdir()}


def test_each_tokenizer_is_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    pieces = building._pieces

    def counted(file: Any, texts: list[str]) -> Any:
        sizes.append(file.tokenizer["vocab_size"])
        return pieces(file, texts)

    monkeypatch.setattr(building, "_pieces", counted)
    chosen = '"tokenizer.vocab_size" = [270, 280]\n'
    assert main(["tune", str(write_run(tmp_path, ONE_TASK + TUNING + chosen))]) == 0
    own = read_tuning_file(tmp_path / "run.toml").file.tokenizer["vocab_size"]
    assert sorted(sizes) == sorted({own, 270, 280})
    tried = _trials(tmp_path)["tokenizer.vocab_size"]
    assert len(tried) == 3  # and the ends of the space before


def test_a_search_goes_on_and_another_file_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _trials(place)
    file = place / "run.toml"
    assert main(["tune", str(file), "--trials", "4"]) == 0
    said = capsys.readouterr().out
    assert "4 finished, 1 lost" in said
    after = _trials(place)
    pd.testing.assert_frame_equal(after[: len(before)], before)
    assert after["training.learning_rate"].nunique() == 4
    other = place / "other.toml"
    text = file.read_text("utf-8").replace("[tuning]", '[tuning]\noutput = "runs/run-tuning"')
    other.write_text(text.replace("epochs = 2", "epochs = 3"), "utf-8")
    assert "holds a search over another file" in refused(capsys, "tune", other)
    other.write_text(text.replace("high = 1e-1", "high = 1.0"), "utf-8")
    assert "holds another search" in refused(capsys, "tune", other)


def test_gains_are_relative_to_each_task_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = TWO_TASKS + TUNING.replace('["topic_accuracy", "parameters"]', '["relative"]') + WEIGHTS
    text = text.replace(
        "trials = 3", "trials = 1\nreference = {topic_accuracy = 0.5, names_f1 = 0.8}"
    )
    assert main(["tune", str(write_run(tmp_path, text))]) == 0
    (trial,) = _trials(tmp_path).to_dict("records")
    gains = [trial["topic_accuracy"] / 0.5 - 1, trial["names_f1"] / 0.8 - 1]
    assert trial["relative"] == pytest.approx(sum(gains) / 2)
    content = read_toml(tmp_path / "runs/run-tuning/best.toml")
    assert content["balancer"]["kind"] == "fixed"
    assert sum(content["balancer"]["weights"].values()) == pytest.approx(2)


def _read(folder: Path, space: str, more: str = "") -> Any:
    text = f"{TWO_TASKS}\n[tuning]\n{more}\n[tuning.space]\n{space}\n"
    return read_tuning_file(write_run(folder, text))


def test_what_a_space_may_hold(tmp_path: Path) -> None:
    asked = _read(
        tmp_path,
        "\n".join(
            (
                '"training.learning_rate" = {low = 1e-4, high = 1e-1, log = true}',
                '"encoder.width" = {low = 8, high = 64, step = 8}',
                '"balancer.weights" = {kind = "ratios", low = 0.2, high = 5}',
                '"tasks.topic.dropout" = {low = 0.0, high = 0.5}',
                '"training.sampling" = ["joint", "size", 2.0]',
                '"sharing" = [{kind = "hard"}, {kind = "soft", strength = 0.01}]',
            )
        ),
        'sampler = "random"\npruner = "median"',
    )
    kinds = [type(dimension) for dimension in asked.space.values()]
    assert kinds == [Number, Whole, Ratios, Number, Choice, Choice]
    assert asked.objectives == {"relative": "max"}
    tried = asked.tried({"sharing": {"kind": "soft", "strength": 0.01}, "encoder.width": 8})
    assert tried.sharing["kind"] == "soft"
    assert tried.encoder["width"] == 8
    assert asked.file.encoder["width"] == 16
    simplex = _read(tmp_path, WEIGHTS)
    assert simplex.space["balancer.weights"] == Simplex(["topic", "names"], 0.1)


@pytest.mark.parametrize(
    ("space", "more", "expected"),
    [
        ("", "", "[tuning.space] is empty"),
        ('"trainig.epochs" = [1, 2]', "", "'trainig.epochs' must be the name of a table and a key"),
        ('"training.epoch" = [1, 2]', "", "[training] has no key 'epoch'"),
        ('"training.metric" = ["a", "b"]', "", "says what trials are measured by"),
        ('"tasks.topic.data" = ["a", "b"]', "", "says what trials are measured by"),
        ('"tasks.topics.dropout" = [0.1, 0.2]', "", "with one of the tasks ['topic', 'names']"),
        ('"training.epochs" = 3', "", "must be a list of values, or a table"),
        ('"training.epochs" = [3]', "", "options must be two different values"),
        ('"training.epochs" = [3, "many"]', "", "[training]: epochs must be a whole number"),
        ('"training.learning_rate" = {low = 1e-3}', "", "needs the key 'high'"),
        (
            '"training.learning_rate" = {low = 1e-1, high = 1e-3}',
            "",
            "high must be finite and greater than 0.1, got 0.001",
        ),
        (
            '"training.learning_rate" = {low = 0.0, high = 1.0, log = true}',
            "",
            "low must be finite and greater than 0, got 0.0",
        ),
        (
            '"training.learning_rate" = {low = 0.1, high = 1.0, step = 2}',
            "",
            "step is for whole numbers, got step = 2",
        ),
        ('"encoder.width" = {low = 8, high = 64, stp = 8}', "", "has no key 'stp'"),
        ('"encoder.width" = {kind = "simplex"}', "", "kind = 'simplex' is for balancer.weights"),
        ('"balancer.weights" = {kind = "even"}', "", "must be one of 'simplex', 'ratios'"),
        (
            '"balancer.weights" = {kind = "simplex", least = 0.5}',
            "",
            "least must lie in [0, 0.5), got 0.5",
        ),
        (
            '"encoder.dropout" = {low = 0.0, high = 1.5}',
            "",
            "[tuning.space]: [encoder]: dropout must lie in [0, 1), got 1.5",
        ),
        (
            '"training.epochs" = {low = 0, high = 5}',
            "",
            "epochs must be at least 1, got 0",
        ),
        (
            '"training.learning_rate" = {low = -0.1, high = 0.1}',
            "",
            "[tuning.space]: [training]: learning_rate must be finite and greater than 0, got -0.1",
        ),
        (
            '"training.sampling" = {low = -2.0, high = 2.0}',
            "",
            "[tuning.space]: sampling must be finite and greater than 0, got -2.0",
        ),
        (WEIGHTS, "pruner_warmup = -1", "pruner_warmup must be at least 0, got -1"),
        (WEIGHTS, "pruner_warmup = 2", 'pruner_warmup is for pruner = "median", got 2'),
        (WEIGHTS, "trials = 0", "trials must be at least 1, got 0"),
        (WEIGHTS, 'sampler = "grid"', "sampler must be one of 'tpe', 'random', got a text: 'grid'"),
        (WEIGHTS, 'objectives = ["parameters"]', "objectives must have 'relative' or a column"),
        (WEIGHTS, 'objectives = ["topic_gap"]', "does not tell whether it is better"),
        (
            WEIGHTS,
            'objectives = ["topic_accuracy", "names_f1"]\npruner = "median"',
            "pruner = 'median' compares one objective",
        ),
        (WEIGHTS, "reference = {topic_accuracy = 0.5}", "reference must have a score of each task"),
        (WEIGHTS, "trails = 3", "[tuning] has no key 'trails'"),
    ],
)
def test_what_a_file_may_not_ask_for(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    space: str,
    more: str,
    expected: str,
) -> None:
    text = f"{TWO_TASKS}\n[tuning]\n{more}\n[tuning.space]\n{space}\n"
    said = refused(capsys, "tune", write_run(tmp_path, text))
    assert expected in said


def test_a_trial_that_does_not_fit_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tuning.prepare

    def small(built: Any, *args: Any, **settings: Any) -> Any:
        if built.file.encoder["width"] == 12:
            raise torch.OutOfMemoryError("no room")
        return made(built, *args, **settings)

    monkeypatch.setattr(tuning, "prepare", small)
    text = ONE_TASK + TUNING.replace("trials = 3", 'trials = 6\nsampler = "random"')
    assert main(["tune", str(write_run(tmp_path, text))]) == 0
    assert "given up, no room" in capsys.readouterr().err
    trials = _trials(tmp_path)
    failed = trials["state"] == "failed"
    assert 0 < failed.sum() < 6
    assert failed.equals(trials["encoder.width"] == 12)


@pytest.mark.parametrize("warmup", [0, 1, 2])
def test_a_trial_has_epochs_in_which_it_is_not_given_up(tmp_path: Path, warmup: int) -> None:
    """Five trials that score 1 and one that scores less; epochs count from 1."""
    space = '"training.learning_rate" = {low = 1e-3, high = 1e-1}'
    pruner = tuning._pruner(_read(tmp_path, space, f'pruner = "median"\npruner_warmup = {warmup}'))
    search = Search({"rate": Number(0, 1)}, {"score": "max"}, pruner=pruner)
    ended: list[int] = []

    def objective(settings: dict[str, Any], attempt: Attempt) -> float:
        for epoch in (1, 2, 3):
            ended[attempt.number :] = [epoch]
            attempt.report(epoch, 0.0 if attempt.number == 5 else 1.0)
        return 1.0

    search.run(objective, 6)
    assert ended == [3] * 5 + [warmup + 1]


def test_a_file_without_a_table_and_columns_that_are_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "has no table [tuning]" in refused(capsys, "tune", write_run(tmp_path, ONE_TASK))
    file = write_run(tmp_path, ONE_TASK + TUNING.replace("topic_accuracy", "topic_acuracy"))
    assert "does not tell" in refused(capsys, "tune", file)
    file = write_run(tmp_path, ONE_TASK + TUNING.replace("topic_accuracy", "names_f1"))
    assert "[tuning]: objectives = 'names_f1' is not known" in refused(capsys, "tune", file)
    assert "--trials must be at least 1, got 0" in refused(capsys, "tune", file, "--trials", 0)
