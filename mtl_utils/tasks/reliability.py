"""Calibration: whether a model that is 80% sure is right four times in five."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mtl_utils.arguments import check_kind, check_sizes, check_tensor
from mtl_utils.objectives.losses import check_targets


@dataclass(frozen=True)
class Calibration:
    """Predictions by how sure the model was: what a reliability diagram shows.

    Args:
        confidence: Mean probability of the predicted class, one number a bin, 0 in an empty one.
        accuracy: Share of predictions that are right, one number a bin.
        counts: Number of predictions in each bin.

    Raises:
        TypeError: If one of them is no tensor.
    """

    confidence: Tensor
    accuracy: Tensor
    counts: Tensor

    def __post_init__(self) -> None:
        for name, tensor in vars(self).items():
            check_kind(name, tensor, Tensor, "a tensor [M]")

    @property
    def expected_error(self) -> float:
        r"""The expected calibration error (Naeini et al., 2015; Guo et al., 2017).

        .. math:: \sum_m \frac{n_m}{n}\, \bigl| \text{accuracy}_m - \text{confidence}_m \bigr|
        """
        gaps = (self.accuracy - self.confidence).abs()
        return float((self.counts * gaps).sum() / self.counts.sum())


def calibration(probabilities: Tensor, targets: Tensor, num_bins: int = 10) -> Calibration:
    """Sort predictions by the probability of the predicted class into bins of equal width.

    Args:
        probabilities: ``[..., C]``, each row summing to 1.
        targets: Classes ``[...]``; where one is missing (-100), the prediction is not counted.
        num_bins: Number of bins, M; bin m holds probabilities above m / M, up to (m + 1) / M.

    Returns:
        Confidence, accuracy and counts of each bin.

    Raises:
        ValueError: If the shapes do not fit, a target is not a class, there is nothing to count, a
            row is no distribution, or ``num_bins`` is below 1.
        TypeError: If the targets are not integers, the probabilities not floating-point numbers, or
            ``num_bins`` is no whole number.
    """
    check_tensor("probabilities", probabilities, "[...]", "floating-point")
    check_tensor("targets", targets, "[...]", "integer")
    check_sizes(num_bins=num_bins)
    if probabilities.dim() < 1 or probabilities.shape[:-1] != targets.shape:
        raise ValueError(
            f"probabilities {list(probabilities.shape)} need targets "
            f"{list(probabilities.shape[:-1])}, got {list(targets.shape)}"
        )
    counted = check_targets(probabilities, targets)
    if not bool(counted.any()):
        raise ValueError(
            f"There is no prediction with a target to count: all of targets {list(targets.shape)} "
            "are missing"
        )
    rows, expected = probabilities[counted].double(), targets[counted]  # [N, C], [N]
    total = rows.sum(dim=-1)
    if bool((rows < 0).any()) or not torch.allclose(total, torch.ones_like(total), atol=1e-4):
        raise ValueError(
            f"Expected probabilities that sum to 1 over classes, got {list(probabilities.shape)} "
            f"with sums from {float(total.min()):.4g} to {float(total.max()):.4g}, the least being "
            f"{float(rows.min()):.4g}; apply softmax first"
        )
    sure, predicted = rows.max(dim=-1)  # [N]
    right = (predicted == expected).double()
    bins = (sure * num_bins).ceil().long().clamp(1, num_bins) - 1
    counts = torch.bincount(bins, minlength=num_bins)
    sums = [torch.bincount(bins, weights, minlength=num_bins) for weights in (sure, right)]
    confidence, accuracy = (total / counts.clamp(min=1) for total in sums)
    return Calibration(confidence, accuracy, counts)
