"""What may be claimed of a recorded comparison, by one call from a chapter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mtl_utils.arguments import check_strings, check_text
from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contrasts import (
    ALPHA,
    CLAIMED,
    Contrast,
    contrast_table,
    holm,
    paired_difference,
    paired_table,
    plus_minus,
    score_table,
)
from mtl_utils.experiments.controls import ABLATIONS, FRESH, TWICE, own_runs, runs_of
from mtl_utils.experiments.parts import DOUBLED, FRESH_SEEDS
from mtl_utils.experiments.registry import find_comparison
from mtl_utils.experiments.tuning import RATE


def verdicts(name: str, setting: str, folder: str | Path | None = None) -> pd.DataFrame:
    """Say which of the differences that a comparison named before it was run may be claimed.

    Args:
        name: Name of the comparison.
        setting: One of its settings.
        folder: Where its results are; see :func:`load_results`.

    Returns:
        One row a contrast, see :func:`contrast_table`. Without all records of both sides at twice
        the steps nothing is settled, and the verdict says so. ``withdrawn`` says whether what would
        be claimed is claimed no more.

    Raises:
        KeyError: If there is no such comparison or setting, or it names no difference there.
        ValueError: If a record is of settings that the comparison has not, or runs of a contender
            that is named are missing.
        FileNotFoundError: If it is not on record.
        TypeError: If a name is no string.
    """
    comparison, frame, doubled = _claimable(name, setting, folder)
    table = contrast_table(frame, _named(comparison, setting), doubled)
    return table.assign(withdrawn=_withdrawn(comparison, setting, table))


def comparison_table(name: str, setting: str, folder: str | Path | None = None) -> pd.DataFrame:
    """Write what may be claimed of a recorded comparison as readers want it.

    Args:
        name: Name of the comparison.
        setting: One of its settings.
        folder: Where its results are; see :func:`load_results`.

    Returns:
        One row a contrast, see :func:`paired_table` and :func:`verdicts`; a claim that is made no
        more ends in ``", withdrawn"``.

    Raises:
        KeyError: If there is no such comparison or setting, or it names no difference there.
        ValueError: If a record is of settings that the comparison has not, or runs of a contender
            that is named are missing.
        FileNotFoundError: If it is not on record.
        TypeError: If a name is no string.
    """
    comparison, frame, doubled = _claimable(name, setting, folder)
    named = _named(comparison, setting)
    table = paired_table(frame, named, doubled)
    taken_back = _withdrawn(comparison, setting, contrast_table(frame, named, doubled))
    ends = [", withdrawn" if each else "" for each in taken_back]
    return table.assign(verdict=table["verdict"] + ends)


def contender_table(
    name: str, metrics: Sequence[str], folder: str | Path | None = None
) -> pd.DataFrame:
    """Write how well each contender of a recorded comparison did, those borrowed among them.

    Args:
        name: Name of the comparison.
        metrics: Columns of its records, such as ``entities_f1``.
        folder: Where its results are; see :func:`load_results`.

    Returns:
        One row a setting and a contender, in the order of the comparison: ``n`` runs and, for each
        metric, mean and half of a 95% interval, see :func:`score_table`; then
        ``"<metric>, twice"``, the mean at twice the steps (nan where there is none); then
        ``parameters``, of all models of the contender together.

    Raises:
        KeyError: If there is no such comparison, or a run has no such metric.
        ValueError: If there is no metric, or a record is of settings that the comparison has not.
        FileNotFoundError: If it is not on record.
        TypeError: If a name is no string.
    """
    comparison = find_comparison(name)
    check_strings("metrics", metrics, distinct=True)
    runs, doubled = _runs_and_doubled(comparison, folder)
    by = ["setting", "contender"]
    table = score_table(runs, metrics, by)
    for metric in metrics:
        table[f"{metric}, twice"] = doubled.groupby(by)[metric].mean().round(1)
    table["parameters"] = runs.groupby(by)["parameters"].first()
    order = pd.MultiIndex.from_product(
        [comparison.settings, [contender.name for contender in comparison.contenders]], names=by
    )
    return table.loc[order[order.isin(table.index)]]


def fresh_table(name: str, folder: str | Path | None = None) -> pd.DataFrame:
    """Say whether what a comparison showed is seen again with seeds on which nothing was chosen.

    Args:
        name: Name of a comparison with differences that are tried again.
        folder: Where its results are; see :func:`load_results`.

    Returns:
        One row a difference: ``setting``, ``first``, ``second``, ``metric``, the ``difference``
        that was ``found`` and its mean and ``half_width`` over ``n`` fresh seeds, ``p``, adjusted
        for all rows of the table, and whether it is ``confirmed``: of the same sign, and p below
        0.05.

    Raises:
        KeyError: If there is no such comparison.
        ValueError: If it tries nothing again, a record is of settings that the comparison has not,
            or runs of a contender that is named are missing.
        FileNotFoundError: If it is not on record.
        TypeError: If the name is no string.
    """
    comparison = find_comparison(name)
    if not comparison.found:
        raise ValueError(f"name must be that of a comparison with fresh seeds, got {name!r}")
    parts = []
    for part, read, seeds in (("", runs_of, comparison.seeds), (FRESH, own_runs, FRESH_SEEDS)):
        runs = read(comparison, part, folder)
        of = {setting: runs[runs["setting"] == setting] for setting in comparison.found}
        for setting, several in comparison.found.items():
            _check_seeds(comparison.name + part, setting, of[setting], several, seeds)
        parts.append(
            [
                (setting, contrast, paired_difference(of[setting], contrast))
                for setting, several in comparison.found.items()
                for contrast in several
            ]
        )
    adjusted = holm([again.p for _, _, again in parts[1]])
    rows = [
        {
            "setting": setting,
            "first": contrast.first,
            "second": contrast.second,
            "metric": contrast.metric,
            "found": before.mean,
            "n": again.n,
            "difference": again.mean,
            "half_width": again.half_width,
            "p": p,
            "confirmed": p < ALPHA and before.mean * again.mean > 0,
        }
        for (_, _, before), (setting, contrast, again), p in zip(*parts, adjusted, strict=True)
    ]
    return pd.DataFrame(rows)


def ablation_table(
    name: str, setting: str, metric: str, folder: str | Path | None = None
) -> pd.DataFrame:
    """Say what each change of one thing alone did to a contender that was tuned without it.

    Args:
        name: Name of a comparison with ablations.
        setting: One of its settings.
        metric: What the change is judged by; changes that leave its task out are left out, and so
            are those of which not all seeds are on record.
        folder: Where its results are; see :func:`load_results`.

    Returns:
        One row a change: ``change``, ``of`` which contender, the mean ``as_tuned`` and ``changed``
        over the ``n`` seeds that both were run with, the ``difference`` seed by seed and its
        ``half_width``, ``p``, adjusted for all rows of the table (Holm, 1979), and whether an
        effect is ``shown``: p below 0.05. An effect that is not shown is no proof that there is
        none.

    Raises:
        KeyError: If there is no such comparison or setting, or no change was judged by the metric.
        ValueError: If the comparison changes nothing alone, or a record is of settings that the
            comparison has not.
        FileNotFoundError: If it is not on record.
        TypeError: If a name is no string.
    """
    comparison, tuned, _ = _recorded(name, setting, folder)
    check_text("metric", metric)
    if not comparison.ablations:
        raise ValueError(f"name must be that of a comparison with ablations, got {name!r}")
    wanted = len(comparison.seeds[: comparison.ablated])
    changed = own_runs(comparison, ABLATIONS, folder)
    changed = changed[changed["setting"] == setting]
    rows = []
    for ablation in comparison.ablations:
        runs = changed[changed["ablation"] == ablation.name]
        if metric not in runs or runs[metric].isna().all() or len(runs) < wanted:
            continue
        both = pd.concat([tuned, runs.assign(contender=ablation.name)])
        found = paired_difference(both, Contrast(ablation.name, ablation.of, metric))
        means = both[both["seed"].isin(runs["seed"])].groupby("contender")[metric].mean()
        rows.append(
            {
                "change": ablation.name,
                "of": ablation.of,
                "n": found.n,
                "as_tuned": means[ablation.of],
                "changed": means[ablation.name],
                "difference": found.mean,
                "half_width": found.half_width,
                "p": found.p,
            }
        )
    if not rows:
        raise KeyError(f"No change of {name} was judged by {metric!r} in {setting!r}")
    table = pd.DataFrame(rows)
    table["p"] = holm(table["p"].tolist())
    return table.assign(shown=table["p"] < ALPHA)


def change_table(
    name: str, setting: str, metrics: Sequence[str], folder: str | Path | None = None
) -> pd.DataFrame:
    """Write what each change of one thing alone did, as readers want it.

    Args:
        name: Name of a comparison with ablations.
        setting: One of its settings.
        metrics: What the changes are judged by; each is a family of tests of its own.
        folder: Where its results are; see :func:`load_results`.

    Returns:
        One row a metric and a change: the mean ``as tuned`` and ``changed``, their ``difference``
        seed by seed (``"+8.2 ± 3.2"``), its ``p``, and whether it is ``shown``; see
        :func:`ablation_table`.

    Raises:
        KeyError: If there is no such comparison or setting, or no change was judged by a metric.
        ValueError: If the comparison changes nothing alone, there is no metric, or a record is of
            settings that the comparison has not.
        FileNotFoundError: If it is not on record.
        TypeError: If a name is no string.
    """
    check_strings("metrics", metrics, distinct=True)
    if not metrics:
        raise ValueError(f"metrics must name at least one, got {metrics!r}")
    rows = {}
    for metric in metrics:
        for _, row in ablation_table(name, setting, metric, folder).iterrows():
            rows[metric, row["change"]] = {
                "as tuned": f"{row['as_tuned']:.1f}",
                "changed": f"{row['changed']:.1f}",
                "difference": plus_minus(row["difference"], row["half_width"], 1, "+"),
                "p": f"{row['p']:.2f}",
                "shown": row["shown"],
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["metric", "change"])


def step_size_table(name: str, setting: str, folder: str | Path | None = None) -> pd.DataFrame:
    """Show how well each contender learnt each task with each step size, on validation.

    Args:
        name: Name of the comparison.
        setting: One of its settings.
        folder: Where its results are; see :func:`load_results`.

    Returns:
        One row a step size, columns by task and contender: the score in percent, at one seed and
        before anything else was tuned. Tasks that are trained together have the scores of the one
        model that is stored, the best by the mean over tasks of the share of the reference's score.

    Raises:
        KeyError: If there is no such comparison, or no such setting.
        ValueError: If its step sizes were drawn with its other settings, one is missing, or a
            record is of settings that the comparison has not.
        FileNotFoundError: If it is not on record.
        TypeError: If a name is no string.
    """
    comparison = find_comparison(name)
    check_text("setting", setting)
    if not comparison.rates:
        raise ValueError(f"name must be that of a comparison with a grid, got {name!r}, a search")
    if setting not in comparison.settings:
        raise KeyError(f"{name} has no setting {setting!r}; it has {list(comparison.settings)}")
    table = pd.DataFrame(comparison.grid(setting, folder).stored_scores())
    table = table.rename(columns={RATE: "step size"})
    columns = pd.MultiIndex.from_product(
        [comparison.settings[setting]["tasks"], [c.name for c in comparison.contenders]]
    )
    wide = table.pivot(index="step size", columns=["task", "contender"], values="score")
    return wide.reindex(columns=columns)


def _recorded(
    name: str, setting: str, folder: str | Path | None
) -> tuple[Comparison, pd.DataFrame, pd.DataFrame]:
    """Look up a comparison, the records of one of its settings, and those at twice the steps."""
    comparison = find_comparison(name)
    check_text("setting", setting)
    if setting not in comparison.settings:
        raise KeyError(f"{name} has no setting {setting!r}; it has {list(comparison.settings)}")
    frame, doubled = _runs_and_doubled(comparison, folder)
    ours, again = (runs[runs["setting"] == setting] for runs in (frame, doubled))
    return comparison, ours, again


def _named(comparison: Comparison, setting: str) -> tuple[Contrast, ...]:
    if setting not in comparison.contrasts:
        raise KeyError(
            f"{comparison.name} names no difference in {setting!r}; it does in "
            f"{list(comparison.contrasts)}"
        )
    return tuple(comparison.contrasts[setting])


def _withdrawn(comparison: Comparison, setting: str, found: pd.DataFrame) -> list[bool]:
    """Say which claims are made no more: a difference that is not shown is none."""
    taken_back = comparison.withdrawn.get(setting, ())
    return [
        contrast in taken_back and verdict in CLAIMED
        for contrast, verdict in zip(_named(comparison, setting), found["verdict"], strict=True)
    ]


def _claimable(
    name: str, setting: str, folder: str | Path | None
) -> tuple[Comparison, pd.DataFrame, pd.DataFrame]:
    """Read what :func:`_recorded` does: all seeds of what is compared, at twice the steps or none.

    Raises:
        ValueError: If runs of a contender that is named are missing.
    """
    comparison, frame, doubled = _recorded(name, setting, folder)
    _check_seeds(comparison.name, setting, frame, _named(comparison, setting), comparison.seeds)
    seeds = set(comparison.seeds[:DOUBLED])
    whole = [name for name, runs in doubled.groupby("contender") if seeds <= {*runs["seed"]}]
    return comparison, frame, doubled[doubled["contender"].isin(whole)]


def _check_seeds(
    name: str,
    setting: str,
    frame: pd.DataFrame,
    contrasts: Sequence[Contrast],
    seeds: Sequence[int],
) -> None:
    """Refuse half of a record: a mean over the seeds that happened to be first is no result."""
    for contender in dict.fromkeys(side for c in contrasts for side in (c.first, c.second)):
        there = set(frame.loc[frame["contender"] == contender, "seed"])
        missing = [seed for seed in seeds if seed not in there]
        if missing:
            raise ValueError(
                f"{name} has no run of {contender!r} on {setting!r} with the seeds {missing}, and "
                f"compares all of {list(seeds)}; record them with `python -m mtl_utils.experiments "
                f"work {name}`"
            )


def _runs_and_doubled(
    comparison: Comparison, folder: str | Path | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the records of a comparison, and those at twice the steps; none if there are none."""
    frame = runs_of(comparison, "", folder)
    try:
        return frame, runs_of(comparison, TWICE, folder)
    except FileNotFoundError:
        return frame, frame.iloc[:0]
