"""Processes that are forked from a warm one: what they are given and what they say."""

import os
import sys
from pathlib import Path

import another_process
import pytest

CODE = """
import os, sys
print([*sys.argv, sys.stdin.read(), os.getcwd(), os.environ.get("GIVEN"), __name__])
print("mtl_utils.models" in sys.modules, "another_process_was_here" in sys.modules)
os.system("echo from below")
print("aside", file=sys.stderr)
"""


def test_code_finds_what_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "another_process_was_here", sys)
    environment = {"PATH": os.environ["PATH"], "GIVEN": "é"}
    done = another_process.run(CODE, "one", 2, cwd=tmp_path, env=environment, input="three")
    given = ["-c", "one", "2", "three", str(tmp_path), "é", "__main__"]
    warm = another_process.METHOD == "forkserver"
    assert sorted(done.stdout.splitlines()) == sorted([str(given), f"{warm} False", "from below"])
    assert (done.returncode, done.stderr) == (0, "aside\n")


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("raise SystemExit(3)", 3, ""),
        ("raise ValueError('what is wrong')", 1, "ValueError: what is wrong"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", -9, ""),
    ],
)
def test_it_is_told_how_a_process_ends(code: str, status: int, said: str) -> None:
    done = another_process.run(code)
    assert done.returncode == status
    assert said in done.stderr


def test_no_process_finds_what_another_did() -> None:
    code = "import sys\nprint(hasattr(sys, 'been'))\nsys.been = True"
    assert [another_process.run(code).stdout for _ in range(2)] == ["False\n"] * 2


def test_processes_run_at_the_same_time(tmp_path: Path) -> None:
    """Each goes on when the other has come."""
    code = """
import pathlib, sys, time
mine, other = (pathlib.Path(name) for name in sys.argv[1:])
mine.touch()
while not other.exists():
    time.sleep(0.01)
"""
    names = [tmp_path / "a", tmp_path / "b"]
    running = [another_process.start(code, *order) for order in (names, names[::-1])]
    assert [process.wait().returncode for process in running] == [0, 0]
