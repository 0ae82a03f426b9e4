"""The cost of a step: fitted to steps of a known cost, and timed steps of the right sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.experiments import scaling_steps
from mtl_utils.experiments.experiment import Place
from mtl_utils.training import StepCost, StepTime, fit_step_cost, step_batch, step_model, time_steps

GRID = [(n, rows, weights) for n in (1, 2, 4) for rows in (4, 9, 64) for weights in (1000, 30_000)]
NUMBERS = st.sampled_from([0.0, 0.5, 1.0, 20.0])


def points_of(cost: StepCost) -> list[StepTime]:
    return [StepTime(*sizes, cost.seconds(*sizes)) for sizes in GRID]


@settings(max_examples=40, deadline=None)
@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_known_costs_are_found_again(a: float, b: float, c: float, d: float) -> None:
    cost = StepCost(1e-3 * a, 1e-7 * b, 1e-8 * c, 1e-7 * d)
    if a + b + c == 0:  # a step in one process would take no time
        return
    found = fit_step_cost(points_of(cost))
    assert found.errors(points_of(cost)) == pytest.approx([0.0] * len(GRID), abs=1e-6)
    # The terms are different functions of the sizes, so the coefficients are found as well.
    assert vars(found) == pytest.approx(vars(cost), rel=1e-4, abs=1e-13)


def test_the_cost_of_a_step_by_hand() -> None:
    cost = StepCost(constant=1.0, per_parameter=0.1, per_row=0.01, per_message=0.2)
    assert cost.seconds(1, 8, 10) == pytest.approx(1 + 1 + 0.8)
    assert cost.seconds(4, 9, 10) == pytest.approx(1 + 1 + 0.3 + 0.2 * 10 * 1.5)
    assert cost.errors([StepTime(1, 8, 10, 1.4)]) == pytest.approx([1.0])


def test_no_coefficient_is_negative_and_none_better() -> None:
    """Against a search over a grid of non-negative coefficients around the fit."""
    draw = np.random.default_rng(0)
    points = [
        StepTime(n, rows, weights, 0.01 * math.exp(draw.normal())) for n, rows, weights in GRID
    ]
    found = fit_step_cost(points)
    values = np.array(list(vars(found).values()))
    assert (values >= 0).all()

    def error(cost: StepCost) -> float:
        return sum(e**2 for e in cost.errors(points))

    scales = np.array([1e-3, 1e-7, 1e-8, 1e-7])
    for _ in range(300):
        other = StepCost(*np.clip(values + draw.normal(size=4) * scales, 0, None))
        assert error(other) >= error(found) - 1e-9


def test_without_several_processes_sending_costs_nothing() -> None:
    cost = StepCost(1e-3, 1e-7, 1e-8, 1.0)
    alone = [point for point in points_of(cost) if point.processes == 1]
    assert fit_step_cost(alone).per_message == 0


def test_what_is_timed(tmp_path) -> None:
    (first, second) = time_steps([2], rows=[3], widths=[4, 8], steps=1)
    for point, width in ((first, 4), (second, 8)):
        weights = sum(p.numel() for p in step_model(width).parameters())
        assert (point.processes, point.rows, point.parameters) == (2, 3, weights)
        assert point.seconds > 0
    assert step_batch(3, 5).inputs.input_ids.shape == (3, 5)
    (experiment,) = scaling_steps.EXPERIMENTS
    assert [config["processes"] for config in experiment.configs] == [1, 2]
    config = {"processes": 1, "rows": [2], "widths": [4]}
    metrics = experiment.run(config, 0, Place(tmp_path, tmp_path))
    (point,) = metrics["points"]
    assert StepTime(**point).rows == 2
