"""Recording what solutions measure: which they are, what is kept, and nothing where one fails."""

import json
from pathlib import Path

import execute
import nbformat
import pytest
import solutions
import tiny_notebooks as tiny
from nbformat import NotebookNode
from notebook_exercises import exercises, measures

CHECKS = """\
import numpy as np
from mtl_utils.exercises import exercise
from mtl_utils.exercises.checking import Answer

shift = 2 / 3

@exercise("gain", wrong=[{"mean": 0.0}])
def check_gain(answer):
    mean = Answer(answer.value["mean"]).value  # not answered while it is ...
    answer.require(mean > 0, "It is a gain.", "Subtract the other way round.")

@exercise("double", wrong=[abs])
def check_double(answer):
    answer.gives(2, expected=4)"""
GAIN = """\
**Exercise.** What is gained?

<details><summary>Solution</summary>

```python
shift *= 3  # of a copy: the next one begins as this one did
gains = np.array([1.0, 2.0]) + shift / 9
report = {"mean": gains.mean(), "gains": gains, "shown": gains.min() > 0}
print("by hand:", gains.round(1))
print("-" * 3000)
```

</details>
"""
GAIN_STUB = """\
report = {"mean": ...}

check_gain(report)"""


def chapter(gain: str = GAIN) -> NotebookNode:
    real = tiny.code("raise RuntimeError('there are no such data')", "real-data")
    printing = tiny.STATEMENT.replace("def double", "print(shift == 2 / 3)\ndef double")
    return tiny.notebook(
        real,
        tiny.code(CHECKS),
        *(tiny.text(gain), tiny.code(GAIN_STUB, "exercise")),
        *(tiny.text(printing), tiny.code(tiny.STUB, "exercise")),
        *(tiny.text(tiny.STATEMENT), tiny.code(tiny.STUB, "exercise")),
    )


def test_reports_and_what_is_printed_are_recorded(tmp_path: Path) -> None:
    path, records = tmp_path / "01_x.ipynb", tmp_path / "results" / "solutions.jsonl"
    nbformat.write(chapter(), path)
    before = path.read_bytes()
    for exercise in ("gain", "gone"):  # the one is replaced, the other stays
        old = {"chapter": "01_x", "exercise": exercise, "report": "old"}
        execute.store_record(old, records, solutions.KEY)
    solutions.record(path, records)
    assert path.read_bytes() == before
    double, gain, gone = map(json.loads, records.read_text("utf-8").splitlines())
    assert [each["exercise"] for each in (double, gain, gone)] == ["double", "gain", "gone"]
    assert gain["report"] == {"mean": 1.722, "gains": [1.222, 2.222], "shown": True}
    assert gain["printed"].startswith("by hand: [1.2 2.2]\n---")
    assert len(gain["printed"]) == solutions.MOST_PRINTED
    assert (double["report"], double["printed"]) == (None, "True\n")
    assert {"chapter", "seconds", "processor_seconds", "commit"} <= set(gain)
    assert set(execute.circumstances()) <= set(gain)


def test_a_refused_solution_stores_nothing(tmp_path: Path) -> None:
    path, records = tmp_path / "01_x.ipynb", tmp_path / "solutions.jsonl"
    nbformat.write(chapter(GAIN.replace("[1.0, 2.0]", "[-9.0, 0.0]")), path)
    with pytest.raises(RuntimeError, match="the solution is refused"):
        solutions.record(path, records)
    assert not records.exists()


def test_a_chapter_whose_solutions_measure_nothing_does_not_run(tmp_path: Path) -> None:
    path = tmp_path / "01_x.ipynb"
    exercise = tiny.text(tiny.STATEMENT), tiny.code(tiny.STUB, "exercise")
    nbformat.write(tiny.notebook(tiny.code("1 / 0"), *exercise), path)
    assert solutions.record(path, tmp_path / "solutions.jsonl") == []


def test_the_command_counts_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def record(path: Path) -> list[dict[str, object]]:
        if path.name == "01_a.ipynb":
            raise RuntimeError("broken")
        return [{"exercise": "gain", "seconds": 1.5}]

    monkeypatch.setattr(execute, "select", lambda names: [tmp_path / f"{n}.ipynb" for n in names])
    monkeypatch.setattr(solutions, "record", record)
    assert solutions.main(["01_a", "02_b"]) == 1
    assert capsys.readouterr().out == ("01_a.ipynb ... failed: broken\n02_b.ipynb ... gain 1.5 s\n")


def test_every_solution_that_measures_has_one_record() -> None:
    wanted, silent = [], []
    for path in execute.select([]):
        notebook = nbformat.read(path, as_version=4)
        found = [item.name for item in exercises(notebook) if measures(item)]
        wanted += [(path.stem, name) for name in found]
        if found and not any("solutions.jsonl" in cell.source for cell in notebook.cells):
            silent.append(path.stem)
    recorded = map(json.loads, solutions.RECORDS.read_text("utf-8").splitlines())
    assert [(one["chapter"], one["exercise"]) for one in recorded] == sorted(wanted), (
        "`python book/tools/solutions.py CHAPTER` records the solutions of a chapter"
    )
    assert silent == [], "the first solution with such numbers says where they are from"
