"""The shortest mixture of gradients: the multiple-gradient descent algorithm."""

from __future__ import annotations

import numpy as np
import torch

from mtl_utils.objectives.gradients.combiner import GramCombiner
from mtl_utils.objectives.gradients.cones import Array, cheapest_mixture
from mtl_utils.objectives.gradients.rows import Rows

#: Directions whose nearest mixture is no longer than that cancel, as far as numbers tell.
_CANCELS = 1e-14


class MGDA(GramCombiner):
    r"""Multiple-gradient descent (Désidéri, 2012; Sener and Koltun, 2018).

    .. math:: d = J^\top w, \qquad w = \arg\min_{w \ge 0,\, \sum_k w_k = 1} \lVert J^\top w \rVert

    The shortest vector of the convex hull of the gradients. A step against it lowers every loss, to
    first order: :math:`g_k \cdot d \ge \lVert d \rVert^2` for all tasks. The problem is solved
    exactly, by an active set. With ``on="features"`` it is the upper bound of Sener and Koltun.

    Where the hull holds zero, as with a zero gradient or with opposite ones, the direction is zero
    to rounding. Where several weights give the same direction, they are some of these.

    Args:
        on: See :class:`Combiner`.

    Raises:
        ValueError: If ``on`` is something else.
    """

    def _weights(self, rows: Rows, tasks: list[str], generator: torch.Generator | None) -> Array:
        if not rows.there.all():
            return np.asarray(~rows.there / np.sum(~rows.there))
        # A mixture of directions w n that is zero stays one whatever the lengths are.
        if np.linalg.norm(rows.directions.T @ rows.shares) <= _CANCELS:
            found = rows.weights(rows.shares)
        else:
            prices = rows.lengths.min() / rows.lengths
            found = rows.weights(cheapest_mixture(rows.directions, prices))
        return np.asarray(found / found.sum())
