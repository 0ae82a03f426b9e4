"""The notes of a release are the section of its version, and a tag without one stops it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import yaml
from release_notes import CHANGES, notes_of

CHANGELOG = """# Changes

What a reader notices.

## unreleased

### The book

- Not yet.

## 0.2.0 (2027-02-03)

### The book

- A chapter.

### The package

- `fit` is quicker; see `## 0.1.0` for what it was.

## 0.2.0.1

- Mended.

## 0.1.0

- All of it.

## 0.0.1

### The book
"""


def test_notes_are_what_stands_in_the_section() -> None:
    expected = "### The book\n\n- A chapter.\n\n### The package\n\n"
    expected += "- `fit` is quicker; see `## 0.1.0` for what it was.\n"
    assert notes_of("0.2.0", CHANGELOG) == notes_of("v0.2.0", CHANGELOG) == expected
    assert notes_of("0.1.0", CHANGELOG) == "- All of it.\n"


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("0.2", r"needs one section '## 0.2', and has 0.*'unreleased', '0.2.0 \(2027-02-03\)'"),
        ("0.3.0", "has 0.*Rename 'unreleased'"),
        ("0.0.1", "section of 0.0.1 in CHANGELOG.md is empty"),
        ("", "has 0"),
    ],
)
def test_a_version_without_notes_is_refused(version: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        notes_of(version, CHANGELOG)


def test_two_sections_of_a_version_are_refused() -> None:
    with pytest.raises(ValueError, match="and has 2"):
        notes_of("0.1.0", CHANGELOG + "\n## 0.1.0\n\n- Again.\n")


def test_the_command_prints_the_notes_of_this_changelog_or_says_what_is_missing() -> None:
    tool = CHANGES.parent / "book" / "tools" / "release_notes.py"
    changes = CHANGES.read_text("utf-8")
    newest = re.findall(r"^## (\S+)", changes, flags=re.MULTILINE)[0]
    done = subprocess.run([sys.executable, tool, newest], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == notes_of(newest, changes)
    missing = subprocess.run([sys.executable, tool, "999.0"], capture_output=True, text=True)
    assert missing.returncode == 1
    assert "needs one section '## 999.0'" in missing.stderr
    assert missing.stdout == ""


def test_the_workflow_publishes_these_notes_and_asks_for_them_first() -> None:
    workflow = CHANGES.parent / ".github" / "workflows" / "release.yml"
    steps = yaml.safe_load(workflow.read_text("utf-8"))["jobs"]["release"]["steps"]
    commands = [step.get("run", "") for step in steps]
    (writes,) = [at for at, run in enumerate(commands) if "release_notes.py" in run]
    (publishes,) = [at for at, run in enumerate(commands) if "gh release create" in run]
    tests = next(at for at, run in enumerate(commands) if ".ci/run" in run)
    assert writes < tests < publishes  # what is missing is said before an hour of tests
    assert '> "$RUNNER_TEMP/notes.md"' in commands[writes]
    assert '--notes-file "$RUNNER_TEMP/notes.md"' in commands[publishes]
