import errno
import functools
import hashlib
import json
import os
import re
import subprocess
import sys

import another_process
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils import experiments
from mtl_utils.experiments import (
    Experiment,
    __main__,
    language_models,
    load_results,
    queue,
    records,
    summary,
    workspaces,
    workspaces_folder,
)

CONFIGS = ({"model": "count", "order": 2}, {"model": "net", "width": 8})


def toy(calls=None, run=None):
    def default(config, seed, place):
        if calls is not None:
            calls.append((config["model"], seed))
        return {"loss": seed + len(config["model"]), "curve": [1.0, 0.5]}

    return Experiment(
        name="toy",
        description="A toy.",
        configs=CONFIGS,
        seeds=(0, 1, 2),
        run=run or default,
        deterministic=lambda config: config["model"] == "count",
    )


def test_each_configuration_and_seed_is_run_once(tmp_path):
    calls = []
    path = experiments.run(toy(calls), tmp_path, progress=False)
    assert calls == [("count", 0), ("net", 0), ("net", 1), ("net", 2)]
    experiments.run(toy(calls), tmp_path, progress=False)
    assert len(calls) == 4
    experiments.run(toy(calls), tmp_path, seeds=[2, 7], progress=False)
    assert calls[4:] == [("count", 2), ("net", 7)]
    assert len(records.read(path)) == 6


def test_a_changed_order_of_settings_is_the_same_configuration(tmp_path):
    path = tmp_path / "toy.jsonl"
    records.append(path, records.make("toy", {"order": 2, "model": "count"}, 0, {}, 1.0))
    calls = []
    experiments.run(toy(calls), tmp_path, limit=1, progress=False)
    assert calls == [("net", 0)]


def test_a_record_says_how_it_came_about(tmp_path):
    (record,) = records.read(experiments.run(toy(), tmp_path, limit=1, progress=False))
    assert set(record) == {*records.FIELDS, "date"}
    assert record["config"] == CONFIGS[0]
    assert record["metrics"] == {"loss": 5, "curve": [1.0, 0.5]}
    assert record["versions"]["torch"].startswith("2.")
    assert record["hardware"]["cores"] >= 1
    assert set(record["hardware"]["flags"].split()) <= records.INSTRUCTIONS
    assert record["seconds"] >= 0
    assert record["commit"] == "unknown" or len(record["commit"].removesuffix("-dirty")) == 40
    assert record["date"][:2] == "20"
    assert record["date"].endswith("+00:00")


def test_a_killed_run_leaves_a_file_that_the_next_one_continues(tmp_path):
    path = experiments.run(toy(), tmp_path, limit=2, progress=False)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:50])
    with pytest.warns(UserWarning, match="half-written"):
        assert len(records.read(path)) == 2
    calls = []
    with pytest.warns(UserWarning, match="half-written"):
        experiments.run(toy(calls), tmp_path, progress=False)
    assert calls == [("net", 1), ("net", 2)]
    assert len(records.read(path)) == 4
    assert path.read_bytes().startswith(whole)


@functools.cache  # each record asks git for the commit
def made(town, seed):
    return records.make("toy", {"town": town}, seed, {}, 1.0)


@given(st.data())
def test_every_prefix_of_a_file_is_readable(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("results") / "toy.jsonl"
    for seed in range(3):
        records.append(path, made("Zürich", seed))
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    complete = path.read_bytes().count(b"\n")
    records.append(path, made("Bern", 9))
    assert [record["seed"] for record in records.read(path)] == [*range(complete), 9]


def test_a_disk_that_fills_up_leaves_the_records_before(tmp_path, monkeypatch):
    path = tmp_path / "toy.jsonl"
    records.append(path, records.make("toy", {}, 1, {}, 1.0))
    whole = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            records.append(path, records.make("toy", {}, 2, {}, 1.0))
    assert path.read_bytes() == whole


def test_processes_that_record_at_the_same_time_lose_nothing(tmp_path):
    path = tmp_path / "toy.jsonl"
    # A long record is written in parts, if it is not the only one being written.
    script = """
import sys
from mtl_utils.experiments import records
for seed in range(30):
    metrics = {"curve": [0.5] * 20_000}
    records.append(sys.argv[1], {"experiment": sys.argv[2], "seed": seed, "metrics": metrics})
"""
    processes = [another_process.start(script, path, name) for name in ("a", "b")]
    assert [process.wait().returncode for process in processes] == [0, 0]
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted((r["experiment"], r["seed"]) for r in found) == [
        (name, seed) for name in ("a", "b") for seed in range(30)
    ]


def test_a_failing_run_keeps_the_records_before_it(tmp_path):
    def fail(config, seed, place):
        if seed == 1:
            raise FloatingPointError("step 3")
        return {}

    with pytest.raises(FloatingPointError):
        experiments.run(toy(run=fail), tmp_path, progress=False)
    assert len(records.read(tmp_path / "toy.jsonl")) == 2


def test_a_killed_run_finds_its_workspace_again_and_a_finished_one_leaves_none(tmp_path):
    found = []

    def run(config, seed, place):
        assert place.workspace.is_dir()
        assert place.results == tmp_path
        checkpoint = place.workspace / "checkpoint.txt"
        found.append((config["model"], seed, checkpoint.exists()))
        checkpoint.write_text(f"{config['model']} {seed}")
        if len(found) == 2:
            raise KeyboardInterrupt
        assert checkpoint.read_text() == f"{config['model']} {seed}"
        return {"loss": 1.0, "seconds": 77.0}

    with pytest.raises(KeyboardInterrupt):
        experiments.run(toy(run=run), tmp_path, progress=False)
    path = experiments.run(toy(run=run), tmp_path, progress=False)
    cells = [("count", 0), ("net", 0), ("net", 0), ("net", 1), ("net", 2)]
    assert found == [(*cell, index == 2) for index, cell in enumerate(cells)]
    assert list((workspaces_folder(tmp_path) / "toy").iterdir()) == []
    assert os.listdir(tmp_path) == ["toy.jsonl"]
    assert [record["seconds"] for record in records.read(path)] == [77.0] * 4
    assert all("seconds" not in record["metrics"] for record in records.read(path))


def test_a_resumed_run_took_no_less_than_its_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records.time, "perf_counter", lambda: 100.0)
    for training, began, seconds in ((342.6, 45.0, 342.6), (0.5, 40.0, 60.0)):
        record = records.of_run("name", {}, 0, {"training_seconds": training}, began)
        assert record["seconds"] == seconds


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "toy.jsonl"
    path.write_text("{oops\n{}\n")
    with pytest.raises(ValueError, match=r"toy\.jsonl, line 1 is not JSON"):
        records.read(path)
    for line in ('{"a": NaN}', '{"a": 1, "a": 2}', "[" * 100_000):
        path.write_text(line + "\n")
        with pytest.raises(ValueError, match=r"toy\.jsonl, line 1 is not JSON"):
            records.read(path)
    path.write_text('{"experiment": "toy"}\n')
    with pytest.raises(ValueError, match="lacks config, seed"):
        records.read(path)


def test_what_json_cannot_say_is_not_recorded(tmp_path):
    path = tmp_path / "toy.jsonl"
    with pytest.raises(ValueError, match="infinity or nan"):
        records.append(path, records.make("toy", {}, 0, {"loss": float("nan")}, 1.0))
    assert not path.exists()
    with pytest.raises(ValueError, match=r"both settings and metrics of toy: \['order'\]"):
        records.make("toy", {"order": 1}, 0, {"order": 2}, 1.0)


def test_results_become_a_frame(tmp_path):
    experiments.run(toy(), tmp_path, progress=False)
    frame = load_results("toy", tmp_path)
    assert list(frame["model"]) == ["count", "net", "net", "net"]
    assert list(frame["loss"]) == [5, 3, 4, 5]
    assert frame["order"].isna().tolist() == [False, True, True, True]
    assert {"seed", "seconds", "commit", "date", "curve"} <= set(frame.columns)


def test_where_results_are_looked_for(tmp_path, monkeypatch):
    experiments.run(toy(), tmp_path, limit=1, progress=False)
    monkeypatch.setenv("MTL_RESULTS_DIR", str(tmp_path))
    assert len(load_results("toy")) == 1
    with pytest.raises(FileNotFoundError, match="which has toy"):
        load_results("other")
    monkeypatch.setenv("MTL_RESULTS_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="no folder of results"):
        load_results("toy")
    monkeypatch.delenv("MTL_RESULTS_DIR")
    monkeypatch.setattr(records, "repository", lambda: tmp_path)
    monkeypatch.setattr(records.sysconfig, "get_path", lambda name: str(tmp_path / "prefix"))
    with pytest.raises(FileNotFoundError, match="set MTL_RESULTS_DIR"):
        load_results("toy")
    installed = tmp_path / "prefix" / "share" / "mtl_utils" / "results"
    installed.mkdir(parents=True)
    assert records.results_folder() == installed
    (tmp_path / "book" / "results").mkdir(parents=True)
    assert records.results_folder() == tmp_path / "book" / "results"


values = st.lists(st.floats(-100, 100), min_size=2, max_size=8)


@given(values)
def test_the_interval_is_that_of_scipy(sample):
    from scipy import stats

    frame = pd.DataFrame({"model": "net", "loss": sample})
    (row,) = summary(frame, "model", "loss").to_dict("records")
    assert row["n"] == len(sample)
    assert row["mean"] == pytest.approx(sum(sample) / len(sample), abs=1e-9)
    if row["std"] > 1e-6:
        low, high = stats.t.interval(
            0.95, len(sample) - 1, loc=row["mean"], scale=stats.sem(sample)
        )
        assert (row["low"], row["high"]) == pytest.approx((low, high))


@given(st.floats(0.001, 0.999), st.integers(1, 60))
def test_the_quantile_is_that_of_scipy(probability, degrees):
    from scipy import stats

    expected = stats.t.ppf(probability, degrees)
    found = experiments.student_t_quantile(probability, degrees)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_summary_groups_in_order_and_keeps_missing_settings():
    frame = pd.DataFrame(
        {
            "model": ["net", "net", "count", "net"],
            "order": [None, None, 2, None],
            "loss": [1.0, 2.0, 5.0, 3.0],
        }
    )
    table = summary(frame, ["model", "order"], "loss")
    assert list(table["model"]) == ["net", "count"]
    assert list(table["n"]) == [3, 1]
    assert list(table["mean"]) == [2.0, 5.0]
    assert table["half_width"].iloc[0] == pytest.approx(4.302652729911275 / 3**0.5)
    assert table[["std", "half_width", "low", "high"]].iloc[1].isna().all()
    with pytest.raises(KeyError, match="speed"):
        summary(frame, "model", "speed")
    with pytest.raises(ValueError, match=r"confidence must lie in \(0, 1\), got 1.0"):
        summary(frame, "model", "loss", confidence=1.0)


def test_the_command_line(tmp_path, capsys, monkeypatch):
    calls = []
    monkeypatch.setattr(language_models, "EXPERIMENTS", (toy(calls),))
    assert __main__.main(["list"]) == 0
    assert "2 configurations, 4 runs" in capsys.readouterr().out
    arguments = ["run", "toy", "--output", str(tmp_path), "--seeds", "5", "6", "--limit", "2"]
    assert __main__.main(arguments) == 0
    assert calls == [("count", 5), ("net", 5)]
    assert __main__.main(["run", "nothing"]) == 2
    assert "toy" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        __main__.main(["run", "toy", "--limit", "0"])


def test_the_module_runs_in_a_process_of_its_own():
    done = subprocess.run(
        [sys.executable, "-m", "mtl_utils.experiments", "list"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "language_models_characters" in done.stdout


def is_named(experiment: str, pages: str) -> bool:
    """A name of one word, such as "hierarchies", is a word of the prose too: there it is none."""
    if "_" in experiment:
        return experiment in pages
    spans = "\n".join(span for line in pages.splitlines() for span in line.split("`")[1::2])
    return bool(re.search(rf"\b{experiment}\b", spans) or re.search(rf'"{experiment}\\?"', pages))


def test_an_experiment_is_named_in_code_and_not_in_prose():
    assert is_named("hierarchies", "`python -m mtl_utils.experiments work hierarchies`")
    assert is_named("hierarchies", 'load_results(\\"hierarchies\\")')
    assert is_named("balancers_doubled", "the record balancers_doubled")
    assert not is_named(
        "hierarchies", "`nn` knows hierarchies, and `no` others: 09_hierarchies.html"
    )


def test_what_is_recorded_in_the_book_is_whole():
    """Records of a table that no page shows, or that says itself what is missing, may be coming."""
    known, root = experiments.registry(), records.repository()
    pages = [*root.glob("chapters/*.ipynb"), *root.glob("book/*.md"), *root.glob("book/_ext/*.py")]
    shown = "\n".join(page.read_text("utf-8") for page in pages)
    shown = re.sub(r"\{recorded-comparison\} \w+", "", shown)
    for path in sorted((root / "book" / "results").glob("*.jsonl")):
        if path.stem not in known:
            continue
        found = records.read(path)
        assert {record["experiment"] for record in found} == {path.stem}
        keys = [records.key(record) for record in found]
        assert len(set(keys)) == len(keys)
        wanted = {(path.stem, records.canonical(c), s) for c, s in known[path.stem].cells()}
        missing = wanted - set(keys)
        if path.stem.endswith("_ablations"):
            missing = set()  # a change that is not whole is in no table (test_comparison_tables)
        assert not (missing and is_named(path.stem, shown)), "run it again: some have no record"
        json.dumps(found, allow_nan=False)


def test_workspaces_are_in_the_cache_and_not_shared_between_checkouts(tmp_path, monkeypatch):
    monkeypatch.delenv("MTL_WORKSPACES")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    one, other = (tmp_path / name / "book" / "results" for name in ("one", "other"))
    found = workspaces_folder(one)
    assert found.parent == tmp_path / "cache" / "mtl_utils" / "workspaces"
    assert found.name.startswith("one-book-results-")
    assert found != workspaces_folder(other)
    assert found == workspaces_folder(one / ".." / "results")
    monkeypatch.setenv("MTL_WORKSPACES", str(tmp_path / "own"))
    assert workspaces_folder(one) == tmp_path / "own" / found.name


@pytest.mark.parametrize(
    ("platform", "folder"),
    [("linux", ".cache"), ("darwin", "Library/Caches"), ("win32", "AppData/Local")],
)
def test_the_cache_is_where_the_system_has_it(tmp_path, monkeypatch, platform, folder):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    for name in ("MTL_WORKSPACES", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(workspaces.sys, "platform", platform)
    monkeypatch.setattr(workspaces.Path, "home", lambda: tmp_path)
    assert workspaces_folder(tmp_path).is_relative_to(tmp_path / folder / "mtl_utils")


def test_a_run_that_an_older_version_left_beside_the_results_is_found(tmp_path):
    digest = hashlib.sha256(records.canonical(CONFIGS[0]).encode()).hexdigest()[:12]
    left = tmp_path / ".workspaces" / "toy" / f"{digest}-0"
    left.mkdir(parents=True)
    (left / "checkpoint.txt").write_text("step 7")

    def run(config, seed, place):
        found = place.workspace / "checkpoint.txt"
        return {"from": found.read_text() if found.exists() else "the start"}

    path = experiments.run(toy(run=run), tmp_path, limit=2, progress=False)
    starts = [record["metrics"]["from"] for record in records.read(path)]
    assert starts == ["step 7", "the start"]
    assert not left.exists()


def test_every_experiment_of_the_book_needs_what_there_is():
    there = experiments.registry()
    assert set(queue.in_order([], there)) == set(there)
    assert there["loss_scales"].needs == ("loss_scales_search",)
