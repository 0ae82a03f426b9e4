"""Draws of a few rows: by a seed of their own, the smaller ones among the larger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from mtl_utils.arguments import check_seed, check_several, check_sizes, check_whole


def draw_rows(
    size: int, count: int, seed: int = 0, *, labels: Sequence[Hashable] | None = None
) -> list[int]:
    """Draw some of the rows of a data set, without putting any back.

    The rows of a smaller draw are among those of a larger one with the same seed, so that a curve
    over sizes adds rows and changes none. The seed is that of the draw alone: which rows were drawn
    and what weights a model began with are two sources of spread, and each needs its own (Dodge et
    al., 2020, tell weights from the order of the data).

    Args:
        size: Number of rows that there are, N.
        count: Number of rows to draw.
        seed: Of the draw.
        labels: The label of each row. With them every label is drawn in turn as long as it has
            rows left: k rows for each of C labels if ``count`` is k C and all have so many.
            Without, all rows are alike, as they are where data are labelled as they come.

    Returns:
        Places of rows, in the order in which they were drawn.

    Raises:
        ValueError: If there are not as many rows, a number is negative, or there is not one label
            for each row.
        TypeError: If a number is no whole number, or the labels are not several.

    Example:
        >>> kinds = ["event"] * 5 + ["topic"]
        >>> sorted(kinds[row] for row in draw_rows(6, 2, labels=kinds))
        ['event', 'topic']
        >>> draw_rows(6, 2, labels=kinds) == draw_rows(6, 4, labels=kinds)[:2]
        True
    """
    check_sizes(size=size)
    check_whole("count", count, least=0, most=size)
    check_seed("seed", seed)
    order = np.random.default_rng(seed).permutation(size).tolist()
    if labels is None:
        return order[:count]
    check_several("labels", labels, "labels")
    if len(labels) != size:
        raise ValueError(f"labels must be {size}, one for each row, got {len(labels)}")
    seen: Counter[Hashable] = Counter()
    turns = {}
    for row in order:
        turns[row] = seen[labels[row]]
        seen[labels[row]] += 1
    return sorted(order, key=turns.__getitem__)[:count]  # stable: within a turn as they were drawn
