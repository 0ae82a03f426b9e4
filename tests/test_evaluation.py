import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils.training import bits_per_character, bits_per_token, perplexity


def test_hand_worked_perplexities():
    assert perplexity(0.0) == 1.0  # certain and right
    assert perplexity(math.log(6)) == pytest.approx(6)  # a fair die
    # Four tokens with the probabilities 1/2, 1/4, 1/8 and 1/8: the geometric mean is 2 ** -2.25.
    loss = -(math.log(1 / 2) + math.log(1 / 4) + 2 * math.log(1 / 8)) / 4
    assert perplexity(loss) == pytest.approx(2**2.25)
    assert bits_per_token(loss) == pytest.approx(2.25)


def test_hand_worked_bits():
    assert bits_per_token(math.log(2)) == pytest.approx(1)  # a fair coin
    assert bits_per_token(math.log(32)) == pytest.approx(5)
    # Words of four letters and a space: 10 bits a word are 2 bits a character.
    assert bits_per_character(10 * math.log(2), tokens_per_character=1 / 5) == pytest.approx(2)
    assert bits_per_character(math.log(8)) == pytest.approx(3)


@given(st.floats(0, 100))
def test_bits_and_perplexity_say_the_same(loss):
    assert 2 ** bits_per_token(loss) == pytest.approx(perplexity(loss))


def test_a_huge_loss_has_infinite_perplexity():
    assert perplexity(1000.0) == math.inf
    assert perplexity(math.inf) == math.inf


@pytest.mark.parametrize("measure", [perplexity, bits_per_token, bits_per_character])
@pytest.mark.parametrize("loss", [-0.1, math.nan, -math.inf])
def test_a_negative_loss_is_an_error(measure, loss):
    with pytest.raises(ValueError, match="not negative"):
        measure(loss)


@pytest.mark.parametrize("ratio", [0.0, -1.0, math.nan])
def test_tokens_per_character_is_positive(ratio):
    with pytest.raises(
        ValueError, match="tokens_per_character must be finite and greater than 0, got"
    ):
        bits_per_character(1.0, tokens_per_character=ratio)
