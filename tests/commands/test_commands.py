"""The command line: three tasks by file, trained, cut, measured, asked, compared."""

from __future__ import annotations

import csv
import json
import math
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import another_process
import pytest
import torch
from asked import refused, told
from tiny_runs import THREE, write_data, write_run

from mtl_utils import corpora
from mtl_utils.commands import comparing, line, main
from mtl_utils.models import NGramLanguageModel, TextModel
from mtl_utils.training import EpochLines


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a file, and the run that it gives."""
    folder = tmp_path_factory.mktemp("place")
    assert main(["train", str(write_run(folder)), "--quiet"]) == 0
    return folder


@pytest.fixture(scope="module")
def model(place: Path) -> TextModel:
    return TextModel.load(place / "runs/run/model")


def test_help_comes_without_torch() -> None:
    code = (
        "import sys, mtl_utils.commands.line as l\nl._parser()\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    said = subprocess.run(
        [sys.executable, "-m", "mtl_utils", "--help"], check=True, capture_output=True, text=True
    ).stdout
    assert all(command in said for command in ("train", "evaluate", "predict", "init"))


@pytest.mark.parametrize(
    ("command", "words"),
    [("train", "file"), ("evaluate", "folder data"), ("predict", "folder file")],
)
def test_the_order_of_words_that_help_shows_is_one_that_works(
    capsys: pytest.CaptureFixture[str], command: str, words: str
) -> None:
    """``--task a FOLDER`` takes the folder for a task."""
    with pytest.raises(SystemExit):
        main([command, "--help"])
    usage = capsys.readouterr().out.splitlines()[0]
    assert usage == f"usage: python -m mtl_utils {command} {words} [options]"


def test_the_folder_of_a_run_holds_all_that_is_known_of_it(place: Path, model: TextModel) -> None:
    run = place / "runs/run"
    assert {path.name for path in run.iterdir()} == {
        *("resolved.toml", "history.csv", "gradient_shares.csv", "curves.png", "curves.svg"),
        *("metrics.json", "confusion", "model"),
    }
    history = list(csv.DictReader((run / "history.csv").open()))
    assert [row["epoch"] for row in history] == ["1", "2"]
    assert {"train_topic", "validation_names", "likeness_pearson"} <= set(history[0])
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (run / "curves.svg").read_text("utf-8")
    card = (run / "model/README.md").read_text("utf-8")
    assert "| topic | Classification | text | food, travel | topics |" in card
    assert "test: topic_accuracy" in card
    assert list(model.tasks) == ["topic", "names", "likeness"]
    assert model.tasks["names"].labels == ("O", "B-LOC", "B-PER")
    assert model.tasks["likeness"].mean == pytest.approx(0.5)


def test_metrics_are_those_that_the_model_has_in_code(place: Path, model: TextModel) -> None:
    data = {
        name: corpora.load(place / f)
        for name, f in (("topic", "topics"), ("names", "names"), ("likeness", "pairs"))
    }
    stored = json.loads((place / "runs/run/metrics.json").read_text("utf-8"))
    for split in ("validation", "test"):
        assert stored[split] == model.evaluate({n: s[split] for n, s in data.items()})


def test_confusion_counts_every_word_and_text(place: Path, model: TextModel) -> None:
    for name, data, column in (("topic", "topics", "topic"), ("names", "names", "tags")):
        rows = corpora.load(place / data)["test"]
        table = list(csv.reader((place / f"runs/run/confusion/{name}.csv").open()))
        labels = list(model.tasks[name].labels)
        assert table[0][1:] == labels == [row[0] for row in table[1:]]
        found = [said[name] for said in model.predict(rows, [name])]
        pairs = (
            list(zip(rows[column], found, strict=True))
            if name == "topic"
            else [
                p for a, b in zip(rows[column], found, strict=True) for p in zip(a, b, strict=True)
            ]
        )
        for row, wanted in zip(table[1:], labels, strict=True):
            assert list(map(int, row[1:])) == [pairs.count((wanted, label)) for label in labels]


def test_the_resolved_file_trains_the_same(place: Path, tmp_path: Path, model: TextModel) -> None:
    resolved = place / "runs/run/resolved.toml"
    content = tomllib.loads(resolved.read_text("utf-8"))
    assert content["tasks"]["topic"]["labels"] == ["food", "travel"]
    assert content["tasks"]["likeness"]["pooling"] == "compare"
    assert content["training"]["clip_norm"] == 1.0
    output = tmp_path / "again"
    assert main(["train", str(resolved), "--output", str(output), "--quiet"]) == 0
    again = TextModel.load(output / "model").state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in model.state_dict().items())
    assert (output / "resolved.toml").read_text("utf-8") == resolved.read_text("utf-8")


def test_a_finished_run_is_not_run_again(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (place / "runs/run/history.csv").stat().st_mtime_ns
    assert "topic_accuracy" in told(capsys, "train", place / "run.toml", "--quiet")
    assert (place / "runs/run/history.csv").stat().st_mtime_ns == before


def test_another_run_is_not_overwritten_unless_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = "[tasks.topic]\nkind = 'classification'\ndata = 'topics'\nlabel = 'topic'\n"
    small = "[encoder]\nwidth = 8\n[tokenizer]\nvocab_size = 300\n[training]\nepochs = "
    path = write_run(tmp_path, f"{one}{small}1\n")
    assert main(["train", str(path), "--quiet"]) == 0
    path.write_text(f"{one}{small}2\n", "utf-8")
    said = refused(capsys, "train", path, "--quiet")
    assert "training.epochs is 1 there and 2 here" in said
    assert "--force" in said
    mine = tmp_path / "runs/run/notes.txt"
    mine.write_text("mine")
    assert main(["train", str(path), "--quiet", "--force"]) == 0
    assert len((tmp_path / "runs/run/history.csv").read_text().splitlines()) == 3
    assert mine.read_text() == "mine"
    said = refused(capsys, "train", path, "--output", tmp_path / "topics")
    assert "holds files that are no run" in said
    assert "is a file" in refused(capsys, "train", path, "--output", path)


def test_tasks_stop_by_themselves_and_batches_are_put_together_by_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = "[encoder]\nwidth = 8\n[tokenizer]\nvocab_size = 300\n[training]\nepochs = 4\n"
    settings = "accumulate = 3\nbatch_size = 10\ntask_patience = 1\nlearning_rate = 1e-9\n"
    settings += 'task_metrics = {names = "names_f1"}\n'
    of_both = THREE[: THREE.index("[tasks.likeness]")] if "[tasks.likeness]" in THREE else THREE
    path = write_run(tmp_path, f"{of_both}{small}{settings}")
    assert main(["train", str(path), "--quiet"]) == 0
    assert "stopped: " in capsys.readouterr().out
    with (tmp_path / "runs/run/history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [2 * n for n in range(1, len(rows) + 1)]
    # With such steps no score ever gets better: the tags are judged by their F1.
    assert rows[1]["names_stopped"] == "1.0"
    assert main(["train", str(path), "--quiet"]) == 0  # the file is the same as its resolved form
    assert "names_f1" in capsys.readouterr().out
    path.write_text(path.read_text("utf-8").replace("names = ", "name = "), "utf-8")
    assert "'name', which is no task" in refused(capsys, "train", path, "--quiet", "--force")


def test_a_run_that_was_cut_goes_on_to_the_same_end(
    place: Path,
    tmp_path: Path,
    model: TextModel,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def cut(*_: Any) -> Any:
        raise KeyboardInterrupt

    words = ["train", str(place / "run.toml"), "--output", str(tmp_path / "cut"), "--quiet"]
    with monkeypatch.context() as patch:
        patch.setattr(EpochLines, "on_epoch", cut)
        assert main(words) == 130
    assert (tmp_path / "cut/checkpoint").is_file()
    assert not (tmp_path / "cut/metrics.json").exists()
    capsys.readouterr()
    assert main(words) == 0
    said = capsys.readouterr()
    assert "Going on" in said.err
    assert "epoch 1/2" not in said.out
    assert "epoch 2/2" in said.out
    assert not (tmp_path / "cut/checkpoint").exists()
    found = TextModel.load(tmp_path / "cut/model").state_dict()
    assert all(torch.equal(tensor, found[name]) for name, tensor in model.state_dict().items())


def test_evaluate_agrees_with_the_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = place / "runs/run"
    stored = json.loads((run / "metrics.json").read_text("utf-8"))["test"]
    for data in ("topics", "names", "pairs/test.jsonl"):
        found = json.loads(told(capsys, "evaluate", run, place / data, "--json"))
        assert found
        assert found == {name: stored[name] for name in found}
    shown = told(capsys, "evaluate", run / "model", place / "topics", "--split", "validation")
    assert "validation" in shown.splitlines()[0]
    assert "topic_accuracy" in shown


def test_raw_lines_become_json_lines(
    place: Path, tmp_path: Path, model: TextModel, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["Ada eats bread in Rome.", "Bob — flies", "né à Lima"]
    raw = tmp_path / "raw.txt"
    raw.write_bytes("\r\n".join(texts).encode("utf-8"))
    run = place / "runs/run"
    found = [json.loads(row) for row in told(capsys, "predict", run, raw).splitlines()]
    assert [row["text"] for row in found] == texts
    assert [row["predictions"] for row in found] == model.predict(texts, ["topic", "names"])
    assert all(len(row["tokens"]) == len(row["predictions"]["names"]) for row in found)
    words = ["predict", run, raw, "--task", "topic", "--probabilities"]
    found = [json.loads(row) for row in told(capsys, *words).splitlines()]
    assert [r["predictions"] for r in found] == model.predict(texts, ["topic"], probabilities=True)
    raw.write_text("Ada\tBob\nRome\tOslo\n", "utf-8")
    found = [json.loads(r) for r in told(capsys, "predict", run, raw, "--pairs").splitlines()]
    expected = model.predict(["Ada", "Rome"], second=["Bob", "Oslo"])
    assert [row["predictions"] for row in found] == expected
    assert [row["second"] for row in found] == ["Bob", "Oslo"]


def test_standard_input_is_read(place: Path, model: TextModel) -> None:
    code = "import runpy\nrunpy.run_module('mtl_utils', run_name='__main__')"
    done = another_process.run(code, "predict", place / "runs/run", "-", input="Ada flies\n")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["predictions"] == model.predict(["Ada flies"])[0]


def test_a_file_comes_back_with_predictions_in_it(
    place: Path, tmp_path: Path, model: TextModel, capsys: pytest.CaptureFixture[str]
) -> None:
    run, conll = place / "runs/run", place / "names/test.conll"
    output = tmp_path / "out.conll"
    assert told(capsys, "predict", run, conll, "--output", output) == ""
    given, written = corpora.load(conll)["train"], corpora.load(output)["train"]
    assert written["tokens"] == given["tokens"]
    assert written["tags"] == [said["names"] for said in model.predict(given, ["names"])]
    words_alone = tmp_path / "words.conll"
    words_alone.write_text("Ada\nflies\n\nRome\n", "utf-8")
    rows = [{"tokens": ["Ada", "flies"]}, {"tokens": ["Rome"]}]
    tags = [said["names"] for said in model.predict(rows, ["names"])]
    lines = [
        f"{w}\t{t}"
        for row, tag in zip(rows, tags, strict=True)
        for w, t in zip(row["tokens"], tag, strict=True)
    ]
    found = told(capsys, "predict", run, words_alone).split()
    assert found == "\n".join(lines).split()
    table = place / "topics/test.csv"
    found = list(csv.DictReader(told(capsys, "predict", run, table).splitlines()))
    rows = corpora.load(table)["train"]
    assert [row["topic"] for row in found] == [s["topic"] for s in model.predict(rows, ["topic"])]
    likeness = told(capsys, "predict", run, place / "pairs/test.jsonl").splitlines()
    rows = corpora.load(place / "pairs/test.jsonl")["train"]
    expected = [said["likeness"] for said in model.predict(rows, ["likeness"])]
    assert [json.loads(row)["score"] for row in likeness] == expected


MANY = """\
text,moods,stars
good and cheap,good|cheap,5
bad,bad,1
cheap but bad,cheap|bad,2
good,good,4
nothing,,3
fine and good,good,4
"""
TWO = """\
validation = 0.34
[tasks.moods]
kind = "multi_label"
data = "many.csv"
format = {kind = "csv", lists = {moods = "|"}}
labels_column = "moods"
[tasks.stars]
kind = "regression"
data = "many.csv"
format = {kind = "csv", lists = {moods = "|"}}
value = "stars"
[encoder]
width = 8
[tokenizer]
vocab_size = 270
[training]
epochs = 1
"""


def test_the_format_of_the_training_data_is_known_to_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "many.csv").write_text(MANY, "utf-8")
    (tmp_path / "two.toml").write_text(TWO, "utf-8")
    run, table = tmp_path / "runs/two", tmp_path / "many.csv"
    told(capsys, "train", tmp_path / "two.toml", "--quiet")
    found = list(csv.DictReader(told(capsys, "predict", run, table).splitlines()))
    model = TextModel.load(run / "model")
    assert model.tasks["moods"].labels == ("bad", "cheap", "good")
    texts = [row["text"] for row in found]
    assert texts == [row.split(",")[0] for row in MANY.splitlines()[1:]]
    expected = model.predict(texts)
    assert [row["moods"] for row in found] == ["|".join(said["moods"]) for said in expected]
    assert [float(row["stars"]) for row in found] == [said["stars"] for said in expected]
    measured = json.loads(told(capsys, "evaluate", run, table, "--json"))
    rows = corpora.load(table, format=corpora.CsvFormat(lists={"moods": "|"}))["train"]
    assert measured == model.evaluate(rows)
    assert sum(row["train_moods"] != "" for row in csv.DictReader((run / "history.csv").open()))


def test_the_page_s_file_and_commands_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "book/command_line.md").read_text("utf-8")
    text, *_ = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    small = "[encoder]\nwidth = 8\n[tokenizer]\nvocab_size = 300\n[training]\nepochs = 4\n"
    small += "[tuning]\ntrials = 2\n[tuning.space]\n'training.learning_rate' = [0.001, 0.01]\n"
    write_run(tmp_path, text + small)
    (tmp_path / "raw.txt").write_text("Ada flies to Rome\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^\$ python -m mtl_utils (.*)$", page, re.MULTILINE)
    assert len(commands) == 8
    for command in commands:
        told(capsys, *shlex.split(command))
    assert (tmp_path / "predicted.conll").is_file()
    assert (tmp_path / "exported/model.onnx").is_file()
    assert (tmp_path / "runs/run-tuning/best.toml").is_file()
    listed = set(re.findall(r"`([\w.]+)[/`]", page.split("## The folder of a run")[1]))
    assert {path.name for path in (tmp_path / "runs/run").iterdir()} <= listed


def test_joint_and_separate_are_compared_over_seeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_run(tmp_path, THREE.replace("epochs = 2", "epochs = 1"))
    words = ["train", path, "--quiet", "--compare-separate"]
    shown = told(capsys, *words)
    assert "no interval" in shown
    shown = told(capsys, *words, "--seeds", 0, 1)
    assert "±" in shown
    stored = json.loads((tmp_path / "runs/run/comparison.json").read_text("utf-8"))
    assert stored["seeds"] == [0, 1]
    row = stored["tasks"][0]
    assert (row["task"], row["metric"]) == ("topic", "accuracy")
    folder = tmp_path / "runs/run/comparison"

    def score(run: Path) -> float:
        return json.loads((run / "metrics.json").read_text("utf-8"))["test"]["topic_accuracy"]

    assert row["joint"] == [score(tmp_path / "runs/run"), score(folder / "joint-1")]
    assert row["separate"] == [score(folder / "topic-0"), score(folder / "topic-1")]
    differences = [a - b for a, b in zip(row["joint"], row["separate"], strict=True)]
    assert row["difference"] == pytest.approx(sum(differences) / 2)
    alone = TextModel.load(folder / "names-1/model")
    assert list(alone.tasks) == ["names"]


def test_a_diagnosis_of_a_file_is_that_of_its_model_and_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_run(tmp_path, THREE.replace("epochs = 2", "epochs = 4"))
    before = set(tmp_path.rglob("*"))
    stored = json.loads(
        told(capsys, "diagnose", path, "--quiet", "--json", "--plot", tmp_path / "a.svg")
    )
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "a.svg"}
    assert list(stored["tasks"]) == ["topic", "names", "likeness"]
    assert stored["steps"] == 8
    assert stored["trainings"] <= 3
    assert stored["tasks"]["names"]["evidence"]["agreement"] is None  # no row has two labels
    assert sum(of["evidence"]["share"] for of in stored["tasks"].values()) == pytest.approx(3)


def test_a_diagnosis_of_sampled_data_sets_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_run(tmp_path, THREE + 'sampling = "turns"\n')
    assert "side by side" in refused(capsys, "diagnose", path)


def test_half_of_an_interval_is_student_s() -> None:
    mean, half = comparing.mean_and_half_width([1.0, 2.0, 6.0])
    assert mean == 3.0
    assert half == pytest.approx(4.302652729911275 * math.sqrt(7) / math.sqrt(3))  # t, 2 degrees
    assert comparing.mean_and_half_width([0.5]) == (0.5, None)


@pytest.mark.parametrize("data", ["topics", "names", "pairs", "names/train.conll"])
def test_init_writes_a_file_that_train_accepts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: str
) -> None:
    write_data(tmp_path)
    path = tmp_path / "first.toml"
    assert "Wrote" in told(capsys, "init", tmp_path / data, "--output", path)
    assert "is there already" in refused(capsys, "init", tmp_path / data, "--output", path)
    text = path.read_text("utf-8").replace("epochs = 10", "epochs = 1").replace("256", "8")
    path.write_text(text.replace("8000", "300"), "utf-8")
    assert main(["train", str(path), "--quiet"]) == 0
    assert (tmp_path / "runs/first/model/model.json").is_file()


def test_init_says_when_nothing_looks_like_a_task(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n3,4\n", "utf-8")
    assert "Nothing in" in refused(capsys, "init", tmp_path / "a.csv")


TOPIC = "[tasks.topic]\nkind = 'classification'\ndata = 'topics'\nlabel = 'topic'\n"
WRONG = {
    "unknown key": (f"{TOPIC}txt = 'text'", "[tasks.topic] has no key 'txt'; did you mean 'text'?"),
    "unknown table": (f"{TOPIC}[trainig]\nepochs = 1", "did you mean 'training'?"),
    "type": (
        f"{TOPIC}[training]\nepochs = 'ten'",
        "[training]: epochs must be a whole number, got a text: 'ten'",
    ),
    "truth": (
        f"{TOPIC}[training]\nepochs = true",
        "[training]: epochs must be a whole number, got true or false: True",
    ),
    "range": (f"{TOPIC}[training]\nepochs = 0", "[training]: epochs must be"),
    "kind": (
        "[tasks.a]\nkind = 'classify'\ndata = 'topics'",
        "'classify' is not known; did you mean 'classification'?",
    ),
    "no kind": ("[tasks.a]\ndata = 'topics'", "[tasks.a] needs the key 'kind'"),
    "no data": ("[tasks.a]\nkind = 'tagging'", "[tasks.a] needs the key 'data'"),
    "no task": ("seed = 1", "needs the key 'tasks'"),
    "column": (
        TOPIC.replace("'topic'", "'topics'", 2).replace("data = 'topics'", "data = 'topics'"),
        "did you mean 'topic'?",
    ),
    "labels": (f"{TOPIC}labels = ['food']", "travel"),
    "nowhere": (TOPIC.replace("'topics'", "'nowhere'"), "[tasks.topic]:"),
    "encoder": (f"{TOPIC}[encoder]\nkind = 'bert'", "[encoder]: kind = 'bert' is not known"),
    "width": (f"{TOPIC}[encoder]\nwidth = 7", "[encoder]: width must be even"),
    "heads": (f"{TOPIC}[encoder]\nnum_heads = 2", "[encoder] has no key 'num_heads'"),
    "weights": (
        f"{TOPIC}[balancer]\nkind = 'fixed'\nweights = {{topics = 1}}",
        "did you mean 'topic'?",
    ),
    "metric": (f"{TOPIC}[training]\nmetric = 'topic_f1'", "topic_f1"),
    "sampling": (f"{TOPIC}[training]\nsampling = 'most'", "sampling must be"),
    "format": (f"{TOPIC}format = 'xml'", "'xml' is not known"),
    "split": ("[tasks.a]\nkind = 'tagging'\ndata = {trian = 'x'}", "did you mean 'train'?"),
    "syntax": ("[tasks.topic\n", "is no TOML"),
    "shared": (f"{TOPIC}[sharing]\nkind = 'soft'\npenalty = 'norm'", "[sharing]:"),
    "layers": (f"{TOPIC}[sharing]\nkind = 'branched'\nnum_shared_layers = 9", "[sharing]:"),
    "causal": ("[tasks.next]\nkind = 'language_modeling'\ndata = 'topics'", "causal"),
    "long": (f"{TOPIC}[tokenizer]\nmax_length = 3", "counted from 0"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_in_a_file_is_said_in_a_line(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    path = place / "wrong.toml"
    if "[encoder]" not in text:
        text += "\n[encoder]\nwidth = 8"
    path.write_text(text, "utf-8")
    assert message in refused(capsys, "train", path, "--output", tmp_path / "run")


def test_what_is_wrong_in_a_command_is_said_in_a_line(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, topics = place / "runs/run", place / "topics"
    cases = {
        ("train", tmp_path / "none.toml"): "There is no file",
        ("train", place / "run.toml", "--seeds", 1): "--compare-separate",
        ("diagnose", tmp_path / "none.toml"): "There is no file",
        ("diagnose", place / "run.toml", "--plot", "why.txt"): "must end in .png",
        ("evaluate", tmp_path, topics): "There is no model",
        ("evaluate", run, topics, "--task", "topics"): "did you mean 'topic'?",
        ("evaluate", run, topics, "--split", "tset"): "did you mean 'test'?",
        ("evaluate", run, topics, "--task", "names"): "no task finds",
        ("evaluate", run, tmp_path / "none"): "none",
        ("predict", run, tmp_path / "none.txt"): "FILE must be",
        ("predict", run, topics / "test.csv", "--task", "likeness"): "columns",
        ("predict", run, topics / "test.csv", "--probabilities"): "raw texts",
        ("predict", run, topics / "test.csv", "--format", "{kind = 3"): "no TOML",
        ("predict", run, place / "run.toml", "--pairs"): "Line 1",
    }
    for words, message in cases.items():
        assert message in refused(capsys, *words), words


def test_a_traceback_is_shown_when_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(tmp_path / "none.toml"), "--traceback"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_warnings_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    line._show_warning(UserWarning("two\nlines"))
    assert capsys.readouterr().err == "warning: two lines\n"


def test_a_model_that_reads_no_rows_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    NGramLanguageModel(2).fit([["a", "b"]]).save(tmp_path / "model")
    said = refused(capsys, "predict", tmp_path, "-")
    assert "holds a NGramLanguageModel, which reads no rows of data sets" in said
    assert "models.load(folder)" in said
