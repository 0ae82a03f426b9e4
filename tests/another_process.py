"""Code in a process of its own, which has the package loaded already and nothing of the tests.

A new interpreter takes five seconds of a core to import the package and two more for the first
optimiser, which is more than most of what is tried there takes. The processes here are forked from
one that did this and no more, and that each process of the tests starts when it is first asked. A
test of how an interpreter starts, of what it imports, or of the order of its sets starts its own.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from hang_guard import HANG_SECONDS

METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
PROCESSES = multiprocessing.get_context(METHOD)
if METHOD == "forkserver":
    PROCESSES.set_forkserver_preload(
        ["mtl_utils.models", "mtl_utils.training", "mtl_utils.experiments", "torch._dynamo"]
    )


@dataclass(frozen=True)
class Done:
    """How a process ended; 0 is well, and less than 0 the signal that killed it."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Running:
    """A process that was started, and the folder of what it says."""

    process: BaseProcess
    said: tempfile.TemporaryDirectory[str]

    def wait(self) -> Done:
        """Wait for the end; kill what has not come to it in an hour."""
        self.process.join(HANG_SECONDS)
        self.process.kill()
        self.process.join()
        stdout, stderr = (
            (Path(self.said.name) / name).read_text("utf-8") for name in ("stdout", "stderr")
        )
        self.said.cleanup()
        assert self.process.exitcode is not None
        return Done(self.process.exitcode, stdout, stderr)


def start(
    code: str,
    *arguments: object,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    input: str = "",
) -> Running:
    """Start a process that runs code as ``python -c CODE ARGUMENTS`` does.

    Args:
        code: What to run.
        arguments: What it finds in ``sys.argv`` after ``-c``.
        cwd: Where it runs; here if ``None``.
        env: Its environment, that of this process if ``None``; what is read when the package is
            imported has been read.
        input: What it can read from its standard input.
    """
    said = tempfile.TemporaryDirectory(prefix="another-process-")
    (Path(said.name) / "stdin").write_text(input, "utf-8")
    words = ["-c", *map(str, arguments)]
    place, environment = str(cwd or Path.cwd()), dict(os.environ if env is None else env)
    process = PROCESSES.Process(
        target=_run, args=(code, words, place, environment, said.name), daemon=True
    )
    process.start()
    return Running(process, said)


def run(
    code: str,
    *arguments: object,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    input: str = "",
) -> Done:
    """Run code in a process of its own and return how that ended; see :func:`start`."""
    return start(code, *arguments, cwd=cwd, env=env, input=input).wait()


def _run(
    code: str, words: Sequence[str], place: str, environment: Mapping[str, str], said: str
) -> None:
    for number, (name, flags) in enumerate(
        (
            ("stdin", os.O_RDONLY),
            ("stdout", os.O_WRONLY | os.O_CREAT),
            ("stderr", os.O_WRONLY | os.O_CREAT),
        )
    ):
        file = os.open(Path(said) / name, flags)
        os.dup2(file, number)
        os.close(file)
    # Those of multiprocessing read nothing and write to what was open before.
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
        for number, mode in enumerate("rww")
    )
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(place)
    sys.argv = list(words)
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
