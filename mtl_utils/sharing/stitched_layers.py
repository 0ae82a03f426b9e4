"""Encoders side by side whose states are mixed after each layer."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_number
from mtl_utils.data.batch import Inputs
from mtl_utils.nn.encoder import Encoder
from mtl_utils.nn.masks import cleared
from mtl_utils.sharing.ownership import is_causal, taken_apart
from mtl_utils.sharing.per_task import PerTask


class StitchedLayers(torch_nn.Module):
    r"""K encoders of L layers whose states are mixed after each layer, in pieces.

    Args:
        encoders: The encoders by task; copied.
        own: What a piece has of itself at first; the rest is divided equally among all others.
        num_pieces: Into how many pieces the states are cut, S.

    Attributes:
        stitches: What each piece has of which, ``[L, K S, K S]``; who reads first.
        task_names: Names of the tasks.
        width: Size of a state, D.

    Raises:
        ValueError: If the encoders are refused, have different numbers of layers or none, ``own``
            is outside [0, 1], or S does not divide D.
        TypeError: If ``encoders`` is no mapping of encoders that can be taken apart, or ``own`` no
            number.
    """

    def __init__(self, encoders: Mapping[str, Encoder], own: float, num_pieces: int = 1) -> None:
        super().__init__()
        check_number("own", own, least=0, most=1)
        given = PerTask(encoders, "encoder")
        self.width, self.num_pieces = given.width, num_pieces
        if self.width % num_pieces:
            raise ValueError(
                f"subspaces must divide the width of the encoders, {self.width}; got {num_pieces}"
            )
        parts = {task: taken_apart(f"encoders[{task!r}]", e) for task, e in encoders.items()}
        numbers = {task: len(layers) for task, (_, layers) in parts.items()}
        if len(set(numbers.values())) != 1:
            raise ValueError(f"The encoders must have the same number of layers, got {numbers}")
        self.embeddings = PerTask({task: part[0] for task, part in parts.items()}, "embedding")
        self.layers = torch_nn.ModuleList(
            PerTask({task: part[1][place] for task, part in parts.items()}, "layer")
            for place in range(next(iter(numbers.values())))
        )
        first = self._first_mixture(len(parts) * num_pieces, own)
        self.stitches = torch_nn.Parameter(first.repeat(len(self.layers), 1, 1))

    @staticmethod
    def _first_mixture(size: int, own: float) -> Tensor:
        if size == 1:  # nobody else to have anything of
            return torch.ones(1, 1)
        others = torch.full((size, size), (1 - own) / (size - 1))
        return others.fill_diagonal_(own)

    @property
    def task_names(self) -> list[str]:
        """Names of the tasks, in the order given."""
        return self.embeddings.task_names

    @property
    def causal(self) -> bool:
        """Whether all encoders read from left to right only: each reads all."""
        layers = [layer for place in self.layers for layer in place.values()]  # type: ignore[operator]
        return is_causal(*self.embeddings.values(), *layers)

    def forward(self, inputs: Inputs) -> tuple[list[Tensor], list[Tensor]]:
        """Run all encoders.

        Args:
            inputs: B texts of at most T tokens.

        Returns:
            For each layer what it made ``[K, B, T, D]``, and for each layer the mixtures of that,
            which the next layer reads; zero at padding.
        """
        read = [embeddings(inputs) for embeddings in self.embeddings.values()]
        made, mixed = [], []
        for place, stitch in zip(self.layers, self.stitches, strict=True):
            pairs = zip(place.values(), read, strict=True)  # type: ignore[operator]
            states = [layer(hidden, inputs.mask) for layer, hidden in pairs]
            made.append(torch.stack([cleared(hidden, inputs.mask) for hidden in states]))
            mixed.append(self._mixed(made[-1], stitch))
            read = list(mixed[-1])
        return made, mixed

    def _mixed(self, states: Tensor, stitch: Tensor) -> Tensor:
        tasks, *places, width = states.shape
        last = len(places) + 1  # counted from the front: exporters read a negative one wrongly
        pieces = states.unflatten(-1, (self.num_pieces, -1)).movedim(last, 1)  # [K, S, B, T, D / S]
        mixed = stitch @ pieces.flatten(0, 1).flatten(1)
        return (
            mixed.view(tasks, self.num_pieces, *places, width // self.num_pieces)
            .movedim(1, last)
            .flatten(-2)
        )
