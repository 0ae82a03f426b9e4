"""Erasing: no straight line reads what was erased, and nothing else changes more than it must."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.interpretation import fit_eraser, fit_probe, random_eraser


def draw(count=300, width=6, size=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=generator, dtype=torch.float64)
    states = torch.randn(count, width, generator=generator, dtype=torch.float64)
    labels = states[:, :size].argmax(dim=1)
    return states @ mixing + 2, labels


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 4))
def test_no_probe_beats_the_frequencies(seed: int, size: int) -> None:
    states, labels = draw(size=size, seed=seed)
    assert fit_probe(states, labels).accuracy(states, labels) > 0.8
    eraser = fit_eraser(states, labels)
    assert eraser.rank == size - 1
    erased = eraser(states)
    one_hot = torch.nn.functional.one_hot(labels).double()
    assert float(((erased - erased.mean(0)).T @ (one_hot - one_hot.mean(0))).abs().max()) < 1e-8
    probe = fit_probe(erased, labels, strength=0.0, tolerance=1e-9)
    shares = labels.bincount().double() / len(labels)
    entropy = -float((shares * shares.log()).sum())
    assert probe.loss(erased, labels) == pytest.approx(entropy, abs=1e-9)
    assert float(probe.weight.abs().max()) < 1e-6


def test_erasing_twice_is_erasing_once_and_the_mean_stays() -> None:
    states, labels = draw()
    eraser = fit_eraser(states, labels)
    erased = eraser(states)
    torch.testing.assert_close(eraser(erased), erased)
    torch.testing.assert_close(erased.mean(0), states.mean(0))


def test_it_moves_states_less_than_the_orthogonal_projection_does() -> None:
    """Both remove the covariance; that this is the least is the theorem of Belrose et al."""
    states, labels = draw()
    one_hot = torch.nn.functional.one_hot(labels).double()
    centred = states - states.mean(0)
    basis, values, _ = torch.linalg.svd(centred.T @ one_hot, full_matrices=False)
    basis = basis[:, values > 1e-6 * values[0]]
    orthogonal = float((centred @ basis @ basis.T).square().sum())
    ours = float((fit_eraser(states, labels)(states) - states).square().sum())
    assert 0 < ours < orthogonal
    # And less than others that remove it: oblique projections along random directions.
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        along = torch.randn(basis.shape, generator=generator, dtype=torch.float64)
        removal = basis @ torch.linalg.inv(along.T @ basis) @ along.T
        moved = centred @ removal.T
        left = (centred - moved).T @ (one_hot - one_hot.mean(0))
        assert float(left.abs().max()) < 1e-6
        assert float(moved.square().sum()) > ours


def test_random_directions_take_as_many_and_leave_the_property() -> None:
    states, labels = draw(width=12)
    eraser = random_eraser(states, 2, seed=1)
    erased = eraser(states)
    rank = torch.linalg.matrix_rank((erased - erased.mean(0)), rtol=1e-6)
    assert (eraser.rank, int(rank)) == (2, 10)
    assert fit_probe(erased, labels).accuracy(erased, labels) > 0.6
    torch.testing.assert_close(eraser(erased), erased)
    assert torch.equal(random_eraser(states, 0)(states), states)
    with pytest.raises(ValueError, match="rank must be from 0 to 12"):
        random_eraser(states, 13)


def test_states_that_leave_dimensions_out_are_erased_as_well() -> None:
    states, labels = draw()
    wide = torch.cat([states, states[:, :2], torch.ones(len(states), 1)], dim=1)
    erased = fit_eraser(wide, labels)(wide)
    assert fit_probe(erased, labels, strength=1e-6).loss(erased, labels) > 1.0
    single = states.float()
    assert fit_eraser(single, labels)(single).dtype == torch.float32
