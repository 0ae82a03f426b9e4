"""Cross-entropy over a large vocabulary, without ever holding the logits of a whole batch."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.autograd.function import once_differentiable

from mtl_utils.data.batch import MISSING_LABEL
from mtl_utils.objectives.losses import check_smoothing, check_targets, summed_loss
from mtl_utils.objectives.scales import DEFAULT_SCALE, Scale, scaled_mean

LARGEST_LOGITS = 2**20
"""Logits held at a time, a few of the caches of a processor: 4 MiB in single precision."""


def projected_loss(
    hidden: Tensor,
    output: torch_nn.Module,
    targets: Tensor,
    scale: Scale = DEFAULT_SCALE,
    smoothing: float = 0.0,
) -> Tensor:
    """Return ``scaled_loss(output(hidden), targets, scale, smoothing)``.

    Logits, their logarithms and the gradients of both are each as large as the targets times the
    vocabulary, and most of the time goes into fetching fresh memory for them. On a processor a
    linear layer is applied to some targets at a time, to those that count alone, and its gradient
    is taken on the spot (as Hsu et al., 2024, do on GPUs): a gradient of this gradient there is
    not. Few logits, other layers and other devices go the plain way.

    Args:
        hidden: What the output layer reads ``[..., D]``.
        output: The output layer, from ``[..., D]`` to logits ``[..., V]``.
        targets: Ids ``[...]``; -100 is not counted.
        scale: What the sum over targets is divided by.
        smoothing: See :func:`mtl_utils.objectives.label_smoothing_loss`.

    Returns:
        A scalar, in nats but for ``"uniform"``; exactly 0, with zero gradient, where nothing is
        counted.

    Raises:
        ValueError: If the shapes do not fit, a target is outside the vocabulary, ``smoothing`` is
            outside [0, 1], or there is no such scale.
        TypeError: If targets are not integers.
    """
    if not isinstance(output, torch_nn.Linear) or not _goes_by_parts(hidden, output, targets):
        logits = output(hidden)
        total, counted = summed_loss(logits, targets, smoothing, MISSING_LABEL)
        return scaled_mean(total, counted, scale, math.log(max(1, logits.shape[-1])))
    size = output.out_features
    # Only their shape and kind is looked at.
    counted = check_targets(hidden.new_empty(1).expand(*hidden.shape[:-1], size), targets)
    check_smoothing(smoothing)
    places = counted.flatten().nonzero().squeeze(1)
    total = _SummedLoss.apply(
        hidden.flatten(0, -2).index_select(0, places),
        output.weight,
        output.bias,
        targets.flatten()[places].long(),
        smoothing,
        torch.is_grad_enabled(),
    )
    return scaled_mean(total, counted, scale, math.log(size))


def computes_as(module: torch_nn.Module, owner: type[torch_nn.Module], *methods: str) -> bool:
    """Tell whether methods of a module are those of a class, and nobody listens to its results.

    Args:
        module: The module.
        owner: The class.
        *methods: Their names.
    """
    own = (getattr(getattr(module, name), "__func__", None) for name in methods)
    same = all(found is getattr(owner, name) for found, name in zip(own, methods, strict=True))
    return same and not module._forward_hooks and not module._forward_pre_hooks


def _goes_by_parts(hidden: Tensor, output: torch_nn.Linear, targets: Tensor) -> bool:
    """Tell whether there are many logits, and the layer is a linear one and nothing more."""
    if type(output) is not torch_nn.Linear or not computes_as(output, torch_nn.Linear, "forward"):
        return False
    if hidden.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return False
    many = targets.numel() * output.out_features > LARGEST_LOGITS
    return many and hidden.dim() > 1 and hidden.dtype == output.weight.dtype


class _SummedLoss(torch.autograd.Function):
    """The sum of a cross-entropy over N targets, from what the output layer reads."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        smoothing: float,
        trains: bool,
    ) -> Tensor:
        size, rows = len(weight), max(1, LARGEST_LOGITS // len(weight))
        wanted = ctx.needs_input_grad[:3] if trains else (False, False, False)
        gradients = [
            torch.zeros_like(tensor) if needed and tensor is not None else None
            for needed, tensor in zip(wanted, (hidden, weight, bias), strict=True)
        ]
        total = hidden.new_zeros(())
        logits, scores = hidden.new_empty(2, min(rows, len(hidden)), size).unbind()
        for start in range(0, len(hidden), rows):
            part, true = hidden[start : start + rows], targets[start : start + rows].unsqueeze(1)
            found, logs = logits[: len(part)], scores[: len(part)]
            torch.mm(part, weight.t(), out=found)
            if bias is not None:
                found += bias
            torch.log_softmax(found, dim=1, out=logs)
            total -= (1 - smoothing) * logs.gather(1, true).sum()
            if smoothing:
                total -= smoothing / size * logs.sum()
            if any(wanted):
                slopes = logs.exp_().sub_(smoothing / size)
                slopes.scatter_add_(1, true, slopes.new_full(true.shape, smoothing - 1))
                _add_gradients(gradients, start, part, weight, slopes)
        ctx.save_for_backward(*gradients)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        found = [None if each is None else each * slope for each in ctx.saved_tensors]
        return (*found, None, None, None)


def _add_gradients(
    gradients: list[Tensor | None], start: int, part: Tensor, weight: Tensor, slopes: Tensor
) -> None:
    """Add what some targets have to say, from the slopes of the loss by their logits."""
    of_hidden, of_weight, of_bias = gradients
    if of_hidden is not None:
        torch.mm(slopes, weight, out=of_hidden[start : start + len(part)])
    if of_weight is not None:
        of_weight.addmm_(slopes.t(), part)
    if of_bias is not None:
        of_bias += slopes.sum(dim=0)
