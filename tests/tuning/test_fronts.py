"""Fronts against brute force, volumes against Optuna's and against counting cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna._hypervolume import compute_hypervolume

from mtl_utils import tuning


def _points(objectives: int) -> st.SearchStrategy[list[list[float]]]:
    point = st.lists(st.integers(0, 5).map(float), min_size=objectives, max_size=objectives)
    return st.lists(point, min_size=1, max_size=8)


@given(st.integers(1, 4).flatmap(_points), st.data())
def test_the_front_is_what_no_other_point_beats(
    points: list[list[float]], data: st.DataObject
) -> None:
    count = len(points[0])
    directions = data.draw(
        st.lists(st.sampled_from(["min", "max"]), min_size=count, max_size=count)
    )
    signs = [1 if d == "max" else -1 for d in directions]
    better = [[s * v for s, v in zip(signs, p, strict=True)] for p in points]
    brute = [
        not any(q != p and all(a >= b for a, b in zip(q, p, strict=True)) for q in better)
        for p in better
    ]
    assert tuning.pareto_front(points, directions) == brute  # type: ignore[arg-type]


@given(st.integers(1, 4).flatmap(_points))
def test_the_volume_is_the_number_of_cells_that_are_dominated(points: list[list[float]]) -> None:
    cells = np.stack(np.meshgrid(*[np.arange(5)] * len(points[0]), indexing="ij"), -1) + 1
    dominated = [(np.asarray(p) >= cells).all(-1) for p in points]
    expected = np.any(dominated, axis=0).sum()
    assert tuning.hypervolume(points, [0.0] * len(points[0])) == pytest.approx(expected)


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_the_volume_is_that_of_optuna(objectives: int) -> None:
    generator = np.random.default_rng(objectives)
    points = generator.normal(size=(25, objectives))
    reference = np.full(objectives, 1.5)  # of losses
    inside = points[(points <= reference).all(1)]
    theirs = compute_hypervolume(inside, reference)
    ours = tuning.hypervolume(points, reference, ["min"] * objectives)
    assert ours == pytest.approx(theirs)


def test_a_beaten_point_adds_nothing() -> None:
    front = [[1.0, 3.0], [3.0, 1.0]]
    assert tuning.hypervolume(front, [0, 0]) == 5
    assert tuning.hypervolume([*front, [1.0, 1.0], [9.0, -1.0]], [0, 0]) == 5
    assert tuning.hypervolume([*front, [2.0, 2.0]], [0, 0]) == 6
