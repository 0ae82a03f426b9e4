"""Relative multi-task performance: what a model of many tasks gains or costs, in one number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from mtl_utils.arguments import check_names, check_number, check_strings
from mtl_utils.experiments.contrasts import Contrast, paired_difference
from mtl_utils.training.directions import Direction, choose_direction

#: The row of :func:`relative_table` for all tasks together.
ALL_TASKS = "all tasks"


def relative_performance(
    scores: Mapping[str, float],
    baseline: Mapping[str, float],
    modes: Mapping[str, Direction] | None = None,
) -> float:
    r"""Return the mean relative gain over tasks (Maninis et al., 2019; Vandenhende et al., 2022).

    .. math:: \Delta_m = \frac{1}{K} \sum_{k=1}^{K} (-1)^{l_k} \frac{M_k - M_k^b}{M_k^b}

    with :math:`l_k = 1` where a smaller score is better. The baseline is each task by itself.

    Args:
        scores: By metric, one a task, the score :math:`M_k` of the model.
        baseline: By metric the score :math:`M_k^b` of the baseline.
        modes: By metric whether it is better when smaller, ``"min"``, or when greater, ``"max"``;
            of metrics that are left out the name tells.

    Returns:
        0.02 where scores are 2% better on average.

    Raises:
        KeyError: If both are not of the same metrics, or a mode is of another.
        ValueError: If there is no metric, a score is not finite, one of the baseline 0, a name does
            not tell which way it is better and ``modes`` does not either, or both say opposite
            things.
        TypeError: If something is not of its kind.
    """
    _check_scores("scores", scores)
    _check_scores("baseline", baseline)
    check_names("modes", {} if modes is None else modes, "modes by metric")
    if set(scores) != set(baseline):
        raise KeyError(
            f"scores and baseline must be of the same metrics, got {sorted(scores)} and "
            f"{sorted(baseline)}"
        )
    chosen = dict(modes or {})
    unknown = [name for name in chosen if name not in scores]
    if unknown:
        raise KeyError(f"modes has {unknown[0]!r}, which is none of the metrics {list(scores)}")
    gains = []
    for name, score in scores.items():
        if baseline[name] == 0:
            raise ValueError(
                f"baseline must have no score of 0 to be divided by, got {baseline[name]!r} for "
                f"{name!r}"
            )
        sign = -1 if choose_direction(name, chosen.get(name), []) == "min" else 1
        gains.append(sign * (score - baseline[name]) / baseline[name])
    return math.fsum(gains) / len(gains)


def relative_table(
    frame: pd.DataFrame,
    first: str,
    second: str,
    metrics: Sequence[str],
    *,
    modes: Mapping[str, Direction] | None = None,
    by: str = "contender",
) -> pd.DataFrame:
    """Compare two contenders on each task, and on all by relative performance, seed by seed.

    Args:
        frame: One row a run, as :func:`load_results` returns, of one setting.
        first: Name of a contender.
        second: Name of another, the baseline.
        metrics: Columns, one a task.
        modes: See :func:`relative_performance`.
        by: The column that names the contender.

    Returns:
        Indexed by ``metric``, of which the last is ``"all tasks"``: ``n`` seeds, the mean
        ``difference`` of first and second, and the ``half_width`` of its 95% interval over seeds
        (:func:`paired_difference`). The last row is in hundredths of the baseline.

    Raises:
        KeyError: As :func:`paired_difference` and :func:`relative_performance`.
        ValueError: Likewise; if no metric is named.
        TypeError: Likewise.
    """
    check_strings("metrics", metrics, distinct=True)
    if not metrics:
        raise ValueError(f"metrics must name at least one column, got {metrics!r}")
    found = {
        metric: paired_difference(frame, Contrast(first, second, metric), by) for metric in metrics
    }
    found[ALL_TASKS] = paired_difference(
        _with_relative(frame, first, second, list(metrics), modes, by),
        Contrast(first, second, ALL_TASKS),
        by,
    )
    rows = [{"n": d.n, "difference": d.mean, "half_width": d.half_width} for d in found.values()]
    return pd.DataFrame(rows, index=pd.Index(list(found), name="metric"))


def _with_relative(
    frame: pd.DataFrame,
    first: str,
    second: str,
    metrics: list[str],
    modes: Mapping[str, Direction] | None,
    by: str,
) -> pd.DataFrame:
    """Return runs with their relative performance, in hundredths: that of the baseline is 0."""
    runs = frame[frame[metrics].notna().all(axis=1)]
    sides = [runs[runs[by] == name].set_index("seed")[metrics] for name in (first, second)]
    rows = []
    for seed in sides[0].index.intersection(sides[1].index):
        scores, baseline = (side.loc[seed].to_dict() for side in sides)
        relative = 100 * relative_performance(scores, baseline, modes)
        rows += [(first, seed, relative), (second, seed, 0.0)]
    return pd.DataFrame(rows, columns=[by, "seed", ALL_TASKS])


def _check_scores(name: str, scores: Mapping[str, float]) -> None:
    check_names(name, scores, "scores by metric")
    if not scores:
        raise ValueError(f"{name} must have the score of at least one task, got {scores!r}")
    for metric, score in scores.items():
        check_number(f"That of {metric!r} in {name}", score)
