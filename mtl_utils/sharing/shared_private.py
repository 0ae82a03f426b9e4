"""Shared-private encoders: what tasks have in common is kept apart from what only one needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_number, check_tensor
from mtl_utils.data.batch import Batch
from mtl_utils.nn.encoder import Encoder, check_encoder
from mtl_utils.nn.gradient_reversal import reverse_gradient
from mtl_utils.nn.masks import check_mask
from mtl_utils.sharing.base import Shared, Sharing
from mtl_utils.sharing.ownership import Used
from mtl_utils.sharing.per_task import PerTask
from mtl_utils.sharing.texts import mean_over, texts_of


class SharedPrivate(Sharing):
    r"""A shared encoder and a private one a task, whose states each head reads side by side.

    .. math:: h_t^{(k)} = [s_t; p_t^{(k)}]

    Two penalties divide the work between them (Liu et al., 2017),

    .. math:: \Omega = \sum_k \Bigl( \gamma\, \lVert S^\top P_k \rVert_F^2
        - \log q_a\bigl(k \mid R_\lambda(\bar{s})\bigr) \Bigr),

    means over the texts of task k. The first keeps the private states from repeating the shared
    ones; S and :math:`P_k` hold the states of a text, a row a token. The second is the loss of an
    adversary, which tells from the mean :math:`\bar{s}` of the shared states of a text whose task
    it belongs to. It stands behind a reversal of the gradient :math:`R_\lambda` (Ganin &
    Lempitsky, 2015): the adversary itself learns at full strength whatever :math:`\lambda` is, and
    the shared encoder learns to mislead it at the strength :math:`\lambda`. So the value of the
    penalty is not what the shared encoder minimises. With :math:`\lambda = 0` the encoder learns
    nothing from the adversary, which then measures how much the states tell of the task.

    A text is one of a task's if it has a label of that task. Where each text has the labels of all
    tasks there is nothing to tell apart, and the adversary learns to be unsure; it is meant for
    tasks that come with texts of their own.

    Args:
        shared: The shared encoder, of width :math:`D_s`.
        private: The private encoders by task, all of one width :math:`D_p`.
        orthogonality_strength: :math:`\gamma`; 0.01 is that of Liu et al. It multiplies a sum over
            pairs of tokens, so longer texts are penalised more.
        adversary_strength: :math:`\lambda`; 0.05 is that of Liu et al. Without an adversary if
            ``None``.

    Attributes:
        width: :math:`D_s + D_p`.

    Raises:
        ValueError: If a strength is negative, or the private encoders are refused: none, of
            different widths, or one for two tasks.
        TypeError: If ``shared`` is no encoder, ``private`` no mapping of encoders, or a strength no
            number.
    """

    penalty_on_states = True
    task_names: list[str]

    def __init__(
        self,
        shared: Encoder,
        private: Mapping[str, Encoder],
        *,
        orthogonality_strength: float = 0.01,
        adversary_strength: float | None = 0.05,
    ) -> None:
        super().__init__()
        for name, strength in (
            ("orthogonality_strength", orthogonality_strength),
            ("adversary_strength", adversary_strength),
        ):
            if strength is not None or name == "orthogonality_strength":
                check_number(name, strength, least=0)
        check_encoder("shared", shared)
        self.shared = shared
        self.private = PerTask(private, "private encoder")
        if any(encoder is shared for encoder in private.values()):
            raise ValueError("The shared encoder was given as a private one too; copy it first")
        self.width, self.task_names = shared.width + self.private.width, self.private.task_names
        self.orthogonality_strength = orthogonality_strength
        self.adversary_strength = adversary_strength
        self.adversary = (
            None if adversary_strength is None else torch_nn.Linear(shared.width, len(private))
        )

    def forward(self, batch: Batch, tasks: Sequence[str]) -> Shared:
        """Run the shared encoder once, and the private encoder of each task.

        Args:
            batch: The batch. Its labels tell which texts belong to which task, for the penalty
                alone; without them there is none.
            tasks: Names of the tasks.

        Returns:
            Hidden states ``[B, T, D_s + D_p]`` by task. The features are the shared states
            ``[B, T, D_s]``. The penalty is a sum over the tasks.

        Raises:
            KeyError: If there is no such task.
        """
        self._check_known(*tasks)
        features = self.shared(batch.inputs)
        private = {task: self.private[task](batch.inputs) for task in tasks}
        hidden = {task: torch.cat([features, own], dim=-1) for task, own in private.items()}
        penalty, parts, counts = self._penalty(batch, features, private)
        return Shared(hidden, features, penalty, parts, counts)

    def task_logits(self, features: Tensor, mask: Tensor) -> Tensor:
        """Let the adversary say which task each text belongs to.

        Args:
            features: Shared states ``[B, T, D_s]``.
            mask: ``[B, T]``, True where there is a token.

        Returns:
            Logits ``[B, K]``, in the order in which the private encoders were given. A gradient
            comes back to the features reversed.

        Raises:
            ValueError: If there is no adversary.
            TypeError: If the mask is not boolean.
        """
        check_mask(mask)
        if self.adversary is None or self.adversary_strength is None:
            raise ValueError("There is no adversary; make SharedPrivate with adversary_strength=0")
        lengths = mask.sum(dim=1, keepdim=True).clamp(min=1)
        mean = features.masked_fill(~mask.unsqueeze(-1), 0.0).sum(dim=1) / lengths  # [B, D_s]
        logits: Tensor = self.adversary(reverse_gradient(mean, self.adversary_strength))
        return logits

    def penalty_counts(self, batch: Batch, tasks: Sequence[str]) -> dict[str, Tensor]:
        """Count the texts that have a label of each task; see :meth:`Sharing.penalty_counts`.

        Args:
            batch: The batch.
            tasks: Names of the tasks.
        """
        return {task: texts_of(task, batch).sum() for task in tasks if task in batch.labels}

    def causal(self, task: str) -> bool:
        """Tell whether both encoders of a task are causal.

        Args:
            task: Name of the task.

        Raises:
            KeyError: If there is no such task.
        """
        return self.private.causal(task) and self.shared.causal

    def _uses(self) -> Iterator[Used]:
        yield self.shared, None
        if self.adversary is not None:
            yield self.adversary, None
        for task, encoder in self.private.items():
            yield encoder, [task]

    def _penalty(
        self, batch: Batch, features: Tensor, private: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """Return the sum over the tasks, its parts, and the texts that each is a mean over."""
        mask, total = batch.inputs.mask, features.new_zeros(())
        parts: dict[str, Tensor] = {}
        counts = self.penalty_counts(batch, list(private))
        labelled = {task: private[task] for task in counts}
        if not labelled:
            return total, parts, counts
        if self.adversary is not None:
            surprise = -self.task_logits(features, mask).log_softmax(dim=-1)  # [B, K]
        for task, own in labelled.items():
            texts = texts_of(task, batch)
            terms = []
            if self.orthogonality_strength > 0:
                overlap = mean_over(orthogonality_penalty(features, own, mask), texts)
                terms.append(self.orthogonality_strength * overlap)
            if self.adversary is not None:
                terms.append(mean_over(surprise[:, self.task_names.index(task)], texts))
            for term in terms:
                total = total + term
            parts[task] = sum(terms, start=features.new_zeros(()))
        return total, parts, counts


def orthogonality_penalty(shared: Tensor, private: Tensor, mask: Tensor) -> Tensor:
    r"""Return :math:`\lVert S^\top P \rVert_F^2` of each text (Liu et al., 2017).

    It is 0 where the columns of S, one a unit, are orthogonal to those of P, over the tokens of the
    text.

    Args:
        shared: States S ``[B, T, D_s]``.
        private: States P ``[B, T, D_p]``.
        mask: ``[B, T]``, True where there is a token; what stands elsewhere does not count.

    Returns:
        ``[B]``.

    Raises:
        ValueError: If the shapes do not fit.
        TypeError: If the mask is not boolean, or the states are no floating-point tensors.
    """
    check_tensor("shared", shared, "[B, T, D_s]", "floating-point")
    check_tensor("private", private, "[B, T, D_p]", "floating-point")
    check_mask(mask)
    same = shared.shape[:2] == private.shape[:2] == mask.shape
    if not same:
        raise ValueError(
            "Expected shared [B, T, D_s], private [B, T, D_p] and a mask [B, T], got "
            f"{list(shared.shape)}, {list(private.shape)} and {list(mask.shape)}"
        )
    padding = ~mask.unsqueeze(-1)
    # Both are cleared: 0 times what padding holds may be nan.
    shared, private = shared.masked_fill(padding, 0.0), private.masked_fill(padding, 0.0)
    return (shared.transpose(1, 2) @ private).square().sum(dim=(1, 2))
