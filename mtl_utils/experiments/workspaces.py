"""Where runs keep what they need until their record is written, outside the work tree."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mtl_utils.arguments import check_path
from mtl_utils.experiments import records
from mtl_utils.experiments.experiment import Config
from mtl_utils.files import lock

WORKSPACES_VARIABLE = "MTL_WORKSPACES"
_LOCK = ".lock"


def workspaces_folder(results: str | Path) -> Path:
    """Return the folder of all workspaces whose records go to one folder of results.

    It stands below the folder that the environment variable ``MTL_WORKSPACES`` names, by default in
    the user's cache: an interrupted run survives a fresh checkout in the same place, and two
    checkouts share nothing.

    Args:
        results: The folder of results files, which may be missing yet.

    Returns:
        The folder, which may be missing too.

    Raises:
        TypeError: If ``results`` is no path.
        ValueError: If it is empty.
    """
    check_path("results", results)
    whole = Path(results).resolve()
    given = os.environ.get(WORKSPACES_VARIABLE)
    base = Path(given).expanduser() if given else _cache() / "mtl_utils" / "workspaces"
    readable = re.sub(r"[^\w.]+", "-", "-".join(whole.parts[-3:])).strip("-.")
    return base / f"{readable}-{_digest(str(whole))}"


def kept_sets_folder(results: str | Path) -> Path:
    """Return the folder where runs keep data sets that they have generated, for all checkouts.

    Args:
        results: The folder of results files, which may be missing yet.
    """
    return workspaces_folder(results).parent / "kept_sets"


def workspace_of(results: str | Path, name: str, config: Config, seed: int) -> Path:
    """Return the workspace of one run.

    Args:
        results: The folder of results files.
        name: Of the experiment.
        config: The configuration.
        seed: The seed.

    Returns:
        A folder that is this run's alone. An older version kept workspaces in ``.workspaces``
        beside the results: where this run left one there, it is that.
    """
    own = Path(name) / f"{_digest(records.canonical(config))}-{seed}"
    older = Path(results) / ".workspaces" / own
    return older if older.is_dir() else workspaces_folder(results) / own


def claim(workspace: Path) -> int | None:
    """Lock a workspace, so that no other process runs the same; a killed one holds nothing.

    Args:
        workspace: The folder; it is made where it is missing.

    Returns:
        An open file: who closes it, or ends, gives the workspace up. A process that inherits it
        holds the workspace too. ``None`` where the system has no locks.

    Raises:
        TimeoutError: If another process holds it.
    """
    file = workspace / _LOCK
    while True:
        # Its last holder may remove it meanwhile.
        with contextlib.suppress(FileNotFoundError), contextlib.ExitStack() as stack:
            workspace.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
            stack.callback(os.close, descriptor)
            if not lock(descriptor, workspace, patience=0):
                return None  # closed, since Windows removes nothing that is open
            if os.path.samestat(os.fstat(descriptor), os.stat(file)):
                stack.pop_all()
                return descriptor


def give_up(claimed: int | None) -> None:
    """Give up in this process what :func:`claim` returned."""
    if claimed is not None:
        os.close(claimed)


@contextlib.contextmanager
def hold(workspace: Path) -> Iterator[bool]:
    """Hold a workspace for a while; see :func:`claim`.

    Args:
        workspace: The folder.

    Yields:
        Whether it is held: another process may hold it.
    """
    try:
        claimed = claim(workspace)
    except TimeoutError:
        yield False
        return
    try:
        yield True
    finally:
        give_up(claimed)


def discard(workspace: Path) -> None:
    """Remove what a run left whose record is written, unless a process holds it."""
    if not workspace.is_dir():
        return
    with hold(workspace) as ours:
        if ours:
            remove(workspace)


def remove(workspace: Path) -> None:
    """Remove a workspace that this process holds, for all others in one step.

    Emptied file by file, it could be claimed again by another process between its lock and itself.

    Args:
        workspace: The folder.
    """
    with tempfile.TemporaryDirectory(dir=workspace.parent, prefix="gone-") as gone:
        workspace.rename(Path(gone) / workspace.name)


def log_of(workspace: Path) -> Path:
    """Return the file with what a run that failed wrote, beside its workspace."""
    return workspace.with_name(f"{workspace.name}.log")


def _cache() -> Path:
    """Return the folder where this system keeps what a user's programs can make again."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(given):  # the standard has others ignored
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path.home() / ".cache"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
