"""Exact solutions of small least-squares problems whose unknowns may not be negative."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Directions that differ by less do so by rounding: opposite gradients in single precision are so
#: to their last digit. Taken at their word they would leave a cone of that width, and conditions
#: that only endless multiples can meet.
APART = 3e-7
_MOST_ROUNDS = 30


def nonnegative_least_squares(columns: Array, target: Array, apart: float = 0.0) -> Array:
    r"""Return :math:`\arg\min_{x \ge 0} \lVert A x - b \rVert` by an active set.

    Lawson and Hanson (1974): unknowns that are not at their bound are found by least squares; one
    that would lower the distance is let in, and what would become negative goes back to 0.

    Args:
        columns: A, ``[M, K]``.
        target: b, ``[M]``.
        apart: A column that is nearer to those let in, in parts of its length, is left out. Its
            condition is then met to that precision.

    Returns:
        ``[K]``.
    """
    number = columns.shape[1]
    found, free = np.zeros(number), np.zeros(number, dtype=bool)
    refused = np.zeros(number, dtype=bool)
    lengths = np.linalg.norm(columns, axis=0)
    scale = np.finfo(np.float64).eps * np.linalg.norm(target) * sum(columns.shape)
    for _ in range(_MOST_ROUNDS * number):
        slope = columns.T @ (target - columns @ found)
        waiting = ~free & ~refused & (slope > scale * lengths)
        if not waiting.any():
            break
        entering = int(np.argmax(np.where(waiting, slope, -np.inf)))
        if apart and free.any() and _distance(columns, entering, free) <= apart * lengths[entering]:
            refused[entering] = True
            continue
        free[entering] = True
        solution = _least_squares(columns, target, free)
        if solution[entering] <= 0:  # by rounding alone: it hangs on the others
            free[entering], refused[entering] = False, True
            continue
        refused[:] = False
        while (free & (solution <= 0)).any():
            out = free & (solution <= 0)
            step = np.min(found[out] / (found[out] - solution[out]))
            found = np.where(free, found + step * (solution - found), 0.0)
            free &= found > np.finfo(np.float64).eps * found.max(initial=0.0)
            found[~free] = 0.0
            solution = _least_squares(columns, target, free)
        found = solution
    return found


def way_to_the_cone(points: Array, start: Array) -> Array:
    r"""Return by which multiples of points a start is off the cone of what conflicts with none.

    Args:
        points: P, ``[K, R]``.
        start: x, ``[R]``.

    Returns:
        u ``[K]``, at least 0: :math:`x + P^\top u` is the nearest z with :math:`Pz \ge 0`.
    """
    return nonnegative_least_squares(points.T, -start, APART)


def nearest_to_zero(points: Array) -> Array:
    r"""Return the mixture of points that is nearest to zero.

    With :math:`s = 1`, the minimum of :math:`\lVert P^\top x \rVert^2 + (1^\top x - s)^2` over
    :math:`x \ge 0` is a multiple of it.

    Args:
        points: ``[K, R]``, none much longer than 1.

    Returns:
        Shares ``[K]``, at least 0, of sum 1.
    """
    return cheapest_mixture(points, np.ones(len(points)))


def cheapest_mixture(points: Array, prices: Array) -> Array:
    r"""Minimise :math:`\lVert P^\top x \rVert` over :math:`x \ge 0` with :math:`c \cdot x = 1`.

    Args:
        points: P, ``[K, R]``, none much longer than 1.
        prices: c, ``[K]``, positive, the greatest of them 1.

    Returns:
        ``[K]``.
    """
    found = nonnegative_least_squares(
        np.vstack([points.T, prices]), np.append(np.zeros(points.shape[1]), 1.0)
    )
    total: Array = found / (prices @ found)
    return total


def least_distance(points: Array, least: Array) -> tuple[Array, Array]:
    r"""Return the shortest x with :math:`p_k \cdot x \ge h_k` for all k.

    It is the remainder of a least-squares problem with unknowns that may not be negative (Lawson
    and Hanson, 1974, chapter 23).

    Args:
        points: ``[K, R]``, none much longer than 1.
        least: h, ``[K]``.

    Returns:
        ``u`` ``[K]``, at least 0, with which :math:`x = P^\top u`, and that x ``[R]``; infinite
        numbers where there is no such x.
    """
    # In units of the greatest demand both parts of the problem are of one size.
    size = float(np.max(least, initial=0.0))
    if size <= 0:
        return np.zeros(len(points)), np.zeros(points.shape[1])
    demands = least / size
    columns = np.vstack([points.T, demands])
    found = nonnegative_least_squares(columns, np.append(np.zeros(points.shape[1]), 1.0))
    left = 1 - demands @ found
    if left <= np.finfo(np.float64).eps:
        return np.full(len(points), np.inf), np.full(points.shape[1], np.inf)
    multiples = size * found / left
    return multiples, points.T @ multiples


def _distance(columns: Array, one: int, free: Array) -> float:
    """Return the distance of a column from the span of others."""
    basis = np.linalg.qr(columns[:, free])[0]
    column = columns[:, one]
    return float(np.linalg.norm(column - basis @ (basis.T @ column)))


def _least_squares(columns: Array, target: Array, free: Array) -> Array:
    solution = np.zeros(columns.shape[1])
    if not free.any():
        return solution
    kept = columns[:, free]
    # Twice: the second solution takes away what rounding has left of the first.
    first = np.linalg.lstsq(kept, target, rcond=None)[0]
    solution[free] = first + np.linalg.lstsq(kept, target - kept @ first, rcond=None)[0]
    return solution
