"""The search for tags in NumPy: that of the package, and all sequences looked at."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from mtl_utils.deployment.export.decoding import best_tags, labels_of, marginals, probabilities_of
from mtl_utils.nn.tag_search import viterbi

SIZES = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**31))


def drawn(words, tags, seed, forbid=True):
    generator = np.random.default_rng(seed)
    shapes = ((words, tags), (tags,), (tags, tags), (tags,))
    emissions, start, transitions, end = (
        generator.normal(size=shape).astype(np.float32) for shape in shapes
    )
    if forbid and tags > 1:
        transitions[0, 1] = start[1] = -np.inf
    return emissions, start, transitions, end


@settings(deadline=None, max_examples=60)
@given(SIZES)
def test_the_best_tags_are_those_of_the_package(sizes):
    parts = drawn(*sizes)
    given_ = [torch.from_numpy(part) for part in parts]
    mask = torch.ones(1, sizes[0], dtype=torch.bool)
    assert best_tags(*parts) == viterbi(given_[0][None], mask, *given_[1:])[0]


@settings(deadline=None, max_examples=40)
@given(SIZES)
def test_marginals_are_sums_over_all_sequences(sizes):
    words, tags, _ = sizes
    emissions, start, transitions, end = drawn(*sizes)
    totals = {}
    for path in itertools.product(range(tags), repeat=words):
        total = start[path[0]] + end[path[-1]]
        total += sum(emissions[word, tag] for word, tag in enumerate(path))
        totals[path] = total + sum(transitions[a, b] for a, b in itertools.pairwise(path))
    whole = logsumexp(list(totals.values()))
    expected = [
        [
            sum(np.exp(total - whole) for path, total in totals.items() if path[word] == tag)
            for tag in range(tags)
        ]
        for word in range(words)
    ]
    found = marginals(emissions, start, transitions, end)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_no_words_have_no_tags():
    parts = drawn(1, 3, 0)
    nothing = np.zeros((0, 3), np.float32)
    assert best_tags(nothing, *parts[1:]) == []
    assert len(marginals(nothing, *parts[1:])) == 0


def test_labels_and_probabilities_by_hand():
    task = {"kind": "multi_label", "labels": ["a", "b"], "temperature": 2.0, "threshold": 0.6}
    scores = np.array([np.log(4.0), 0.0], np.float32)  # tempered: 2 to 1, and even
    assert labels_of(task, scores) == ["a"]
    assert probabilities_of(task, scores) == pytest.approx({"a": 2 / 3, "b": 0.5})
    task = {"kind": "classification", "labels": ["a", "b"], "temperature": None}
    assert labels_of(task, scores) == "a"
    assert probabilities_of(task, scores) == pytest.approx({"a": 0.8, "b": 0.2})
