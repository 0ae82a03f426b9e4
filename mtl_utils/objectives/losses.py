"""Losses. Each is a mean over what it counts, so that tasks are on comparable scales."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mtl_utils.arguments import check_number, check_tensor, check_whole
from mtl_utils.data.batch import MISSING_LABEL


def classification_loss(
    logits: Tensor, targets: Tensor, ignore_index: int = MISSING_LABEL
) -> Tensor:
    """Cross-entropy, the mean over the targets that count.

    Args:
        logits: ``[..., C]``.
        targets: Classes ``[...]``; ``ignore_index`` is not counted.
        ignore_index: What stands where a target is missing.

    Returns:
        A scalar in nats; exactly 0, with zero gradient, where nothing is counted.

    Raises:
        ValueError: If the shapes do not fit or a target is not a class.
        TypeError: If targets are not integers.
    """
    return label_smoothing_loss(logits, targets, 0.0, ignore_index)


def label_smoothing_loss(
    logits: Tensor, targets: Tensor, smoothing: float = 0.1, ignore_index: int = MISSING_LABEL
) -> Tensor:
    r"""Cross-entropy against a smoothed target (Szegedy et al., 2016).

    The target distribution has :math:`1 - \epsilon + \epsilon / C` on the true class and
    :math:`\epsilon / C` on every other.

    Args:
        logits: ``[..., C]``.
        targets: Classes ``[...]``; ``ignore_index`` is not counted.
        smoothing: :math:`\epsilon` in [0, 1].
        ignore_index: What stands where a target is missing.

    Returns:
        A scalar in nats, the mean over the targets that count; exactly 0, with zero gradient,
        where none does.

    Raises:
        ValueError: If the shapes do not fit, a target is not a class, or ``smoothing`` is outside
            [0, 1].
        TypeError: If targets are not integers.
    """
    total, counted = summed_loss(logits, targets, smoothing, ignore_index)
    return total / counted.sum().clamp(min=1)


def summed_loss(
    logits: Tensor,
    targets: Tensor,
    smoothing: float,
    ignore_index: int,
    weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Sum cross-entropy over the targets that count, and say which these are.

    Args:
        logits: ``[..., C]``.
        targets: Classes ``[...]``.
        smoothing: See :func:`label_smoothing_loss`.
        ignore_index: What stands where a target is missing.
        weights: Weights of the classes ``[C]``; all 1 if ``None``.

    Returns:
        The sum, a scalar in nats; ``[...]``, True where a target counts, or with weights that of
        its class, 0 where it is missing.

    Raises:
        ValueError: As :func:`label_smoothing_loss`.
        TypeError: Likewise.
    """
    counted = check_targets(logits, targets, ignore_index)
    check_smoothing(smoothing)
    total = functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]),
        targets.reshape(-1).long(),
        weight=None if weights is None else weights.to(logits.dtype),
        ignore_index=ignore_index,
        reduction="sum",
        label_smoothing=smoothing,
    )
    return total, counted if weights is None else target_weights(targets, weights, ignore_index)


def target_weights(targets: Tensor, weights: Tensor, ignore_index: int = MISSING_LABEL) -> Tensor:
    """Say how much each target counts.

    Args:
        targets: Classes ``[...]``.
        weights: Weights of the classes ``[C]``.
        ignore_index: What stands where a target is missing.

    Returns:
        ``[...]``, the weight of each class, 0 where a target is missing.
    """
    missing = targets == ignore_index
    return weights[targets.masked_fill(missing, 0).long()].masked_fill(missing, 0.0)


def check_smoothing(smoothing: float) -> None:
    """Refuse what is no share of a distribution.

    Args:
        smoothing: How much of it is spread over all classes.

    Raises:
        ValueError: If it is outside [0, 1], or not a number.
        TypeError: If it is no number at all.
    """
    check_number("smoothing", smoothing, least=0, most=1)


def check_targets(logits: Tensor, targets: Tensor, ignore_index: int = MISSING_LABEL) -> Tensor:
    """Say which targets count, after a look at shapes and classes.

    Args:
        logits: ``[..., C]``.
        targets: Classes ``[...]``.
        ignore_index: What stands where a target is missing.

    Returns:
        ``[...]``, True where a target counts.

    Raises:
        ValueError: If the shapes do not fit, or a target is not a class (seen on the CPU; a GPU
            asserts by itself, and asking it would stall it).
        TypeError: If the targets are not integers.
    """
    check_tensor("logits", logits, "[..., C]", "floating-point")
    # Truth values are classes 0 and 1.
    kind = None if isinstance(targets, Tensor) and targets.dtype == torch.bool else "integer"
    check_tensor("targets", targets, "[...]", kind)
    check_whole("ignore_index", ignore_index)
    if logits.shape[:-1] != targets.shape:
        raise ValueError(
            f"logits {list(logits.shape)} need targets {list(logits.shape[:-1])}, "
            f"got {list(targets.shape)}"
        )
    counted, num_classes = targets != ignore_index, logits.shape[-1]
    outside = counted & ((targets < 0) | (targets >= num_classes))
    if targets.device.type == "cpu" and bool(outside.any()):
        place = outside.nonzero()[0].tolist()
        raise ValueError(
            f"Target {int(targets[outside][0])} is not a class: {num_classes} logits have the "
            f"classes 0 to {num_classes - 1}. It stands at {place}, row first. Check the labels or "
            "the size of the output layer."
        )
    return counted
