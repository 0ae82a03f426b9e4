"""What is drawn: ranges, scales, and weights that are even on their simplex."""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils import tuning
from mtl_utils.tuning.space import Recorded

SPACE: tuning.Space = {
    "rate": tuning.Number(1e-4, 1e-1, log=True),
    "dropout": tuning.Number(0.0, 0.5),
    "width": tuning.Whole(8, 65, step=8),
    "layers": tuning.Whole(1, 9, log=True),
    "sharing": tuning.Choice(["hard", {"kind": "soft", "strength": 0.1}, True]),
    "weights": tuning.Simplex(["a", "b", "c"], least=0.05),
    "ratios": tuning.Ratios(["a", "b"], 0.1, 10),
}


def _drawn(seed: int) -> dict[str, Any]:
    return tuning.suggest(SPACE, tuning.RandomDraws(np.random.default_rng(seed)))


@given(st.integers(0, 10_000))
def test_all_that_is_drawn_lies_in_the_space(seed: int) -> None:
    drawn = _drawn(seed)
    assert 1e-4 <= drawn["rate"] <= 1e-1
    assert 0 <= drawn["dropout"] <= 0.5
    assert drawn["width"] in range(8, 65, 8)
    assert drawn["layers"] in range(1, 10)
    assert drawn["sharing"] in SPACE["sharing"].options  # type: ignore[attr-defined]
    assert sum(drawn["weights"].values()) == pytest.approx(3)
    assert min(drawn["weights"].values()) >= 3 * 0.05 - 1e-9
    assert drawn["ratios"]["a"] == 1
    assert 0.1 <= drawn["ratios"]["b"] <= 10


def test_the_same_seed_draws_the_same() -> None:
    assert _drawn(3) == _drawn(3) != _drawn(4)


def test_what_was_asked_for_gives_the_settings_again() -> None:
    draws = tuning.RandomDraws(np.random.default_rng(0))
    drawn = tuning.suggest(SPACE, draws)
    assert tuning.suggest(SPACE, Recorded(draws.params)) == drawn


def test_optuna_is_asked_for_the_same_names() -> None:
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    drawn, draws = tuning.suggest(SPACE, trial), tuning.RandomDraws(np.random.default_rng(0))
    tuning.suggest(SPACE, draws)
    assert set(trial.params) == set(draws.params)
    assert tuning.suggest(SPACE, Recorded(trial.params)) == drawn


@pytest.mark.parametrize("count", [2, 3, 5])
def test_weights_are_even_on_the_simplex(count: int) -> None:
    """Mean, variance and covariance of a flat Dirichlet distribution, and its marginal quarters."""
    names = [f"task {place}" for place in range(count)]
    draws = tuning.RandomDraws(np.random.default_rng(0))
    size = 20_000
    found = [list(tuning.Simplex(names).suggest(draws, "w").values()) for _ in range(size)]
    shares = np.array(found) / count
    covariance = -1 / (count**2 * (count + 1))
    expected = np.full((count, count), covariance) + np.eye(count) / (count * (count + 1))
    assert np.allclose(shares.mean(0), 1 / count, atol=0.01)
    assert np.allclose(np.cov(shares.T), expected, atol=0.003)
    for level in (0.25, 0.5, 0.75):  # the marginal is Beta(1, K - 1)
        below = (shares < 1 - (1 - level) ** (1 / (count - 1))).mean(0)
        assert np.allclose(below, level, atol=0.02)


def test_logarithms_are_even() -> None:
    draws = tuning.RandomDraws(np.random.default_rng(0))
    rates = [SPACE["rate"].suggest(draws, "r") for _ in range(4000)]
    shares = np.histogram(np.log10(rates), bins=[-4, -3, -2, -1])[0] / 4000
    assert np.allclose(shares, 1 / 3, atol=0.03)
