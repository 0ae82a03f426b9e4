"""Equal projections onto all gradients: impartial multi-task learning."""

from __future__ import annotations

import numpy as np
import torch

from mtl_utils.objectives.gradients.combiner import GramCombiner
from mtl_utils.objectives.gradients.cones import Array
from mtl_utils.objectives.gradients.rows import Rows


class IMTLG(GramCombiner):
    r"""Impartial learning of gradients, IMTL-G (Liu et al., 2021).

    .. math:: d = J^\top w, \qquad \sum_k w_k = 1, \qquad
        d \cdot \frac{g_k}{\lVert g_k \rVert} \text{ the same for all } k

    The direction has equal projections onto all gradients. Weights may be negative, and with three
    tasks and more the common projection may be, as the method is: then the step raises all losses.

    A zero gradient has no direction to project on, and is left out with weight 0. Where only a zero
    direction has equal projections, as with opposite gradients, or weights that have them sum to 0,
    weights and direction are zero. Where several weights have them, as with parallel gradients,
    they are those of the smallest :math:`\sum_k (w_k \lVert g_k \rVert)^2` before their sum is made
    1.

    Args:
        on: See :class:`Combiner`.

    Raises:
        ValueError: If ``on`` is something else.
    """

    def _weights(self, rows: Rows, tasks: list[str], generator: torch.Generator | None) -> Array:
        found = np.zeros(len(rows.lengths))
        if not rows.there.any():
            return found
        left, values, _ = np.linalg.svd(rows.directions[rows.there], full_matrices=False)
        kept = values > len(values) * rows.accuracy * values[0]
        left, values = left[:, kept], values[kept]
        ones = np.ones(len(left))
        # A point with projections 1, if there is one: D x = 1.
        if np.abs(left @ (left.T @ ones) - ones).max() > np.sqrt(len(left) * rows.accuracy):
            return found
        found[rows.there] = left @ ((left.T @ ones) / values**2)
        weights = rows.weights(found)
        total = weights.sum()
        if abs(total) <= len(weights) * rows.accuracy * np.abs(weights).sum():
            return np.zeros(len(weights))
        return np.asarray(weights / total)
