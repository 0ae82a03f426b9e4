"""A kind of task of one's own, by file: the one that the recipes show."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tiny_runs import write_run

from mtl_utils import models
from mtl_utils.commands import main
from mtl_utils.commands.own_kinds import kind_of

RUN = """\
[tasks.stars]
kind = "stars.py:Stars"
data = "reviews.jsonl"
label = "given"
[tasks.long]
kind = "classification"
data = "reviews.jsonl"
label = "long"
[encoder]
width = 8
[tokenizer]
vocab_size = 300
[training]
epochs = 2
task_patience = 2
metric = "stars_error"
mode = "min"
"""


def recipe() -> str:
    """The classes of the recipe, as a file has them."""
    page = (Path(__file__).parents[2] / "book/recipes.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(from dataclasses.*?)\n\n\nreviews = ", page, re.DOTALL)
    return f"from __future__ import annotations\n\nfrom mtl_utils import tasks\n{code}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stars.py").write_text(recipe(), "utf-8")
    rows = [
        {"text": "good " * (n % 5) + str(n), "given": n % 5 + 1, "long": str(n % 5 > 2)}
        for n in range(40)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "reviews.jsonl").write_text(text, "utf-8")
    return tmp_path


def test_it_is_trained_measured_and_asked_by_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(write_run(folder, RUN)), "--quiet"]) == 0
    run, data = folder / "runs/run", folder / "reviews.jsonl"
    capsys.readouterr()
    assert main(["predict", str(run), str(data)]) == 2
    assert "--own FILE.py:CLASS" in capsys.readouterr().err
    monkeypatch.chdir(folder)
    own = ["--own", "stars.py:Stars"]
    assert main(["predict", str(run), str(data), *own]) == 0
    said = [json.loads(line)["given"] for line in capsys.readouterr().out.splitlines()]
    given = [json.loads(line) for line in data.read_text("utf-8").splitlines()]
    model = models.load(run / "model", own=[kind_of("stars.py:Stars")])
    assert said == [one["stars"] for one in model.predict([row["text"] for row in given])]
    assert main(["evaluate", str(run), str(data), "--json", *own]) == 0
    measured = json.loads(capsys.readouterr().out)
    errors = [abs(a - row["given"]) for a, row in zip(said, given, strict=True)]
    assert measured["stars_error"] == pytest.approx(sum(errors) / len(errors))
    again = ["train", str(run / "resolved.toml"), "--quiet", "--output", str(folder / "again")]
    assert main(again) == 0
    assert (folder / "again/metrics.json").read_text() == (run / "metrics.json").read_text()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("other.py:Stars", "There is no file"),
        ("stars.py:StarsHead", "must have a class StarsHead that inherits from tasks.TextTask"),
        ("stars.py:Moons", "must have a class Moons"),
        ("broken.py:Stars", "broken.py cannot be run: ZeroDivisionError"),
    ],
)
def test_what_is_no_kind_is_refused_in_a_line(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: str, message: str
) -> None:
    (folder / "broken.py").write_text("1 / 0\n", "utf-8")
    path = write_run(folder, RUN.replace("stars.py:Stars", kind))
    assert main(["train", str(path), "--quiet"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_its_arguments_are_those_of_the_class(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_run(folder, RUN.replace('label = "given"', 'lable = "given"'))
    assert main(["train", str(path), "--quiet"]) == 2
    assert "has no key 'lable'; did you mean 'label'?" in capsys.readouterr().err
