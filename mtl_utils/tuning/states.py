"""What has become of a trial, in the words of the table of a search."""

from __future__ import annotations

from typing import Any

ERROR = "error"
"""The attribute of a trial that says why it failed."""

_NAMES = {"COMPLETE": "finished", "PRUNED": "pruned", "RUNNING": "running", "WAITING": "waiting"}


def state_of(trial: Any) -> str:
    """Name what has become of a trial: one that failed without an error was lost.

    Args:
        trial: Optuna's frozen trial.
    """
    if trial.state.name == "FAIL":
        return "failed" if ERROR in trial.user_attrs else "lost"
    return _NAMES[trial.state.name]


def counts(trial: Any) -> bool:
    """Tell whether a trial is one of those that were asked for.

    Args:
        trial: Optuna's frozen trial.
    """
    return state_of(trial) in ("finished", "pruned", "failed", "running")
