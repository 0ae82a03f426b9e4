"""Tests are shared between processes by file, by notebook, and the website as a whole."""

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hang_guard import HANG_SECONDS
from scheduling import LONG, pytest_collection_modifyitems, rank, unit

HERE = Path(__file__).resolve().parent


def test_units_are_files_and_the_website_is_one() -> None:
    assert unit("tests/nn/test_crf.py::test_a[x::y]") == "tests/nn/test_crf.py"
    assert unit("chapters/02_x.ipynb::cell 3") == "chapters/02_x.ipynb"
    pages = {unit(f"tests/site/test_{name}.py::test_it") for name in ("pages", "extensions")}
    assert len(pages) == 1


def test_long_units_come_first_and_the_rest_stays_in_order() -> None:
    files = ["tests/test_b.py", "tests/test_a.py", "chapters/02.ipynb", "chapters/03.ipynb"]
    files.append("tests/site/test_pages.py")
    items: list[Any] = [SimpleNamespace(nodeid=f"{file}::{n}") for file in files for n in range(2)]
    pytest_collection_modifyitems(SimpleNamespace(workerinput={}), items)  # type: ignore[arg-type]
    expected = [files[4], files[2], files[3], files[0], files[1]]
    assert [item.nodeid for item in items] == [f"{file}::{n}" for file in expected for n in (0, 1)]


def test_one_process_runs_tests_in_the_order_of_their_files() -> None:
    items: list[Any] = [SimpleNamespace(nodeid=name) for name in ("tests/b.py", "chapters/2.ipynb")]
    pytest_collection_modifyitems(SimpleNamespace(), items)  # type: ignore[arg-type]
    assert [item.nodeid for item in items] == ["tests/b.py", "chapters/2.ipynb"]


def test_what_is_called_long_exists() -> None:
    for pattern in LONG:
        assert list(HERE.parent.glob(pattern)), f"{pattern} fits nothing any more"
    assert rank("tests/notebooks/test_notebook_validation.py") < rank("tests/notebooks/test_x.py")
    assert rank("tests/test_nothing.py") == len(LONG)


def test_each_unit_runs_in_one_process_in_order(tmp_path: Path) -> None:
    """With the versions that are installed: what a scheduler does not understand it ignores."""
    (tmp_path / "conftest.py").write_text(
        f"import sys\nsys.path.insert(0, {str(HERE)!r})\n"
        "from scheduling import pytest_collection_modifyitems, pytest_xdist_make_scheduler\n"
    )
    tests = "import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_it(n): pass\n"
    names = ("tests/site/test_b.py", "tests/site/test_a.py", "tests/test_c.py", "tests/test_d.py")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(tests)
    options = ["-n", "2", "-v", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "tests"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    ran = re.findall(r"^\[(gw\d)\] \[ *\d+%\] PASSED (\S+)", done.stdout, re.MULTILINE)
    assert len(ran) == 4 * len(names), done.stdout
    for whole in {unit(test) for _, test in ran}:
        mine = [(process, test) for process, test in ran if unit(test) == whole]
        assert len({process for process, _ in mine}) == 1, done.stdout
        assert [test for _, test in mine] == sorted(test for _, test in mine)
