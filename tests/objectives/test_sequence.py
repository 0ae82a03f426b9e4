"""Sequence losses against sums written out, and against enumeration of every sequence."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils.objectives import classification_loss, minimum_risk_loss, sequence_loss


def doubles(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_sequence_loss_is_the_mean_over_sequences_of_summed_token_losses() -> None:
    logits = doubles(0, 4, 3, 5)
    targets = torch.tensor([[1, 2, 3], [4, -100, -100], [-100, -100, -100], [0, -100, 2]])
    log_p = logits.log_softmax(-1)
    sums = [
        -sum(float(log_p[b, t, y]) for t, y in enumerate(row) if y != -100)
        for b, row in enumerate(targets.tolist())
    ]
    assert sequence_loss(logits, targets).item() == pytest.approx(sum(sums) / 3, abs=1e-12)


def test_sequence_loss_of_equal_lengths_is_length_times_the_token_loss() -> None:
    logits, targets = doubles(1, 6, 4, 7), torch.arange(24).view(6, 4) % 7
    expected = 4 * classification_loss(logits, targets)
    torch.testing.assert_close(sequence_loss(logits, targets), expected)


def test_nothing_counted_costs_nothing_and_moves_nothing() -> None:
    logits = doubles(2, 2, 3, 4).requires_grad_()
    loss = sequence_loss(logits, torch.full((2, 3), -100))
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()
    log_probs = torch.full((2, 3), -torch.inf, dtype=torch.float64, requires_grad=True)
    risk = minimum_risk_loss(log_probs, torch.ones(2, 3, dtype=torch.float64))
    risk.backward()
    assert risk.item() == 0
    assert (log_probs.grad == 0).all()


def test_a_missing_sequence_moves_nothing() -> None:
    logits = doubles(3, 2, 3, 4).requires_grad_()
    targets = torch.tensor([[0, 1, 2], [-100, -100, -100]])
    sequence_loss(logits, targets).backward()
    assert (logits.grad[1] == 0).all()
    alone = logits.detach()[:1].requires_grad_()
    sequence_loss(alone, targets[:1]).backward()
    torch.testing.assert_close(logits.grad[:1], alone.grad)


def every_sequence(logits: torch.Tensor) -> torch.Tensor:
    """Log-probability of every sequence of T independent tokens, from logits [T, V]."""
    log_p = logits.log_softmax(-1)
    steps, size = logits.shape
    return torch.stack(
        [
            sum(log_p[t, y] for t, y in enumerate(tokens))
            for tokens in itertools.product(range(size), repeat=steps)
        ]
    )


def test_the_risk_over_all_sequences_is_the_expected_cost_and_so_is_its_gradient() -> None:
    logits = doubles(4, 3, 4).requires_grad_()
    costs = doubles(5, 4**3).abs()
    minimum_risk_loss(every_sequence(logits)[None], costs[None]).backward()
    # The gradient of an expectation is the covariance of cost and score.
    log_probs = every_sequence(logits)
    expected = torch.zeros_like(logits)
    for log_p, cost in zip(log_probs, costs, strict=True):
        (score,) = torch.autograd.grad(log_p, logits, retain_graph=True)
        expected += log_p.exp().item() * cost.item() * score
    torch.testing.assert_close(logits.grad, expected)


@given(st.integers(0, 10**6), st.sampled_from([0.05, 0.5, 1.0, 3.0]))
def test_risk_is_written_out(seed: int, sharpness: float) -> None:
    log_probs, costs = doubles(seed, 3, 5), doubles(seed + 1, 3, 5)
    log_probs[0, 3:] = -torch.inf
    total = 0.0
    for row, cost in zip(log_probs, costs, strict=True):
        powers = (sharpness * row).exp()
        total += float((powers / powers.sum() * cost).sum())
    assert float(minimum_risk_loss(log_probs, costs, sharpness)) == pytest.approx(total / 3)


@given(st.integers(0, 10**6), st.floats(-50, 50))
def test_risk_ignores_what_all_candidates_share(seed: int, shift: float) -> None:
    log_probs, costs = doubles(seed, 2, 4), doubles(seed + 1, 2, 4)
    moved = minimum_risk_loss(log_probs + shift, costs)
    torch.testing.assert_close(moved, minimum_risk_loss(log_probs, costs))
    torch.testing.assert_close(
        minimum_risk_loss(log_probs, costs + shift), minimum_risk_loss(log_probs, costs) + shift
    )


def test_sharpness_goes_from_the_mean_to_the_most_probable_candidate() -> None:
    log_probs = torch.tensor([[-5.0, -1.0, -2.0]], dtype=torch.float64)
    costs = torch.tensor([[3.0, 6.0, 9.0]], dtype=torch.float64)
    assert float(minimum_risk_loss(log_probs, costs, 1e-9)) == pytest.approx(6.0)
    assert float(minimum_risk_loss(log_probs, costs, 1e3)) == pytest.approx(6.0)
    costs = torch.tensor([[3.0, 0.0, 9.0]], dtype=torch.float64)
    assert float(minimum_risk_loss(log_probs, costs, 1e-9)) == pytest.approx(4.0)
    assert float(minimum_risk_loss(log_probs, costs, 1e3)) == pytest.approx(0.0, abs=1e-9)


def test_no_gradient_flows_into_costs() -> None:
    costs = torch.ones(1, 2, requires_grad=True)
    loss = minimum_risk_loss(torch.zeros(1, 2, requires_grad=True), costs)
    loss.backward()
    assert costs.grad is None


def test_bad_inputs() -> None:
    with pytest.raises(ValueError, match=r"logits must be .* \[B, T, V\], got .* \[2, 3\]"):
        sequence_loss(torch.zeros(2, 3), torch.zeros(2, dtype=torch.long))
    with pytest.raises(ValueError, match="Target 9 is not a class"):
        sequence_loss(torch.zeros(1, 1, 4), torch.tensor([[9]]))
    with pytest.raises(ValueError, match=r"costs must be .* \[B, N\], got .* \[2\]"):
        minimum_risk_loss(torch.zeros(2, 3), torch.zeros(2))
    with pytest.raises(ValueError, match="sharpness must be finite and greater than 0"):
        minimum_risk_loss(torch.zeros(1, 1), torch.zeros(1, 1), 0.0)
