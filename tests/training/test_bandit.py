"""The bandit that draws tasks, against its formula written out, and what it finds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils.training import EXP3S, RewardScale


def by_formula(
    count: int, step_size: float, exploration: float, plays: list[tuple[int, float]]
) -> list[list[float]]:
    """Return the probabilities before each play and after the last, in plain exponentials."""
    weights = [0.0] * count
    found = []
    for number in range(len(plays) + 1):
        total = sum(math.exp(w) for w in weights)
        shares = [(1 - exploration) * math.exp(w) / total + exploration / count for w in weights]
        found.append(shares)
        if number == len(plays):
            return found
        arm, reward = plays[number]
        alpha = 1 / (number + 2)  # the first weights are those of round 1
        moved = [
            math.exp(w + step_size * (reward / shares[k] if k == arm else 0.0))
            for k, w in enumerate(weights)
        ]
        weights = [
            math.log((1 - alpha) * moved[k] + alpha / (count - 1) * (sum(moved) - moved[k]))
            for k in range(count)
        ]
    raise AssertionError


@given(
    st.integers(2, 5),
    st.floats(0.001, 0.3),
    st.floats(0.05, 1.0),
    st.lists(st.tuples(st.integers(0, 4), st.floats(-1, 1)), max_size=12),
)
def test_weights_are_those_of_the_formula(
    count: int, step_size: float, exploration: float, plays: list[tuple[int, float]]
) -> None:
    plays = [(arm % count, reward) for arm, reward in plays]
    bandit = EXP3S(count, step_size, exploration)
    found = [bandit.probabilities]
    for arm, reward in plays:
        bandit.update(arm, reward)
        found.append(bandit.probabilities)
    expected = by_formula(count, step_size, exploration, plays)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert all(shares.sum() == pytest.approx(1) for shares in found)
    assert np.min(found) >= exploration / count - 1e-12


def played(bandit: EXP3S, means: list[list[float]], rounds: int) -> list[float]:
    """Play with noisy rewards, of which a round takes its part of the list; return mean shares."""
    generator = np.random.default_rng(0)
    shares = []
    for number in range(rounds):
        probabilities = bandit.probabilities
        arm = int(generator.choice(len(probabilities), p=probabilities))
        mean = means[number * len(means) // rounds][arm]
        bandit.update(arm, float(np.clip(mean + generator.normal(0, 0.3), -1, 1)))
        shares.append(probabilities)
    return np.mean(shares[-rounds // 4 :], axis=0).tolist()


def test_the_best_arm_is_found_and_found_again_when_it_changes() -> None:
    still = played(EXP3S(3, 0.05), [[-0.5, 0.5, 0.0]], 2000)
    assert still[1] > 0.6
    turned = played(EXP3S(3, 0.05), [[-0.5, 0.5, 0.0], [0.5, -0.5, 0.0]], 6000)
    assert turned[0] > 0.6
    assert max(played(EXP3S(3, 0.05), [[0.0, 0.0, 0.0]], 2000)) < 0.55


def test_one_arm_and_a_state() -> None:
    bandit = EXP3S(1)
    bandit.update(0, 1.0)
    assert bandit.probabilities.tolist() == [1.0]
    one, other = EXP3S(3, 0.1), EXP3S(3, 0.1)
    one.update(2, 0.7)
    other.load_state_dict(one.state_dict())
    for bandit in (one, other):
        bandit.update(1, -0.4, probability=0.2)
    assert one.probabilities.tolist() == other.probabilities.tolist()


def test_rewards_lie_between_the_percentiles() -> None:
    scale = RewardScale()
    generator = np.random.default_rng(1)
    seen: list[float] = []
    for reward in generator.normal(5, 3, 200).tolist():
        found = scale(reward)
        seen.append(reward)
        low, high = np.percentile(seen, [20, 80])
        if low == high:
            assert found == 0
        else:
            expected = min(1.0, max(-1.0, 2 * (reward - low) / (high - low) - 1))
            assert found == pytest.approx(expected)


def test_the_scale_of_rewards_and_their_mean_do_not_matter() -> None:
    rewards = np.random.default_rng(2).normal(0, 1, 50).tolist()
    one, other = RewardScale(), RewardScale()
    assert [one(r) for r in rewards] == pytest.approx([other(1000 * r - 7) for r in rewards])


def test_what_is_kept_is_a_sample_of_all_that_was_seen() -> None:
    """Of 4000 rewards, each of four quarters has about 250 among the 1000 that are kept."""
    scale = RewardScale(size=1000)
    for reward in range(4000):
        scale(float(reward))
    assert len(scale.kept) == len(set(scale.kept)) == 1000
    quarters = np.bincount(np.asarray(scale.kept, dtype=int) // 1000, minlength=4)
    # Hypergeometric, standard deviation 12: within five of them.
    assert np.all(np.abs(quarters - 250) < 60)
    again = RewardScale(size=1000)
    again.load_state_dict(scale.state_dict())
    assert [again(r) for r in (1.0, 3999.0)] == [scale(r) for r in (1.0, 3999.0)]
