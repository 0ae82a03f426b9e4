"""Aggregators of TorchJD as balancers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mtl_utils.arguments import check_kind
from mtl_utils.objectives.gradients.combiner import Combiner, On
from mtl_utils.objectives.gradients.cones import Array
from mtl_utils.objectives.gradients.rows import Piece


class FromTorchJD(Combiner):
    """Any of TorchJD's aggregators (Quinton and Rey, 2024).

    It is called with the Jacobian ``[K, P]`` of all shared parameters side by side, in single
    precision where gradients are in half. What it does is TorchJD's: some of its methods replace
    short gradients, or solve their problems roughly. Those that draw do so from PyTorch's global
    generator, and what one remembers from step to step is no part of a checkpoint.

    Args:
        aggregator: A ``torchjd.aggregation.Aggregator``; ``pip install torchjd`` has them.
        on: See :class:`Combiner`.

    Raises:
        ImportError: If TorchJD is not installed.
        TypeError: If it is no aggregator.
        ValueError: If ``on`` is something else.
    """

    def __init__(self, aggregator: Any, on: On = "parameters") -> None:
        super().__init__(on)
        try:
            from torchjd.aggregation import Aggregator
        except ImportError as error:
            raise ImportError(
                "FromTorchJD needs TorchJD, which is not installed: pip install torchjd (or "
                "torchjd[quadprog-projector,cagrad] for UPGrad and CAGrad). "
                f"Got the aggregator {type(aggregator).__name__}"
            ) from error
        check_kind("aggregator", aggregator, Aggregator, "an Aggregator of torchjd.aggregation")
        self.aggregator = aggregator

    def _combined(
        self, pieces: list[Piece], tasks: list[str], generator: torch.Generator | None
    ) -> tuple[list[Tensor | None], Array | None, bool | None]:
        likes = [next((g for g in piece if g is not None), None) for piece in pieces]
        precise = {torch.float16: torch.float32, torch.bfloat16: torch.float32}
        there = [(p, like) for p, like in zip(pieces, likes, strict=True) if like is not None]
        jacobian = torch.cat(
            [
                torch.stack(
                    [(torch.zeros_like(like) if g is None else g).flatten() for g in piece]
                ).to(precise.get(like.dtype, like.dtype))
                for piece, like in there
            ],
            dim=1,
        )
        with torch.no_grad():
            combined = self.aggregator(jacobian)
        parts = iter(combined.split([like.numel() for _, like in there]))
        directions = [
            None if like is None else next(parts).view(like.shape).to(like.dtype) for like in likes
        ]
        return directions, None, None
