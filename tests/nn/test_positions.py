"""Positions against the formula of the paper, and what a shift does to them."""

import math

import pytest
import torch

from mtl_utils.nn import LearnedPositions, SinusoidalPositions
from mtl_utils.nn.positions import make_positions

kinds = pytest.mark.parametrize("kind", [SinusoidalPositions, LearnedPositions])


@pytest.mark.parametrize("width", [1, 5, 8])
def test_sinusoids_are_those_of_the_paper(width):
    table = SinusoidalPositions(width, 40)(40)
    for position in range(40):
        for unit in range(width):
            angle = position / 10000 ** (2 * (unit // 2) / width)
            expected = math.cos(angle) if unit % 2 else math.sin(angle)
            assert float(table[position, unit]) == pytest.approx(expected, abs=1e-6)


def test_a_shift_is_the_same_rotation_everywhere():
    table = SinusoidalPositions(6, 50)(50).double()
    for pair in range(3):
        angle = 7 / 10000 ** (2 * pair / 6)
        turn = torch.tensor(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        ).double()
        waves = table[:, 2 * pair : 2 * pair + 2]
        torch.testing.assert_close(waves[7:], waves[:-7] @ turn, atol=1e-6, rtol=0)


@kinds
def test_later_positions_are_rows_of_the_same_table(kind):
    positions = kind(4, 9)
    whole = positions(9)
    assert whole.shape == (9, 4)
    assert torch.equal(positions(3, start=5), whole[5:8])
    assert positions(0, start=9).shape == (0, 4)


@kinds
def test_both_kinds_start_as_large(kind):
    torch.manual_seed(0)
    assert float(kind(64, 500)(500).detach().square().mean()) == pytest.approx(0.5, rel=0.03)


def test_what_is_learned_and_saved():
    assert list(SinusoidalPositions(4, 9).parameters()) == []
    assert SinusoidalPositions(4, 9).state_dict() == {}
    assert list(LearnedPositions(4, 9).state_dict()) == ["table"]


@kinds
@pytest.mark.parametrize("asked", [(10, 0), (4, 6), (1, 9)])
def test_too_few_positions(kind, asked):
    with pytest.raises(ValueError, match=r"text of 10 tokens is longer than the 9 positions.*10"):
        kind(4, 9)(*asked)


@kinds
@pytest.mark.parametrize(("sizes", "name"), [((0, 9), "width"), ((4, 0), "max_length")])
def test_sizes_below_one(kind, sizes, name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        kind(*sizes)


def test_an_unknown_kind():
    with pytest.raises(ValueError, match=r"positions must be one of \['sinusoidal', 'learned'\]"):
        make_positions("rotary", 4, 9)
