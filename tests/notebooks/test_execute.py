"""Executing notebooks in place: clean outputs, nothing half written, one record a notebook."""

import json
import sys
from pathlib import Path

import execute
import nbformat
import pytest
import tiny_notebooks as tiny
from nbformat import NotebookNode

BUSY = """\
import os, sys
from tqdm.auto import tqdm
from tqdm import tqdm as plain
for _ in tqdm(range(3)):
    pass
for _ in plain(range(3)):
    pass
print(os.path.basename(os.getcwd()), "OMP_NUM_THREADS" in os.environ)
sys.stdout.flush()
print("end")"""
FIGURE_WIDGET = """\
from matplotlib import pyplot
from mtl_utils.widgets import Widget

def draw(n):
    figure, axes = pyplot.subplots()
    axes.plot(range(n))
    return figure

Widget(draw, {"n": [2, 3]}).show()"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook executed in place, with its record beside its folder."""
    folder = tmp_path_factory.mktemp("book") / "chapters"
    folder.mkdir()
    cell = tiny.code(BUSY)
    cell.metadata.update(scrolled=True, execution={"started": "now"}, tags=["nbval-ignore-output"])
    chapter = tiny.notebook(
        tiny.text("# Title"), cell, tiny.code(FIGURE_WIDGET, "widget"), tiny.code("2 + 3")
    )
    chapter.metadata = nbformat.from_dict({"language_info": {"name": "python", "version": "3.0"}})
    nbformat.write(chapter, folder / "01_x.ipynb")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OMP_NUM_THREADS", "1")
        execute.execute(folder / "01_x.ipynb", folder.parent / "records.jsonl")
    return folder / "01_x.ipynb"


def test_outputs_hold_results_and_nothing_else(executed: Path) -> None:
    chapter = nbformat.read(executed, as_version=4)
    busy, widget, number = chapter.cells[1:]
    assert [(o.name, o.text) for o in busy.outputs] == [("stdout", "chapters False\nend\n")]
    (figure,) = widget.outputs
    assert sorted(figure.data) == ["image/png", "text/plain"]
    (value,) = number.outputs
    assert value.data == {"text/plain": "5"}
    assert value.execution_count == number.execution_count == 3
    assert execute.output_problems(chapter) == []


def test_metadata_are_the_books(executed: Path) -> None:
    chapter = nbformat.read(executed, as_version=4)
    assert dict(chapter.metadata) == execute.NOTEBOOK_METADATA
    assert chapter.cells[1].metadata == {"tags": ["nbval-ignore-output"]}


def test_a_second_run_changes_no_byte_and_keeps_one_record(executed: Path) -> None:
    records = executed.parents[1] / "records.jsonl"
    before = executed.read_bytes()
    execute.execute(executed, records)
    assert executed.read_bytes() == before
    assert before.endswith(b"}\n")
    (record,) = map(json.loads, records.read_text().splitlines())
    assert record["notebook"] == "01_x.ipynb"
    assert record["seconds"] > 0
    assert record["processor_seconds"] > 0
    assert record["python"] == sys.version.split()[0]
    assert {"torch", "numpy", "datasets", "matplotlib"} <= set(record["versions"])
    assert "cores" in record["hardware"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import warnings\nwarnings.warn('careful')", "written to stderr"),
        ("print('UserWarning: careful')", "a warning"),
        ("print(__import__('sys').prefix)", "a path of this machine"),
        ("object()", "a memory address"),
    ],
)
def test_what_must_not_be_stored_leaves_the_file_alone(
    tmp_path: Path, source: str, message: str
) -> None:
    path = tmp_path / "01_x.ipynb"
    nbformat.write(tiny.notebook(tiny.code("print(1)"), tiny.code(source)), path)
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match=message):
        execute.execute(path, tmp_path / "records.jsonl")
    assert path.read_bytes() == before
    assert sorted(item.name for item in tmp_path.iterdir()) == ["01_x.ipynb"]


def test_cells_without_their_data_keep_their_outputs(tmp_path: Path) -> None:
    path = tmp_path / "01_x.ipynb"
    old = tiny.code("1 / 0", "real-data", outputs=[tiny.stream("as stored\n")])
    nbformat.write(tiny.notebook(tiny.code("print(1)"), old), path)
    execute.execute(path, tmp_path / "records.jsonl", real_data=False)
    chapter = nbformat.read(path, as_version=4)
    assert [cell.outputs[0].text for cell in chapter.cells] == ["1\n", "as stored\n"]
    assert json.loads((tmp_path / "records.jsonl").read_text())["real_data"] is False


def test_records_of_other_notebooks_stay(tmp_path: Path) -> None:
    records = tmp_path / "results" / "notebooks.jsonl"
    for name, seconds in (("02_b.ipynb", 1.0), ("01_a.ipynb", 2.0), ("02_b.ipynb", 3.0)):
        execute.store_record({"notebook": name, "seconds": seconds}, records)
    kept = [json.loads(line) for line in records.read_text().splitlines()]
    assert [(record["notebook"], record["seconds"]) for record in kept] == [
        ("01_a.ipynb", 2.0),
        ("02_b.ipynb", 3.0),
    ]


def _empty(folder: Path, *names: str) -> None:
    for name in names:
        nbformat.write(tiny.notebook(), folder / name)


def test_chapters_are_chosen_by_the_beginning_of_their_names(tmp_path: Path) -> None:
    _empty(tmp_path, "01_a.ipynb", "02_b.ipynb", "03_c.ipynb")

    def chosen(*names: str) -> list[str]:
        return [path.name for path in execute.select(names, tmp_path)]

    assert chosen() == ["01_a.ipynb", "02_b.ipynb", "03_c.ipynb"]
    assert chosen("02") == ["02_b.ipynb"]
    assert chosen("03_c", "01") == ["01_a.ipynb", "03_c.ipynb"]
    with pytest.raises(FileNotFoundError, match="No notebook begins with '04'"):
        chosen("01", "04")


def test_the_command_refuses_to_lose_outputs_on_real_data(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MTL_DATA_DIR", raising=False)
    monkeypatch.setattr(execute, "execute", lambda *_, **__: pytest.fail("nothing may run"))
    assert execute.main([]) == 2
    assert "--allow-missing-data" in capsys.readouterr().err


@pytest.mark.parametrize(("data", "arguments"), [("/x", []), ("", ["--allow-missing-data"])])
def test_the_command_runs_all_and_counts_failures(
    data: str,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _empty(tmp_path, "01_a.ipynb", "02_b.ipynb")
    calls = []

    def run(path: Path, *, real_data: bool) -> execute.Taken:
        calls.append((path.name, real_data))
        if path.name == "01_a.ipynb":
            raise RuntimeError("broken")
        return execute.Taken(seconds=1.25, processor_seconds=2.5)

    monkeypatch.setenv("MTL_DATA_DIR", data)
    monkeypatch.setattr(execute, "select", lambda chapters: sorted(tmp_path.glob("*.ipynb")))
    monkeypatch.setattr(execute, "execute", run)
    assert execute.main(arguments) == 1
    assert calls == [("01_a.ipynb", bool(data)), ("02_b.ipynb", bool(data))]
    printed = capsys.readouterr().out
    assert "01_a.ipynb ... failed: broken" in printed
    assert "02_b.ipynb ... 1.2 s, 2.5 s of processor time\n" in printed
    assert "1 of 2 notebooks stored." in printed


def test_a_name_that_fits_nothing_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MTL_DATA_DIR", "/x")
    assert execute.main(["99_nothing"]) == 2
    assert "No notebook begins with '99_nothing'" in capsys.readouterr().err


def test_widgets_give_way_to_what_they_show() -> None:
    inner = {"output_type": "stream", "name": "stdout", "text": "shown\n"}
    states = {
        "box": {"state": {"children": ["IPY_MODEL_bar", "IPY_MODEL_out"]}},
        "bar": {"state": {"value": 3}},
        "out": {"state": {"outputs": [inner]}},
    }
    view = {execute.WIDGET_VIEW: {"model_id": "box"}, "text/plain": "VBox()"}
    cell = tiny.code("x", outputs=[tiny.shown(view), tiny.stream("after\n")])
    chapter: NotebookNode = tiny.notebook(cell)
    chapter.metadata["widgets"] = {execute.WIDGET_STATE: {"state": states}}
    execute.clean(chapter)
    assert [(output.output_type, output.text) for output in chapter.cells[0].outputs] == [
        ("stream", "shown\nafter\n")
    ]
    assert "widgets" not in chapter.metadata
