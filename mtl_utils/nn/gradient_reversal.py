"""Gradient reversal: what lies below learns the opposite of what lies above."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mtl_utils.arguments import check_number, check_tensor


class GradientReversal(torch.autograd.Function):
    r"""The identity, whose gradient is multiplied by a negative number (Ganin & Lempitsky, 2015).

    .. math:: R_\lambda(x) = x, \qquad \frac{dR_\lambda}{dx} = -\lambda I

    With it one descent plays a game of two: what lies above learns to lower a loss, what lies below
    to raise it. Use :func:`reverse_gradient`.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(values: Tensor, strength: float) -> Tensor:
        """Return a view of the values.

        Args:
            values: Of any shape.
            strength: What the gradient is multiplied by, after its sign is changed.
        """
        return values.view_as(values)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Remember the strength.

        Args:
            ctx: What :meth:`backward` will be given.
            inputs: What :meth:`forward` was given.
            output: What it returned.
        """
        ctx.strength = inputs[1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Reverse the gradient.

        Args:
            ctx: Knows the strength.
            *gradients: That of what was returned.
        """
        return -ctx.strength * gradients[0], None


def reverse_gradient(values: Tensor, strength: float = 1.0) -> Tensor:
    """Return the values, and reverse the gradient that comes back to them.

    Args:
        values: Of any shape.
        strength: What the gradient is multiplied by, after its sign is changed; with 0 none comes
            back.

    Returns:
        The same values.

    Raises:
        ValueError: If ``strength`` is negative, which would not reverse anything.
        TypeError: If ``values`` are no floating-point tensor, or ``strength`` no number.
    """
    check_tensor("values", values, "[...]", "floating-point")
    check_number("strength", strength, least=0)
    reversed_below: Tensor = GradientReversal.apply(values, strength)
    return reversed_below
