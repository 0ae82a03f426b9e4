"""What may be claimed of a recorded comparison, by one call from a chapter."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mtl_utils.arguments import check_text
from mtl_utils.experiments.analysis import load_results
from mtl_utils.experiments.registry import comparisons


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
    check_text("name", name)
    check_text("setting", setting)
    found = {comparison.name: comparison for comparison in comparisons()}
    if name not in found:
        raise KeyError(f"No comparison named {name!r}; there are {', '.join(sorted(found))}")
    comparison = found[name]
    if setting not in comparison.contrasts:
        raise KeyError(f"{name} has no setting {setting!r}; it has {list(comparison.contrasts)}")
    try:
        doubled = load_results(f"{name}_doubled", folder)
    except FileNotFoundError:
        doubled = None
    return comparison.verdicts(setting, load_results(name, folder), doubled)
