"""Run chapters with the versions that Colab has: ``make colab``, ``make colab CHAPTER=02``.

An environment of its own gets what Colab has of the packages that the book uses, in the versions
of ``colab.txt``, and the torch of ``requirements.txt``. A chapter runs in it from its first cell to
its last, as a reader runs it: its setup cell finds no ``mtl_utils`` and installs it, from a wheel
of this checkout instead of GitHub, and must leave torch, numpy and IPython alone. Nothing is
compared or stored.

``colab.yml`` does the same in Colab's own image, once a week. Here the Python is the one that makes
the environment (``--python``), which may be older than Colab's: where torch comes from PyPI it
brings gigabytes of CUDA on Linux, and a file of its CPU build is for one version of Python.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from execute import CELL_TIMEOUT, CHAPTERS, REAL_DATA_TAG, ROOT, select
from kernels import PatientClient, kernel_environment, kernel_of
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode

VERSIONS = Path(__file__).with_name("colab.txt")
ENVIRONMENT = ROOT / "_build" / "colab"
#: What Colab has before the first cell runs: what the package asks for, and what a kernel is.
THERE = (
    *("accelerate", "datasets", "huggingface_hub", "ipykernel", "ipython", "ipywidgets"),
    *("matplotlib", "numpy", "pandas", "pillow", "pyarrow", "safetensors", "scikit-learn", "scipy"),
    *("tokenizers", "tqdm", "transformers"),
)
KEPT = ("torch", "numpy", "ipython")
CLONED = 'f"mtl_utils @ git+https://github.com/{REPOSITORY}"'
UNNAMED = re.compile(r'^REPOSITORY = ".*?"', re.M)


@dataclass(frozen=True)
class Outcome:
    """How a chapter fared.

    Args:
        chapter: Name of the notebook.
        seconds: Processor time of its kernel.
        problem: What went wrong; empty where nothing did.
    """

    chapter: str
    seconds: float
    problem: str = ""


def pinned(text: str) -> dict[str, str]:
    """Return versions by name from lines such as ``numpy==2.1.3``."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.M))


def python_in(environment: Path) -> Path:
    """Return the interpreter of an environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make(environment: Path, python: str) -> Path:
    """Make the environment, where there is none, and return its interpreter.

    Raises:
        subprocess.CalledProcessError: If a version cannot be had.
    """
    found = python_in(environment)
    ready = environment / "ready"
    if ready.exists() and ready.read_text("utf-8") == VERSIONS.read_text("utf-8"):
        return found
    torch = pinned((ROOT / "requirements.txt").read_text("utf-8"))["torch"]
    subprocess.run([python, "-m", "venv", "--clear", str(environment)], check=True)
    command = [str(found), "-m", "pip", "install", "--quiet", "--constraint", str(VERSIONS)]
    subprocess.run([*command, f"torch=={torch}", *THERE], check=True)
    ready.write_text(VERSIONS.read_text("utf-8"), "utf-8")
    return found


def versions(python: Path, names: Sequence[str] = KEPT) -> dict[str, str]:
    """Return the versions of packages in an environment; those that are not there are left out."""
    code = (
        "import importlib.metadata as m, json, sys\n"
        "there = {d.name.lower(): d.version for d in reversed([*m.distributions()])}\n"
        "print(json.dumps({n: there[n] for n in sys.argv[1:] if n in there}))"
    )
    done = subprocess.run([python, "-c", code, *names], check=True, capture_output=True, text=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def packed(folder: Path) -> Path:
    """Return a wheel of the package as it is in this checkout, made of a copy of its files.

    Args:
        folder: An empty folder to work in.
    """
    copy = folder / "source"
    without = shutil.ignore_patterns("__pycache__")
    for name in ("mtl_utils", "book/results"):
        shutil.copytree(ROOT / name, copy / name, ignore=without)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(copy)], check=True)
    return next(folder.glob("*.whl"))


def as_on_colab(notebook: NotebookNode, wheel: Path) -> None:
    """Have the setup cell install the package from a wheel, in place.

    Raises:
        ValueError: If the cell is not as expected, so that it would ask GitHub.
    """
    cell = next(c for c in notebook.cells if "setup" in c.metadata.get("tags", []))
    source, named = UNNAMED.subn('REPOSITORY = "this/checkout"', cell.source)
    if named != 1 or source.count(CLONED) != 1:
        raise ValueError("the setup cell does not install the package as colab.py expects")
    cell.source = source.replace(CLONED, repr(f"mtl_utils @ {wheel.as_uri()}"))


def run(path: Path, python: Path, wheel: Path) -> Outcome:
    """Run one chapter.

    Args:
        path: The notebook.
        python: The interpreter of its kernel, which does not have the package yet.
        wheel: What its setup cell installs.
    """
    notebook = nbformat.read(path, as_version=4)
    as_on_colab(notebook, wheel)
    before = versions(python)
    client = PatientClient(
        notebook,
        kernel_manager_class=kernel_of(str(python)),
        timeout=CELL_TIMEOUT,
        resources={"metadata": {"path": str(path.parent)}},
    )
    # The package is found where it is installed, and not beside the notebook.
    environment = {k: v for k, v in kernel_environment().items() if k != "PYTHONPATH"}
    problem = ""
    try:
        client.execute(env=environment)
    except (CellExecutionError, CellTimeoutError) as error:
        problem = str(error).strip()
    after = versions(python)
    if not problem and after != before:
        problem = f"the setup cell changed {before} to {after}"
    return Outcome(path.name, client.processor_seconds, problem)


def without_package(python: Path) -> None:
    """Take the package out of an environment, so that a setup cell has to install it."""
    command = [str(python), "-m", "pip", "uninstall", "--quiet", "--yes", "mtl_utils"]
    subprocess.run(command, check=True)


def outcomes(paths: Sequence[Path], python: Path) -> Iterator[Outcome]:
    """Run chapters one after another, each with its setup cell's installation."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = packed(Path(folder))
        for path in paths:
            without_package(python)
            yield run(path, python, wheel)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Run chapters with the versions that Colab has.")
    parser.add_argument("chapters", nargs="*", help="beginnings of names, such as 02; all without")
    parser.add_argument("--python", default=sys.executable, help="makes the environment")
    parser.add_argument(
        "--environment", type=Path, help="use this one as it is, and make none (it is changed)"
    )
    options = parser.parse_args(arguments)
    try:
        paths = select(options.chapters, CHAPTERS)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    if options.environment:
        python = python_in(options.environment.absolute())
    else:
        python = make(ENVIRONMENT, options.python)
    wanted, there = pinned(VERSIONS.read_text("utf-8")), versions(python, THERE)
    apart = [f"{n} {v} (Colab: {wanted[n]})" for n, v in there.items() if wanted.get(n, v) != v]
    print(
        f"Not Colab's versions: {', '.join(apart) or 'none'}; torch is {versions(python)['torch']}"
    )
    if not os.environ.get("MTL_DATA_DIR"):
        print(f"MTL_DATA_DIR is not set: cells tagged {REAL_DATA_TAG} read from the Hub")
    failed = []
    for outcome in outcomes(paths, python):
        said = f"failed\n{outcome.problem}\n" if outcome.problem else "ran"
        print(f"{outcome.chapter}: {outcome.seconds:.0f} s of processor time, {said}", flush=True)
        failed += [outcome.chapter] if outcome.problem else []
    print(f"{len(paths) - len(failed)} of {len(paths)} chapters ran. Failed: {failed or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
