"""The page for maintainers, followed to the letter in a copy of the repository."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from maintaining_page import PAGE, ROOT, Step, copied, hunks, sections, steps_of

TEXT = PAGE.read_text("utf-8")
STEPS = {name: steps_of(text) for name, text in sections(TEXT).items()}

#: Tests that were there already and look whether everything is in its list.
LISTS = (
    "tests/test_layers.py",
    "tests/commands/test_kinds.py::test_every_kind_of_task_has_a_name_in_a_file",
    "tests/commands/test_balancers.py::test_no_balancer_is_left_out",
    "tests/corpora/test_hub.py::test_entries_are_complete",
)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository after all steps of the page."""
    root = copied(tmp_path_factory.mktemp("copy"))
    for steps in STEPS.values():
        for step in steps:
            step.take(root)
    return root


def test_every_kind_of_addition_has_its_steps() -> None:
    assert {name.removeprefix("maintaining-") for name in STEPS} == {
        *("task", "balancer", "sharing", "data", "experiment", "chapter", "diagram", "command")
    }
    assert min(map(len, STEPS.values())) >= 2


def test_what_the_page_adds_passes_its_tests(followed: Path) -> None:
    """Closed forms, losses that fall, a data set that is refused: see the blocks of the page."""
    new = [step for steps in STEPS.values() for step in steps if not step.changes]
    tests = [step.path for step in new if step.path.startswith("tests/")]
    code = sum(len(re.findall(r"^def test_", step.text, re.M)) for step in new)
    assert (len(tests), code) == (6, 17)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, *LISTS],
        cwd=followed,
        env={**os.environ, "PYTHONPATH": str(followed)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert re.search(r"^\d+ passed", done.stdout, re.M)


def test_what_the_page_names_is_there(followed: Path) -> None:
    """Files in the prose exist, before or after the steps."""
    prose = re.sub(r"^ *```.*?^ *```$", "", TEXT, flags=re.M | re.S)
    named = set(re.findall(r"`((?:mtl_utils|book|tests|chapters)/[\w./]+\.\w+)`", prose))
    assert len(named) > 5
    assert [
        n for n in sorted(named) if not (ROOT / n).exists() and not (followed / n).exists()
    ] == []


def test_a_change_that_no_longer_fits_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one\ntwo\n", "utf-8")
    step = Step("a.py", " one\n+more\n@@\n-two\n+three\n", True)
    assert list(hunks(step.text)) == [("one\n", "one\nmore\n"), ("two\n", "three\n")]
    step.take(tmp_path)
    assert (tmp_path / "a.py").read_text("utf-8") == "one\nmore\nthree\n"
    with pytest.raises(AssertionError, match=r"0 places in a.py look like\ntwo"):
        step.take(tmp_path)
