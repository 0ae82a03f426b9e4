"""How much of a spread of scores is due to the rows, and how much to the first weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtl_utils.arguments import check_kind

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Spread:
    """Standard deviations of a score, by where they come from, in its own unit.

    Attributes:
        rows: Of the choice of rows.
        weights: Of the first weights.
        rest: Of what neither explains alone: which weights suit which rows, and everything else.
    """

    rows: float
    weights: float
    rest: float


def spread_by_source(scores: pandas.DataFrame) -> Spread:
    r"""Split the spread of scores over a crossed table of draws and first weights.

    Every draw of rows is trained with every seed of the weights, and the score is taken as a sum of
    independent parts, :math:`s_{dw} = \mu + r_d + f_w + e_{dw}`. Their variances are estimated by
    the mean squares of the table (the analysis of variance of two crossed random effects with one
    observation a cell). Where a difference of mean squares is negative, the estimate is 0.

    Args:
        scores: One row for each draw of rows, one column for each seed of the weights.

    Returns:
        The three standard deviations.

    Raises:
        TypeError: If the scores are no table of numbers.
        ValueError: If there are fewer than two rows or columns, or a score is missing.
    """
    check_kind("scores", scores, pd.DataFrame, "a DataFrame")
    try:
        table = scores.to_numpy(dtype=float)
    except (TypeError, ValueError) as error:
        raise TypeError(f"scores must be numbers ({error}), got {scores!r:.80}") from error
    draws, seeds = table.shape
    if min(draws, seeds) < 2:
        raise ValueError(
            f"scores must have at least two draws and two seeds, got shape {table.shape}"
        )
    if not np.isfinite(table).all():
        raise ValueError(f"scores must have a finite number in every cell, got {scores!r:.200}")
    of_draws, of_seeds = table.mean(axis=1), table.mean(axis=0)
    left = table - of_draws[:, None] - of_seeds + table.mean()
    rest = (left**2).sum() / ((draws - 1) * (seeds - 1))
    rows = max(0.0, of_draws.var(ddof=1) - rest / seeds)
    weights = max(0.0, of_seeds.var(ddof=1) - rest / draws)
    return Spread(*(float(np.sqrt(variance)) for variance in (rows, weights, rest)))
