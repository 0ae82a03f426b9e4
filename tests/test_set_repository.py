"""`make set-repo` writes the repository's name everywhere, and can do so again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from set_repository import ROOT, current, files, renamed, set_repository, validated

PLACEHOLDER = "OWNER" + "/REPOSITORY"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files that may name the repository, and the script, in a folder of their own."""
    for path in [*files(ROOT), ROOT / "book" / "tools" / "set_repository.py"]:
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return tmp_path


def mentions(root: Path, name: str) -> dict[str, int]:
    counts = {str(p.relative_to(root)): p.read_text("utf-8").count(name) for p in files(root)}
    return {path: count for path, count in counts.items() if count}


def test_the_name_is_written_everywhere_and_again(copy: Path) -> None:
    before = current(copy)
    places = mentions(copy, before)
    needed = {"_config.yml", "README.md", "CITATION.cff", "mtl_utils/notebook.py", "book/index.md"}
    assert needed <= set(places)

    changed = set_repository(copy, "ada-l/one.model_2")
    assert {str(path.relative_to(copy)) for path in changed} == set(places)
    assert mentions(copy, before) == {}
    assert mentions(copy, "ada-l/one.model_2") == places
    assert current(copy) == "ada-l/one.model_2"

    set_repository(copy, "book/data")
    assert mentions(copy, "ada-l/one.model_2") == {}
    assert current(copy) == "book/data"

    set_repository(copy, before)
    for path in files(copy):
        assert path.read_bytes() == (ROOT / path.relative_to(copy)).read_bytes(), path


def test_no_other_file_of_the_repository_names_it() -> None:
    listed = subprocess.run(
        ["git", "grep", "-lF", current(ROOT)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode > 1:
        pytest.skip(f"not a git repository: {listed.stderr.strip()}")
    known = {str(path.relative_to(ROOT)) for path in files(ROOT)}
    assert set(listed.stdout.split()) <= known


def test_the_setup_cell_still_knows_the_placeholder(copy: Path) -> None:
    set_repository(copy, "ada/book")
    text = (copy / "mtl_utils" / "notebook.py").read_text("utf-8")
    assert 'REPOSITORY = "ada/book"' in text
    assert '"OWNER" + "/REPOSITORY"' in text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("https://github.com/book/data", "https://github.com/new/name"),
        ("git+https://github.com/book/data.git", "git+https://github.com/new/name.git"),
        ("https://github.com/book/data/issues", "https://github.com/new/name/issues"),
        ("It is at https://github.com/book/data.", "It is at https://github.com/new/name."),
        ('REPOSITORY = \\"book/data\\"', 'REPOSITORY = \\"new/name\\"'),
        ("colab/github/book/data/blob/main", "colab/github/new/name/blob/main"),
        ("https://book.github.io/data/", "https://new.github.io/name/"),
        ("see book/data.md", "see book/data.md"),
        ('"book/data.md"', '"book/data.md"'),
        ('"book/data/x"', '"book/data/x"'),
        ("https://github.com/book/database", "https://github.com/book/database"),
        ("https://github.com/notebook/data", "https://github.com/notebook/data"),
    ],
)
def test_only_the_repository_is_renamed(before: str, after: str) -> None:
    assert renamed(before, "book/data", "new/name") == after


@pytest.mark.parametrize("good", ["a/b", "Ada-L/one.model_2", "x1/-", PLACEHOLDER])
def test_names_that_github_allows(good: str) -> None:
    assert validated(good) == good


@pytest.mark.parametrize(
    "bad",
    [
        *("", "name", "owner/", "/name", "a/b/c", "-a/b", "a-/b", "a_b/c", "a/..", "a/b.git"),
        *("https://github.com/a/b", "a/b\n", "a/b c", "é/b", "a" * 40 + "/b"),
    ],
)
def test_names_that_github_refuses(copy: Path, bad: str) -> None:
    with pytest.raises(ValueError, match="expected REPO=owner/name"):
        set_repository(copy, bad)
    assert current(copy) == current(ROOT)


def test_a_config_without_address_is_refused(copy: Path) -> None:
    (copy / "_config.yml").write_text("title: x\n")
    with pytest.raises(ValueError, match=r"expected repository\.url"):
        set_repository(copy, "a/b")


def test_command_line_says_what_it_wrote(copy: Path) -> None:
    command = [sys.executable, "-I", "book/tools/set_repository.py"]
    done = subprocess.run(
        [*command, "ada/book"], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert f"_config.yml: {current(ROOT)} -> ada/book" in done.stdout
    refused = subprocess.run([*command, ""], cwd=copy, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "got ''" in refused.stderr
