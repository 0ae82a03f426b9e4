"""Gradients made orthogonal and equally long: Aligned-MTL."""

from __future__ import annotations

import numpy as np
import torch

from mtl_utils.objectives.gradients.combiner import GramCombiner
from mtl_utils.objectives.gradients.cones import Array
from mtl_utils.objectives.gradients.rows import Rows

_MOST_SWEEPS = 60


class AlignedMTL(GramCombiner):
    r"""Independent components of gradients (Senushkin et al., 2023).

    .. math:: J = U \Sigma V^\top, \qquad d = \frac{1}{K}\, \sigma_R\, V_R U_R^\top 1

    The principal components of the gradients get the length of the smallest of them, so that the
    mean of what results is stable: no task rules, and none conflicts. R is the rank: components
    whose directions differ by no more than rounding are left out. If all gradients are zero, d is.

    Args:
        on: See :class:`Combiner`.

    Raises:
        ValueError: If ``on`` is something else.
    """

    def _weights(self, rows: Rows, tasks: list[str], generator: torch.Generator | None) -> Array:
        number = len(rows.lengths)
        values = np.linalg.svd(rows.directions, compute_uv=False)
        rank = int(np.sum(values > number * rows.accuracy * values.max(initial=0.0)))
        if not rank:
            return np.zeros(number)
        turned, vectors = _orthogonal(rows.directions * rows.lengths[:, None])
        lengths = np.linalg.norm(turned, axis=1)
        order = np.argsort(-lengths)[:rank]
        along = vectors[order].sum(axis=1) / number
        aligned = lengths[order[-1]] * (along @ (turned[order] / lengths[order, None]))
        found = np.linalg.lstsq(rows.directions.T, aligned, rcond=number * rows.accuracy)[0]
        return rows.weights(found)


def _orthogonal(rows: Array) -> tuple[Array, Array]:
    r"""Turn rows until they are orthogonal (one-sided Jacobi rotations).

    Unlike other ways to singular values it keeps the relative precision of small ones where it is
    the lengths of the rows that differ (Demmel and Veselić, 1992).

    Args:
        rows: A, ``[K, R]``.

    Returns:
        :math:`B = QA`, whose rows are orthogonal, and Q, ``[K, K]``.
    """
    turned, rotation = rows.copy(), np.eye(len(rows))
    for _ in range(_MOST_SWEEPS):
        still = True
        for i in range(len(rows) - 1):
            for j in range(i + 1, len(rows)):
                a, b = turned[i] @ turned[i], turned[j] @ turned[j]
                c = turned[i] @ turned[j]
                if abs(c) <= 1e-15 * np.sqrt(a * b) or c == 0:
                    continue
                still = False
                with np.errstate(over="ignore"):  # a turn by nothing
                    ratio = (b - a) / (2 * c)
                sign = 1.0 if ratio >= 0 else -1.0
                tangent = sign / (abs(ratio) + np.hypot(1.0, ratio)) if abs(ratio) < 1e150 else 0.0
                cosine = 1 / np.hypot(1.0, tangent)
                turn = cosine * np.array([[1.0, -tangent], [tangent, 1.0]])
                turned[[i, j]] = turn @ turned[[i, j]]
                rotation[[i, j]] = turn @ rotation[[i, j]]
        if still:
            break
    return turned, rotation
