"""Retrieval of translations against brute force, and vectors of sentences by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.data import Example, collate
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.transfer import retrieval_accuracy, sentence_vectors


def by_hand(queries: list[list[float]], candidates: list[list[float]]) -> float:
    def cosine(a: list[float], b: list[float]) -> float:
        lengths = sum(x * x for x in a) ** 0.5 * sum(y * y for y in b) ** 0.5
        return sum(x * y for x, y in zip(a, b, strict=True)) / lengths

    hits = 0
    for place, query in enumerate(queries):
        scores = [cosine(query, candidate) for candidate in candidates]
        hits += scores.index(max(scores)) == place
    return hits / len(queries)


@given(st.integers(0, 10_000), st.integers(1, 12))
def test_it_is_what_brute_force_finds(seed: int, size: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(size, 4, generator=generator, dtype=torch.double)
    second = first + torch.randn(size, 4, generator=generator, dtype=torch.double)
    assert retrieval_accuracy(first, second) == by_hand(first.tolist(), second.tolist())


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_centring_takes_out_what_a_language_adds_to_all_its_sentences(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(20, 5, generator=generator, dtype=torch.double)
    shifted = first + 10 * torch.randn(5, generator=generator, dtype=torch.double)
    assert retrieval_accuracy(first, shifted, centred=True) == 1.0


def test_without_centring_a_shift_is_enough_to_lose_translations() -> None:
    first = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert retrieval_accuracy(first, first) == 1.0
    assert retrieval_accuracy(first, first + torch.tensor([5.0, 0.0])) == 2 / 3


def test_vectors_are_means_over_tokens_in_the_order_given() -> None:
    torch.manual_seed(0)
    encoder = BiLSTMEncoder(9, 6, dropout=0.5)
    examples = [Example([1, 2, 3]), Example([]), Example([4])]
    found = sentence_vectors(encoder, examples, max_tokens=2)
    assert encoder.training
    encoder.eval()
    for row, example in enumerate(examples):
        states = encoder(collate([example]).inputs)[0, : len(example.input_ids)]
        expected = states.mean(dim=0) if len(states) else torch.zeros(6)
        torch.testing.assert_close(found[row], expected)


def test_sides_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="candidates"):
        retrieval_accuracy(torch.ones(2, 3), torch.ones(3, 3))
