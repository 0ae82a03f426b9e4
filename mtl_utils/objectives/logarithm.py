"""The sum of the logarithms of the losses, which no choice of their units changes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtl_utils.objectives.loss_vectors import check_losses, counted
from mtl_utils.objectives.scalarization import Scalarization


def log_sum(losses: Tensor) -> Tensor:
    r"""Return :math:`\sum_k \log L_k`, the scale-invariant baseline of Navon et al. (2022).

    The slope by :math:`L_k` is :math:`1/L_k`: a loss in other units gives the same gradient, and a
    task counts by the part of its loss that a step takes away. It is where uncertainty weighting
    and IMTL-L arrive once their weights have been learnt. A loss of exactly 0, or one so small that
    its reciprocal overflows, is left out: its task has nothing to learn.

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
    return torch.log(losses[kept]).sum() if bool(kept.any()) else (0.0 * losses).sum()


class ScaleInvariantLog(Scalarization):
    """Minimises the sum of the logarithms of the losses at hand; see :func:`log_sum`.

    It keeps nothing, and works with any tasks.
    """

    needs_positive = True

    def objective(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """Return :func:`log_sum`.

        Args:
            losses: Those of the tasks at hand ``[K]``.
            tasks: Their names.
        """
        return log_sum(losses)
