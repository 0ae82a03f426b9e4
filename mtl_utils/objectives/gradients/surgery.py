"""Gradients changed pair by pair: PCGrad and GradVac."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from mtl_utils.arguments import check_number
from mtl_utils.objectives.gradients.combiner import GramCombiner, On
from mtl_utils.objectives.gradients.cones import Array
from mtl_utils.objectives.gradients.rows import Rows

#: Cosines nearer to 1 would be reached by endless multiples of the other gradient.
_GREATEST_TARGET = 1 - 1e-6


class GradientSurgery(GramCombiner):
    """Changes the gradient of each task by those of the others, in random order, and sums up."""

    def _weights(self, rows: Rows, tasks: list[str], generator: torch.Generator | None) -> Array:
        cosines = rows.cosines
        changed = np.diag(rows.lengths)
        for i, own in enumerate(changed):
            others = [j for j in range(len(changed)) if j != i]
            order = torch.randperm(len(others), generator=generator, device=_device(generator))
            for j in (others[place] for place in order.tolist()):
                if rows.there[i] and rows.there[j]:
                    own[j] += self._added(own, rows, cosines, (i, j), tasks)
        found = rows.weights(changed.sum(axis=0))
        found[~rows.there] = 1.0
        return found

    def _added(
        self, own: Array, rows: Rows, cosines: Array, pair: tuple[int, int], tasks: list[str]
    ) -> float:
        """Return which multiple of the direction of j is added to the gradient of i."""
        raise NotImplementedError


class PCGrad(GradientSurgery):
    r"""Projecting conflicting gradients, "gradient surgery" (Yu et al., 2020).

    For each task, and each other task in random order: where :math:`g_i \cdot g_j < 0` for the
    gradient as it is by then, its part along :math:`g_j` is taken away,

    .. math:: g_i \leftarrow g_i - \frac{g_i \cdot g_j}{\lVert g_j \rVert^2} g_j

    and d is the sum. With two tasks d conflicts with none; with more it may. A zero gradient
    conflicts with none. The order is drawn from ``generator``.

    Args:
        on: See :class:`Combiner`.

    Raises:
        ValueError: If ``on`` is something else.
    """

    def _added(
        self, own: Array, rows: Rows, cosines: Array, pair: tuple[int, int], tasks: list[str]
    ) -> float:
        return float(max(0.0, -(own @ cosines[pair[1]])))


class GradVac(GradientSurgery):
    r"""Gradient vaccine (Wang et al., 2021).

    As PCGrad, but a gradient is turned towards another until their cosine :math:`\phi_{ij}` is what
    it has been on average, :math:`\hat\phi_{ij}`, where it is below:

    .. math:: g_i \leftarrow g_i + \frac{\lVert g_i \rVert (\hat\phi_{ij} \sqrt{1 - \phi_{ij}^2} -
        \phi_{ij} \sqrt{1 - \hat\phi_{ij}^2})}{\lVert g_j \rVert \sqrt{1 - \hat\phi_{ij}^2}} g_j

    and :math:`\hat\phi_{ij} \leftarrow (1 - \beta) \hat\phi_{ij} + \beta \phi_{ij}`, from 0 on. So
    the first step is that of PCGrad. The averages are by names of tasks and belong to
    ``state_dict``. A target is at most :math:`1 - 10^{-6}`. A zero gradient, also one that was
    turned to zero, is left as it is and not counted.

    Args:
        beta: How much a new cosine counts.
        on: See :class:`Combiner`.

    Attributes:
        targets: :math:`\hat\phi_{ij}` by the names of i and j.

    Raises:
        ValueError: If ``beta`` is outside [0, 1], or ``on`` is something else.
        TypeError: If ``beta`` is no number.
    """

    remembered = frozenset({"stationary", "targets"})

    def __init__(self, beta: float = 0.01, on: On = "parameters") -> None:
        super().__init__(on)
        check_number("beta", beta, least=0, most=1)
        self.beta = float(beta)
        self.targets: dict[tuple[str, str], float] = {}

    def get_extra_state(self) -> dict[str, Any]:
        """Return what ``state_dict`` holds besides tensors: the averages."""
        return {"targets": [[*pair, value] for pair, value in self.targets.items()]}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take the averages from a ``state_dict``.

        Args:
            state: What :meth:`get_extra_state` returned.
        """
        self.targets = {(one, other): value for one, other, value in state["targets"]}

    def _added(
        self, own: Array, rows: Rows, cosines: Array, pair: tuple[int, int], tasks: list[str]
    ) -> float:
        i, j = pair
        length = float(np.linalg.norm(rows.directions.T @ own))
        if length <= len(own) * np.finfo(np.float64).eps * rows.lengths[i]:
            return 0.0
        cosine = float(np.clip(own @ cosines[j] / length, -1.0, 1.0))
        key = (tasks[i], tasks[j])
        target = self.targets.get(key, 0.0)
        self.targets[key] = (1 - self.beta) * target + self.beta * cosine
        aim = min(target, _GREATEST_TARGET)
        if cosine >= aim:
            return 0.0
        sine, other = math.sqrt(1 - cosine**2), math.sqrt(1 - aim**2)
        return length * (aim * sine - cosine * other) / other


def _device(generator: torch.Generator | None) -> torch.device | None:
    return None if generator is None else generator.device
