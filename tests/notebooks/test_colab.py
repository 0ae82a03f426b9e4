"""Chapters with Colab's versions: what is pinned, what a setup cell installs, what is reported."""

from __future__ import annotations

import re
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import colab
import execute
import nbformat
import pytest
import tiny_notebooks as tiny

from mtl_utils.notebook import SETUP_CELL

ROOT = Path(__file__).resolve().parents[2]
WHEEL = Path("/somewhere/mtl_utils-0.1.0-py3-none-any.whl")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_colabs_versions_are_within_what_the_package_asks_for() -> None:
    there = {normal(n): v for n, v in colab.pinned(colab.VERSIONS.read_text("utf-8")).items()}
    assert (there["pandas"], there["datasets"], there["ipython"]) == ("2.2.3", "4.0.0", "7.34.0")
    assert "torch" not in there
    assert {normal(name) for name in colab.THERE} <= set(there)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for wanted in project["dependencies"]:
        name, least = re.fullmatch(r"([\w-]+)>=([\d.]+)", wanted).groups()  # type: ignore[union-attr]
        found = there.get(normal(name))
        if found:
            numbers = [tuple(map(int, re.findall(r"\d+", v))) for v in (found, least)]
            assert numbers[0] >= numbers[1], wanted


def test_the_setup_cell_installs_the_wheel_and_not_from_github() -> None:
    notebook = tiny.notebook(tiny.code(SETUP_CELL, "setup"))
    colab.as_on_colab(notebook, WHEEL)
    source = notebook.cells[0].source
    asked: list[list[str]] = []
    nothing: dict[str, Any] = {"__name__": "__main__"}
    before = source.split("from mtl_utils import notebook")[0]
    code = before.replace('find_spec("mtl_utils") is None', 'find_spec("nothing_such") is None')
    code = code.replace("subprocess.run(command, check=True)", "asked.append(command)")
    exec(code, nothing | {"asked": asked})
    (command,) = asked
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert f"mtl_utils @ {WHEEL.as_uri()}" in command
    assert not any("git+" in word for word in command)
    assert any(word.startswith("torch==") for word in command)


def test_a_setup_cell_that_is_another_is_refused() -> None:
    notebook = tiny.notebook(tiny.code("import mtl_utils", "setup"))
    with pytest.raises(ValueError, match=r"does not install the package as colab\.py expects"):
        colab.as_on_colab(notebook, WHEEL)


def test_the_wheel_is_of_this_checkout_and_leaves_nothing_in_it(tmp_path: Path) -> None:
    before = {path.name for path in ROOT.iterdir()}
    wheel = colab.packed(tmp_path)
    names = zipfile.ZipFile(wheel).namelist()
    assert "mtl_utils/notebook.py" in names
    assert any(name.endswith("results/notebooks.jsonl") for name in names)
    assert {path.name for path in ROOT.iterdir()} == before


def test_a_kernel_runs_where_it_is_told_to(tmp_path: Path) -> None:
    """In an environment of another path, which says so itself."""
    other = tmp_path / "python"
    other.symlink_to(sys.executable)
    kind = colab.kernel_of(str(other))
    spec = kind().kernel_spec_manager.get_kernel_spec("python3")
    assert spec.argv[:3] == [str(other), "-m", "ipykernel_launcher"]
    usual = execute.PatientClient(tiny.notebook()).kernel_manager_class
    assert usual().kernel_spec_manager.get_kernel_spec("python3").argv[0] == sys.executable


def test_versions_of_an_environment() -> None:
    found = colab.versions(Path(sys.executable), ["torch", "numpy", "no-such-package"])
    assert list(found) == ["torch", "numpy"]
    assert re.match(r"\d+\.\d+", found["numpy"])


@pytest.mark.parametrize(
    ("cell", "changed", "said"),
    [("1 + 1", False, ""), ("1 / 0", False, "ZeroDivisionError"), ("1 + 1", True, "changed {'n")],
)
def test_what_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str, changed: bool, said: str
) -> None:
    chapter = tmp_path / "01_x.ipynb"
    setup = "\n".join(SETUP_CELL.splitlines()[:-3])  # without the import and the call
    nbformat.write(tiny.notebook(tiny.code(setup, "setup"), tiny.code(cell)), chapter)
    found = iter([{"numpy": "2.1.3"}, {"numpy": "2.2.0" if changed else "2.1.3"}])
    monkeypatch.setattr(colab, "versions", lambda python: next(found))
    outcome = colab.run(chapter, Path(sys.executable), WHEEL)
    assert outcome.chapter == "01_x.ipynb"
    assert outcome.seconds > 0
    assert said in outcome.problem
    assert bool(outcome.problem) == bool(said)


def test_the_command_fails_where_a_chapter_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [colab.Outcome("01_x.ipynb", 3.0), colab.Outcome("02_y.ipynb", 4.0, "KeyError: 1")]
    monkeypatch.setattr(colab, "outcomes", lambda paths, python: iter(found))
    monkeypatch.setattr(colab, "make", lambda environment, python: Path(sys.executable))
    assert colab.main(["01", "02"]) == 1
    printed = capsys.readouterr().out
    assert "01_x.ipynb: 3 s of processor time, ran" in printed
    assert "02_y.ipynb: 4 s of processor time, failed\nKeyError: 1" in printed
    assert "Failed: ['02_y.ipynb']" in printed
    assert "Not Colab's versions: " in printed
    assert colab.main(["99"]) == 2
