"""Projections onto what conflicts with no task: unconflicting projection of gradients."""

from __future__ import annotations

import numpy as np
import torch

from mtl_utils.objectives.gradients.combiner import GramCombiner
from mtl_utils.objectives.gradients.cones import Array, way_to_the_cone
from mtl_utils.objectives.gradients.rows import Rows


class UPGrad(GramCombiner):
    r"""Unconflicting projection of gradients (Quinton and Rey, 2024).

    .. math:: d = \frac{1}{K} \sum_k \pi(g_k), \qquad
        \pi(g) = \arg\min_{x:\ Jx \ge 0} \lVert x - g \rVert

    Each gradient is projected onto the cone of the directions that conflict with none, and the mean
    is taken; so :math:`g_k \cdot d \ge 0` for all tasks. It is linear under the scaling of each
    gradient. The projections are exact, by an active set, without the regularisation of the
    authors' code. Where tasks are at odds the cone may hold zero alone, and d is zero. A zero
    gradient demands nothing, and adds a zero to the mean.

    Args:
        on: See :class:`Combiner`.

    Raises:
        ValueError: If ``on`` is something else.
    """

    def _weights(self, rows: Rows, tasks: list[str], generator: torch.Generator | None) -> Array:
        # The projection of a direction is that direction and multiples of others.
        added = np.stack([way_to_the_cone(rows.directions, one) for one in rows.directions])
        return np.asarray((1 + rows.weights(rows.lengths @ added)) / len(rows.lengths))
