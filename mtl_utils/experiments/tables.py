"""What may be claimed of a recorded comparison, by one call from a chapter."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mtl_utils.arguments import check_text
from mtl_utils.experiments.analysis import load_results
from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contrasts import contrast_table, paired_table
from mtl_utils.experiments.registry import find_comparison


def verdicts(name: str, setting: str, folder: str | Path | None = None) -> pd.DataFrame:
    """Say which of the differences that a comparison named before it was run may be claimed.

    Args:
        name: Name of the comparison.
        setting: One of its settings.
        folder: Where its results are; see :func:`load_results`.

    Returns:
        One row a contrast, see :func:`contrast_table`. Without records at twice the steps nothing
        is settled, and the verdict says so.

    Raises:
        KeyError: If there is no such comparison, or no such setting.
        FileNotFoundError: If it is not on record.
        TypeError: If a name is no string.
    """
    comparison, frame, doubled = _recorded(name, setting, folder)
    return contrast_table(frame, comparison.contrasts[setting], doubled)


def comparison_table(name: str, setting: str, folder: str | Path | None = None) -> pd.DataFrame:
    """Write what may be claimed of a recorded comparison as readers want it.

    Args:
        name: Name of the comparison.
        setting: One of its settings.
        folder: Where its results are; see :func:`load_results`.

    Returns:
        One row a contrast, see :func:`paired_table`.

    Raises:
        KeyError: If there is no such comparison, or no such setting.
        FileNotFoundError: If it is not on record.
        TypeError: If a name is no string.
    """
    comparison, frame, doubled = _recorded(name, setting, folder)
    return paired_table(frame, comparison.contrasts[setting], doubled)


def _recorded(
    name: str, setting: str, folder: str | Path | None
) -> tuple[Comparison, pd.DataFrame, pd.DataFrame]:
    """Look up a comparison, the records of one of its settings, and those at twice the steps."""
    comparison = find_comparison(name)
    check_text("setting", setting)
    if setting not in comparison.contrasts:
        raise KeyError(f"{name} has no setting {setting!r}; it has {list(comparison.contrasts)}")
    frame = load_results(name, folder)
    try:
        doubled = load_results(f"{name}_doubled", folder)
    except FileNotFoundError:
        doubled = frame.iloc[:0]
    ours, again = (runs[runs["setting"] == setting] for runs in (frame, doubled))
    return comparison, ours, again
