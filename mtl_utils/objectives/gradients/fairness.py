"""Bargaining over one update: Nash-MTL, and the fairness of FairGrad."""

from __future__ import annotations

import numpy as np
import torch

from mtl_utils.arguments import check_number
from mtl_utils.objectives.gradients.combiner import GramCombiner, On
from mtl_utils.objectives.gradients.cones import Array
from mtl_utils.objectives.gradients.rows import Rows

_MOST_STEPS = 1000
_PRECISE = 1e-14


class FairGrad(GramCombiner):
    r"""Fair resource allocation (Ban and Ji, 2024).

    Among directions of one length it takes the one with the greatest
    :math:`\sum_k (g_k \cdot d)^{1-\alpha} / (1-\alpha)`:

    .. math:: d = J^\top w, \qquad (Gw)_k = w_k^{-1/\alpha}, \qquad w > 0

    Every task gets something, :math:`g_k \cdot d > 0`; the greater :math:`\alpha`, the more the
    worst-off counts. ``alpha=1`` is Nash-MTL. The equations are the first-order conditions of a
    convex problem, which a damped Newton method solves. There is a solution wherever no mixture of
    the gradients is zero; where one is, weights and direction are zero.

    Args:
        alpha: What kind of fairness, from 0.5 to 4. The authors use 1 and 2. Outside of these, and
            with gradients whose lengths differ by many orders of magnitude, no weights in double
            precision meet the conditions.
        on: See :class:`Combiner`.

    Raises:
        ValueError: If ``alpha`` is less than 0.5 or more than 4, or ``on`` is something else.
        TypeError: If ``alpha`` is no number.
    """

    def __init__(self, alpha: float = 2.0, on: On = "parameters") -> None:
        super().__init__(on)
        check_number("alpha", alpha, least=0.5, most=4)
        self.alpha = float(alpha)

    def _weights(self, rows: Rows, tasks: list[str], generator: torch.Generator | None) -> Array:
        if rows.stationary:
            return np.zeros(len(rows.lengths))
        power = 1 / self.alpha
        # In lengths of their mean; w of J / s is s^(2 / (1 + power)) that of J.
        mean = np.exp(np.log(rows.lengths).mean())
        factors = (power - 1) * np.log(rows.lengths / mean)
        found = bargain(rows.directions, factors, power)
        return rows.weights(found * mean ** ((power - 1) / (power + 1)))


class NashMTL(GramCombiner):
    r"""Multi-task learning as a bargaining game (Navon et al., 2022).

    .. math:: d = J^\top \alpha, \qquad (G\alpha)_k = 1 / \alpha_k, \qquad \alpha > 0

    The direction with the greatest product of what each task gains, whatever the lengths of the
    gradients are; its own length is :math:`\sqrt K`, always. The equations are solved by a damped
    Newton method to :math:`\max_k |\alpha_k (G\alpha)_k - 1| \le 10^{-6}` and better. There is a
    solution wherever no mixture of the gradients is zero; where one is, weights and direction are
    zero. Directions whose mixture is shorter than :math:`10^{-7}` count as such: between this and
    :math:`10^{-5}` no weights in double precision meet the bound, and the nearest are returned.

    Args:
        on: See :class:`Combiner`.

    Raises:
        ValueError: If ``on`` is something else.
    """

    def _weights(self, rows: Rows, tasks: list[str], generator: torch.Generator | None) -> Array:
        if rows.stationary:
            return np.zeros(len(rows.lengths))
        return rows.weights(bargain(rows.directions, np.zeros(len(rows.lengths)), 1.0))


def bargain(directions: Array, factors: Array, power: float) -> Array:
    r"""Solve :math:`(DD^\top y)_k = e_k y_k^{-q}` for :math:`y > 0`.

    It minimises :math:`\tfrac{1}{2} \lVert D^\top y \rVert^2 - \sum_k e_k \int y_k^{-q}`, which is
    convex, by Newton's method. A step goes no farther than to where the slope along it has changed
    its sign and is half as steep.

    Args:
        directions: D, ``[K, R]``; no mixture of them is zero.
        factors: :math:`\log e`, ``[K]``.
        power: q, positive.

    Returns:
        ``[K]``.
    """
    found = np.exp(factors / (1 + power))  # what it is where directions are orthogonal
    best, least = found, np.inf
    waited = 0
    for _ in range(_MOST_STEPS):
        gains = np.exp(factors + (1 - power) * np.log(found))  # e y^(1 - q)
        slope = found * (directions @ (directions.T @ found)) - gains
        residual = float(np.max(np.abs(slope / gains)))
        if residual < least:
            best, least, waited = found, residual, 0
        else:
            waited += 1
        if least <= _PRECISE or waited > (5 if least <= 1e-6 else 200):
            break
        found = found * (1 + _newton(directions, found, gains, slope, factors, power))
    return best


def _newton(
    directions: Array, found: Array, gains: Array, slope: Array, factors: Array, power: float
) -> Array:
    """Return a step in parts of what was found."""
    roots = np.sqrt(gains)
    scaled = directions * (found / roots)[:, None]
    system = scaled @ scaled.T + power * np.eye(len(found))
    relative = np.linalg.solve(system, -slope / roots) / roots
    down = float(slope @ relative)
    size = min(1.0, 0.9 / max(float(np.max(-relative)), 1e-300))
    for _ in range(60):
        there = found * (1 + size * relative)
        gains_there = np.exp(factors - power * np.log(there))
        uphill = found * relative @ (directions @ (directions.T @ there) - gains_there)
        if uphill <= -0.5 * down:
            break
        size /= 2
    return size * relative
