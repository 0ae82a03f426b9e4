"""The output layer of a head whose labels came all at once, or some of them later."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_several, check_sizes


class JoinedLinear(torch_nn.ModuleList):
    """Linear layers side by side, whose outputs follow one another.

    One larger layer would give the same outputs but for their last bits: how a product of matrices
    is rounded depends on how many columns there are. Here each layer is a product of its own, so
    that what the first gives stays the same to the last bit when another is added.

    Args:
        width: Size of what is read, D.
        sizes: How many outputs each layer has; C together.
    """

    def __init__(self, width: int, sizes: Sequence[int]) -> None:
        super().__init__(torch_nn.Linear(width, size) for size in sizes)

    def forward(self, states: Tensor) -> Tensor:
        """Return all outputs.

        Args:
            states: ``[..., D]``.

        Returns:
            ``[..., C]``.
        """
        return torch.cat([layer(states) for layer in self], dim=-1)


def output_layer(width: int, num_labels: int, added: Sequence[int]) -> torch_nn.Module:
    """Make the output layer of a head.

    Args:
        width: Size of what is read, D.
        num_labels: How many labels there are, C.
        added: How many of the last ones were added later, each time.

    Returns:
        A linear layer, or as many side by side as there were times.
    """
    if not added:
        return torch_nn.Linear(width, num_labels)
    return JoinedLinear(width, [num_labels - sum(added), *added])


@torch.no_grad()
def write_layer(layer: torch_nn.Module, weight: Tensor, bias: Tensor) -> None:
    """Write numbers into an output layer.

    Args:
        layer: What :func:`output_layer` returned.
        weight: ``[C, D]``.
        bias: ``[C]``.
    """
    parts = list(layer) if isinstance(layer, JoinedLinear) else [layer]
    start = 0
    for part in parts:
        assert isinstance(part, torch_nn.Linear)
        end = start + part.out_features
        part.weight.copy_(weight[start:end])
        part.bias.copy_(bias[start:end])
        start = end


def checked_additions(added: Sequence[int], labels: Sequence[str]) -> tuple[int, ...]:
    """Return how many labels were added later, after a look at it.

    Args:
        added: What was given.
        labels: All labels.

    Raises:
        ValueError: If a number is below 1, or they leave none that were there from the beginning.
        TypeError: If they are no whole numbers in a list.
    """
    check_several("added", added, "whole numbers")
    for number in added:
        check_sizes(added=number)
    if sum(added) >= len(labels):
        raise ValueError(
            f"added={tuple(added)} must leave one of the {len(labels)} labels that was there from "
            "the beginning"
        )
    return tuple(added)
