"""Where all contenders of recorded comparisons stand, measured from one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas

from mtl_utils.arguments import check_kind, check_text
from mtl_utils.experiments.contrasts import Contrast, paired_difference

if TYPE_CHECKING:
    from collections.abc import Hashable

    import matplotlib.figure

_NAMES = ("setting", "contender")


def standings(runs: pandas.DataFrame, zero: str, metric: str) -> pandas.DataFrame:
    """Return what every contender has more than one of them, seed by seed.

    Nothing is claimed by it: a comparison names few differences beforehand, which
    :func:`verdicts` judges, and of many some leave zero out by chance.

    Args:
        runs: One row a run, as :func:`load_results` returns; those of several comparisons in the
            same settings may be put together.
        zero: Name of the contender that counts as zero.
        metric: Column of the records.

    Returns:
        One row a contender but ``zero``, in the order of the runs; by setting its ``mean``, its
        ``half_width`` (of the 95% interval) and ``n`` (seeds), in the units of the records. nan
        where a contender has no runs in a setting.

    Raises:
        KeyError: If a column is missing, or ``zero`` in a setting.
        ValueError: If there are no rows, or one without a setting or contender; if ``zero`` is
            alone in a setting, or a contender has a seed twice there, or none in common with
            ``zero``.
        TypeError: If an argument is not of its kind, or the metric no numbers.
    """
    check_kind("runs", runs, pandas.DataFrame, "a DataFrame")
    check_text("zero", zero)
    check_text("metric", metric)
    missing = [name for name in (*_NAMES, "seed", metric) if name not in runs.columns]
    if missing:
        raise KeyError(f"metric and names must be columns, {list(runs)}, and {missing} are not")
    if metric in (*_NAMES, "seed") or not pandas.api.types.is_numeric_dtype(runs[metric]):
        raise TypeError(f"metric must be a column of scores, got {metric!r}")
    if runs.empty or runs[list(_NAMES)].isna().any(axis=None):
        raise ValueError(f"runs must have rows, each with {' and '.join(_NAMES)}, got {len(runs)}")
    others = [name for name in runs["contender"].unique() if name != zero]
    found: dict[tuple[Hashable, str], dict[str, float]] = {}
    for setting, here in runs.dropna(subset=[metric]).groupby("setting", sort=False):
        present = set(here["contender"])
        if zero not in present:
            raise KeyError(f"zero must have runs in {setting}, as {sorted(present)}, got {zero!r}")
        if present == {zero}:
            raise ValueError(f"zero must not be alone in {setting}, got {zero!r} and no other")
        for name in present - {zero}:
            against = paired_difference(here, Contrast(name, zero, metric))
            for column in ("mean", "half_width", "n"):
                found.setdefault((setting, column), {})[name] = getattr(against, column)
    return pandas.DataFrame(found).reindex(others)


def plot_standings(runs: pandas.DataFrame, zero: str, metric: str) -> matplotlib.figure.Figure:
    """Draw :func:`standings`: hollow marks, since nothing is claimed by them.

    Args:
        runs: See :func:`standings`.
        zero: Likewise.
        metric: Likewise.

    Returns:
        The figure: one panel a setting with a scale of its own, one row a contender, a mark at the
        mean of the differences and a bar over its 95% interval; no bar where there is one seed.

    Raises:
        KeyError: As :func:`standings`.
        ValueError: As :func:`standings`.
        TypeError: As :func:`standings`.
    """
    table = standings(runs, zero, metric)
    settings = list(table.columns.get_level_values(0).unique())
    from matplotlib import pyplot as plt  # takes a while, and records are read without it

    figure, panels = plt.subplots(
        1,
        len(settings),
        squeeze=False,
        sharey=True,
        figsize=(2.0 + 3.0 * len(settings), 1.1 + 0.22 * len(table)),
    )
    places, label = range(len(table)), f"{metric.replace('_', ' ')}, minus {zero}"
    for panel, setting in zip(panels[0], settings, strict=True):
        of = table[setting]
        panel.axvline(0, color="0.6", linewidth=1)
        panel.errorbar(of["mean"], places, xerr=of["half_width"], fmt="o", markerfacecolor="white")
        panel.set(title=setting, xlabel=label)
    panels[0][0].set_yticks(places, table.index)
    panels[0][0].invert_yaxis()  # an axis that is shared turns for all
    return figure
