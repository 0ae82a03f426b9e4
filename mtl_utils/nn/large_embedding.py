"""Embeddings of large vocabularies, read several times before a backward pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.nn import functional


class LargeEmbedding(torch_nn.Embedding):
    """An embedding whose gradient becomes a table once a backward pass, not once a call.

    A call reads a few hundred of its vectors, and PyTorch makes the gradient of each call a whole
    table, nearly all of it zeros, and adds up these tables. Where each task brings its own batch
    there are as many calls as tasks, and that takes longer than a layer of the encoder. Here all
    calls read through one view of the weight, where gradients arrive as lists of rows and are added
    up as such; what leaves it for the weight is an ordinary table.
    """

    _held: tuple[Tensor, Tensor] | None = None  # the weight and the view of it

    def forward(self, input: Tensor) -> Tensor:
        """Look vectors up.

        Args:
            input: Ids of any shape ``[...]``.

        Returns:
            ``[..., D]``.
        """
        weight = self.weight
        if not (torch.is_grad_enabled() and weight.requires_grad and weight.device.type == "cpu"):
            return super().forward(input)
        return functional.embedding(input, self._read_through(), self.padding_idx, sparse=True)

    def _read_through(self) -> Tensor:
        weight, held = self.weight, self._held
        if held is None or held[0] is not weight or not held[1].is_set_to(weight):
            held = self.__dict__["_held"] = (weight, _ReadThrough.apply(weight))
        return held[1]

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy needs; it has a weight of its own to read through."""
        return {name: value for name, value in self.__dict__.items() if name != "_held"}


class _ReadThrough(torch.autograd.Function):
    """The identity, whose gradient is a table even if it comes as rows."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:
        return weight.data  # no view that PyTorch knows of: the weight is changed in place

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.to_dense() if gradient.is_sparse else gradient


def make_large(embedding: torch_nn.Module) -> None:
    """Make an ordinary embedding a :class:`LargeEmbedding`, wherever it is used.

    Args:
        embedding: Changed in place; left alone if it is of another class, or limits norms or scales
            gradients.
    """
    if type(embedding) is not torch_nn.Embedding or embedding.max_norm is not None:
        return
    if not embedding.scale_grad_by_freq and not embedding.sparse:
        embedding.__class__ = LargeEmbedding  # models may hold it in several places
