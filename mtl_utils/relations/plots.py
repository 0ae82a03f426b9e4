"""A table of relations as a picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas

from mtl_utils.arguments import check_whole, shown
from mtl_utils.relations.square import GIVER, RECEIVER, check_square

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure


def plot_relations(
    table: pandas.DataFrame,
    half_width: pandas.DataFrame | None = None,
    *,
    digits: int = 1,
    axes: matplotlib.axes.Axes | None = None,
) -> matplotlib.figure.Figure:
    """Draw what each task gives to each other, such as a transfer matrix.

    Args:
        table: ``[K, K]``, a row a giver, a column a receiver. The diagonal is not looked at.
        half_width: Half of the interval of each number, written below it; left out if ``None``.
        digits: Digits behind the point.
        axes: Where to draw; a figure of its own if ``None``.

    Returns:
        The figure: gains violet, losses orange, the darker the greater, white at 0. What is not
        finite has a dot in place of a number.

    Raises:
        ValueError: If a table has not the same tasks as rows and as columns, the two tables have
            other tasks, a half-width is negative, or ``digits`` is.
        TypeError: If a table is no table of real numbers, or ``digits`` no whole number.
    """
    tasks = check_square("table", table)
    if half_width is not None and check_square("half_width", half_width) != tasks:
        raise ValueError(
            f"half_width must be of the tasks of table, {tasks}, got {list(half_width.index)}"
        )
    for name, given in (("table", table), ("half_width", half_width)):
        if given is not None and any(kind.kind in "bc" for kind in given.dtypes):
            raise TypeError(f"{name} must hold real numbers, got {shown(given)}")
    if half_width is not None and (half_width.to_numpy() < 0).any():
        raise ValueError(f"half_width must not be negative, got {shown(half_width)}")
    check_whole("digits", digits, least=0)
    # Both take a while, and relations are measured without them.
    from matplotlib import colors
    from matplotlib import pyplot as plt

    from mtl_utils.diagrams.theme import contrast

    if axes is None:
        size = 1.6 + 0.75 * len(tasks), 1.3 + 0.55 * len(tasks)
        _, axes = plt.subplots(figsize=size, layout="constrained")
    values = table.to_numpy(dtype=np.float64, copy=True)
    np.fill_diagonal(values, np.nan)
    halves = None if half_width is None else half_width.to_numpy(dtype=np.float64)
    limit = np.abs(values[np.isfinite(values)]).max(initial=0.0) or 1.0
    image = axes.imshow(values, cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto")
    seen = np.where(np.isfinite(values), values, 0.0)  # what is not finite is left white
    cells = np.asarray(image.cmap(image.norm(seen)))
    for row, column in zip(*np.nonzero(~np.eye(len(tasks), dtype=bool)), strict=True):
        text = _number(values[row, column], digits, "+")
        if halves is not None:
            text += f"\n± {_number(halves[row, column], digits)}"
        ground = colors.to_hex(cells[row, column])
        ink = "white" if contrast("white", ground) > contrast("black", ground) else "black"
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)
    axes.set_xticks(range(len(tasks)), tasks, rotation=30, ha="right")
    axes.set_yticks(range(len(tasks)), tasks)
    axes.set(xlabel=RECEIVER, ylabel=GIVER)
    axes.grid(False)
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def _number(value: float, digits: int, sign: str = "") -> str:
    return f"{value:{sign}z.{digits}f}" if math.isfinite(value) else "·"
