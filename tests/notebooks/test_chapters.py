"""Every chapter: validated cell by cell, and built as the book's chapters are."""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from notebook_agreement import agreement, exported, real_data_stands_alone
from notebook_checks import RULES
from notebook_validation import NotebookFolder

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "book" / "results" / "notebooks.jsonl"

CHAPTERS = NotebookFolder(ROOT / "chapters")  # collected cell by cell, see conftest.py
PATHS = CHAPTERS.notebooks()
NAMES = [path.name for path in PATHS]


@cache
def read(name: str) -> NotebookNode:
    return nbformat.read(CHAPTERS.path / name, as_version=4)


@pytest.mark.parametrize("rule", [*RULES, real_data_stands_alone], ids=lambda rule: rule.__name__)
def test_rule(rule: Callable[[NotebookNode, str], list[str]]) -> None:
    problems = [f"{name}: {problem}" for name in NAMES for problem in rule(read(name), name)]
    assert not problems, "\n" + "\n".join(problems)


def test_package_and_notebooks_agree() -> None:
    package = exported()
    problems = [
        f"{name}: {problem}" for name in NAMES for problem in agreement(read(name), package)
    ]
    assert not problems, "\n" + "\n".join(problems)


def test_every_notebook_has_one_run_record() -> None:
    lines = RECORDS.read_text("utf-8").splitlines() if RECORDS.exists() else []
    recorded = [json.loads(line)["notebook"] for line in lines]
    assert recorded == NAMES, "`make notebooks` writes the records of all chapters"


def test_every_chapter_has_a_number_of_its_own() -> None:
    """One that is left out is that of a chapter that is planned; see book/index.md."""
    numbers = [int(name[:2]) for name in NAMES]
    assert numbers == sorted(set(numbers))
    contents = (ROOT / "book" / "index.md").read_text("utf-8")
    left_out = set(range(1, max(numbers))) - set(numbers)
    assert [n for n in left_out if not re.search(rf"\b{n:02}\s", contents)] == []
