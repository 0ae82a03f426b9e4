"""What the best of n random trials is expected to be, and whose is better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtl_utils.arguments import check_flag, check_several, check_whole


def expected_best(scores: Sequence[float], n: int, *, replace: bool = True) -> float:
    r"""Return the expected greatest score of n random trials (Dodge et al., 2019).

    The :math:`N` scores on record stand for the distribution they were drawn from. In ascending
    order :math:`v_1 \le \dots \le v_N`, the best of :math:`n` draws with replacement is at most
    :math:`v_i` with probability :math:`(i / N)^n`, so that

    .. math:: E = \sum_{i=1}^N v_i \left[ (i/N)^n - ((i-1)/N)^n \right].

    It says little where :math:`n` comes near :math:`N`, and is meaningless for trials that were
    chosen rather than drawn, as those of a grid are, or pruned. A trial that failed has the score
    of answering without looking: left out, it would make the space look better than it is.

    Args:
        scores: Those of independent random trials, greater for better ones, ``[N]``.
        n: Number of trials.
        replace: Whether one trial may be drawn twice. Without, the mean is over all choices of
            :math:`n` of the :math:`N` scores, which is unbiased (Dodge et al., 2021), and
            :math:`n` is at most :math:`N`.

    Raises:
        TypeError: If something is not of its kind.
        ValueError: If there is no score, one is not finite, or ``n`` is outside its range.
    """
    values = _checked("scores", scores)
    return float(np.sort(values) @ _chances(len(values), n, replace))


def expected_chosen(
    validation: Sequence[float], test: Sequence[float], n: int, *, replace: bool = True
) -> float:
    """Return the expected test score of whichever of n random trials is best on validation.

    Args:
        validation: Scores that trials are chosen by, greater for better ones, ``[N]``.
        test: Scores of the same trials on data that chose nothing, ``[N]``. Of trials equally good
            on validation the mean counts.
        n: Number of trials.
        replace: See :func:`expected_best`.

    Raises:
        TypeError: If something is not of its kind.
        ValueError: If both are not of one length, or as :func:`expected_best`.
    """
    chosen_by, measured = _checked("validation", validation), _checked("test", test)
    if len(chosen_by) != len(measured):
        raise ValueError(
            "validation and test must be scores of the same trials, got "
            f"{len(chosen_by)} and test of {len(measured)}: {list(test)!r:.80}"
        )
    chances = _chances(len(chosen_by), n, replace)
    order = np.argsort(chosen_by, kind="stable")
    levels, inverse = np.unique(chosen_by[order], return_inverse=True)
    of_level = np.bincount(inverse, chances, len(levels))
    means = np.bincount(inverse, measured[order], len(levels)) / np.bincount(inverse)
    return float(of_level @ means)


def chance_of_winning(
    first: Sequence[float], second: Sequence[float], n: int, *, replace: bool = True
) -> float:
    """Return how likely the best of n random trials of one method beats that of another.

    Half of it counts where both are equal.

    Args:
        first: Scores of random trials of the one, greater for better ones.
        second: Those of the other.
        n: Number of trials that each has.
        replace: See :func:`expected_best`.

    Raises:
        TypeError: If something is not of its kind.
        ValueError: As :func:`expected_best`.
    """
    ours, theirs = np.sort(_checked("first", first)), np.sort(_checked("second", second))
    of_ours, of_theirs = (_chances(len(values), n, replace) for values in (ours, theirs))
    below = np.searchsorted(theirs, ours, side="left")
    up_to = np.searchsorted(theirs, ours, side="right")
    total = np.concatenate([[0.0], np.cumsum(of_theirs)])
    return float(of_ours @ ((total[below] + total[up_to]) / 2))


def _chances(count: int, n: int, replace: bool) -> np.ndarray:
    """Return the probability of each rank, from the worst on, to be that of the best, ``[N]``."""
    check_flag("replace", replace)
    check_whole("n", n, least=1, most=None if replace else count)
    ranks = np.arange(count + 1)
    if replace:
        return np.diff((ranks / count) ** n)
    # C(i, n) / C(N, n) as a product, which no number is too large for.
    factors = np.clip(ranks[:, None] - np.arange(n), 0, None) / (count - np.arange(n))
    return np.diff(factors.prod(1))


def _checked(name: str, scores: Any) -> np.ndarray:
    check_several(name, scores, "numbers")
    try:
        values = np.asarray(scores, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be numbers, got {scores!r:.80}") from None
    if values.ndim != 1 or not len(values):
        raise ValueError(f"{name} must be one finite number a trial, got {scores!r:.80}")
    if not np.isfinite(values).all():
        raise ValueError(
            f"{name} must be one finite number a trial, got {scores!r:.80}. Give trials that "
            "failed the score of answering without looking, table[name].fillna(floor): left out, "
            "they make the space look better than it is. A pruned trial has no final score, and a "
            "search with pruned trials no curve"
        )
    return values
