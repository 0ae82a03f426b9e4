"""Validation itself: good notebooks pass, and each kind of bad one fails where it is bad."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import execnet
import execute
import nbformat
import pytest
import tiny_notebooks as tiny
from hang_guard import HANG_SECONDS
from nbformat import NotebookNode
from notebook_checks import RULES
from notebook_summary import pytest_terminal_summary, record
from notebook_validation import Tally

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BASE = """\
import sys
sys.path[:0] = [{tools!r}, {here!r}]
from notebook_summary import pytest_terminal_summary
from conftest_of_the_book import *
"""
Report = dict[str, str]


def _validate(folder: Path, real_data: bool, most_seconds: float = 200.0) -> tuple[Report, str]:
    """Run pytest over a folder's notebooks; return outcome by cell, and all it printed."""
    tests = folder.parent / f"tests_{real_data}"
    tests.mkdir(exist_ok=True)
    base = BASE.format(tools=str(ROOT / "book" / "tools"), here=str(HERE))
    hooks = (HERE / "conftest.py").read_text("utf-8")
    (tests / "conftest.py").write_text(base.replace("from conftest_of_the_book import *", hooks))
    (tests / "test_all.py").write_text(
        "from pathlib import Path\nfrom notebook_validation import NotebookFolder\n"
        f"FOLDER = NotebookFolder(Path({str(folder)!r}), real_data={real_data}, "
        f"most_seconds={most_seconds})\n"
    )
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", str(tests)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=folder.parent,
        env=environment,
        timeout=HANG_SECONDS,
    )
    found = re.findall(r"(\w+\.ipynb::\S+(?: \S+)*?) (PASSED|FAILED|SKIPPED|ERROR)", done.stdout)
    return dict(found), done.stdout + done.stderr


def _write(folder: Path, name: str, notebook: NotebookNode) -> None:
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / name)


def _printed(source: str, output: str, *tags: str) -> NotebookNode:
    return tiny.code(source, *tags, outputs=[tiny.stream(output)])


BAD: dict[str, Callable[[], NotebookNode]] = {
    "differs.ipynb": lambda: tiny.notebook(
        _printed("print(1)", "1\n"), _printed("print(2)", "3\n")
    ),
    "raises.ipynb": lambda: tiny.notebook(
        tiny.code("x = 1"), tiny.code("raise ValueError('no')"), tiny.code("x")
    ),
    "ignored.ipynb": lambda: tiny.notebook(
        _printed("import random\nprint(random.random())", "0.5\n", "nbval-ignore-output"),
        tiny.code("assert 1 + 1 == 3"),
    ),
    "silent.ipynb": lambda: tiny.notebook(_printed("x = 1", "1\n")),
    "talks.ipynb": lambda: tiny.notebook(tiny.code("print('more')")),
    # More and larger messages than ZeroMQ and TCP keep by default (half of these), faster than they
    # are looked for.
    "chatty.ipynb": lambda: tiny.notebook(
        tiny.code(
            "import time\nlong = 'x' * 10_000\nfor _ in range(4000):\n    display(long)\n"
            "    time.sleep(1e-4)",
            "nbval-ignore-output",
        ),
    ),
    "real.ipynb": lambda: tiny.notebook(
        _printed("print('a')", "a\n"), _printed("print('b')", "wrong\n", "real-data")
    ),
    "solution.ipynb": lambda: tiny.notebook(
        tiny.code(tiny.CHECK),
        tiny.text(tiny.STATEMENT.replace("2 * number", "3 * number")),
        tiny.code(tiny.STUB, "exercise", outputs=[tiny.result(tiny.UNANSWERED, 2)]),
    ),
    "stub.ipynb": lambda: tiny.notebook(
        tiny.code(tiny.CHECK),
        tiny.text(tiny.STATEMENT),
        tiny.code(
            tiny.STUB.replace("...", "return 2 * number"),
            "exercise",
            outputs=[tiny.result({"text/plain": "Exercise double: correct."}, 2)],
        ),
    ),
    "widget.ipynb": lambda: tiny.notebook(
        tiny.code(
            "from mtl_utils.widgets import Widget\n"
            "Widget(lambda n: str(6 // n), {'n': [3, 2, 0]}).show()",
            *("widget", "nbval-ignore-output"),
        ),
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of bad notebooks and a good one, with the outputs that `make notebooks` stores."""
    folder = tmp_path_factory.mktemp("book") / "notebooks"
    for name, make in BAD.items():
        _write(folder, name, make())
    chapter = tiny.good_chapter()
    for cell in chapter.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    _write(folder, tiny.NAME, chapter)
    execute.execute(folder / tiny.NAME, folder.parent / "records.jsonl")
    return folder


@pytest.fixture(scope="module")
def validated(folder: Path) -> tuple[Report, str]:
    return _validate(folder, real_data=True)


EXPECTED = {
    "differs.ipynb::cell 1": "PASSED",
    "differs.ipynb::cell 2": "FAILED",
    "raises.ipynb::cell 1": "PASSED",
    "raises.ipynb::cell 2": "FAILED",
    "raises.ipynb::cell 3": "SKIPPED",
    "ignored.ipynb::cell 1": "PASSED",
    "ignored.ipynb::cell 2": "FAILED",
    "silent.ipynb::cell 1": "FAILED",
    "talks.ipynb::cell 1": "FAILED",
    "chatty.ipynb::cell 1": "PASSED",
    "real.ipynb::cell 1": "PASSED",
    "real.ipynb::cell 2": "FAILED",
    "solution.ipynb::cell 2": "PASSED",
    "solution.ipynb::exercise double": "FAILED",
    "stub.ipynb::cell 2": "PASSED",
    "stub.ipynb::exercise double": "FAILED",
    "widget.ipynb::cell 1": "PASSED",
    "widget.ipynb::widget in cell 1": "FAILED",
}


@pytest.mark.parametrize("cell", EXPECTED)
def test_a_bad_cell_fails_and_a_good_one_passes(cell: str, validated: tuple[Report, str]) -> None:
    report, printed = validated
    assert report.get(cell) == EXPECTED[cell], printed


@pytest.mark.parametrize(
    "message",
    [
        "If the new output is right, store it: make notebooks CHAPTER=",
        "ValueError: no",
        "cell 2 of raises.ipynb raised before it",
        "the solution is refused: Exercise double: not right yet",
        "the stub counts as an answer: Exercise double: correct.",
        "ZeroDivisionError",
        "differs.ipynb: ",
    ],
)
def test_a_failure_says_why(message: str, validated: tuple[Report, str]) -> None:
    assert message in validated[1]


def test_an_executed_chapter_follows_every_rule(folder: Path) -> None:
    chapter = nbformat.read(folder / tiny.NAME, as_version=4)
    assert [problem for rule in RULES for problem in rule(chapter, tiny.NAME)] == []


def test_an_executed_chapter_is_valid(validated: tuple[Report, str]) -> None:
    report, printed = validated
    good = {cell: outcome for cell, outcome in report.items() if cell.startswith(tiny.NAME)}
    assert set(good.values()) == {"PASSED"}, printed
    assert len([cell for cell in good if "::cell" in cell]) == 12
    assert re.search(
        rf"{tiny.NAME}: \d+\.\d s of processor time, 11 cells compared, 1 run with output ignored, "
        r"1 of them on real data, 4 exercises solved, 3 settings of 1 widgets called",
        printed,
    ), printed


def test_missing_data_skip_exactly_the_cells_that_need_them(folder: Path, tmp_path: Path) -> None:
    _write(tmp_path / "one", tiny.NAME, nbformat.read(folder / tiny.NAME, as_version=4))
    report, printed = _validate(tmp_path / "one", real_data=False, most_seconds=0.001)
    missed = {cell: outcome for cell, outcome in report.items() if outcome != "PASSED"}
    assert missed == {f"{tiny.NAME}::cell 7": "SKIPPED"}, printed
    assert f"1 cells on real data skipped (no MTL_DATA_DIR): {tiny.NAME} cell 7" in printed


def test_a_slow_chapter_is_reported_and_fails_nothing(folder: Path, tmp_path: Path) -> None:
    _write(tmp_path / "one", tiny.NAME, nbformat.read(folder / tiny.NAME, as_version=4))
    report, printed = _validate(tmp_path / "one", real_data=True, most_seconds=0.001)
    assert set(report.values()) == {"PASSED"}, printed
    assert re.search(rf"SLOW: {tiny.NAME} took \d+ s of processor time", printed), printed


def test_what_is_to_be_said_travels_between_processes() -> None:
    """pytest-xdist sends reports as execnet does."""
    entry = {"name": "01_x.ipynb", "lines": ["01_x.ipynb: 2.0 s"], "skipped": ["01_x.ipynb cell 3"]}
    item = SimpleNamespace(user_properties=[])
    record(item, entry["name"], entry["lines"], entry["skipped"])
    report = pytest.TestReport(
        "x", ("x", 0, "x"), {}, "passed", None, "call", user_properties=item.user_properties
    )
    sent = execnet.loads(execnet.dumps(report._to_json()))
    written: list[str] = []
    reporter = SimpleNamespace(
        stats={"passed": [pytest.TestReport._from_json(sent)], "warnings": [object()]},
        write_sep=lambda *_: None,
        write_line=lambda line, **_: written.append(line),
    )
    pytest_terminal_summary(reporter)
    assert written == [
        "01_x.ipynb: 2.0 s",
        "1 cells on real data skipped (no MTL_DATA_DIR): 01_x.ipynb cell 3",
    ]


def test_a_folder_without_notebooks_says_so(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    report, printed = _validate(tmp_path / "notebooks", real_data=True)
    assert report == {}
    assert re.search(r"there is no notebook in .*notebooks", printed), printed
    assert "1 error" in printed


def test_a_slow_chapter_is_named() -> None:
    sentence = Tally(seconds=120.04, compared=3, failed=1).sentence("01_x.ipynb")
    assert sentence.startswith("01_x.ipynb: 120.0 s of processor time, 3 cells compared")
    assert "1 failed" in sentence
