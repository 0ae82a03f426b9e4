"""Encoders that can be held as they are, while others are trained."""

from __future__ import annotations

from typing import Self

from mtl_utils.nn.rebuilding import Rebuildable


class Freezable(Rebuildable):
    """A module that can be frozen: no gradient, and evaluation mode whatever the rest is in."""

    _held = False

    def freeze(self) -> None:
        """Hold everything as it is, without gradients and without dropout."""
        self._held = True
        self.requires_grad_(False)
        self.train(self.training)

    def unfreeze(self) -> None:
        """Let everything be trained; the mode is that of the next call of ``train``."""
        self._held = False
        self.requires_grad_(True)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all that is not frozen.

        Args:
            mode: Whether to train.
        """
        return super().train(mode and not self._held)
