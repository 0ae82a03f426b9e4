"""Scales of losses: what the sum over labels is divided by, so how loud a task is among others."""

from __future__ import annotations

import math
from typing import Literal, get_args

from torch import Tensor

from mtl_utils.arguments import check_choice, check_number, check_tensor
from mtl_utils.data.batch import MISSING_LABEL
from mtl_utils.objectives.losses import summed_loss

Scale = Literal["token", "text", "uniform"]
"""What the loss of a task is divided by, beside the losses of others.

``"text"`` divides the sum over labels by the number of texts that have one: the negative
log-likelihood of all that is known of a text, so that a text with twenty tags weighs twenty times a
tag. ``"token"`` is the mean over labels: each tag, each word that is written, each class weighs the
same, and beside a class for each text the tags are hardly heard. With one label a text both are
equal. ``"uniform"`` is the mean over labels divided by what it is where every label is as probable
as every other, :math:`\\log C` for C labels (the size of the vocabulary where text is written): a
task that has learnt nothing costs 1, whatever it is.
"""

#: The scale of a task that is not told one: of the three, it did best on the mean over tasks in
#: mixtures of tags, classes, pairs, several labels and written text (the experiment
#: ``loss_scales``).
DEFAULT_SCALE: Scale = "text"

SCALES: tuple[str, ...] = get_args(Scale)


def check_scale(scale: str) -> None:
    """Refuse what is no scale.

    Args:
        scale: Its name.

    Raises:
        ValueError: If there is none of that name.
    """
    check_choice("scale", scale, SCALES)


def count_scaled(counted: Tensor, scale: Scale = DEFAULT_SCALE) -> Tensor:
    """Count what a loss is a mean over.

    Args:
        counted: ``[B]`` or ``[B, ...]``, True where there is a label, or its weight, 0 where there
            is none.
        scale: How the loss is scaled.

    Returns:
        A scalar: how many texts have a label for ``"text"``, else how many labels there are. With
        weights a label counts as its own, and a text as the mean of its labels'.

    Raises:
        ValueError: If there is no such scale.
        TypeError: If ``counted`` is no tensor of truth values or of numbers with a point.
    """
    weighted = isinstance(counted, Tensor) and counted.is_floating_point()
    check_tensor("counted", counted, "[B, ...]", "floating-point" if weighted else "boolean")
    check_scale(scale)
    if scale == "text" and weighted and counted.dim() > 1:
        labels = counted.flatten(1)
        return (labels.sum(dim=1) / (labels > 0).sum(dim=1).clamp(min=1)).sum()
    if scale == "text" and counted.dim() > 1:
        counted = counted.flatten(1).any(dim=1)
    return counted.sum()


def scaled_mean(
    total: Tensor, counted: Tensor, scale: Scale = DEFAULT_SCALE, at_uniform: float = 1.0
) -> Tensor:
    r"""Turn the sum of a loss over labels into the loss of a task.

    For a batch that is read in parts, the losses of the parts, each times its
    :func:`count_scaled`, sum to that of the whole times its own.

    Args:
        total: The sum, a scalar.
        counted: ``[B]`` or ``[B, ...]``, True where there is a label, or its weight; see
            :func:`count_scaled`.
        scale: What to divide by.
        at_uniform: The loss of one label where every label is as probable as every other, for
            ``"uniform"``: :math:`\log C`. With a single label it is 0, and the loss is always 0;
            nothing is divided then.

    Returns:
        A scalar; exactly 0, with zero gradient, where there is no label.

    Raises:
        ValueError: If there is no such scale, or ``at_uniform`` is negative or not finite.
        TypeError: If an argument is not of its kind.
    """
    check_tensor("total", total, "[]", "floating-point")
    check_number("at_uniform", at_uniform, least=0)
    count = count_scaled(counted, scale)
    mean = total / count.masked_fill(count == 0, 1)
    return mean / at_uniform if scale == "uniform" and at_uniform else mean


def scaled_loss(
    logits: Tensor,
    targets: Tensor,
    scale: Scale = DEFAULT_SCALE,
    smoothing: float = 0.0,
    ignore_index: int = MISSING_LABEL,
    weights: Tensor | None = None,
) -> Tensor:
    r"""Cross-entropy on a scale.

    Smoothing changes nothing about the scales: against a smoothed target, too, the loss of one
    label is :math:`\log C` where every label is as probable as every other.

    Args:
        logits: ``[B, C]`` or ``[B, T, C]``.
        targets: Classes ``[B]`` or ``[B, T]``; ``ignore_index`` is not counted.
        scale: What the sum over labels is divided by.
        smoothing: As in :func:`label_smoothing_loss`, which this is for ``"token"``.
        ignore_index: What stands where a target is missing.
        weights: Weights of the classes ``[C]``; the mean is then a weighted one, divided by the sum
            of the weights of the targets.

    Returns:
        A scalar, in nats but for ``"uniform"``; exactly 0, with zero gradient, where nothing is
        counted.

    Raises:
        ValueError: If the shapes do not fit, a target is not a class, ``smoothing`` is outside
            [0, 1], or there is no such scale.
        TypeError: If targets are not integers.
    """
    total, counted = summed_loss(logits, targets, smoothing, ignore_index, weights)
    return scaled_mean(total, counted, scale, math.log(max(1, logits.shape[-1])))
