import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.nn import filter_logits, next_token_distribution, sample

logit_rows = st.integers(0, 2**31).flatmap(
    lambda seed: st.integers(1, 30).map(
        lambda size: (
            torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
            * 3
        )
    )
)


@settings(deadline=None, max_examples=200)
@given(logit_rows, st.floats(0.05, 5), st.integers(1, 40), st.floats(0.01, 1))
def test_equals_the_warpers_of_transformers(logits, temperature, top_k, top_p):
    from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    scores = TemperatureLogitsWarper(temperature)(None, logits[None])
    scores = TopKLogitsWarper(top_k)(None, scores)
    scores = TopPLogitsWarper(top_p)(None, scores) if top_p < 1 else scores
    torch.testing.assert_close(filter_logits(logits[None], temperature, top_k, top_p), scores)


@given(logit_rows, st.floats(0.01, 0.999))
def test_the_nucleus_is_the_smallest_set_that_reaches_p(logits, top_p):
    probabilities = logits.softmax(0)
    kept = filter_logits(logits, top_p=top_p).isfinite()
    mass = float(probabilities[kept].sum())
    assert kept.any()
    assert mass >= top_p - 1e-12
    assert mass - float(probabilities[kept].min()) < top_p + 1e-12  # without its last token: less
    if not kept.all():
        assert probabilities[kept].min() >= probabilities[~kept].max()


@given(logit_rows, st.integers(1, 40))
def test_top_k_keeps_the_k_largest(logits, top_k):
    kept = filter_logits(logits, top_k=top_k).isfinite()
    expected = set(logits.argsort(descending=True)[:top_k].tolist())
    assert set(kept.nonzero().flatten().tolist()) == expected


@given(logit_rows, st.floats(0, 5), st.none() | st.integers(1, 9), st.none() | st.floats(0.01, 1))
def test_the_distribution_sums_to_one_and_keeps_the_ranking(logits, temperature, top_k, top_p):
    distribution = next_token_distribution(logits, temperature, top_k, top_p)
    assert float(distribution.sum()) == pytest.approx(1)
    assert int(distribution.argmax()) == int(logits.argmax())


def test_hand_worked_settings():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    assert next_token_distribution(logits, top_p=0.6).tolist() == pytest.approx(
        [0.5 / 0.8, 0.3 / 0.8, 0, 0]
    )
    assert next_token_distribution(logits, top_p=0.4).tolist() == [1, 0, 0, 0]
    assert next_token_distribution(logits, top_k=3).tolist() == pytest.approx(
        [0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0]
    )
    squares = [p**2 for p in (0.5, 0.3, 0.15, 0.05)]  # temperature 1/2 squares and renormalises
    assert next_token_distribution(logits, temperature=0.5).tolist() == pytest.approx(
        [p / sum(squares) for p in squares]
    )
    assert next_token_distribution(logits).tolist() == pytest.approx([0.5, 0.3, 0.15, 0.05])


def test_temperature_zero_is_greedy_even_between_equals():
    assert next_token_distribution(torch.tensor([1.0, 2.0, 2.0]), 0).tolist() == [0, 1, 0]


def test_leading_dimensions_are_kept():
    logits = torch.randn(2, 3, 7, generator=torch.Generator().manual_seed(0))
    together = filter_logits(logits, 0.7, 4, 0.8)
    apart = torch.stack([torch.stack([filter_logits(r, 0.7, 4, 0.8) for r in m]) for m in logits])
    assert torch.equal(together, apart)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1.0}, "temperature must be finite and at least 0, got -1.0"),
        ({"top_k": 0}, "top_k must be at least 1"),
        ({"top_p": 0.0}, "top_p must lie in"),
        ({"top_p": 1.5}, "top_p must lie in"),
    ],
)
def test_settings_outside_their_range(settings, message):
    with pytest.raises(ValueError, match=message):
        filter_logits(torch.zeros(3), **settings)


def counter(input_ids, state):
    """Prefer the token after the last one, modulo 5; the state counts the tokens read."""
    read = (0 if state is None else state) + input_ids.shape[1]
    return torch.nn.functional.one_hot((input_ids + 1) % 5, 5).float() * 5, read


def test_sampling_feeds_each_token_once():
    seen = []

    def step(input_ids, state):
        seen.append((input_ids.tolist(), state))
        return counter(input_ids, state)

    output = sample(step, torch.tensor([[3, 1], [0, 4]]), 3, temperature=0)
    assert output.tolist() == [[3, 1, 2, 3, 4], [0, 4, 0, 1, 2]]
    assert seen == [([[3, 1], [0, 4]], None), ([[2], [0]], 2), ([[3], [1]], 3)]


def test_a_finished_row_repeats_the_stop_id_and_all_finished_ends():
    output = sample(counter, torch.tensor([[1], [3]]), 9, temperature=0, stop_id=4)
    assert output.tolist() == [[1, 2, 3, 4], [3, 4, 4, 4]]


def test_forbidden_ids_are_never_drawn():
    generator = torch.Generator().manual_seed(0)
    output = sample(
        counter, torch.zeros(8, 1, dtype=torch.long), 30, forbidden_ids=(1, 3), generator=generator
    )
    assert not torch.isin(output[:, 1:], torch.tensor([1, 3])).any()


def test_samples_follow_the_distribution_and_the_generator():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()

    def step(input_ids, state):
        return logits.expand(len(input_ids), input_ids.shape[1], 4), state

    def draw(seed):
        generator = torch.Generator().manual_seed(seed)
        return sample(step, torch.zeros(20_000, 1, dtype=torch.long), 1, generator=generator)[:, 1]

    shares = torch.bincount(draw(0), minlength=4) / 20_000
    assert torch.allclose(shares, logits.exp(), atol=4 * math.sqrt(0.25 / 20_000))
    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_a_prompt_is_needed():
    for prompt in (torch.zeros(1, 0, dtype=torch.long), torch.zeros(3, dtype=torch.long)):
        with pytest.raises(ValueError, match="at least one token"):
            sample(counter, prompt, 3)
    with pytest.raises(ValueError, match="max_new_tokens"):
        sample(counter, torch.tensor([[1]]), -1)
