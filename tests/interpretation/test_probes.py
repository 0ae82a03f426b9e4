"""Probes at their optimum, control tasks and description length against closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from mtl_utils.interpretation import control_labels, fit_probe, online_code, selectivity


def draw(count=200, width=5, size=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(count, width, generator=generator, dtype=torch.float64)
    noise = torch.randn(count, size, generator=generator, dtype=torch.float64)
    labels = (states[:, :size] + noise).argmax(dim=1)
    return states * torch.tensor([1.0, 10.0, 0.1, 3.0, 1.0][:width]) + 4, labels


@pytest.mark.parametrize("strength", [1e-3, 0.1])
def test_a_probe_is_the_logistic_regression_of_scikit_learn(strength: float) -> None:
    states, labels = draw()
    probe = fit_probe(states, labels, strength=strength, tolerance=1e-8)
    standard = (states - states.mean(0)) / states.std(0, correction=0)
    theirs = LogisticRegression(C=1 / (strength * len(labels)), tol=1e-10, max_iter=5000)
    theirs.fit(standard.numpy(), labels.numpy())
    np.testing.assert_allclose(
        probe.weight - probe.weight.mean(0), theirs.coef_ - theirs.coef_.mean(0), atol=1e-5
    )
    expected = theirs.predict_log_proba(standard.numpy())
    np.testing.assert_allclose(probe.log_probabilities(states), expected, atol=1e-5)


def test_first_order_conditions_hold_at_the_optimum() -> None:
    states, labels = draw()
    probe = fit_probe(states, labels, strength=0.01, tolerance=1e-9)
    assert probe.gradient_norm < 1e-8  # near rounding, where the line search ends
    standard = (states - probe.mean) / probe.scale
    excess = probe.log_probabilities(states).exp()
    excess[torch.arange(len(labels)), labels] -= 1
    gradient = excess.T @ standard / len(labels) + 0.01 * probe.weight
    assert float(gradient.abs().max()) < 1e-8
    assert float(excess.sum(0).abs().max()) < 1e-6


def test_states_that_say_nothing_give_the_frequencies() -> None:
    labels = torch.tensor([0, 0, 0, 2, 2, 4])
    probe = fit_probe(torch.full((6, 3), 0.3), labels, num_labels=5)
    found = probe.log_probabilities(torch.randn(2, 3)).exp()
    expected = torch.tensor([3, 0, 2, 0, 1]).double() / 6
    torch.testing.assert_close(found, expected.expand(2, 5), atol=1e-6, rtol=0)
    assert probe.accuracy(torch.randn(6, 3), labels) == 0.5
    assert probe.loss(torch.randn(1, 3), torch.tensor([1])) == math.inf


def test_the_scale_and_place_of_states_do_not_matter() -> None:
    states, labels = draw()
    one = fit_probe(states, labels).log_probabilities(states)
    other = fit_probe(states * 1e4 - 7, labels).log_probabilities(states * 1e4 - 7)
    torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_a_type_has_one_control_label_drawn_with_the_frequencies() -> None:
    words = [f"w{n % 700}" for n in range(2100)]
    labels = torch.tensor([n % 4 == 0 for n in range(2100)]).long()
    drawn = control_labels(words, labels, seed=1)
    assert len(set(zip(words, drawn.tolist(), strict=True))) == 700
    assert 0.18 < float(drawn.double().mean()) < 0.32
    assert not torch.equal(drawn, control_labels(words, labels, seed=2))
    assert torch.equal(drawn, control_labels(words, labels, seed=1))


def test_states_that_are_words_have_no_selectivity_and_properties_have() -> None:
    """One unit a word learns any control by heart; one unit for the property does not."""
    words = [n % 40 for n in range(800)]
    labels = torch.tensor(words) % 2
    one_hot = torch.nn.functional.one_hot(torch.tensor(words), 40).double()
    memory = selectivity((one_hot, labels, words), (one_hot, labels, words))
    assert memory.accuracy == memory.control == memory.known == 1.0
    sign = (2.0 * labels - 1)[:, None].double()
    knows = selectivity((sign, labels, words), (sign, labels, words), seed=3)
    assert knows.accuracy == 1.0
    assert knows.value > 0.25
    unknown = selectivity((sign, labels, words), (sign, labels, [f"{w}" for w in words]))
    assert math.isnan(unknown.known)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=2, max_size=14))
def test_the_code_of_labels_alone_is_laplaces_rule(labels: list[int]) -> None:
    """Without anything to see, sent one by one: (N + C - 1)! / ((C - 1)! prod n_c!)."""
    count = len(labels)
    shares = [(n + 1) / count for n in range(count)]
    shares[-1] = 1.0
    code = online_code(torch.zeros(count, 1), torch.tensor(labels), num_labels=3, shares=shares)
    ways = (
        math.factorial(count + 2)
        / 2
        / math.prod(math.factorial(labels.count(c)) for c in (0, 1, 2))
    )
    assert code.online == pytest.approx(math.log2(ways), rel=1e-4)
    assert code.uniform == pytest.approx(count * math.log2(3))
    assert math.fsum(code.portions) == code.online


def test_what_is_easy_to_read_is_short() -> None:
    states, _ = draw(1000)
    clear = (states[:, 0] > 4).long()
    mixed = clear ^ (states[:, 1] > 4).long()
    easy, hard = online_code(states, clear), online_code(states, mixed)
    assert easy.compression > 4
    assert 0.8 < hard.compression < 1.1  # no straight line reads an exclusive or
