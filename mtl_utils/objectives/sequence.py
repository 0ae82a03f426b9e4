"""Losses of whole sequences: their likelihood, and the risk expected over candidates."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mtl_utils.arguments import check_number, check_tensor
from mtl_utils.data.batch import MISSING_LABEL
from mtl_utils.objectives.losses import check_targets


def sequence_loss(logits: Tensor, targets: Tensor, ignore_index: int = MISSING_LABEL) -> Tensor:
    r"""Negative log-likelihood of whole sequences under teacher forcing.

    .. math:: L = -\frac{1}{B} \sum_b \sum_u \log p_\theta(y_{bu} \mid y_{b,<u}, x_b)

    A long sequence weighs as much as its tokens do; :func:`classification_loss` divides the same
    sum by the number of tokens instead of sequences.

    Args:
        logits: ``[B, T, V]``.
        targets: ``[B, T]``; ``ignore_index`` is not counted.
        ignore_index: What stands where a target is missing.

    Returns:
        A scalar in nats, the mean over the sequences that have a target; exactly 0, with zero
        gradient, where none has.

    Raises:
        ValueError: If the shapes do not fit or a target is not in the vocabulary.
        TypeError: If logits or targets are no tensors of the right kind of numbers.
    """
    check_tensor("logits", logits, "[B, T, V]", "floating-point")
    counted = check_targets(logits, targets, ignore_index)
    total = functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten().long(), ignore_index=ignore_index, reduction="sum"
    )
    return total / counted.any(dim=1).sum().clamp(min=1)


def minimum_risk_loss(log_probs: Tensor, costs: Tensor, sharpness: float = 1.0) -> Tensor:
    r"""Cost expected over candidates, such as one minus BLEU (Shen et al., 2016).

    The candidates of a sequence, samples or a beam, stand for all sequences: their probabilities
    are raised to the power ``sharpness`` and renormalised,

    .. math:: L = \frac{1}{B} \sum_b \sum_n q_{bn}\, \Delta_{bn}, \qquad
        q_{bn} = \frac{p_{bn}^\alpha}{\sum_{n'} p_{bn'}^\alpha}.

    Args:
        log_probs: Log-probability of each candidate ``[B, N]``; ``-inf`` marks a place without one.
        costs: Cost of each candidate ``[B, N]``; no gradient flows into it.
        sharpness: :math:`\alpha > 0`. At 1 the candidates keep their relative probabilities.

    Returns:
        A scalar, the mean over the sequences that have a candidate; exactly 0, with zero gradient,
        where none has.

    Raises:
        ValueError: If the shapes differ or are not ``[B, N]``, or ``sharpness`` is not positive.
        TypeError: If something is of another type.
    """
    for name, given in (("log_probs", log_probs), ("costs", costs)):
        check_tensor(name, given, "[B, N]", "floating-point")
    if log_probs.shape != costs.shape:
        raise ValueError(
            f"Expected log_probs and costs [B, N], got {list(log_probs.shape)} and "
            f"{list(costs.shape)}"
        )
    check_number("sharpness", sharpness, above=0)
    present = log_probs != -torch.inf
    # A finite stand-in for -inf: a row without candidates must give zero gradient, not nan.
    lowest = torch.finfo(log_probs.dtype).min
    weights = (sharpness * log_probs).masked_fill(~present, lowest).softmax(dim=-1)
    expected = (weights * costs.detach().masked_fill(~present, 0.0)).sum(dim=-1)  # [B]
    counted = present.any(dim=-1)
    return expected.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)
