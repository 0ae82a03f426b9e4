"""Agreement between numbers: Pearson's and Spearman's correlation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pearson(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    r"""Return the linear correlation of two columns (Pearson, 1895).

    .. math:: r = \frac{\sum_i (x_i - \bar x)(y_i - \bar y)}
        {\sqrt{\sum_i (x_i - \bar x)^2}\, \sqrt{\sum_i (y_i - \bar y)^2}}

    Args:
        found: ``[N]``.
        expected: ``[N]``.

    Returns:
        From -1 to 1; 0 where a column is constant, of which nothing varies with anything; not a
        number where something is not finite.
    """
    if not (np.isfinite(found).all() and np.isfinite(expected).all()):
        return float("nan")
    left, right = _direction(found), _direction(expected)
    return float(np.clip(left @ right, -1.0, 1.0))


def spearman(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """Return the correlation of the ranks of two columns (Spearman, 1904).

    Args:
        found: ``[N]``.
        expected: ``[N]``.

    Returns:
        As :func:`pearson`. Equal values share the mean of their ranks.
    """
    if not (np.isfinite(found).all() and np.isfinite(expected).all()):
        return float("nan")
    return pearson(_ranks(found), _ranks(expected))


def _direction(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values less their mean, with length 1; zeros where they are all the same."""
    if (values == values[0]).all():  # rounding of the mean would make a direction of noise
        return np.zeros_like(values)
    centred = values / np.abs(values).max()  # whose squares are no overflow
    centred = centred - centred.mean()
    length = np.linalg.norm(centred)
    return centred / length if length > 0 else np.zeros_like(values)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks from 1, equal values sharing the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    return (last - (counts - 1) / 2)[place]
