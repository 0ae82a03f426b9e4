"""Where runs keep what they need until their record is written, outside the work tree."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from pathlib import Path

from mtl_utils.arguments import check_path
from mtl_utils.experiments import records
from mtl_utils.experiments.experiment import Config

WORKSPACES_VARIABLE = "MTL_WORKSPACES"


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
