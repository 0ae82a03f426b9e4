"""Gradient reversal: the identity on the way up, a negative multiple on the way down."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils.nn import reverse_gradient

strengths = st.floats(0, 10)


def draw(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=generator, dtype=torch.float64)
    return values.requires_grad_()


@given(st.integers(0, 2**31), st.lists(st.integers(1, 3), max_size=3), strengths)
def test_values_stay_and_the_gradient_is_a_negative_multiple(seed, shape, strength):
    values = draw(seed, *shape)
    returned = reverse_gradient(values, strength)
    assert torch.equal(returned, values)
    (plain,) = torch.autograd.grad(values.exp().sum(), values)
    (found,) = torch.autograd.grad(returned.exp().sum(), values)
    torch.testing.assert_close(found, -strength * plain, atol=0, rtol=1e-15)


def test_with_strength_zero_nothing_comes_back():
    values = draw(0, 3)
    (found,) = torch.autograd.grad(reverse_gradient(values, 0.0).sum(), values)
    assert not found.any()


def test_two_reversals_multiply_their_strengths():
    values = draw(0, 3)
    twice = reverse_gradient(reverse_gradient(values, 2.0), 3.0)
    (found,) = torch.autograd.grad(twice.sum(), values)
    assert torch.equal(found, torch.full_like(values, 6.0))


def test_the_gradient_can_be_differentiated_again():
    """The gradient of R(x)³ is -λ 3 R(x)², and that of this is λ² 6 x."""
    values = draw(0, 3)
    cubes = (reverse_gradient(values, 0.5) ** 3).sum()
    (first,) = torch.autograd.grad(cubes, values, create_graph=True)
    torch.testing.assert_close(first, -0.5 * 3 * values**2)
    (second,) = torch.autograd.grad(first.sum(), values)
    torch.testing.assert_close(second, 0.25 * 6 * values)


def test_gradients_of_many_rows_at_once():
    values = draw(0, 4, 3).detach()

    def energy(row):
        return reverse_gradient(row, 2.0).square().sum()

    found = torch.func.vmap(torch.func.grad(energy))(values)
    torch.testing.assert_close(found, -2.0 * 2 * values)


@pytest.mark.parametrize("strength", [-1.0, math.nan])
def test_a_strength_that_reverses_nothing(strength):
    with pytest.raises(ValueError, match=f"strength must be finite and at least 0, got {strength}"):
        reverse_gradient(torch.zeros(1), strength)
