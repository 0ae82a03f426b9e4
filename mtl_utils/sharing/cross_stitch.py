"""Encoders side by side that learn how much to take from each other: cross-stitch and sluices."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Self

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_number, check_sizes
from mtl_utils.data.batch import Batch
from mtl_utils.nn.encoder import Encoder, check_encoder
from mtl_utils.sharing.base import Shared, Sharing
from mtl_utils.sharing.ownership import Used
from mtl_utils.sharing.per_task import as_parameter_dict, check_names
from mtl_utils.sharing.shared_private import orthogonality_penalty
from mtl_utils.sharing.stitched_layers import StitchedLayers
from mtl_utils.sharing.texts import mean_over, texts_of


class CrossStitch(Sharing):
    r"""One encoder a task, and after each layer each reads a mixture of all (Misra et al., 2016).

    .. math:: h_l^{(k)} = f_l^{(k)}(\tilde h_{l - 1}^{(k)}), \qquad
        \tilde h_l^{(k)} = \sum_j \alpha_{l, k, j}\, h_l^{(j)}

    The weights :math:`\alpha_l`, a matrix ``[K, K]`` for each layer, are learnt. At the identity
    tasks are separate; where all are 1 / K they share all that was computed. What an encoder
    computes reaches all tasks, so every loss moves every encoder, and each batch is read by all.

    Args:
        encoders: The encoders by task, of one width D and number of layers L; copied. Misra et al.
            begin with encoders that were trained for their tasks alone.
        own: What a task has of its own states at first; the rest is divided equally among the
            others.

    Raises:
        ValueError: If ``own`` is outside [0, 1], or the encoders are refused: none, of different
            widths or numbers of layers, without layers, or one for two tasks.
        TypeError: If ``encoders`` is no mapping of encoders that can be cut between their layers,
            or ``own`` no number.
    """

    task_names: list[str]

    def __init__(self, encoders: Mapping[str, Encoder], own: float = 0.9) -> None:
        super().__init__()
        self.network = StitchedLayers(encoders, own)
        self.width, self.task_names = self.network.width, self.network.task_names

    @classmethod
    def from_encoder(cls, encoder: Encoder, tasks: Sequence[str], **settings: float) -> Self:
        """Give each task a copy of an encoder.

        Args:
            encoder: Copied; it stays as it is. All begin with its weights.
            tasks: Names of the tasks.
            **settings: The other arguments of the class.

        Raises:
            ValueError: If the names or a setting are refused.
            TypeError: If the encoder cannot be cut between its layers, a single string was given
                for several names, or a setting is of another type.
        """
        check_encoder("encoder", encoder)
        return cls({name: copy.deepcopy(encoder) for name in check_names(tasks)}, **settings)

    @property
    def stitches(self) -> torch_nn.Parameter:
        r"""The parameter :math:`\alpha`; with ``requires_grad_(False)`` mixing stays as it is."""
        return self.network.stitches

    def weights(self) -> Tensor:
        r"""Return the weights :math:`\alpha` ``[L, K, K]``, who reads first, without a gradient."""
        return self.stitches.detach().clone()

    def weight_on_others(self) -> Tensor:
        r"""Return what share of the weights that a task reads with lies on the other tasks.

        Weights count by their size, without sign: the share is a sum of
        :math:`\lvert \alpha_{l, k, j} \rvert` over all tasks j but k, divided by that over all. It
        is no measure of importance, since the scale of the states that are weighed is free.

        Returns:
            ``[L, K]``, from 0 (nothing of others) to 1 (nothing of its own), without a gradient;
            ``nan`` where all weights are 0.
        """
        tasks, pieces = len(self.task_names), self.network.num_pieces
        sizes = self.stitches.detach().abs()  # [L, K S, K S]
        sizes = sizes.unflatten(2, (tasks, pieces)).unflatten(1, (tasks, pieces)).sum((2, 4))
        return 1 - sizes.diagonal(dim1=1, dim2=2) / sizes.sum(2)

    def forward(self, batch: Batch, tasks: Sequence[str]) -> Shared:
        """Run all encoders, whichever tasks are asked for.

        Args:
            batch: The batch.
            tasks: Names of the tasks.

        Returns:
            Hidden states ``[B, T, D]`` by task, the last mixtures; no features.

        Raises:
            KeyError: If there is no such task.
        """
        places = self._places(tasks)
        _, mixed = self.network(batch.inputs)
        hidden = {task: mixed[-1][place] for task, place in places.items()}
        return Shared(hidden, None, mixed[-1].new_zeros(()))

    def causal(self, task: str) -> bool:
        """Tell whether all encoders read from left to right only.

        Args:
            task: Name of the task.

        Raises:
            KeyError: If there is no such task.
        """
        self._check_known(task)
        return self.network.causal

    def _places(self, tasks: Sequence[str]) -> dict[str, int]:
        self._check_known(*tasks)
        return {task: self.task_names.index(task) for task in tasks}

    def _uses(self) -> Iterator[Used]:
        yield self.network, None


class SluiceNetwork(CrossStitch):
    r"""Cross-stitch networks whose states have parts, and whose tasks read all layers.

    After Ruder et al. (2019). States are cut into S subspaces of D / S units, and each subspace of
    each task reads a mixture of all, weighted by :math:`\alpha_l` ``[K S, K S]``, so that some can
    be shared while others stay private. A task reads its own mixture of the layers,

    .. math:: h^{(k)} = \sum_l \beta_{k, l}\, \tilde h_l^{(k)},

    and a penalty keeps the subspaces of what a layer makes from saying the same,

    .. math:: \Omega = \gamma \sum_k \sum_l \sum_{s < r}
        \lVert G_{k, l, s}^\top\, G_{k, l, r} \rVert_F^2,

    where G holds the states of a text of task k, a row a token and a column a unit: a mean over
    the texts that have a label of the task.

    Args:
        encoders: The encoders by task, of one width D and number of layers L; copied.
        own: What a subspace has of itself at first; the rest is divided equally among all others.
        subspaces: How many there are, S; it divides D.
        orthogonality_strength: :math:`\gamma`.

    Raises:
        ValueError: If ``own`` is outside [0, 1], S does not divide D, the strength is negative, or
            the encoders are refused: none, of different widths or numbers of layers, without
            layers, or one for two tasks.
        TypeError: If ``encoders`` is no mapping of encoders that can be cut between their layers,
            or a setting is of another type.
    """

    penalty_on_states = True

    def __init__(
        self,
        encoders: Mapping[str, Encoder],
        own: float = 0.9,
        *,
        subspaces: int = 2,
        orthogonality_strength: float = 0.01,
    ) -> None:
        Sharing.__init__(self)
        check_sizes(subspaces=subspaces)
        check_number("orthogonality_strength", orthogonality_strength, least=0)
        self.network = StitchedLayers(encoders, own, subspaces)
        self.width, self.task_names = self.network.width, self.network.task_names
        self.orthogonality_strength = orthogonality_strength
        number = len(self.network.layers)
        self.mixtures = as_parameter_dict(
            {task: torch.full((number,), 1 / number) for task in self.task_names}
        )

    def weights(self) -> Tensor:
        r"""Return :math:`\alpha` without a gradient.

        Returns:
            ``[L, K, S, K, S]``: task and subspace that read, then those that are read.
        """
        size = len(self.task_names), self.network.num_pieces
        found = self.stitches.detach().clone()
        return found.unflatten(-1, size).unflatten(1, size)

    def layer_weights(self) -> Tensor:
        r"""Return :math:`\beta` ``[K, L]``, without a gradient."""
        return torch.stack([self.mixtures[t] for t in self.task_names]).detach()

    def forward(self, batch: Batch, tasks: Sequence[str]) -> Shared:
        """Run all encoders, whichever tasks are asked for.

        Args:
            batch: The batch. Its labels tell which texts belong to which task, for the penalty
                alone; without them there is none.
            tasks: Names of the tasks.

        Returns:
            Hidden states ``[B, T, D]`` by task; no features. The penalty is a sum over the tasks.

        Raises:
            KeyError: If there is no such task.
        """
        places = self._places(tasks)
        made, mixed = self.network(batch.inputs)
        layers = torch.stack(mixed, dim=-1)  # [K, B, T, D, L]
        hidden = {task: layers[place] @ self.mixtures[task] for task, place in places.items()}
        counts = self.penalty_counts(batch, tasks)
        parts = {
            task: self._overlap([layer[places[task]] for layer in made], batch, task)
            for task in counts
        }
        penalty = sum(parts.values(), start=layers.new_zeros(()))
        return Shared(hidden, None, penalty, parts, counts)

    def penalty_counts(self, batch: Batch, tasks: Sequence[str]) -> dict[str, Tensor]:
        """Count the texts that have a label of each task; see :meth:`Sharing.penalty_counts`.

        Args:
            batch: The batch.
            tasks: Names of the tasks.
        """
        if self.orthogonality_strength == 0:
            return {}
        return {task: texts_of(task, batch).sum() for task in tasks if task in batch.labels}

    def _overlap(self, layers: list[Tensor], batch: Batch, task: str) -> Tensor:
        """Return the part of a task of the penalty, from what its layers made ``[B, T, D]``."""
        total, texts = layers[0].new_zeros(()), texts_of(task, batch)
        for states in layers:
            pieces = states.chunk(self.network.num_pieces, dim=-1)
            for first, second in combinations(pieces, 2):
                overlap = orthogonality_penalty(first, second, batch.inputs.mask)
                total = total + mean_over(overlap, texts)
        return self.orthogonality_strength * total

    def _uses(self) -> Iterator[Used]:
        yield from super()._uses()
        for task in self.task_names:
            yield self.mixtures[task], [task]
