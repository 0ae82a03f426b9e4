"""Recorded runs and searches on a Ray cluster: equal to local ones, killed, failing, stopped."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import another_process
import pandas as pd
import pytest
import queued_experiments
from hang_guard import HANG_SECONDS
from ray_experiments import DyingTrials, known

from mtl_utils import cluster
from mtl_utils.cluster import Cluster, LostTaskError, connected
from mtl_utils.commands import main, tuning
from mtl_utils.commands.messages import Refused
from mtl_utils.commands.tuning_file import read_tuning_file
from mtl_utils.commands.tuning_on_ray import OnRay, one_trial
from mtl_utils.experiments import (
    Place,
    WorkReport,
    __main__,
    on_ray,
    records,
    remote,
    work,
    workspaces_folder,
)
from mtl_utils.experiments.processes import KNOWN, cores
from mtl_utils.experiments.queue import all_needs, planned
from mtl_utils.experiments.workspaces import claim, give_up, log_of, workspace_of
from mtl_utils.tuning import Search

ray = pytest.importorskip("ray", reason="the extra cluster is not installed")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kills processes")
TESTS = Path(__file__).parent
TUNING = """
[tuning]
trials = 3
objectives = ["topic_accuracy", "parameters"]
[tuning.space]
"training.learning_rate" = {low = 1e-3, high = 1e-1, log = true}
"encoder.width" = [8, 12]
"""


@pytest.fixture(scope="module")
def two_cpus() -> Iterator[Cluster]:
    """A cluster of this process alone, which imports what the tests do.

    It is started as from the background of a shell, where Ctrl-C is not heard.
    """
    paths = os.pathsep.join([str(TESTS.parent), str(TESTS), str(TESTS / "commands")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", paths)
        patch.delenv("RAY_ADDRESS", raising=False)
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with connected(None, 2, cores()) as started:
                signal.signal(signal.SIGINT, before)
                yield started
        finally:
            signal.signal(signal.SIGINT, before)
    assert not ray.is_initialized()


def _whole(folder: Path) -> dict[str, float]:
    """Return what the run that was killed measures where nothing kills it."""
    folder.mkdir()
    found: dict[str, float] = queued_experiments.steps({"steps": 7}, 0, Place(folder, folder))
    return found


def test_runs_on_a_cluster_are_those_made_here(two_cpus: Cluster, tmp_path: Path) -> None:
    """One raises an error, one is killed half-way, one needs its record, and one trains."""
    names = ["fails", "tells", "trains"]
    report = work(names, tmp_path, jobs=2, known=known, on="ray")
    assert (report.recorded, report.left) == (3, 1)
    (failed,) = report.failed
    assert failed.startswith("fails seed 0: exit status 1, FloatingPointError: the loss is nan at")
    log = Path(failed.split("see ")[1]).read_text("utf-8")
    assert 'raise FloatingPointError("the loss is nan at step 3")' in log

    # Begun again from its checkpoint: nothing is lost but a step, and nothing is there twice.
    assert (tmp_path / "steps.txt").read_text() == "0 1 2 3 4 4 5 6 "
    (steps,) = records.read(tmp_path / "steps.jsonl")
    assert steps["metrics"] == _whole(tmp_path / "whole")
    (tells,) = records.read(tmp_path / "tells.jsonl")
    expected = {"threads": 1, "omp": "1", "bars": "1", "x_there": steps["metrics"]["x"]}
    assert tells["metrics"] == expected
    assert list((workspaces_folder(tmp_path) / "steps").iterdir()) == []

    here = tmp_path / "here"
    assert work(["trains"], here, jobs=cores(), known=known).recorded == 1
    (there,), (local,) = (records.read(f / "trains.jsonl") for f in (tmp_path, here))
    assert _without_seconds(there["metrics"]) == _without_seconds(local["metrics"])
    for name in ("config", "seed", "versions", "hardware"):
        assert there[name] == local[name]


def _without_seconds(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_seconds(v) for k, v in value.items() if "seconds" not in k}
    return [_without_seconds(v) for v in value] if isinstance(value, list) else value


def test_a_worker_that_is_told_to_stop_ends_its_runs_on_the_cluster(
    two_cpus: Cluster,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mtl_utils.experiments.worker.GRACE", 10**9)  # told, never killed
    begun, over = tmp_path / "begun.txt", threading.Event()

    def interrupt() -> None:
        while not over.is_set() and not (begun.exists() and begun.read_text()):
            time.sleep(0.05)
        if not over.is_set():
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        assert work(["waits"], tmp_path, jobs=1, known=known, on="ray") == WorkReport(0, (), 1)
    finally:
        over.set()
        thread.join(HANG_SECONDS)
    said = capsys.readouterr().out
    assert "stopped waits seed 0; next time it goes on from its checkpoint" in said
    ended = tmp_path / "ended.txt"
    for _ in range(20 * HANG_SECONDS):  # Ray may say that a task is over before its last lines
        if ended.exists() and ended.read_text():
            break
        time.sleep(0.05)
    assert ended.read_text() == "ended"
    workspace = workspace_of(tmp_path, "waits", {"n": 1}, 0)
    assert (workspace / "checkpoint.txt").read_text() == "step 7"
    give_up(claim(workspace))
    assert records.read(tmp_path / "waits.jsonl") == []


def test_a_killed_task_loses_its_trial_only(
    two_cpus: Cluster,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(TESTS / "commands")
    from tiny_runs import THREE, write_run

    one_task = THREE[: THREE.index("[tasks.names]")] + THREE[THREE.index("[encoder]") :]
    asked = read_tuning_file(write_run(tmp_path, one_task + TUNING))

    def dying(trials: tuning.Trials) -> Search:
        fields = {f.name: getattr(trials, f.name) for f in dataclasses.fields(trials)}
        return OnRay(None, 2)(DyingTrials(**fields, killed=tmp_path / "killed.txt"))

    said = tuning.tune(asked, dying)
    assert "3 finished, 1 lost" in said
    assert (tmp_path / "killed.txt").exists()
    told = capsys.readouterr().err
    assert "a trial was lost and is begun again" in told
    assert told.count("topic_accuracy") == 3
    trials = pd.read_csv(asked.output / "trials.csv")
    assert (trials["state"] == "finished").sum() == 3
    settings = ["training.learning_rate", "encoder.width"]
    lost = trials[trials["state"] == "lost"]
    again = trials[trials["trial"] > lost["trial"].item()]
    assert lost[settings].to_numpy().tolist()[0] in again[settings].to_numpy().tolist()
    assert trials["training.learning_rate"].nunique() == 3

    # Here the scores are those that were measured there.
    assert main(["train", str(asked.output / "best.toml"), "--quiet"]) == 0
    measured = json.loads((asked.output / "best/metrics.json").read_text("utf-8"))["validation"]
    assert measured["topic_accuracy"] == trials["topic_accuracy"].max()
    assert main(["tune", str(tmp_path / "run.toml"), "--on", "ray", "--jobs", "1"]) == 0
    assert len(pd.read_csv(asked.output / "trials.csv")) == 4


# --- without a cluster ----------------------------------------------------------------------------


class PretendedRay:
    """A cluster whose tasks end as they are told to.

    Args:
        answers: What comes of each task: an answer, or an error.
    """

    def __init__(self, *answers: Any) -> None:
        self.answers, self.submitted = list(answers), []

    def submit(self, function: Any, asked: remote.Asked, **settings: Any) -> int:
        self.submitted.append((asked, settings))
        return len(self.submitted) - 1

    def outcome(self, reference: int) -> Any:
        found = self.answers[reference]
        if isinstance(found, Exception):
            raise found
        return found

    def wait(self, references: list[int], timeout: float) -> tuple[list[int], list[int]]:
        return (references, []) if self.answers else ([], references)


def _pretend(
    monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, *answers: Any
) -> tuple[PretendedRay, Any]:
    pretended = PretendedRay(*answers)
    monkeypatch.setattr(on_ray, "ray", lambda: pretended)
    monkeypatch.setattr(on_ray, "outcome", pretended.outcome)
    (run,) = (run for run in planned([name], known()) if run.experiment.name == name)
    launch = on_ray.OnRay(folder, "ray_experiments:known", all_needs(known()), pretended)  # type: ignore[arg-type]
    return pretended, lambda: launch(run)


def test_a_run_that_kills_whoever_runs_it_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = [LostTaskError("it died")] * 9
    pretended, launch = _pretend(monkeypatch, tmp_path, "waits", *gone)
    process = launch()
    assert launch() is None  # this process holds the workspace
    assert [process.poll() for _ in range(3)] == [None, None, 1]
    assert len(pretended.submitted) == 3
    log = log_of(workspace_of(tmp_path, "waits", {"n": 1}, 0))
    assert log.read_text("utf-8") == "lost with its process each of 3 times: it died"
    assert process.poll() == 1
    give_up(claim(log.with_suffix("")))


def test_what_another_worker_recorded_meanwhile_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended, launch = _pretend(monkeypatch, tmp_path, "waits")
    made = records.make("waits", {"n": 1}, 0, {}, 1.0)
    records.append(tmp_path / "waits.jsonl", made)
    assert launch().poll() == KNOWN
    assert not pretended.submitted
    assert list((workspaces_folder(tmp_path) / "waits").iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (remote.Answer({"experiment": "waits", "loss": float("nan")}, "", 0), "infinity or nan"),
        (ModuleNotFoundError("No module named 'mine'"), "No module named 'mine'"),
        (remote.Answer(None, "why it leaves", 7), "why it leaves"),
        (remote.Answer(None, "it left", 0), "it left"),
    ],
)
def test_what_cannot_be_recorded_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any, said: str
) -> None:
    _, launch = _pretend(monkeypatch, tmp_path, "waits", answer)
    assert launch().poll() == (getattr(answer, "status", 0) or 1)
    log = log_of(workspace_of(tmp_path, "waits", {"n": 1}, 0))
    assert said in log.read_text("utf-8")
    assert records.read(tmp_path / "waits.jsonl") == []


def test_a_machine_that_does_not_see_the_disk_has_folders_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the other machine has under the same name is not what was meant."""
    there, elsewhere = tmp_path / "there", tmp_path / "elsewhere"
    pretended, launch = _pretend(monkeypatch, there, "tells")
    records.append(there / "steps.jsonl", records.make("steps", {}, 0, {"x": 0.5}, 1.0))
    launch()
    ((asked, _),) = pretended.submitted
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MTL_KEPT_SETS", "")
    monkeypatch.setenv("MTL_WORKSPACES", str(elsewhere))
    other = dataclasses.replace(asked, mark="of another driver", nice=0)
    answer = remote.answer(other)
    assert answer.record is not None, answer.said
    assert answer.record["metrics"]["x_there"] == 0.5
    assert [path for path in elsewhere.rglob("*") if path.is_file()] == []
    gone = dataclasses.replace(other, config='{"n": 7}')
    assert 'tells has no configuration {"n": 7} here' in remote.answer(gone).said


@pytest.mark.parametrize(
    ("nodes", "gpus", "jobs", "expected"),
    [
        ([4, 4], 0, None, (8, 1, 0)),
        ([4, 4], 0, 4, (4, 2, 0)),
        ([4, 4], 0, 1, (1, 4, 0)),  # on one machine, which has no more
        ([0, 8], 2, None, (2, 4, 1)),
        ([8], 1, 4, (4, 2, 0.25)),
        ([0], 0, None, (1, 1, 0)),
    ],
)
def test_tasks_share_what_a_cluster_has(
    monkeypatch: pytest.MonkeyPatch, nodes: list[int], gpus: int, jobs: int | None, expected: Any
) -> None:
    class Pretended:
        def cluster_resources(self) -> dict[str, float]:
            return {"CPU": float(sum(nodes)), "GPU": float(gpus)}

        def nodes(self) -> list[dict[str, Any]]:
            return [{"Resources": {"CPU": float(cpus)}} for cpus in nodes]

        def is_initialized(self) -> bool:
            return True

    monkeypatch.setattr(cluster, "ray", Pretended)
    with connected(None, jobs, 99) as found:
        assert (found.jobs, found.threads, found.gpus) == expected


@pytest.mark.parametrize(("jobs", "threads"), [(None, 1), (1, 4), (2, 2), (3, 1), (8, 1)])
def test_a_cluster_that_is_started_here_has_room_for_its_tasks(
    monkeypatch: pytest.MonkeyPatch, jobs: int | None, threads: int
) -> None:
    """A task that asks for more than there is would wait for ever."""
    started: dict[str, Any] = {}

    class Pretended:
        def is_initialized(self) -> bool:
            return False

        def init(self, **settings: Any) -> None:
            started.update(settings, usage=os.environ["RAY_USAGE_STATS_ENABLED"])

        def cluster_resources(self) -> dict[str, float]:
            return {"CPU": float(started["num_cpus"])}

        def shutdown(self) -> None:
            started["over"] = True

    monkeypatch.setattr(cluster, "ray", Pretended)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    with connected(None, jobs, 4) as found:
        assert found.threads == threads
        assert found.cpus * found.jobs == started["num_cpus"]
        assert os.environ.get("RAY_USAGE_STATS_ENABLED") is None
    assert started["over"]
    assert started["usage"] == "0"


def test_a_folder_that_a_machine_does_not_see_is_refused(tmp_path: Path) -> None:
    class Pretended:
        class asked:
            output = tmp_path

    with pytest.raises(Refused, match="trials on several machines need a folder that all see"):
        one_trial(Pretended, 3)  # type: ignore[arg-type]


def test_an_address_is_that_of_a_cluster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match=r"address='a:1' is that of a cluster, for on=\"ray\""):
        work(["waits"], tmp_path, known=known, address="a:1")
    with pytest.raises(ValueError, match=r"on must be one of \['here', 'ray'\]"):
        work(["waits"], tmp_path, known=known, on="rays")  # type: ignore[arg-type]
    assert __main__.main(["work", "--address", "a:1"]) == 2
    assert "give --on ray with it" in capsys.readouterr().err


def test_without_ray_the_error_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys\nsys.modules['ray'] = None\nfrom mtl_utils.experiments import __main__\n"
        "sys.exit(__main__.main(['work', 'loss_scales', '--on', 'ray', '--output', sys.argv[1]]))"
    )
    done = another_process.run(code, tmp_path)
    assert done.returncode == 2
    assert 'pip install ray, or pip install "mtl_utils[cluster]"' in done.stderr


def test_ray_is_imported_late() -> None:
    code = (
        "import sys, mtl_utils.experiments.__main__, mtl_utils.commands.tuning_on_ray\n"
        "assert 'ray' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
