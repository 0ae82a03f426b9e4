"""Every kind of task by file, tags of every scheme, and predictions in every format."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from tiny_runs import PLACES, write_data, write_run

from mtl_utils import commands, corpora, tasks
from mtl_utils.commands import main
from mtl_utils.commands.building import build
from mtl_utils.commands.data_files import load_all
from mtl_utils.commands.own_kinds import KINDS
from mtl_utils.commands.run_file import read_run_file, task_keys
from mtl_utils.data import named_labels
from mtl_utils.models import TextModel
from mtl_utils.tasks import MaskedLanguageModeling, convert_tags

SMALL = "[encoder]\nwidth = 8\n[tokenizer]\nvocab_size = 300\n[training]\nepochs = 1\n"
NAMES = "[tasks.names]\nkind = 'tagging'\ndata = 'names'\n"


def rewrite(folder: Path, scheme: str) -> None:
    """Write the tags of the names in another scheme."""
    for split in ("train", "dev", "test"):
        path = folder / "names" / f"{split}.conll"
        sentences = [
            [line.split("\t") for line in sentence.split("\n") if line]
            for sentence in path.read_text("utf-8").split("\n\n")
        ]
        lines = []
        for sentence in sentences:
            made = convert_tags([tag for _, tag in sentence], "iob2", scheme)
            lines += [f"{word}\t{tag}\n" for (word, _), tag in zip(sentence, made, strict=True)]
            lines.append("\n")
        path.write_text("".join(lines), "utf-8")


def test_every_kind_of_task_has_a_name_in_a_file() -> None:
    """A kind is a data class: what else is a task is what kinds inherit from.

    Texts are aligned with pictures in Python alone.
    """
    found = {getattr(tasks, name) for name in tasks.__all__}
    kinds = {
        one
        for one in found
        if isinstance(one, type)
        and issubclass(one, tasks.TextTask)
        and dataclasses.is_dataclass(one)
    }
    assert kinds - {tasks.Contrastive} == {*KINDS.values()}
    assert all(task_keys(kind) for kind in KINDS)


def test_the_script_is_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    root = Path(__file__).resolve().parents[2]
    script = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    module, _, function = script["mtl-utils"].partition(":")
    assert module == commands.__name__
    with pytest.raises(SystemExit) as ended:
        getattr(commands, function)(["--help"])
    assert ended.value.code == 0
    assert "train" in capsys.readouterr().out


@pytest.mark.parametrize("scheme", ["iob1", "IOBES", "bilou", "ioe2", "bio"])
def test_tags_of_other_schemes_become_iob2(tmp_path: Path, scheme: str) -> None:
    path = write_run(tmp_path, f"{NAMES}{SMALL}")
    expected = load_all(read_run_file(path))["names"]
    rewrite(tmp_path, scheme.lower())
    path.write_text(f"{NAMES}scheme = '{scheme}'\n{SMALL}", "utf-8")
    file = read_run_file(path)
    data = load_all(file)
    for split, rows in expected.items():
        assert data["names"][split]["tags"][:] == rows["tags"][:]
        assert data["names"][split].column_names == rows.column_names
    task = build(file, data).model.tasks["names"]
    assert task.labels == ("O", "B-LOC", "B-PER")
    assert task.has_entities


def test_files_keep_their_scheme(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_run(
        tmp_path, f"{NAMES}scheme = 'iobes'\n{SMALL}epochs = 4\n".replace("epochs = 1\n", "")
    )
    rewrite(tmp_path, "iobes")
    assert main(["train", str(path), "--quiet"]) == 0
    run, test = tmp_path / "runs/run", tmp_path / "names/test.conll"
    capsys.readouterr()
    for folder in (run, run / "model"):
        assert main(["evaluate", str(folder), str(test)]) == 0
        said = capsys.readouterr().out
        assert said.splitlines()[0].split() == ["metric", "test"]
    rows = corpora.load({"test": test})["test"]
    found = TextModel.load(run / "model").predict(rows, ["names"])
    assert main(["predict", str(run), str(test)]) == 0
    written = [line.split("\t") for line in capsys.readouterr().out.splitlines() if line]
    expected = [t for said in found for t in convert_tags(said["names"], "iob2", "iobes")]
    assert [tag for _, tag in written] == expected


def test_a_scheme_that_is_not_that_of_the_data_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_run(tmp_path, f"{NAMES}scheme = 'bilou'\n{SMALL}")
    assert main(["train", str(path), "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "[tasks.names]: Split 'train', column 'tags', scheme = 'bilou'" in said
    path.write_text(f"{NAMES}scheme = 'iob3'\n{SMALL}", "utf-8")
    assert main(["train", str(path), "--quiet"]) == 2
    assert "did you mean 'iob" in capsys.readouterr().err
    two = NAMES.replace("names]", "more]")
    path.write_text(f"{NAMES}scheme = 'iob1'\n{two}{SMALL}", "utf-8")
    assert main(["train", str(path), "--quiet"]) == 2
    assert "another task says 'iob1'" in capsys.readouterr().err


def test_tokens_are_hidden_by_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = "[tasks.hidden]\nkind = 'masked_language_modeling'\ndata = 'topics'\nshare = 0.3\n"
    path = write_run(tmp_path, f"{table}{SMALL}")
    assert main(["train", str(path), "--quiet"]) == 0
    assert "hidden_accuracy" in capsys.readouterr().out
    model = TextModel.load(tmp_path / "runs/run/model")
    task = model.tasks["hidden"]
    assert isinstance(task, MaskedLanguageModeling)
    assert (task.share, task.mask_id) == (0.3, model.tokenizer.unk_id)
    assert {model.tokenizer.pad_id, model.tokenizer.bos_id, model.tokenizer.eos_id} == {
        *task.special_ids
    }
    assert 'mask = "<unk>"' in (tmp_path / "runs/run/resolved.toml").read_text("utf-8")
    two = table.replace("hidden", "too")
    path.write_text(f"{table}{two}{SMALL}", "utf-8")
    assert main(["train", str(path), "--quiet", "--force"]) == 2
    assert "each hide tokens of the same texts" in capsys.readouterr().err
    path.write_text(f"{table}mask = '[MASK]'\n{SMALL}", "utf-8")
    assert main(["train", str(path), "--quiet", "--force"]) == 2
    assert "mask = '[MASK]' is not known" in capsys.readouterr().err


def test_parquet_comes_back_as_parquet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With ids in a column whose feature names them, and all else as it was."""
    write_data(tmp_path)
    topics = corpora.load(tmp_path / "topics")
    for split, rows in topics.items():
        made = rows.class_encode_column("topic").add_column("number", list(range(len(rows))))
        (tmp_path / "tables").mkdir(exist_ok=True)
        made.to_parquet(tmp_path / "tables" / f"{split}-00000-of-00001.parquet")
    table = "[tasks.topic]\nkind = 'classification'\ndata = 'tables'\nlabel = 'topic'\n"
    assert main(["train", str(write_run(tmp_path, f"{table}{SMALL}")), "--quiet"]) == 0
    run, given = tmp_path / "runs/run", tmp_path / "tables/test-00000-of-00001.parquet"
    out = tmp_path / "out.parquet"
    assert main(["predict", str(run), str(given), "--output", str(out)]) == 0
    before, after = corpora.load({"test": given})["test"], corpora.load({"test": out})["test"]
    assert after.features == before.features
    assert after["number"][:] == before["number"][:]
    found = TextModel.load(run / "model").predict(before, ["topic"])
    assert named_labels(after["topic"]) == [said["topic"] for said in found]
    plain = pd.DataFrame({"text": list(PLACES), "more": [1, 2, 3, 4]})
    plain.to_parquet(given)
    assert main(["predict", str(run), str(given), "--output", str(out)]) == 0
    found = pd.read_parquet(out)
    assert list(found.columns) == ["text", "more", "topic"]
    assert {*found["topic"]} <= {"food", "travel"}
    capsys.readouterr()
    assert main(["predict", str(run), str(given)]) == 2
    assert "give --output" in capsys.readouterr().err


def test_tags_that_cannot_be_measured_are_refused_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_run(tmp_path, f"{NAMES}{SMALL}")
    test = tmp_path / "names/test.conll"
    test.write_text("Ada\tO\nLee\tI-PER\n\n" + test.read_text("utf-8"), "utf-8")
    with (tmp_path / "names/train.conll").open("a", encoding="utf-8") as file:
        file.write("\nAda\tB-PER\nLee\tI-PER\n")
    assert main(["train", str(path), "--quiet"]) == 2
    said = capsys.readouterr()
    assert "[tasks.names], split 'test': The tags break IOB2" in said.err
    assert 'invalid = "convert"' in said.err
    assert "epoch" not in said.out
    path.write_text(f"{NAMES}invalid = 'convert'\n{SMALL}", "utf-8")
    assert main(["train", str(path), "--quiet", "--force"]) == 0


def test_labels_that_no_training_row_has_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = "[tasks.topic]\nkind = 'classification'\ndata = 'topics'\nlabel = 'topic'\n"
    path = write_run(tmp_path, f"{table}{SMALL}")
    assert main(["train", str(path), "--quiet"]) == 0
    assert "warning" not in capsys.readouterr().err
    with (tmp_path / "topics/test.csv").open("a", encoding="utf-8") as file:
        file.write("Ada eats,-1\n")
    assert main(["train", str(path), "--quiet", "--force"]) == 0
    said = capsys.readouterr().err
    assert "warning: [tasks.topic]: no training row has the labels ['-1'] of 'topic'" in said


def test_whole_numbers_are_names_of_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stars from 1 to 5 come back as the numbers that they are, whatever the format."""
    words = ("awful", "poor", "fair", "good", "great")
    rows = [{"text": f"{words[n % 5]} food {n}", "stars": n % 5 + 1} for n in range(50)]
    table = pd.DataFrame(rows)
    table.to_csv(tmp_path / "reviews.csv", index=False)
    task = "[tasks.stars]\nkind = 'classification'\ndata = 'reviews.csv'\nlabel = 'stars'\n"
    text = f"{task}{SMALL}".replace("epochs = 1", "epochs = 12")
    assert main(["train", str(write_run(tmp_path, text)), "--quiet"]) == 0
    run = tmp_path / "runs/run"
    model = TextModel.load(run / "model")
    assert model.tasks["stars"].labels == ("1", "2", "3", "4", "5")
    right = [said["stars"] for said in model.predict([row["text"] for row in rows])]
    expected = sum(a == str(row["stars"]) for a, row in zip(right, rows, strict=True)) / len(rows)
    table.to_json(tmp_path / "reviews.jsonl", orient="records", lines=True)
    table.to_parquet(tmp_path / "reviews.parquet", index=False)
    for end, read in (
        ("csv", pd.read_csv),
        ("jsonl", lambda path: pd.read_json(path, lines=True)),
        ("parquet", pd.read_parquet),
    ):
        given, out = tmp_path / f"reviews.{end}", tmp_path / f"out.{end}"
        capsys.readouterr()
        assert main(["evaluate", str(run), str(given), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["stars_accuracy"] == expected
        assert main(["predict", str(run), str(given), "--output", str(out)]) == 0
        found = read(out)
        assert [str(n) for n in found["stars"]] == right
        assert found["stars"].dtype == table["stars"].dtype


def test_negative_numbers_are_names_only_where_they_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("awful", "fair", "great")
    rows = [{"text": f"{words[n % 3]} food {n}", "label": n % 3 - 1} for n in range(60)]
    pd.DataFrame(rows).to_csv(tmp_path / "rows.csv", index=False)
    table = "[tasks.mood]\nkind = 'classification'\ndata = 'rows.csv'\n"
    form = 'format = {kind = "csv", numbers = ["label"]}\n'
    assert main(["train", str(write_run(tmp_path, f"{table}{form}{SMALL}")), "--quiet"]) == 2
    assert "expected labels by name" in capsys.readouterr().err
    listed = 'labels = ["-1", "0", "1"]\n'
    longer = SMALL.replace("epochs = 1", "epochs = 20\nlearning_rate = 0.02")
    path = write_run(tmp_path, f"{table}{form}{listed}{longer}")
    assert main(["train", str(path), "--quiet"]) == 0
    model = TextModel.load(tmp_path / "runs/run/model")
    found = [said["mood"] for said in model.predict([row["text"] for row in rows])]
    assert found == [str(row["label"]) for row in rows]


def test_a_text_file_like_the_training_data_is_not_read_as_raw_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path)
    for split in ("train", "dev", "test"):
        (tmp_path / "names" / f"{split}.conll").rename(tmp_path / f"{split}.txt")
    table = (
        "[tasks.names]\nkind = 'tagging'\nformat = 'conll'\n"
        "data = {train = 'train.txt', validation = 'dev.txt'}\n"
    )
    assert main(["init", str(tmp_path / "names")]) == 2
    assert "such as in train.txt, say it by format" in capsys.readouterr().err
    assert main(["train", str(write_run(tmp_path, f"{table}{SMALL}")), "--quiet"]) == 0
    words = ["predict", str(tmp_path / "runs/run"), str(tmp_path / "test.txt")]
    capsys.readouterr()
    assert main(words) == 2
    assert "give --raw, or --format '\"conll\"'" in capsys.readouterr().err
    assert main([*words, "--raw"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["tokens"][1:] == ["B", "-", "PER"]
    assert main([*words, "--format", "conll"]) == 0
    lines = (tmp_path / "test.txt").read_text("utf-8").splitlines()
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == [
        line.split("\t")[0] for line in lines
    ]


@pytest.mark.parametrize(
    ("columns", "task"),
    [
        (
            {"q1": "a sea {n}", "q2": "the sea {n}", "is_duplicate": "{b}"},
            {"kind": "pair", "texts": ["q1", "q2"], "label": "is_duplicate"},
        ),
        (
            {"left": "a sea {n}", "right": "the sea {n}", "similarity": "{b}.5"},
            {"kind": "regression", "texts": ["left", "right"], "value": "similarity"},
        ),
        (
            {"review": "a sea {n}", "label": "{b}", "pages": "{n}"},
            {"kind": "classification", "text": "review", "label": "label"},
        ),
        (
            {"text": "a sea {n}", "stars": "{b}"},  # an amount more than a class
            {"kind": "regression", "texts": ["text"], "value": "stars"},
        ),
    ],
)
def test_init_finds_texts_and_numbers_of_any_name(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    columns: dict[str, str],
    task: dict[str, object],
) -> None:
    rows = [{name: cell.format(n=n, b=n % 2) for name, cell in columns.items()} for n in range(40)]
    numbers = {name for name, cell in columns.items() if " " not in cell}
    made = [
        {k: float(v) if "." in v else int(v) if k in numbers else v for k, v in row.items()}
        for row in rows
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in made), "utf-8")
    first = tmp_path / "first.toml"
    assert main(["init", str(path), "--output", str(first)]) == 0
    (table,) = tomllib.loads(first.read_text("utf-8"))["tasks"].values()
    assert {key: value for key, value in table.items() if key != "data"} == task
    small = first.read_text("utf-8").replace("256", "8").replace("epochs = 10", "epochs = 1")
    first.write_text(small, "utf-8")
    assert main(["train", str(first), "--quiet"]) == 0
