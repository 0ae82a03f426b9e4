"""How much two lots of losses differ, relative to their size, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_utils.arguments import check_number, check_several

#: Half of a 95% interval in standard errors, of means over some thirty blocks of rows or more.
_QUANTILE = 1.96


@dataclass(frozen=True)
class Change:
    """A difference of two mean losses, relative to the first.

    Args:
        mean: 0.1 where the second is a tenth greater than the first.
        half_width: Half of its 95% interval, over rows; infinite where there are too few to tell.

    Raises:
        TypeError: If one is no number.
        ValueError: If the mean is not finite, or the half-width negative or nan.
    """

    mean: float
    half_width: float

    def __post_init__(self) -> None:
        check_number("mean", self.mean)
        if self.half_width != math.inf:
            check_number("half_width", self.half_width, least=0)

    @property
    def least(self) -> float:
        """The lower end of the interval."""
        return self.mean - self.half_width

    @property
    def greatest(self) -> float:
        """The upper end of the interval."""
        return self.mean + self.half_width

    def __str__(self) -> str:
        return (
            f"{self.mean:+.0%} ± {self.half_width:.0%}"
            if math.isfinite(self.half_width)
            else (f"{self.mean:+.0%}")
        )


def paired_change(before: Any, after: Any, untrained: Any) -> Change:
    r"""Compare losses of the same rows under two models.

    .. math:: \frac{\bar a - \bar b}{\bar u} \pm 1.96\, \frac{s_{a - b}}{\sqrt n\, \bar u}

    In parts of what was lost before any training, since a tenth of a loss that is nearly zero is
    nothing.

    Args:
        before: Losses :math:`b` ``[n]``, one a block of rows.
        after: Losses :math:`a` ``[n]`` of the same blocks.
        untrained: Losses :math:`u` of the untrained model, above 0 on average.

    Returns:
        The change. Its interval tells rows that happened to be drawn, not seeds.

    Raises:
        ValueError: If they are not finite, not equally many, none, or ``untrained`` is not above 0
            on average.
        TypeError: If they are no numbers.
    """
    first, second = _losses("before", before), _losses("after", after)
    size = float(_losses("untrained", untrained).mean())
    if len(first) != len(second):
        raise ValueError(
            f"after must have a loss for each of the {len(first)} of before, got {after!r:.60}"
        )
    differences = second - first
    half_width = _QUANTILE * math.sqrt(_squared_error(differences)) / size
    return Change(float(differences.mean()) / size, half_width)


def excess(first: Any, second: Any) -> Change:
    r"""Say how often an error of some rows is greater than one of others (Mann and Whitney, 1947).

    .. math:: 2 P(s > f) - 1 \pm 1.96 \sqrt{\frac{n + m + 1}{3 n m}}

    for a row of each drawn at random, where equal errors count as half. It does not depend on the
    scale of an error.

    Args:
        first: Errors or losses :math:`f` ``[n]``, one a row.
        second: Errors or losses :math:`s` ``[m]``, one a row.

    Returns:
        0 where rows of both kinds are alike, 1 where every row of the second is worse. The
        interval is that of equal distributions.

    Raises:
        ValueError: If they are not finite, or none.
        TypeError: If they are no numbers.
    """
    one, other = _losses("first", first), _losses("second", second)
    greater = np.sign(other[:, None] - one[None, :]).mean()
    n, m = len(one), len(other)
    return Change(float(greater), _QUANTILE * math.sqrt((n + m + 1) / (3 * n * m)))


def _losses(name: str, given: Any) -> NDArray[np.float64]:
    check_several(name, given, "losses")
    try:
        found = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be losses, numbers, got {given!r:.60}") from error
    base = name == "untrained"
    sound = found.ndim == 1 and len(found) > 0 and np.isfinite(found).all()
    if not sound or (base and found.mean() <= 0):
        above = ", above 0 on average" if base else ""
        raise ValueError(f"{name} must be at least one finite loss{above}, got {given!r:.60}")
    return found


def _squared_error(values: NDArray[np.float64]) -> float:
    return float(values.var(ddof=1)) / len(values) if len(values) > 1 else math.inf
