"""Probabilities of heads: softmax, marginals against enumeration, and what a temperature does."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.data import Example, collate
from mtl_utils.tasks import Classification, PairClassification, Tagging, iob2_constraints

TAGS = ("O", "B-X", "I-X")
EXACT = {"atol": 1e-9, "rtol": 1e-9}
seeds = st.integers(0, 2**31)


def randomised(head, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in head.double().parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return head.eval()


def states_of(batch, seed=1):
    generator = torch.Generator().manual_seed(seed)
    shape = (*batch.inputs.mask.shape, 4)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def by_enumeration(head, emissions, temperature, constrained):
    """Add up the probability of every sequence of tags, one after the other."""
    length, size = emissions.shape
    start, allowed = iob2_constraints(TAGS)
    scores = {}
    for tags in itertools.product(range(size), repeat=length):
        pairs = list(itertools.pairwise(tags))
        if constrained and not (start[tags[0]] and all(allowed[a, b] for a, b in pairs)):
            continue
        total = sum(float(emissions[t, tag]) for t, tag in enumerate(tags))
        if head.crf is not None:
            total += (head.crf.start[tags[0]] + head.crf.end[tags[-1]]).item()
            total += sum(head.crf.transitions[a, b].item() for a, b in pairs)
        scores[tags] = math.exp(total / temperature)
    marginals = torch.zeros(length, size, dtype=torch.float64)
    for tags, value in scores.items():
        for t, tag in enumerate(tags):
            marginals[t, tag] += value / sum(scores.values())
    return marginals


@pytest.mark.parametrize("temperature", [None, 2.5])
@pytest.mark.parametrize("crf", [False, True])
@pytest.mark.parametrize("constrained", [False, True])
@settings(max_examples=8)
@given(seeds)
def test_tags_have_their_marginals(crf, constrained, temperature, seed):
    task = Tagging("tags", TAGS, crf=crf, constrained=constrained)
    head = randomised(task.head(4), seed)
    if temperature is not None:
        head.temperature = torch.tensor(temperature, dtype=torch.float64)
    batch = collate([Example([5, 6, 7]), Example([8]), Example([])])
    hidden = states_of(batch, seed)
    found = head.probabilities(hidden, batch)
    assert [len(row) for row in found] == [3, 1, 0]
    for row, length in enumerate((3, 1)):
        emissions = head.output(hidden[row, :length]).detach()
        expected = by_enumeration(head, emissions, temperature or 1.0, constrained)
        torch.testing.assert_close(torch.tensor(found[row]).double(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("crf", [False, True])
def test_tags_have_probabilities_where_words_begin(crf):
    examples = [Example([2, 5, 6, 7, 3], first_pieces=[1, 3]), Example([2, 8, 3], first_pieces=[1])]
    batch = collate(examples)
    head = randomised(Tagging("tags", TAGS, crf=crf).head(4))
    hidden = states_of(batch)
    found = head.probabilities(hidden, batch)
    assert [[cell is None for cell in row] for row in found] == [
        [True, False, True, False, True],
        [True, False, True],
    ]
    emissions = head.output(hidden[0, [1, 3]]).detach()
    expected = by_enumeration(head, emissions, 1.0, True)
    words = torch.tensor([found[0][1], found[0][3]], dtype=torch.float64)
    torch.testing.assert_close(words, expected, **EXACT)
    predicted = head.predict(hidden, batch)
    assert [[i == -100 for i in row] for row in predicted] == [
        [cell is None for cell in row] for row in found
    ]


def test_classes_have_a_softmax():
    batch = collate([Example([5, 6], segment_ids=[0, 1]), Example([7], segment_ids=[0])])
    hidden = states_of(batch)
    for kind in (Classification, PairClassification):
        head = randomised(kind("topic", ("a", "b", "c")).head(4))
        expected = head(hidden, batch).softmax(dim=-1)
        found = torch.tensor(head.probabilities(hidden, batch), dtype=torch.float64)
        torch.testing.assert_close(found, expected)
        assert found.argmax(dim=1).tolist() == head.predict(hidden, batch)
        head.temperature = torch.tensor(0.5, dtype=torch.float64)
        found = torch.tensor(head.probabilities(hidden, batch), dtype=torch.float64)
        torch.testing.assert_close(found, (head(hidden, batch) * 2).softmax(dim=-1))


def test_a_temperature_is_kept_with_the_weights_and_older_weights_have_none():
    head, other = (Tagging("tags", TAGS).head(4) for _ in range(2))
    plain = head.state_dict()
    assert "temperature" not in plain
    head.temperature = torch.tensor(1.75)
    other.load_state_dict(head.state_dict())
    assert float(other.temperature) == 1.75
    other.load_state_dict(plain)
    assert other.temperature is None
