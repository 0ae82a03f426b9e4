"""The queue of recorded runs: what is taken next, by whom, and what becomes of what was begun."""

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest
import queued_experiments
from hang_guard import HANG_SECONDS
from queued_experiments import counts, counts_in_company, experiment, known

from mtl_utils import experiments
from mtl_utils.experiments import (
    Place,
    WorkReport,
    __main__,
    child,
    estimate,
    language_models,
    records,
    work,
    workspaces,
    workspaces_folder,
)
from mtl_utils.experiments.estimates import written
from mtl_utils.experiments.processes import Children, usual_jobs
from mtl_utils.experiments.queue import Run, importable_name, in_order, planned
from mtl_utils.experiments.runner import record_in, record_one
from mtl_utils.experiments.worker import Worker
from mtl_utils.experiments.workspaces import claim, give_up, hold, remove, workspace_of

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="forks processes")
FORK = multiprocessing.get_context("fork") if sys.platform == "linux" else multiprocessing
AB = ({"n": "a"}, {"n": "b"})


def listed(*made):
    return {one.name: one for one in made}


def taken(runs):
    return [(run.experiment.name, run.config["n"], run.seed) for run in runs]


def test_the_highest_priority_comes_first_then_the_first_seed_of_everything():
    low = experiment("low", counts, *AB, seeds=(5, 3))
    other = experiment("other", counts, {"n": "c"}, seeds=(7,), deterministic=lambda config: True)
    high = experiment("high", counts, {"n": "d"}, seeds=(0, 1), priority=2)
    assert taken(planned([], listed(low, other, high))) == [
        ("high", "d", 0),
        ("high", "d", 1),
        ("low", "a", 5),
        ("low", "b", 5),
        ("other", "c", 7),
        ("low", "a", 3),
        ("low", "b", 3),
    ]


def test_what_is_needed_comes_along_with_the_priority_of_what_needs_it():
    last = experiment("last", counts, {"n": 1}, needs=("middle",), priority=5)
    middle = experiment("middle", counts, {"n": 1}, needs=("first",))
    first, apart = (experiment(name, counts, {"n": 1}) for name in ("first", "apart"))
    there = listed(apart, last, middle, first)
    assert in_order([], there) == {"last": 5, "middle": 5, "first": 5, "apart": 0}
    assert set(in_order(["middle"], there)) == {"middle", "first"}
    with pytest.raises(KeyError, match="No experiment named 'nothing'; there are apart, first"):
        in_order(["nothing"], there)
    with pytest.raises(KeyError, match="No experiment named 'first'"):
        in_order(["middle"], listed(middle))
    circle = replace(first, needs=("last",))
    with pytest.raises(ValueError, match=r"These need each other: .*middle"):
        in_order([], listed(last, middle, circle))


@dataclass
class Pretended:
    """A process that ends after so many looks at it, and then puts its run on record."""

    run: Run
    folder: object
    code: int
    looks: int
    deaf: bool = False
    told: list = field(default_factory=list)

    def poll(self):
        self.looks -= 1
        if "kill" in self.told or (self.told and not self.deaf):
            return -15
        if self.looks > 0:
            return None
        if self.code == 0:
            record(self.folder, self.run)
        return self.code

    def terminate(self):
        self.told.append("terminate")

    def kill(self):
        self.told.append("kill")


def record(folder, run, seconds=1.0):
    name = run.experiment.name
    made = records.make(name, run.config, run.seed, {}, seconds)
    records.append(records.file_of(folder, name), made)


def pretend(folder, runs, jobs=1, looks=1, failing=(), held=(), **settings):
    """Let a worker work with pretended processes; return it and the order of its starts."""
    begun, said = [], []

    def launch(run):
        if run.experiment.name in held:
            return None
        begun.append(run)
        process = Pretended(run, folder, int(run.experiment.name in failing), looks)
        processes.append(process)
        return process

    processes = []
    worker = Worker(
        runs, folder, launch, jobs, **{"sleep": lambda seconds: None, "say": said.append} | settings
    )
    return worker, begun, said, processes


def test_what_is_needed_is_on_record_before_what_needs_it_begins(tmp_path):
    final = experiment("final", counts, *AB, needs=("search",), priority=1)
    search = experiment("search", counts, *AB, seeds=(0, 1))
    free = experiment("free", counts, {"n": "c"}, seeds=(0, 1, 2))
    runs = planned([], listed(final, search, free))
    worker, begun, _, _ = pretend(tmp_path, runs, jobs=3, looks=3)
    report = worker.work()
    assert (report.recorded, report.failed, report.left) == (9, (), 0)
    names = [run.experiment.name for run in begun]
    # While the last run of the search goes on, what needs nothing is taken.
    assert names == ["search"] * 4 + ["free"] * 2 + ["final", "final", "free"]


def test_at_most_so_many_go_on_at_a_time(tmp_path):
    runs = planned([], listed(experiment("one", counts, *AB, seeds=(0, 1, 2))))
    worker, begun, said, processes = pretend(tmp_path, runs, jobs=2, looks=2)
    most = []
    worker.sleep = lambda seconds: most.append(sum(p.looks > 0 for p in processes))
    worker.clock = lambda: 0.0
    assert worker.work().left == 0
    assert max(most) == 2
    assert len(begun) == 6
    assert said[0].startswith("6 of 6 runs remain; nothing says how long 6 of them take")
    done = [line for line in said if line.startswith("done")]
    assert done[0].startswith(
        "done    one n=a seed 0, 0 s; 4 of 6 runs remain, 2 s with 2 at a time, "
    )
    assert said[-1] == "6 of 6 runs are on record"


def test_a_failure_is_told_and_not_tried_again_and_the_others_go_on(tmp_path):
    bad = experiment("bad", counts, {"n": 1}, priority=1)
    after = experiment("after", counts, {"n": 1}, needs=("bad",))
    runs = planned([], listed(bad, after, experiment("good", counts, *AB)))
    worker, begun, said, _ = pretend(tmp_path, runs, failing=("bad",))
    report = worker.work()
    assert [run.experiment.name for run in begun] == ["bad", "good", "good"]
    assert (report.recorded, report.left) == (2, 2)
    (line,) = report.failed
    assert line.startswith("bad seed 0: exit status 1; see ")
    assert said[-1].startswith("2 of 4 runs remain, of which 1 failed")


@pytest.mark.parametrize(("minutes", "recorded"), [(1, 2), (3, 8)])
def test_when_its_minutes_are_over_a_worker_stops_what_runs(tmp_path, minutes, recorded):
    """Two at a time take 40 seconds: 4 looks at each, 10 seconds between two looks."""
    runs = planned([], listed(experiment("one", counts, *AB, seeds=range(9))))
    now = [0.0]
    worker, begun, said, processes = pretend(tmp_path, runs, 2, 4, minutes=minutes)

    def sleep(seconds):
        now[0] += 10

    worker.clock, worker.sleep = lambda: now[0], sleep
    report = worker.work()
    assert report.recorded == recorded
    assert len(begun) == recorded + 2
    assert [process.told for process in processes[-2:]] == [["terminate"]] * 2
    assert f"{minutes} minutes are over." in said
    assert report.failed == ()


def test_what_another_worker_is_at_is_left_to_it_until_it_is_done_or_killed(tmp_path):
    theirs, ours = (experiment(name, counts, {"n": 1}) for name in ("theirs", "ours"))
    held = {"theirs"}
    runs = planned([], listed(theirs, ours))
    worker, begun, _, _ = pretend(tmp_path, runs, held=held)
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 50:  # the other one is killed
            held.clear()

    worker.sleep = sleep
    assert worker.work().left == 0
    assert [run.experiment.name for run in begun] == ["ours", "theirs"]
    assert 50 <= len(waited) <= 70


def test_a_worker_that_is_hurried_does_not_wait_for_its_runs(tmp_path):
    runs = planned([], listed(experiment("one", counts, *AB)))
    worker, _, said, processes = pretend(tmp_path, runs, looks=99)

    def sleep(seconds):
        worker.stop_requests += 1
        processes[0].deaf = True

    worker.sleep = sleep
    worker.work()
    assert processes[0].told == ["terminate", "kill"]
    assert any(line.startswith("stopped one n=a seed 0") for line in said)


@dataclass
class Forked:
    """A process that imports nothing anew, where only who runs what is to be seen."""

    process: multiprocessing.Process

    def poll(self):
        return self.process.exitcode


def work_forking(folder, count):
    def launch(run):
        workspace = workspace_of(folder, "counts", run.config, run.seed)
        try:
            claimed = claim(workspace)
        except TimeoutError:
            return None
        arguments = (workspace, run.experiment, run.config, run.seed, folder)
        process = FORK.Process(target=record_in, args=arguments)
        process.start()
        give_up(claimed)
        return Forked(process)

    runs = planned([], listed(experiment("counts", counts_in_company, *AB, seeds=range(count))))
    sys.exit(Worker(runs, folder, launch, jobs=2).work().left)


def attempt(folder, count):
    one = experiment("counts", counts_in_company, *AB, seeds=range(count))
    for config, seed in one.cells():
        record_one(one, config, seed, folder)


@LINUX
@pytest.mark.parametrize("many", [attempt, work_forking])
def test_processes_that_work_at_the_same_time_never_run_one_twice(tmp_path, many):
    processes = [FORK.Process(target=many, args=(tmp_path, 8)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(HANG_SECONDS)
    assert [process.exitcode for process in processes] == [0] * 3
    lines = (tmp_path / "pids.txt").read_text().splitlines()
    ran = sorted(line.split()[0] for line in lines)
    assert ran == sorted(f"{config['n']}-{seed}" for config in AB for seed in range(8))
    assert len({line.split()[1] for line in lines}) > 1
    assert len(records.read(tmp_path / "counts.jsonl")) == 16
    assert list((workspaces_folder(tmp_path) / "counts").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="there are no locks")
def test_a_workspace_has_one_holder_and_can_be_had_when_it_is_given_up(tmp_path):
    workspace = tmp_path / "workspace"
    claimed = claim(workspace)
    with pytest.raises(TimeoutError):
        claim(workspace)
    with hold(workspace) as ours:
        assert not ours
    give_up(claimed)
    with hold(workspace) as ours:
        assert ours
    one = experiment("counts", counts, {"n": "a"})
    claimed = claim(workspace_of(tmp_path, "counts", {"n": "a"}, 0))
    with pytest.warns(UserWarning, match="1 runs of counts were left to another process"):
        path = experiments.run(one, tmp_path, progress=False)
    assert records.read(path) == []
    give_up(claimed)
    assert len(records.read(experiments.run(one, tmp_path, progress=False))) == 1


@LINUX
def test_a_workspace_that_is_being_removed_can_be_had_anew_and_stays(tmp_path, monkeypatch):
    workspace = workspace_of(tmp_path, "counts", {"n": 1}, 0)
    anew = []

    class Slow(tempfile.TemporaryDirectory):
        def cleanup(self):
            anew.append(claim(workspace))  # what another process may do at any time
            super().cleanup()

    with hold(workspace):
        (workspace / "weights.pt").touch()
        monkeypatch.setattr(workspaces.tempfile, "TemporaryDirectory", Slow)
        remove(workspace)
    assert [file.name for file in workspace.iterdir()] == [".lock"]
    with pytest.raises(TimeoutError):
        claim(workspace)
    give_up(*anew)
    assert list(workspace.parent.iterdir()) == [workspace]


def test_what_was_left_of_a_run_that_is_on_record_is_removed(tmp_path):
    (run,) = planned([], listed(experiment("one", counts, {"n": 1})))
    record(tmp_path, run)
    left = workspace_of(tmp_path, "one", run.config, 0)
    left.mkdir(parents=True)
    (left / "checkpoint.txt").write_text("step 7")
    assert pretend(tmp_path, [run])[0].work().recorded == 0
    assert not left.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_run_loses_its_steps_since_the_checkpoint_and_a_failing_one_is_told(
    tmp_path, capsys
):
    report = work(["steps", "fails"], tmp_path, jobs=1, known=known)
    assert (report.recorded, report.left) == (0, 2)
    failed, killed = report.failed
    assert failed.startswith("fails seed 0: exit status 1, FloatingPointError: the loss is nan at")
    assert killed.startswith("steps seed 0: killed by signal 9; see ")
    log = failed.split("see ")[1]
    with open(log) as file:
        assert 'raise FloatingPointError("the loss is nan at step 3")' in file.read()
    assert (tmp_path / "steps.txt").read_text() == "0 1 2 3 4 "
    assert "start   fails seed 0 (1 of 1 at work)" in capsys.readouterr().out

    report = work(["steps"], tmp_path, known=known)
    assert (report.recorded, report.failed, report.left) == (1, (), 0)
    assert (tmp_path / "steps.txt").read_text() == "0 1 2 3 4 4 5 6 "
    (resumed,) = records.read(tmp_path / "steps.jsonl")
    whole = tmp_path / "whole"
    whole.mkdir()
    uninterrupted = queued_experiments.steps({"steps": 7}, 0, Place(whole, whole))
    assert resumed["metrics"] == uninterrupted
    assert list((workspaces_folder(tmp_path) / "steps").iterdir()) == []


def work_on(folder, output):
    with output.open("w") as file, contextlib.redirect_stdout(file):
        report = work(["waits"], folder, jobs=100, known=known)
    sys.exit(report != WorkReport(0, (), 1))


@LINUX
def test_a_worker_that_is_told_to_stop_ends_its_runs_and_they_keep_their_checkpoints(tmp_path):
    process = FORK.Process(target=work_on, args=(tmp_path, tmp_path / "output.txt"))
    process.start()
    begun = tmp_path / "begun.txt"
    while not (begun.exists() and begun.read_text()):
        assert process.exitcode is None
        time.sleep(0.05)

    # Another worker leaves the run alone meanwhile.
    workspace = workspace_of(tmp_path, "waits", {"n": 1}, 0)
    with pytest.raises(TimeoutError):
        claim(workspace)

    process.terminate()
    process.join(HANG_SECONDS)
    assert process.exitcode == 0
    output = (tmp_path / "output.txt").read_text()
    assert "stopped waits seed 0; next time it goes on from its checkpoint" in output
    assert (tmp_path / "ended.txt").read_text() == "1"
    assert (workspace / "checkpoint.txt").read_text() == "step 7"
    give_up(claim(workspace))
    assert records.read(tmp_path / "waits.jsonl") == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals are something else there")
def test_a_run_ends_when_its_worker_is_killed(tmp_path):
    (run,) = planned(["waits"], known())
    launch = Children(tmp_path, importable_name(known), threads=1, nice=1)
    child = launch(run)
    assert launch(run) is None
    begun = tmp_path / "begun.txt"
    while not (begun.exists() and begun.read_text()):
        assert child.poll() is None
        time.sleep(0.05)
    assert os.getpriority(os.PRIO_PROCESS, child.popen.pid) == os.nice(0) + 1
    child.popen.stdin.close()  # which is what the system does when this process is killed
    assert child.popen.wait(HANG_SECONDS) == 128 + signal.SIGTERM
    give_up(claim(workspace_of(tmp_path, "waits", run.config, 0)))


def test_a_run_gives_way_to_other_sessions_too(tmp_path, monkeypatch):
    asked, group = [], tmp_path / "autogroup"
    monkeypatch.setattr(os, "nice", asked.append)
    child._give_way(3, group)  # where there are no such groups
    assert not group.exists()
    group.write_text("/autogroup-1 nice 0")
    child._give_way(3, group)
    assert (asked, group.read_text()) == ([3, 3], "3")
    child._give_way(3, tmp_path)  # what cannot be written is no reason to fail


def test_a_run_is_told_from_others_by_what_differs_between_configurations():
    configs = ({"size": 1, "kind": "a", "more": [1]}, {"size": 1, "kind": "b", "more": [2]})
    runs = planned([], listed(experiment("one", counts, *configs)))
    assert [str(run) for run in runs] == ["one kind=a seed 0", "one kind=b seed 0"]


def test_an_estimate_is_from_the_configuration_then_the_experiment_then_what_it_says(tmp_path):
    measured = experiment("measured", counts, *AB, {"n": "c"}, seeds=(0, 1, 2), minutes=99)
    stated = experiment("stated", counts, *AB, seeds=(0, 1, 2), minutes=30, priority=1)
    unknown = experiment("unknown", counts, {"n": 1}, needs=("stated",))
    there = listed(unknown, measured, stated)
    for config, seed, seconds in ((0, 0, 100), (0, 2, 300), (1, 0, 1000)):
        record(tmp_path, Run(measured, measured.configs[config], seed), float(seconds))
    found = {one.name: one for one in estimate((), tmp_path, lambda: there)}
    assert list(found) == ["stated", "unknown", "measured"]
    second, last, first = found.values()
    # a: 100 and 300, so 200 for the third. b: 1000, so twice that. c: of 100, 300 and 1000 the
    # middle one, three times.
    assert (first.configs, first.seeds, first.runs, first.done, first.unknown) == (3, 3, 9, 3, 0)
    assert first.hours_left == pytest.approx((200 + 2 * 1000 + 3 * 300) / 3600)
    assert first.hours == pytest.approx(first.hours_left + 1400 / 3600)
    assert (second.priority, second.hours, second.hours_left) == (1, 3.0, 3.0)
    assert (last.runs, last.unknown, last.hours_left) == (1, 1, 0.0)
    table = written([second, first, last]).splitlines()
    assert table[1].split() == ["stated", "1", "2", "x", "3", "6", "0", "6", "3.00", "3.00"]
    assert table[2].split()[-3:] == ["6", "0.86", "1.25"]
    assert table[3].split()[-6:] == ["1", "run", "unknown"] * 2
    assert " ".join(table[4].split()) == "all 16 3 13 3.86 + 1 run unknown 4.25 + 1 run unknown"
    only = estimate(["unknown"], tmp_path, lambda: there)
    assert [one.name for one in only] == ["stated", "unknown"]


def test_a_list_that_other_processes_cannot_import_is_refused(tmp_path):
    assert importable_name(known) == "queued_experiments:known"
    assert importable_name(experiments.registry) == "mtl_utils.experiments.registry:registry"
    with pytest.raises(ValueError, match="known must be a function at the top of a module"):
        work(folder=tmp_path, known=lambda: {})


def test_the_command_line_estimates_and_works(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(language_models, "EXPERIMENTS", (experiment("toy", counts, *AB),))
    command = ["estimate", "toy", "--output", str(tmp_path)]
    assert __main__.main(command) == 0
    assert "2 runs unknown" in capsys.readouterr().out
    for seed_config in AB:
        record(tmp_path, Run(experiments.find("toy"), seed_config, 0))
    assert __main__.main(["work", "toy", "--output", str(tmp_path), "--minutes", "5"]) == 0
    assert capsys.readouterr().out.splitlines() == ["2 of 2 runs are on record"] * 2
    assert __main__.main(["list", "--output", str(tmp_path)]) == 0
    assert "2 configurations, 2 runs, 2/2 on record" in capsys.readouterr().out
    monkeypatch.setenv("MTL_RESULTS_DIR", str(tmp_path / "nowhere"))
    assert __main__.main(["list"]) == 0
    assert "2 configurations, 2 runs\n" in capsys.readouterr().out
    for command in ("work", "estimate"):
        assert __main__.main([command, "nothing"]) == 2
        assert "No experiment named 'nothing'" in capsys.readouterr().err
    for wrong in (["--jobs", "0"], ["--minutes", "0"], ["--nice", "20"]):
        with pytest.raises(SystemExit):
            __main__.main(["work", *wrong])
    with pytest.raises(SystemExit):
        __main__.main(["--help"])
    assert "work --minutes 60" in capsys.readouterr().out


@pytest.mark.parametrize(("gibibytes", "jobs"), [(None, 12), (4, 1), (16, 2), (40, 6), (140, 12)])
def test_a_gpu_has_as_many_runs_at_a_time_as_fit(monkeypatch, gibibytes, jobs):
    from mtl_utils.experiments import processes

    cuda = processes.torch.cuda
    monkeypatch.setattr(processes, "cores", lambda: 12)
    monkeypatch.setattr(cuda, "is_available", lambda: gibibytes is not None)
    size = SimpleNamespace(total_memory=(gibibytes or 0) * 2**30)
    monkeypatch.setattr(cuda, "get_device_properties", lambda device: size)
    assert usual_jobs() == jobs
