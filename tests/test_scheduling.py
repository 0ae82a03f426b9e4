"""Tests are shared between processes by file, by notebook, and the website as a whole."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scheduling import LONG, WEBSITE, pytest_collection_modifyitems, rank, unit

ROOT = Path("/book")


class Item:
    """What the rules read of a test."""

    def __init__(self, path: str, *fixtures: str) -> None:
        self.config = SimpleNamespace(rootpath=ROOT)
        self.fixturenames = fixtures
        self.file = SimpleNamespace(path=ROOT / path)
        self.markers: list[Any] = []

    def getparent(self, kind: type) -> Any:
        assert kind is pytest.File
        return self.file

    def add_marker(self, marker: Any) -> None:
        self.markers.append(marker)


def test_units_are_files_and_the_website_is_one() -> None:
    assert unit(Item("tests/nn/test_crf.py")) == "tests/nn/test_crf.py"
    assert unit(Item("chapters/02_x.ipynb")) == "chapters/02_x.ipynb"
    pages = {unit(Item(f"tests/site/{name}", "browser", "site")) for name in ("a.py", "b.py")}
    assert pages == {WEBSITE}


def test_long_units_come_first_and_the_rest_stays_in_order() -> None:
    names = ["tests/test_b.py", "tests/test_a.py", "chapters/02.ipynb", "chapters/03.ipynb"]
    items: list[Any] = [Item(name) for name in names for _ in range(2)]
    items.append(Item("tests/site/test_pages.py", "site"))
    config: Any = SimpleNamespace(workerinput={})
    pytest_collection_modifyitems(config, items)
    expected = [WEBSITE, *names[2:], *names[:2]]
    assert list(dict.fromkeys(unit(item) for item in items)) == expected
    groups = [marker.args for item in items for marker in item.markers]
    assert groups == [(unit(item),) for item in items]


def test_one_process_runs_tests_in_the_order_of_their_files() -> None:
    items: list[Any] = [Item("tests/test_b.py"), Item("chapters/02.ipynb")]
    pytest_collection_modifyitems(SimpleNamespace(), items)  # type: ignore[arg-type]
    assert [unit(item) for item in items] == ["tests/test_b.py", "chapters/02.ipynb"]
    assert not any(item.markers for item in items)


def test_what_is_called_long_exists() -> None:
    root = Path(__file__).resolve().parents[1]
    for pattern in set(LONG) - {WEBSITE}:
        assert list(root.glob(pattern)), f"{pattern} fits nothing any more"
    assert rank("tests/notebooks/test_notebook_validation.py") < rank("tests/notebooks/test_x.py")
    assert rank("tests/test_nothing.py") == len(LONG)
