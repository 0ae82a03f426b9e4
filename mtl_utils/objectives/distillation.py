"""Learning from what another model says: the softened divergence, and the share of the labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from mtl_utils.arguments import (
    check_broadcast,
    check_number,
    check_sizes,
    check_tensor,
    check_whole,
)
from mtl_utils.objectives.scales import Scale, scaled_mean


def softened_rows(logits: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Return the divergence of each softened prediction from its teacher's.

    Args:
        logits: ``[..., C]``.
        targets: Those of the teacher, of the same shape.
        temperature: What both are divided by.

    Returns:
        ``[...]``, in nats.

    Raises:
        ValueError: If shapes differ, or the temperature is not above 0.
        TypeError: If something is not of its kind.
    """
    for name, tensor in (("logits", logits), ("targets", targets)):
        check_tensor(name, tensor, "[..., C]", "floating-point")
    if logits.shape != targets.shape:
        raise ValueError(
            f"targets must have the shape of logits, {list(logits.shape)}, got "
            f"{list(targets.shape)}"
        )
    check_number("temperature", temperature, above=0)
    student = (logits / temperature).log_softmax(dim=-1)
    teacher = (targets / temperature).log_softmax(dim=-1)
    return functional.kl_div(student, teacher, reduction="none", log_target=True).sum(dim=-1)


def distillation_loss(
    logits: Tensor,
    targets: Tensor,
    temperature: float = 1.0,
    counted: Tensor | None = None,
    scale: Scale = "token",
) -> Tensor:
    r"""Return what a student pays for saying something else than its teacher (Hinton et al., 2015).

    .. math:: \frac{T^2}{N} \sum_n \sum_c q_{nc} \log \frac{q_{nc}}{p_{nc}},
        \qquad p = \operatorname{softmax}(z / T), \quad q = \operatorname{softmax}(z^* / T)

    The factor keeps its gradient as large as that of a loss of labels, whatever the temperature.
    It differs from a cross-entropy by the entropy of the targets, and is 0 where both say the same.

    Args:
        logits: :math:`z`, ``[B, C]`` or ``[B, T, C]``.
        targets: :math:`z^*`, those of the teacher, of the same shape. Nothing is trained by them
            unless they require a gradient.
        temperature: T.
        counted: ``[B]`` or ``[B, T]``, True at what counts; all if ``None``.
        scale: What the sum is divided by; see :data:`mtl_utils.objectives.Scale`.

    Returns:
        A scalar, in nats but for ``"uniform"``; 0 where nothing counts.

    Raises:
        ValueError: If shapes differ, there is no such scale, or the temperature is not above 0.
        TypeError: If something is not of its kind.
    """
    apart = softened_rows(logits, targets, temperature)
    if counted is None:
        counted = torch.ones_like(apart, dtype=torch.bool)
    check_tensor("counted", counted, "[...]", "boolean")
    if counted.shape != apart.shape:
        check_broadcast("counted", counted, apart)
        counted = counted.expand(apart.shape)
    total = temperature**2 * apart.masked_fill(~counted, 0.0).sum()
    return scaled_mean(total, counted, scale, math.log(max(1, logits.shape[-1])))


def annealed_share(step: int, num_steps: int, first: float = 0.0, last: float = 1.0) -> float:
    r"""Return the share of the labels in what is learnt at a step (Clark et al., 2019).

    A student begins with its teachers and ends with the labels: the share rises evenly, from
    ``first`` at step 0 to ``last`` at the last step, and stays there.

    Args:
        step: The step, from 0.
        num_steps: How many there are.
        first: The share at the first.
        last: The share at the last.

    Raises:
        ValueError: If a share is outside [0, 1], the step negative, or there is no step.
        TypeError: If something is not of its kind.
    """
    check_whole("step", step, least=0)
    check_sizes(num_steps=num_steps)
    check_number("first", first, least=0, most=1)
    check_number("last", last, least=0, most=1)
    done = min(1.0, step / max(1, num_steps - 1))
    return first + (last - first) * done
