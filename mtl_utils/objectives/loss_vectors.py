"""Losses as a vector with one entry for each task at hand."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtl_utils.arguments import check_tensor
from mtl_utils.objectives.base import Losses


def stacked(losses: Losses) -> Tensor:
    """Return losses as a vector ``[K]``, in single precision or better, that has a gradient.

    Args:
        losses: Losses of one task or more.
    """
    values = torch.stack([_precise(loss) for loss in losses.by_task.values()])
    return values if values.requires_grad else values.requires_grad_()


def _precise(loss: Tensor) -> Tensor:
    return loss.to(torch.promote_types(loss.dtype, torch.float32))


def check_losses(losses: Tensor, *, positive: bool = False, name: str = "losses") -> None:
    """Refuse what is no vector of losses.

    Args:
        losses: The losses ``[K]``.
        positive: Whether none may be below 0.
        name: What the message is to call them.

    Raises:
        TypeError: If they are no tensor of floating-point numbers.
        ValueError: If they are no vector, there is none, or one is below 0.
    """
    check_tensor(name, losses, "[K]", "floating-point")
    if not len(losses):
        raise ValueError(f"{name} must have at least one entry, got shape {list(losses.shape)}")
    if positive and bool((losses < 0).any()):
        shape = list(losses.shape)
        raise ValueError(f"{name} must be at least 0, got {losses.tolist()} of shape {shape}")


def check_same(name: str, value: Tensor, losses: Tensor, kind: str = "floating-point") -> None:
    """Refuse what has no entry for each loss.

    Args:
        name: What the message is to call it.
        value: The tensor ``[K]``.
        losses: The losses ``[K]``.
        kind: Of its numbers.

    Raises:
        TypeError: If it is no tensor of such numbers.
        ValueError: If it has another shape.
    """
    check_tensor(name, value, "[K]", kind)
    if value.shape != losses.shape:
        raise ValueError(
            f"{name} must have one entry for each of {len(losses)} losses, got shape "
            f"{list(value.shape)}"
        )


def counted(losses: Tensor) -> Tensor:
    """Return which losses are not so near 0 that their reciprocal is infinite, ``[K]``.

    What is not a number counts: it is to be seen in what is made of it, and not left out.

    Args:
        losses: ``[K]``, none below 0.
    """
    return ~(losses.detach() < torch.finfo(losses.dtype).tiny)


@torch.no_grad()
def note_first(first: Tensor, places: Sequence[int], losses: Tensor) -> None:
    """Keep the losses that are the first of their tasks, above 0 and finite.

    Args:
        first: What was kept ``[K]``, ``nan`` where there is none yet; it is changed.
        places: Where in it the losses have their places.
        losses: Losses of the tasks at hand.
    """
    found = first[list(places)]
    values = losses.detach().to(found.dtype)
    usable = (values > 0) & values.isfinite()
    first[list(places)] = torch.where(found.isnan() & usable, values, found)
