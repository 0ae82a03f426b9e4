"""One sign a parameter: gradient sign dropout."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtl_utils.arguments import check_number
from mtl_utils.objectives.gradients.combiner import Combiner, On
from mtl_utils.objectives.gradients.cones import Array
from mtl_utils.objectives.gradients.rows import Piece


class GradDrop(Combiner):
    r"""Gradient sign dropout (Chen et al., 2020).

    For each parameter the positive parts of the gradients are kept with the probability

    .. math:: \mathcal{P} = \frac{1}{2} \Bigl( 1 + \frac{\sum_k g_k}{\sum_k |g_k|} \Bigr)

    and else the negative ones; d is their sum. A step so agrees in sign with all that it is made
    of. Where all are zero, d is. It looks at each parameter by itself, and not at the Gramian. What
    is drawn comes from ``generator``, one uniform number a parameter.

    Args:
        leak: Which part of every gradient is let through in any case, in [0, 1]; 1 is the sum.
        on: See :class:`Combiner`.

    Raises:
        ValueError: If ``leak`` is outside [0, 1], or ``on`` is something else.
        TypeError: If ``leak`` is no number.
    """

    def __init__(self, leak: float = 0.0, on: On = "parameters") -> None:
        super().__init__(on)
        check_number("leak", leak, least=0, most=1)
        self.leak = float(leak)

    def _combined(
        self, pieces: list[Piece], tasks: list[str], generator: torch.Generator | None
    ) -> tuple[list[Tensor | None], Array | None, bool | None]:
        return [self._dropped(piece, generator) for piece in pieces], None, None

    def _dropped(
        self, piece: Sequence[Tensor | None], generator: torch.Generator | None
    ) -> Tensor | None:
        there = [gradient for gradient in piece if gradient is not None]
        if not there:
            return None
        first = there[0]
        precise = torch.float64 if first.dtype == torch.float64 else torch.float32
        positive = torch.zeros_like(first, dtype=precise)
        negative = torch.zeros_like(first, dtype=precise)
        for gradient in there:
            positive += gradient.clamp(min=0)
            negative -= gradient.clamp(max=0)
        size = positive + negative
        # P = (1 + (p - n) / (p + n)) / 2 = p / (p + n)
        purity = torch.where(size > 0, positive / size, 0.5)
        device = first.device if generator is None else generator.device
        drawn = torch.rand(first.shape, dtype=precise, device=device, generator=generator)
        kept = torch.where(drawn.to(first.device) < purity, positive, -negative)
        return (self.leak * (positive - negative) + (1 - self.leak) * kept).to(first.dtype)
