"""Six tasks in three groups: every division is known, and the chosen ones follow from records."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean

import pandas as pd
import pytest

from mtl_utils.experiments import load_results, runner
from mtl_utils.experiments.registry import find_comparison
from mtl_utils.experiments.task_groups import (
    BY_LOT,
    CHOSEN,
    COMPARISON,
    GROUPS,
    MODELS,
    WORST,
    drawn,
    mean_sign,
    proposed,
)
from mtl_utils.experiments.task_relations import PAIRS, SIGNS, TASKS, pair_runs
from mtl_utils.relations import (
    best_groups,
    pairwise_scores,
    rank_agreement,
    transfer_matrix,
)


def _by_labels(tasks: Sequence[str], groups: int) -> set[frozenset[frozenset[str]]]:
    """Give each task the number of its group, in every way, and see what comes out."""
    found = set()
    for numbers in product(range(groups), repeat=len(tasks)):
        if len(set(numbers)) == groups:
            parts = [
                frozenset(t for t, own in zip(tasks, numbers, strict=True) if own == number)
                for number in range(groups)
            ]
            found.add(frozenset(parts))
    return found


def test_every_division_is_drawn_about_as_often() -> None:
    found = Counter(frozenset(map(frozenset, drawn("abcd", 2, seed))) for seed in range(1400))
    assert set(found) == _by_labels("abcd", 2)  # seven of them, by Stirling's numbers
    assert all(140 < count < 260 for count in found.values())  # 200 expected, four deviations
    assert drawn("abcd", 4, seed=3) == (("a",), ("b",), ("c",), ("d",))


def test_a_sign_that_is_not_known_is_left_out_of_the_mean(tmp_path: Path) -> None:
    known = {giver: dict.fromkeys(TASKS, 1.0) for giver in TASKS}
    other = {giver: dict.fromkeys(TASKS, 3.0) for giver in TASKS}
    other["intent"] = {**other["intent"], "slots": None}
    cells = (known, other)
    made = replace(SIGNS, seeds=(0, 1), needs=(), run=lambda _, seed, __: {"cosines": cells[seed]})
    runner.run(made, tmp_path, progress=False)
    mean = mean_sign("cosines", tmp_path)
    assert mean.loc["intent", "slots"] == 1.0
    assert mean.loc["slots", "intent"] == 2.0


def test_groups_that_are_compared_are_those_that_records_propose() -> None:
    found = proposed()
    assert GROUPS[CHOSEN] == found["transfer"] == found["affinity"]
    assert GROUPS[WORST] == found[WORST]
    assert GROUPS[BY_LOT] == found[BY_LOT]


def test_no_division_promises_more_or_less_by_the_measured_pairs() -> None:
    """Equation 11.7 by brute force over all 122 divisions into at most three groups."""
    transfer = transfer_matrix(pair_runs(on="validation"), relative=True)

    def value(groups: Iterable[Iterable[str]]) -> float:
        several = [list(group) for group in groups if len(list(group)) > 1]
        shares = [transfer.loc[g, g].sum().sum() / (len(g) - 1) for g in several]
        return math.fsum(shares)

    fewer = [division for groups in range(1, MODELS + 1) for division in _by_labels(TASKS, groups)]
    assert len(fewer) == 1 + 31 + 90
    assert value(GROUPS[CHOSEN]) == pytest.approx(max(map(value, fewer)))
    assert value(GROUPS[WORST]) == pytest.approx(min(map(value, fewer)))
    assert value(GROUPS[WORST]) < value(GROUPS[BY_LOT]) < value(GROUPS[CHOSEN])


def test_groups_are_judged_with_seeds_that_chose_nothing() -> None:
    assert find_comparison("task_groups") is COMPARISON
    assert not set(COMPARISON.seeds) & set(PAIRS.seeds)
    assert {len(groups) for groups in GROUPS.values()} == {MODELS}
    assert len({frozenset(map(frozenset, groups)) for groups in GROUPS.values()}) == len(GROUPS)
    chosen = set(load_results("task_pairs")["seed"]) | set(load_results("task_signs")["seed"])
    assert not chosen & set(COMPARISON.seeds)


def test_scores_of_pairs_are_read_from_the_split_that_is_asked_for() -> None:
    test, validation = pair_runs(), pair_runs(on="validation")
    assert pd.concat([test, validation]).groupby("task")["score"].count().eq(60).all()
    assert (test["score"] != validation["score"]).mean() > 0.9
    with pytest.raises(ValueError, match="on must be one of"):
        pair_runs(on="train")  # type: ignore[arg-type]


def test_what_the_chapter_says_beside_its_cells_follows_from_records() -> None:
    """How far seeds agree, which groups each proposes, and tasks' gradients with themselves."""
    runs, validation, signs = pair_runs(), pair_runs(on="validation"), load_results("task_signs")
    agreed = [
        rank_agreement(
            transfer_matrix(runs[runs["seed"] == seed], relative=True),
            transfer_matrix(runs[runs["seed"] != seed], relative=True),
        )
        for seed in PAIRS.seeds
    ]
    assert fmean(agreed) == pytest.approx(0.51, abs=0.005)
    gains = [
        transfer_matrix(rows, relative=True) for _, rows in validation.groupby("seed", sort=True)
    ]
    affinities = [pd.DataFrame(cells).T.loc[[*TASKS], [*TASKS]] for cells in signs["affinity"]]
    chosen = [
        [best_groups(pairwise_scores(table), MODELS, disjoint=True).groups for table in tables]
        for tables in (gains, affinities)
    ]
    assert [groups.count(GROUPS[CHOSEN]) for groups in chosen] == [3, 1]
    itself = pd.DataFrame([*signs["with_itself"]]).mean()
    assert (round(itself.min(), 3), round(itself.max(), 3)) == (-0.003, 0.021)
    between = mean_sign("cosines").to_numpy()
    assert abs(between[between < 0.9]).max() < 0.01
