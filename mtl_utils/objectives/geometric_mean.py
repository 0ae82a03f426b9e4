"""The geometric mean of the losses: what counts is by which part of itself a loss gets smaller."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtl_utils.objectives.loss_vectors import check_losses, counted
from mtl_utils.objectives.scalarization import Scalarization


def geometric_mean(losses: Tensor) -> Tensor:
    r"""Return :math:`(\prod_k L_k)^{1/K}` (Chennupati et al., 2019).

    The slope by :math:`L_k` is the mean over :math:`K L_k`, so that all weighted losses are equal,
    whatever their scales. A loss of exactly 0 would make the mean 0 and stop all tasks: it is left
    out, as a task that has nothing to learn. A loss *near* 0 does what the formula says: its task
    gets nearly all of the update.

    Args:
        losses: ``[K]``, none below 0.

    Returns:
        A scalar; 0, with zero gradient, where all losses are 0.

    Raises:
        ValueError: If a loss is negative, or there is none.
        TypeError: If this is no tensor of floating-point numbers.
    """
    check_losses(losses, positive=True)
    kept = counted(losses)
    # A mean of logarithms neither overflows nor vanishes, as a product may.
    return torch.log(losses[kept]).mean().exp() if bool(kept.any()) else (0.0 * losses).sum()


class GeometricMean(Scalarization):
    """Minimises the geometric mean of the losses at hand; see :func:`geometric_mean`.

    It keeps nothing, and works with any tasks. With one task at hand it minimises its loss.
    """

    needs_positive = True

    def objective(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """Return :func:`geometric_mean`.

        Args:
            losses: Those of the tasks at hand ``[K]``.
            tasks: Their names.
        """
        return geometric_mean(losses)
