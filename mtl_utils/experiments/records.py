"""Recorded runs: one JSON object a line in ``book/results/NAME.jsonl``."""

from __future__ import annotations

import datetime
import functools
import importlib.metadata
import json
import os
import platform
import subprocess
import sysconfig
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mtl_utils.arguments import check_path
from mtl_utils.files import lock, parse_json

Record = dict[str, Any]

RESULTS_VARIABLE = "MTL_RESULTS_DIR"
MATTERING = (
    *("mtl_utils", "torch", "accelerate", "numpy", "datasets", "tokenizers"),
    *("sacrebleu", "seqeval"),
)
"""Distributions whose versions are noted."""

INSTRUCTIONS = {"fma", "avx", "avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16"}
"""Flags of a processor that are noted: its kernels are chosen by them."""

FIELDS = ("experiment", "config", "seed", "metrics", "commit", "versions", "hardware", "seconds")


def repository() -> Path:
    """Return the folder that holds the package: the repository, unless it was installed."""
    return Path(__file__).resolve().parents[2]


def results_folder(folder: str | Path | None = None) -> Path:
    """Find the folder of recorded results.

    Looked for in this order: the argument, the environment variable ``MTL_RESULTS_DIR``,
    ``book/results`` of the repository that the package is run from, and the copy that is installed
    along with the package (``share/mtl_utils/results``).

    Args:
        folder: The folder itself.

    Returns:
        The folder.

    Raises:
        FileNotFoundError: If there is none.
        TypeError: If ``folder`` is no path.
        ValueError: If it is empty.
    """
    if folder is not None:
        check_path("folder", folder)
    given = folder or os.environ.get(RESULTS_VARIABLE)
    if given:
        if not Path(given).is_dir():
            raise FileNotFoundError(f"There is no folder of results at {given}")
        return Path(given)
    candidates = [
        repository() / "book" / "results",
        Path(sysconfig.get_path("data")) / "share" / "mtl_utils" / "results",
    ]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(
        "No recorded results: looked for them at "
        f"{' and '.join(map(str, candidates))}. Pass folder=, or set {RESULTS_VARIABLE} to the "
        "book/results folder of a copy of the repository."
    )


def canonical(config: Mapping[str, Any]) -> str:
    """Write a configuration in one way only, so that equal ones are equal text."""
    return json.dumps(config, sort_keys=True, ensure_ascii=False)


def key(record: Mapping[str, Any]) -> tuple[str, str, int]:
    """Return what makes a record the same run as another: experiment, configuration and seed."""
    return record["experiment"], canonical(record["config"]), record["seed"]


def file_of(folder: str | Path, experiment: str) -> Path:
    """Return the results file of an experiment in a folder."""
    return Path(folder) / f"{experiment}.jsonl"


def read(path: str | Path) -> list[Record]:
    """Read a results file.

    A last line without a line end is what a killed run left behind; it is dropped with a warning.

    Args:
        path: The file; one that does not exist holds no records.

    Returns:
        The records, oldest first.

    Raises:
        ValueError: If a complete line is not a record.
    """
    path = Path(path)
    if not path.is_file():
        return []
    *lines, rest = path.read_bytes().split(b"\n")
    if rest:
        warnings.warn(f"{path} ends in a half-written record, which is left out", stacklevel=2)
    return [
        _parse(line, f"{path}, line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]


def _parse(line: bytes, where: str) -> Record:
    try:
        record = parse_json(line)
    except ValueError as error:
        raise ValueError(f"{where} is not JSON ({error}); delete or repair the line") from error
    missing = [name for name in FIELDS if not isinstance(record, dict) or name not in record]
    if missing:
        raise ValueError(f"{where} is not a record: it lacks {', '.join(missing)}")
    return record


def append(path: str | Path, record: Mapping[str, Any]) -> None:
    """Add a record to a results file in a single write that reaches the disk.

    A half-written last line is removed first, so that a killed run never spoils the next one. The
    file is locked meanwhile, so that of several processes each adds its own.

    Args:
        path: The file; it is created where it is missing, with its folder.
        record: The record.

    Raises:
        TypeError: If the record holds what JSON cannot write.
        ValueError: If it holds a number that is not finite.
    """
    try:
        text = json.dumps(record, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ValueError(
            f"The record of {record.get('experiment')} holds infinity or nan: {record}"
        ) from error
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+", buffering=0) as file:
        lock(file.fileno(), path)
        file.seek(0)
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)
        try:
            rest = memoryview(text.encode() + b"\n")
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except BaseException:
            file.truncate(whole)  # on a full disk a part of it may be there
            raise


@functools.cache
def commit() -> str:
    """Return the commit of the package's source when this process first asked.

    Later edits do not change what is running, so a long run asks when it starts.

    Returns:
        The hash, with ``-dirty`` where tracked files of ``mtl_utils`` differ from it; ``unknown``
        outside a git repository.
    """
    head = _git("rev-parse", "HEAD")
    if head is None or _git("ls-files", "--error-unmatch", __file__) is None:
        return "unknown"
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", "mtl_utils")
    return f"{head}-dirty" if changed else head


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(repository()), *arguments], capture_output=True, text=True
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def versions() -> dict[str, str]:
    """Return the versions of Python and of what the numbers depend on."""
    found = {"python": platform.python_version()}
    for name in MATTERING:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "unknown"
    return found


def hardware() -> dict[str, str | int]:
    """Return what a run depends on: processor, cores, threads of torch, and the GPU if any.

    ``flags`` are the instructions of the processor that the numbers of torch depend on.
    """
    found: dict[str, str | int] = {
        "cpu": _cpu(),
        "flags": " ".join(sorted(INSTRUCTIONS & _instructions())),
        "cores": os.cpu_count() or 0,
        "threads": torch.get_num_threads(),
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def _cpu() -> str:
    return _from_system("model name") or platform.processor() or platform.machine()


def _instructions() -> set[str]:
    return set((_from_system("flags") or _from_system("Features")).split())  # x86, or ARM


def _from_system(entry: str) -> str:
    """Return what Linux says of the first processor; nothing where it says nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(entry)), "")


def make(
    experiment: str,
    config: Mapping[str, Any],
    seed: int,
    metrics: Mapping[str, Any],
    seconds: float,
) -> Record:
    """Put a record together.

    Args:
        experiment: Name of the experiment.
        config: The configuration.
        seed: The seed.
        metrics: What was measured.
        seconds: Wall time.

    Returns:
        The record, with commit, versions, hardware and date.

    Raises:
        ValueError: If a name is both in the configuration and the metrics.
    """
    both = sorted(set(config) & set(metrics))
    if both:
        raise ValueError(f"These names are both settings and metrics of {experiment}: {both}")
    return {
        "experiment": experiment,
        "config": dict(config),
        "seed": seed,
        "metrics": dict(metrics),
        "commit": commit(),
        "versions": versions(),
        "hardware": hardware(),
        "seconds": round(seconds, 2),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def of_run(
    experiment: str,
    config: Mapping[str, Any],
    seed: int,
    metrics: Mapping[str, Any],
    began: float,
) -> Record:
    """Put the record of a run together that has just ended.

    Args:
        experiment: Name of the experiment.
        config: The configuration.
        seed: The seed.
        metrics: What it returned. Its ``seconds``, where it has some, are those of all sessions: a
            run that was resumed knows them. One that knows ``training_seconds`` took no less.
        began: When it began, by ``time.perf_counter``.

    Raises:
        ValueError: As :func:`make`.
    """
    took = max(time.perf_counter() - began, metrics.get("training_seconds", 0.0))
    seconds = metrics.get("seconds", took)
    measured = {name: value for name, value in metrics.items() if name != "seconds"}
    return make(experiment, config, seed, measured, seconds)
