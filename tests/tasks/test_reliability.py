"""Calibration against a loop over predictions, and where the answer is known."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.tasks import calibration

EXACT = {"atol": 1e-12, "rtol": 1e-12}


def draw(rows, classes, seed, sharpness=2.0):
    generator = torch.Generator().manual_seed(seed)
    logits = sharpness * torch.randn(rows, classes, generator=generator, dtype=torch.float64)
    return logits.softmax(-1), torch.randint(classes, (rows,), generator=generator)


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(2, 5), st.integers(1, 12), st.integers(0, 2**31))
def test_equals_a_loop_over_predictions(rows, classes, num_bins, seed):
    probabilities, targets = draw(rows, classes, seed)
    bins = [[] for _ in range(num_bins)]
    for row, target in zip(probabilities.tolist(), targets.tolist(), strict=True):
        sure = max(row)
        place = next(m for m in range(num_bins) if sure <= (m + 1) / num_bins)
        bins[place].append((sure, row.index(sure) == target))
    found = calibration(probabilities, targets, num_bins)
    assert found.counts.tolist() == [len(held) for held in bins]
    error = 0.0
    for place, held in enumerate(bins):
        if held:
            confidence = sum(sure for sure, _ in held) / len(held)
            accuracy = sum(right for _, right in held) / len(held)
            assert float(found.confidence[place]) == pytest.approx(confidence, abs=1e-12)
            assert float(found.accuracy[place]) == pytest.approx(accuracy, abs=1e-12)
            error += len(held) / rows * abs(accuracy - confidence)
    assert found.expected_error == pytest.approx(error, abs=1e-12)


def test_a_model_that_draws_its_targets_is_calibrated_and_a_sharper_one_is_not():
    logits = torch.randn(40_000, 4, generator=torch.Generator().manual_seed(0)).double()
    truth = logits.softmax(-1)
    targets = torch.multinomial(truth, 1, generator=torch.Generator().manual_seed(1)).squeeze(1)
    assert calibration(truth, targets).expected_error < 0.01
    sharper = calibration((3 * logits).softmax(-1), targets)
    assert sharper.expected_error > 0.2
    full = sharper.counts > 100
    assert bool((sharper.accuracy < sharper.confidence)[full].all())


def test_a_constant_prediction_errs_by_accuracy_minus_confidence():
    probabilities = torch.tensor([[0.7, 0.3]]).double().expand(10, 2)
    targets = torch.tensor([0] * 4 + [1] * 6)
    assert calibration(probabilities, targets).expected_error == pytest.approx(0.3)


def test_missing_targets_and_leading_dimensions():
    probabilities, targets = draw(24, 3, seed=3)
    shaped = targets.view(4, 6).clone()
    shaped[1, 2:] = -100
    found = calibration(probabilities.view(4, 6, 3), shaped)
    kept = shaped.flatten() != -100
    alone = calibration(probabilities[kept], targets[kept])
    for name in ("confidence", "accuracy", "counts"):
        torch.testing.assert_close(getattr(found, name), getattr(alone, name), **EXACT)


@pytest.mark.parametrize(
    ("probabilities", "targets", "num_bins", "message"),
    [
        (torch.ones(3, 2) / 2, torch.zeros(2).long(), 10, "need targets"),
        (torch.ones(3, 2) / 2, torch.full((3,), -100), 10, "no prediction"),
        (torch.ones(3, 2), torch.zeros(3).long(), 10, "sum to 1"),
        (torch.tensor([[1.5, -0.5]]), torch.zeros(1).long(), 10, "sum to 1"),
        (torch.ones(3, 2) / 2, torch.zeros(3).long(), 0, "num_bins"),
        (torch.ones(3, 2) / 2, torch.tensor([0, 9, 1]), 10, "Target 9 is not a class: 2"),
        (torch.ones(3, 2) / 2, torch.tensor([0, -1, 1]), 10, "Target -1 is not a class"),
        (torch.tensor([[torch.nan, 0.5]]), torch.zeros(1).long(), 10, "sum to 1"),
        (torch.tensor(0.5), torch.tensor(0), 10, "need targets"),
    ],
)
def test_bad_input(probabilities, targets, num_bins, message):
    with pytest.raises(ValueError, match=message):
        calibration(probabilities, targets, num_bins)
