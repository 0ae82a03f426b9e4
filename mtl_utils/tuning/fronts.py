"""Several objectives: which trials no other beats, and how much they dominate."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from mtl_utils.arguments import check_several
from mtl_utils.training.directions import Direction


def pareto_front(
    points: Sequence[Sequence[float]], directions: Sequence[Direction] | None = None
) -> list[bool]:
    """Say of each point whether no other beats it: as good in all objectives, better in one.

    Args:
        points: The objectives of each trial, ``[N, M]``.
        directions: Of each objective, whether greater is better, ``"max"``, or smaller, ``"min"``;
            all ``"max"`` if ``None``.

    Raises:
        TypeError: If something is not of its kind.
        ValueError: If points are not all of one length, not finite, or not of as many objectives as
            there are directions; or a direction is none.
    """
    values = _greater(points, directions)
    as_good = (values[:, None] >= values[None]).all(-1)  # [N, N]: is the first as the second
    better = (values[:, None] > values[None]).any(-1)
    beaten = np.any(as_good & better, axis=0).tolist()
    return [not each for each in beaten]


def hypervolume(
    points: Sequence[Sequence[float]],
    reference: Sequence[float],
    directions: Sequence[Direction] | None = None,
) -> float:
    """Return the volume that points dominate, down to a reference point (Zitzler and Thiele, 1999).

    One number for a front: it grows with every point that is not dominated. It depends on the
    reference and on the units of the objectives, so compare it where both are the same.

    Args:
        points: The objectives of each trial, ``[N, M]``; those that are not better than the
            reference in all objectives add nothing.
        reference: The worst that counts, ``[M]``.
        directions: See :func:`pareto_front`.

    Raises:
        TypeError: If something is not of its kind.
        ValueError: As :func:`pareto_front`; if the reference has another length.
    """
    values = _greater(points, directions)
    corner = _greater([reference], directions, "reference")[0]
    if len(corner) != values.shape[1]:
        raise ValueError(
            f"reference must be one number an objective, {values.shape[1]}, got {reference!r:.60}"
        )
    above = np.unique(values[(values > corner).all(1)] - corner, axis=0)
    return _volume(above)


def _volume(points: np.ndarray) -> float:
    """Return the volume of the union of boxes from the origin to each point, slice by slice."""
    if not len(points):
        return 0.0
    if points.shape[1] == 1:
        return float(points.max())
    ordered = points[np.argsort(-points[:, 0], kind="stable")]
    heights = [*ordered[:, 0], 0.0]
    return sum(
        (high - low) * _volume(ordered[: place + 1, 1:])
        for place, (high, low) in enumerate(pairwise(heights))
        if high > low
    )


def _greater(
    points: Any, directions: Sequence[Direction] | None, name: str = "points"
) -> np.ndarray:
    """Return objectives all of which are better when greater, ``[N, M]``."""
    check_several(name, points, "numbers of each trial")
    try:
        values = np.asarray([list(point) for point in points], dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be numbers, as many for each, got {points!r:.80}") from None
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"{name} must have finite objectives, got {points!r:.80}")
    if directions is None:
        return values
    if isinstance(directions, str) or not set(directions) <= {"min", "max"}:
        raise ValueError(f'directions must be "min" or "max" each, got {directions!r}')
    if len(directions) != values.shape[1]:
        raise ValueError(
            f"directions must be one an objective, of which {name} have {values.shape[1]}, got "
            f"{directions!r}"
        )
    return values * [1.0 if direction == "max" else -1.0 for direction in directions]
