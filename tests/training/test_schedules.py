"""Schedules against their formulas, and what all of them have in common."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils.training import schedules

NAMES = ("constant", "linear", "cosine", "inverse_sqrt")
steps = st.integers(0, 500)


@pytest.mark.parametrize("name", NAMES)
def test_warm_up_is_linear_and_ends_at_one(name: schedules.ScheduleName) -> None:
    factors = [schedules.factor(name, step, 100, 10) for step in range(11)]
    assert factors[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert factors[9] == 1


@given(step=steps, total=steps, warmup=steps)
@pytest.mark.parametrize("name", NAMES)
def test_factors_lie_between_zero_and_one(
    name: schedules.ScheduleName, step: int, total: int, warmup: int
) -> None:
    assert 0 <= schedules.factor(name, step, total, warmup) <= 1


@given(step=steps, total=st.integers(1, 500), warmup=steps)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_rises_after_the_warm_up(
    name: schedules.ScheduleName, step: int, total: int, warmup: int
) -> None:
    step += warmup
    now, then = (schedules.factor(name, s, total, warmup) for s in (step, step + 1))
    assert then <= now


@pytest.mark.parametrize("step", [10, 37, 64, 99])
def test_formulas(step: int) -> None:
    done = (step - 10) / 90
    assert schedules.constant(step, 10) == 1
    assert schedules.linear(step, 100, 10) == pytest.approx(1 - done)
    assert schedules.cosine(step, 100, 10) == pytest.approx((1 + math.cos(math.pi * done)) / 2)


@given(step=steps, warmup=st.integers(1, 200), width=st.integers(1, 1024))
def test_inverse_sqrt_is_the_papers_over_its_peak(step: int, warmup: int, width: int) -> None:
    def paper(s: int) -> float:
        return width**-0.5 * min(s**-0.5, s * warmup**-1.5)

    expected = paper(step + 1) / paper(warmup)
    assert schedules.inverse_sqrt(step, warmup) == pytest.approx(expected)


def test_linear_and_cosine_end_just_above_zero() -> None:
    for name in ("linear", "cosine"):
        assert 0 < schedules.factor(name, 99, 100) < 0.011
        assert schedules.factor(name, 100, 100) == 0


def test_errors_say_what_was_given() -> None:
    with pytest.raises(ValueError, match=r"schedule must be one of .*, got 'sine'"):
        schedules.factor("sine", 0, 1)
    with pytest.raises(ValueError, match="step must be finite and at least 0, got -1"):
        schedules.constant(-1)
    with pytest.raises(ValueError, match="total_steps must be finite and at least 0, got -5"):
        schedules.cosine(0, -5)
