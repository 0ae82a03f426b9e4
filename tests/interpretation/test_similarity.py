"""CKA: its two forms, what it does not see, and its unbiased version written out."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.interpretation import linear_cka


def draw(count, width, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, width, generator=generator, dtype=torch.float64)


def centring(count):
    return torch.eye(count).double() - 1 / count


def by_grams(x, y, inner):
    gram_x, gram_y = x @ x.T, y @ y.T
    return float(inner(gram_x, gram_y) / (inner(gram_x, gram_x) * inner(gram_y, gram_y)).sqrt())


def biased(k, m):
    h = centring(len(k))
    return (h @ k @ h @ m).trace()


def unbiased(k, m):
    """Song et al. (2012), equation by equation; it needs no centring."""
    n, one = len(k), torch.ones(len(k)).double()
    k, m = k - k.diagonal().diag(), m - m.diagonal().diag()
    whole = (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
    return ((k @ m).trace() + whole - 2 / (n - 2) * one @ k @ m @ one) / (n * (n - 3))


@settings(max_examples=15, deadline=None)
@given(st.integers(4, 12), st.integers(1, 20), st.integers(1, 20), st.integers(0, 99))
def test_features_and_grams_say_the_same(count, width, other, seed) -> None:
    x, y = draw(count, width, seed) + 3, draw(count, other, seed + 1)
    y = y + x[:, :1]
    assert linear_cka(x, y) == pytest.approx(by_grams(x, y, biased), abs=1e-9)
    assert linear_cka(x, y, debiased=True) == pytest.approx(by_grams(x, y, unbiased), abs=1e-8)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(5, 15),
    st.integers(1, 10),
    st.integers(0, 99),
    st.floats(1e-3, 1e3),
    st.booleans(),
)
def test_turning_shifting_and_scaling_are_not_seen(count, width, seed, scale, debiased) -> None:
    x, y = draw(count, width, seed), draw(count, 4, seed + 1)
    turn, _ = torch.linalg.qr(draw(width, width, seed + 2))
    moved = scale * x @ turn + 5
    expected = linear_cka(x, y, debiased=debiased)
    assert linear_cka(moved, y, debiased=debiased) == pytest.approx(expected, abs=1e-8)
    assert linear_cka(y, moved, debiased=debiased) == pytest.approx(expected, abs=1e-8)
    assert linear_cka(x, moved, debiased=debiased) == pytest.approx(1)
    assert -1 <= expected <= 1 + 1e-9


def test_other_maps_are_seen() -> None:
    x = draw(200, 5, 0)
    stretched = x * torch.tensor([10.0, 1.0, 1.0, 1.0, 1.0])
    assert linear_cka(x, stretched) < 0.6


def test_chance_is_high_with_many_units_and_taken_out() -> None:
    found = [(draw(40, 200, 2 * s), draw(40, 200, 2 * s + 1)) for s in range(20)]
    plain = [linear_cka(x, y) for x, y in found]
    fair = [linear_cka(x, y, debiased=True) for x, y in found]
    assert min(plain) > 0.7
    assert abs(sum(fair)) / len(fair) < 0.02


def test_what_does_not_vary_has_no_similarity() -> None:
    assert math.isnan(linear_cka(torch.full((5, 3), 0.1), draw(5, 2, 0)))
