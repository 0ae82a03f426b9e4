"""Searches: drawn again by seed, pruned, cut, shared, and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import another_process
import optuna
import pandas as pd
import pytest

from mtl_utils import data, multitask, nn, sharing, tasks, training, tuning

SPACE: tuning.Space = {
    "rate": tuning.Number(1e-4, 1.0, log=True),
    "weights": tuning.Simplex(["a", "b"]),
    "kind": tuning.Choice(["hard", {"soft": 1}]),
}
BOTH: dict[str, Any] = {"score": "max", "size": "min"}

KILLED = """\
import os, signal, sys
from mtl_utils import tuning

def objective(settings, attempt):
    if attempt.number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return settings["rate"]

space = {"rate": tuning.Number(1e-4, 1.0, log=True)}
tuning.Search(space, {"score": "max"}, folder=sys.argv[1], sampler="random").run(objective, 6)
"""
SHARING = """\
import sys, time
from pathlib import Path
from mtl_utils import tuning

def objective(settings, attempt):
    (Path(sys.argv[1]) / f"{sys.argv[2]}.begun").touch()
    while len(list(Path(sys.argv[1]).glob("*.begun"))) < 2:  # until the other has a trial as well
        time.sleep(0.01)
    return settings["rate"]

space = {"rate": tuning.Number(1e-4, 1.0, log=True)}
tuning.Search(space, {"score": "max"}, folder=sys.argv[1], sampler="random").run(objective, 6)
"""


def _score(settings: dict[str, Any], attempt: tuning.Attempt) -> float:
    attempt.note("test", settings["rate"] / 2)
    return -abs(settings["rate"] - 0.01) - settings["weights"]["a"]


def _in(folder: Path, seed: int = 0) -> tuning.Search:
    space = {"rate": tuning.Number(1e-4, 1.0, log=True)}
    return tuning.Search(space, {"score": "max"}, folder=folder, sampler="random", seed=seed)


def _rate(settings: dict[str, Any], attempt: tuning.Attempt) -> float:
    return float(settings["rate"])


def _drawn(search: tuning.Search) -> pd.DataFrame:
    table = search.table()
    return table.drop(columns=["seconds"])


@pytest.mark.parametrize("sampler", ["random", "tpe", optuna.samplers.QMCSampler])
def test_the_same_seed_draws_the_same(sampler: Any) -> None:
    def made(seed: int) -> pd.DataFrame:
        if not isinstance(sampler, str):
            chosen: tuning.Sampler = lambda s: optuna.samplers.QMCSampler(seed=s, scramble=True)  # noqa: E731
        else:
            chosen = sampler
        search = tuning.Search(SPACE, {"score": "max"}, sampler=chosen, seed=seed)
        return _drawn(search.run(_score, 12))

    with pytest.warns() if not isinstance(sampler, str) else _nothing():  # says it is experimental
        pd.testing.assert_frame_equal(made(3), made(3))
        assert not made(3).equals(made(4))


def _nothing() -> Any:
    from contextlib import nullcontext

    return nullcontext()


def test_the_table_has_settings_scores_and_notes() -> None:
    search = tuning.Search(SPACE, {"score": "max"}, sampler="random").run(_score, 8)
    table = search.table()
    assert list(table["trial"]) == list(range(8))
    assert set(table["state"]) == {"finished"}
    assert (table["weights.a"] + table["weights.b"]).to_numpy() == pytest.approx(2)
    expected = -(table["rate"] - 0.01).abs() - table["weights.a"]
    assert table["score"].to_numpy() == pytest.approx(expected.to_numpy())
    assert (table["test"] * 2).to_numpy() == pytest.approx(table["rate"].to_numpy())
    best = search.best()
    assert best.number == int(table["score"].argmax())
    assert best.settings["rate"] == table["rate"][best.number]
    assert best.settings["kind"] in ("hard", {"soft": 1})


def test_importances_find_what_matters() -> None:
    """The rate adds a quarter of the variance that the weight does, and the kind none."""

    def objective(settings: dict[str, Any], attempt: tuning.Attempt) -> float:
        return float(settings["weights"]["a"] + 0.5 * settings["rate"])

    space = {**SPACE, "rate": tuning.Number(0.0, 2.0)}
    search = tuning.Search(space, {"score": "max"}, sampler="random").run(objective, 40)
    shares = search.importances()
    assert list(shares.index) == ["weights.a", "rate", "kind"]
    assert shares["weights.a"] > 0.7
    figure = tuning.draw_importances(search)
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx(list(shares))  # type: ignore[attr-defined]
    assert "what single settings explain" in figure.axes[0].get_xlabel()


def test_several_objectives_have_a_front() -> None:
    def objective(settings: dict[str, Any], attempt: tuning.Attempt) -> dict[str, float]:
        attempt.report(1, 0.0)  # passed over
        return {"size": settings["rate"], "score": settings["weights"]["a"], "more": 1.0}

    search = tuning.Search(SPACE, BOTH, sampler="random").run(objective, 20)
    found = [t.number for t in search.study.best_trials]
    assert sorted(found) == sorted(trial.number for trial in search.front())
    assert search.best("size").scores["size"] == search.table()["size"].min()
    for draw in (tuning.draw_front, tuning.draw_history, tuning.draw_slices):
        figure = draw(search)
        assert "20 trials" in figure.get_label()
    front = tuning.draw_front(search).axes[0].lines[1]
    assert len(front.get_xdata()) == len(search.front())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="pruner 'median' compares one objective"):
        tuning.Search(SPACE, BOTH, pruner="median")


def test_a_trial_that_diverges_has_failed_and_counts() -> None:
    def objective(settings: dict[str, Any], attempt: tuning.Attempt) -> float:
        if attempt.number == 1:
            raise FloatingPointError("the loss is nan")
        return float("inf") if attempt.number == 2 else 1.0

    search = tuning.Search(SPACE, {"score": "max"}).run(objective, 4)
    table = search.table()
    assert list(table["state"]) == ["finished", "failed", "failed", "finished"]
    assert "the loss is nan" in table["error"][1]

    def wrong(settings: dict[str, Any], attempt: tuning.Attempt) -> float:
        raise KeyError("a slip")

    with pytest.raises(KeyError, match="a slip"):
        search.run(wrong, 5)
    assert list(search.run(_score, 5).table()["state"])[4:] == ["lost", "finished"]


def test_a_trainer_is_stopped_by_the_median() -> None:
    """Trials of one batch whose step size is the one setting; nothing learns with the least."""
    task = tasks.Classification("c", ["x", "y"])
    rows = [data.Example([1, 2], {"c": 0}), data.Example([3, 2], {"c": 1})]
    loader = data.BatchLoader(rows, batch_size=2)
    epochs: list[int] = []

    def objective(settings: dict[str, Any], attempt: tuning.Attempt) -> float:
        model = multitask.MultiTaskModel(sharing.HardSharing(nn.BiLSTMEncoder(5, 4)), [task])
        config = training.TrainerConfig(epochs=6, learning_rate=settings["rate"])
        rows_seen: list[Any] = []
        callbacks = [rows_seen.append, attempt.pruning("validation_loss")]
        try:
            history = training.Trainer(model, config, progress=False, callbacks=callbacks).fit(
                loader, loader
            )
        finally:
            epochs.append(len(rows_seen))
        return float(history["validation_loss"].min())

    space = {"rate": tuning.Choice([1e-9, 0.1])}
    search = tuning.Search(space, {"loss": "min"}, sampler="random", pruner="median", seed=1)
    table = search.run(objective, 16).table()
    states = table.groupby("rate")["state"].value_counts()
    assert (table["state"] == "pruned").any()
    assert (table[table["state"] == "pruned"]["rate"] == 1e-9).mean() > 0.5
    assert states[(0.1, "finished")] > 0
    lengths = pd.Series(epochs)
    assert (lengths[table["state"] == "finished"] == 6).all()
    assert lengths[table["state"] == "pruned"].between(1, 5).all()


def test_relative_scores_are_of_one_moment() -> None:
    judge = tuning.Relative({"a_accuracy": 0.5, "b_loss": 2.0})
    history = training.History(
        {"epoch": [1, 2, 3], "a_accuracy": [0.5, 0.6, 0.4], "b_loss": [1.0, 1.5, 1.0]}
    )
    found = judge.best(history)
    assert found["epoch"] == 1  # gains of 0 and a half, then of a fifth and a quarter
    assert found["relative"] == pytest.approx((0.0 + 0.5) / 2)
    assert found["a_accuracy"] == 0.5
    with pytest.raises(KeyError, match="b_loss"):
        judge({"a_accuracy": 0.5})


# --- on disk --------------------------------------------------------------------------------------


def test_a_search_goes_on_with_other_draws(tmp_path: Path) -> None:
    first = _drawn(_in(tmp_path).run(_rate, 4))
    both = _drawn(_in(tmp_path).run(_rate, 8))
    pd.testing.assert_frame_equal(both[:4], first)
    assert both["rate"].nunique() == 8  # the same sampler would have drawn the first four again
    assert list(both["session"]) == [0] * 4 + [1] * 4
    assert len(_in(tmp_path).run(_rate, 8).table()) == 8


def test_another_search_in_the_folder_is_refused(tmp_path: Path) -> None:
    _in(tmp_path).run(_rate, 1)
    with pytest.raises(ValueError, match="another search: of space"):
        tuning.Search({"rate": tuning.Number(0, 1)}, {"score": "max"}, folder=tmp_path)
    with pytest.raises(ValueError, match="another search: of for"):
        tuning.Search(_in(tmp_path).space, {"score": "min"}, folder=tmp_path)


def test_a_killed_process_loses_its_running_trial_only(tmp_path: Path) -> None:
    done = another_process.run(KILLED, tmp_path)
    assert done.returncode == -signal.SIGKILL, done.stderr
    search = _in(tmp_path)
    before = search.table()
    assert list(before["state"]) == ["finished", "finished", "running"]
    # It died half-way through a line of the journal, too.
    with (tmp_path / "journal.log").open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"')
    table = search.run(_rate, 6).table()
    assert list(table["state"]) == ["finished"] * 2 + ["lost"] + ["finished"] * 4
    assert table["rate"][3] == table["rate"][2]  # begun again with the same settings
    assert table["rate"].nunique() == 6
    assert list(table["session"]) == [0, 0, 0, 1, 1, 1, 1]
    pd.testing.assert_frame_equal(table[:2], before[:2])


def test_a_trial_that_kills_whoever_tries_it_is_given_up(tmp_path: Path) -> None:
    deadly = KILLED.replace("attempt.number == 2", "attempt.number >= 0")
    for _ in range(3):
        assert another_process.run(deadly, tmp_path).returncode == -signal.SIGKILL
    table = _in(tmp_path).run(_rate, 1).table()
    assert list(table["state"]) == ["lost"] * 3 + ["finished"]
    assert table["rate"][:3].nunique() == 1
    assert table["rate"].nunique() == 2


def test_a_trial_of_a_session_that_lives_is_left_alone(tmp_path: Path) -> None:
    first, second = _in(tmp_path), _in(tmp_path)
    trial = first._take(3)
    tuning.suggest(first.space, trial)
    assert list(second.run(_rate, 3).table()["state"]) == ["running", "finished", "finished"]
    assert first._session is not None
    first._session.close()
    table = second.run(_rate, 3).table()
    assert list(table["state"]) == ["lost", "finished", "finished", "finished"]
    assert table["rate"][3] == table["rate"][0]


def test_processes_share_a_search(tmp_path: Path) -> None:
    running = [another_process.start(SHARING, tmp_path, name) for name in ("one", "other")]
    for done in [process.wait() for process in running]:
        assert done.returncode == 0, done.stderr
    table = _in(tmp_path).table()
    assert list(table["state"]) == ["finished"] * 6
    assert table["rate"].nunique() == 6
    assert set(table["session"]) == {0, 1}


def test_an_interrupted_trial_is_begun_again(tmp_path: Path) -> None:
    def interrupted(settings: dict[str, Any], attempt: tuning.Attempt) -> float:
        raise KeyboardInterrupt

    search = _in(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        search.run(interrupted, 2)
    table = search.run(_rate, 2).table()
    assert list(table["state"]) == ["lost", "finished", "finished"]
    assert table["rate"][1] == table["rate"][0]


def test_without_optuna_the_error_says_what_to_install() -> None:
    code = (
        "import sys\nsys.modules['optuna'] = None\nfrom mtl_utils import tuning\n"
        "assert tuning.expected_best([1.0, 2.0], 1) == 1.5\n"
        "try:\n    tuning.Search({'a': tuning.Number(0, 1)}, {'b': 'max'})\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = another_process.run(code)
    assert "pip install" in done.stdout, done.stderr


def test_optuna_is_imported_late() -> None:
    code = (
        "import sys, mtl_utils.tuning, mtl_utils.commands.tuning\n"
        "assert 'optuna' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
