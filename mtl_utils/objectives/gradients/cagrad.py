"""The best for the worst-off task near the mean: conflict-averse gradient descent."""

from __future__ import annotations

import numpy as np
import torch

from mtl_utils.arguments import check_number
from mtl_utils.objectives.gradients.combiner import GramCombiner, On
from mtl_utils.objectives.gradients.cones import Array, least_distance, way_to_the_cone
from mtl_utils.objectives.gradients.rows import Rows

_MOST_ROUNDS = 300


class CAGrad(GramCombiner):
    r"""Conflict-averse gradient descent (Liu et al., 2021).

    .. math:: d = \arg\max_{d:\ \lVert d - g_0 \rVert \le c \lVert g_0 \rVert}
        \min_k g_k \cdot d, \qquad g_0 = \frac{1}{K} \sum_k g_k

    which is :math:`g_0 + c \lVert g_0 \rVert g_w / \lVert g_w \rVert` with the mixture
    :math:`g_w` of the gradients that minimises
    :math:`g_w \cdot g_0 + c \lVert g_0 \rVert \lVert g_w \rVert`. It is left at this length; the
    authors' code divides it by :math:`1 + c^2`, and others by other numbers.

    The ball's best point is found by the demands :math:`g_k \cdot d \ge \rho` that can just be met
    in it. Where a mixture of gradients is zero, no more than :math:`\rho = 0` is to be had, and of
    the points that have it the one nearest to the mean is taken. If the mean is zero, d is.

    Args:
        c: The radius of the ball in lengths of the mean gradient; 0 gives the mean. Below 1 the
            mean loss converges.
        on: See :class:`Combiner`.

    Raises:
        ValueError: If ``c`` is negative or not finite, or ``on`` is something else.
        TypeError: If ``c`` is no number.
    """

    def __init__(self, c: float = 0.5, on: On = "parameters") -> None:
        super().__init__(on)
        check_number("c", c, least=0)
        self.c = float(c)

    def _weights(self, rows: Rows, tasks: list[str], generator: torch.Generator | None) -> Array:
        number = len(rows.lengths)
        mean = np.full(number, 1 / number)
        if not rows.there.any() or not self.c:
            return mean
        scale = rows.lengths.max()
        centre = rows.directions.T @ (rows.lengths / scale) / number
        length = float(np.linalg.norm(centre))
        if length <= 4 * np.finfo(np.float64).eps:
            return mean
        there = rows.there
        added = np.zeros(number)
        added[there] = _to_the_best(
            rows.directions[there],
            rows.lengths[there].min() / rows.lengths[there],
            centre / length,
            self.c,
            rows.stationary,
        )
        return np.asarray(mean + length * scale * rows.weights(added))


def _to_the_best(
    directions: Array, prices: Array, centre: Array, radius: float, stationary: bool
) -> Array:
    r"""Return u with which :math:`D^\top u` leads from the centre to the best point of the ball.

    It is the shortest way to where :math:`d_k \cdot x \ge \rho c_k` for all k, with the greatest
    :math:`\rho` for which that is no farther than the radius. For a set of demands that are met
    with equality the distance is known in closed form, so that Newton's method ends after a few
    sets; halving makes sure of it.

    Args:
        directions: D, ``[K, R]``, of length 1.
        prices: c, ``[K]``, the smallest length over each.
        centre: ``[R]``, of length 1.
        radius: Of the ball.
        stationary: Whether no positive demand can be met.
    """
    along = directions @ centre

    def reach(demand: float) -> tuple[Array, float]:
        multiples, way = least_distance(directions, demand * prices - along)
        return multiples, float(np.linalg.norm(way))

    found = way_to_the_cone(directions, centre)
    distance = float(np.linalg.norm(directions.T @ found))
    if distance <= radius and stationary:
        return found
    low, high = float(np.min(along / prices)), 0.0
    demand = 0.0
    if distance <= radius:
        low, high = 0.0, 1 + radius
        demand = high
        found, distance = reach(high)
    for _ in range(_MOST_ROUNDS):
        if distance > radius:
            high = demand
        else:
            low = demand
        following = _demand_at(directions, prices, along, centre, found, radius)
        if following is not None and abs(following - demand) <= 1e-15 * abs(demand):
            break
        if following is None or not low < following < high:
            following = (low + high) / 2
        if not low < following < high:
            break
        demand = following
        found, distance = reach(demand)
    if not np.isfinite(found).all():
        found, distance = reach(low)
    return found if distance == 0 else found * (radius / distance)


def _demand_at(
    directions: Array, prices: Array, along: Array, centre: Array, found: Array, radius: float
) -> float | None:
    """Return the demand at which the way is as long as the radius, if the same ones are met."""
    met = np.isfinite(found) & (found > 0)
    if not met.any():
        return None
    basis, triangle = np.linalg.qr(directions[met].T)
    if np.abs(np.diag(triangle)).min() < 1e-12:
        return None
    slope = np.linalg.solve(triangle.T, prices[met])
    start = basis.T @ centre
    a, b, c = slope @ slope, slope @ start, start @ start - radius**2
    inside = b * b - a * c
    if inside < 0:
        return None
    # The greater of two roots, without taking away what nearly cancels.
    root = b + np.sqrt(inside) if b >= 0 else c / (b - np.sqrt(inside))
    return float(root / a if b >= 0 else root)
