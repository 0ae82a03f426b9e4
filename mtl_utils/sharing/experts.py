"""Mixtures of experts: what is shared depends on the input, and on the task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_number
from mtl_utils.data.batch import Batch, check_batch
from mtl_utils.nn.encoder import Encoder, EncoderLayers, check_encoder
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.nn.masks import cleared
from mtl_utils.sharing.base import Shared, Sharing
from mtl_utils.sharing.expert_layers import check_experts, drawn_experts
from mtl_utils.sharing.gates import Gate, Gating, mixtures
from mtl_utils.sharing.ownership import Used, is_causal, own_of, shared_of
from mtl_utils.sharing.per_task import as_module_dict, check_known, named
from mtl_utils.sharing.texts import texts_of


class MixtureOfExperts(Sharing):
    r"""Experts over a shared trunk, and one gate that mixes them (Shazeer et al., 2017).

    .. math:: h_t = \sum_e g_e(s_t)\, f_e(s)_t, \qquad s = f_s(x)

    Every task reads the same states, so this is hard sharing whose parameters in use depend on the
    input; with one expert it is :class:`HardSharing`. See :class:`MMoE` for a gate for each task.

    With ``top_k`` a place takes only the k experts with the greatest weights. A gate that is left
    alone often ends with the same few experts for everything; ``balance_strength`` multiplies the
    penalty of :func:`load_balance` for that, over the texts of each task.

    Args:
        trunk: What is read by gate and experts; it owns the embeddings.
        experts: Layers above the trunk, E of them, all of one width.
        per: Whether each ``"token"`` has weights of its own, or a ``"text"`` the same for all its
            tokens, from the mean of the states. The latter is never causal.
        top_k: How many experts a place takes, k; all if ``None``. Experts that look at each
            position alone, :class:`mtl_utils.nn.FeedForwardLayers`, are then run on the tokens only
            that take them.
        noisy: Whether gates with ``top_k`` add noise to their logits in training, as wide as they
            learn, so that other experts are tried as well (noisy top-k gating, Shazeer et al.,
            2017). The penalty is then theirs: the squared coefficient of variation of what experts
            are given, plus that of how likely they are to be taken, 0 where all are used alike.
            What is even under noise may be uneven without it, in evaluation mode.
        balance_strength: Strength of the penalty on uneven use. It is a mean over tokens, or texts,
            of the batch at hand: where gradients are accumulated over parts of a batch, it looks at
            each part by itself.

    Attributes:
        width: Size of a hidden state, D.

    Raises:
        ValueError: If there is no expert, one was given twice, widths differ, ``per`` is something
            else, k is not from 1 to E, there is noise without k, or the strength is negative.
        TypeError: If ``trunk`` is no encoder, ``experts`` no list of layers, or a setting is of
            another type.
    """

    penalty_on_states = True

    def __init__(
        self,
        trunk: Encoder,
        experts: Sequence[EncoderLayers],
        *,
        per: str = "token",
        top_k: int | None = None,
        noisy: bool = False,
        balance_strength: float = 0.0,
    ) -> None:
        super().__init__()
        self._take(trunk, experts, balance_strength)
        self.gate = Gate(trunk.width, len(experts), per, top_k, noisy)

    def _take(self, trunk: Encoder, experts: Sequence[EncoderLayers], strength: float) -> None:
        check_encoder("trunk", trunk)
        check_number("balance_strength", strength, least=0)
        self.width = check_experts("experts", experts)
        self.trunk, self.experts = trunk, torch_nn.ModuleList(experts)
        self.balance_strength = strength

    @classmethod
    def from_encoder(
        cls, encoder: Encoder, num_experts: int, num_expert_layers: int = 1, **settings: Any
    ) -> Self:
        """Cut an encoder, and make experts of what is above the cut.

        Args:
            encoder: Copied; it stays as it is. The first expert has its layers, the others the same
                layers with weights of their own, drawn as those of a new encoder are: copies would
                learn the same for long.
            num_experts: How many experts, E.
            num_expert_layers: How many layers an expert has, from the top of the encoder.
            **settings: The other arguments of the class, by name.

        Raises:
            ValueError: If a number is below 1, the encoder has not as many layers, or a setting is
                refused.
            TypeError: If the encoder cannot be cut between its layers, or a setting is of another
                type.
        """
        return cls(*drawn_experts(encoder, num_experts, num_expert_layers), **settings)

    def forward(self, batch: Batch, tasks: Sequence[str]) -> Shared:
        """Run the trunk once, each expert once, and mix.

        Args:
            batch: The batch. Its labels tell which texts belong to which task, for the penalty
                alone; without them there is none.
            tasks: Names of the tasks.

        Returns:
            The same hidden states ``[B, T, D]`` for every task, which are also the features. The
            penalty is a sum over the tasks.
        """
        states, mask = self._read(batch), batch.inputs.mask
        gating = self.gate(states, mask)
        sparse = self.gate.top_k is not None
        hidden = mixtures(self._layers(), states, mask, {"": gating.weights}, sparse)[""]
        penalty, parts, counts = self._balance(batch, dict.fromkeys(tasks, gating))
        return Shared(dict.fromkeys(tasks, hidden), hidden, penalty, parts, counts)

    def _read(self, batch: Batch) -> Tensor:
        """Return the states of the trunk ``[B, T, D]``, zero at padding."""
        hidden: Tensor = self.trunk(batch.inputs)
        return cleared(hidden, batch.inputs.mask)

    def _layers(self) -> list[EncoderLayers]:
        return list(self.experts)  # type: ignore[arg-type]

    @property
    def _per(self) -> str:
        return self.gate.per

    @torch.no_grad()
    def gates(self, batch: Batch) -> Tensor:
        """Return the weights of the experts, for plots; in evaluation mode.

        Args:
            batch: The batch; its labels are not looked at.

        Returns:
            ``[B, T, E]``; ``[B, E]`` of a gate per text. What stands at padding means nothing.

        Raises:
            TypeError: If it is no batch.
        """
        check_batch("batch", batch)
        with evaluation_mode(self):
            return _shown(self.gate(self._read(batch), batch.inputs.mask).weights, self._per)

    def penalty_counts(self, batch: Batch, tasks: Sequence[str]) -> dict[str, Tensor]:
        """Count what the penalty of each task is a mean over; see :meth:`Sharing.penalty_counts`.

        Args:
            batch: The batch.
            tasks: Names of the tasks.

        Returns:
            The tokens of its texts, or, of gates per text, its texts.
        """
        if self.balance_strength == 0:
            return {}
        return {
            task: counted(batch, task, self._per).sum() for task in tasks if task in batch.labels
        }

    def _balance(
        self, batch: Batch, gatings: dict[str, Gating]
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        counts = self.penalty_counts(batch, list(gatings))
        parts = {}
        for task in counts:
            uneven = gatings[task].balance(counted(batch, task, self._per))
            parts[task] = self.balance_strength * uneven
        start = next(self.parameters()).new_zeros(())
        return sum(parts.values(), start=start), parts, counts

    def causal(self, task: str) -> bool:
        """Tell whether trunk, experts and gates all read from left to right only.

        Args:
            task: Name of the task.
        """
        return self._per == "token" and is_causal(self.trunk, *self.experts)

    def shared_parameters(self) -> list[torch_nn.Parameter]:
        """Return the parameters of trunk, experts and gate."""
        return list(self.parameters())

    def task_parameters(self, task: str) -> list[torch_nn.Parameter]:
        """Return an empty list: outside the heads nothing belongs to one task.

        Args:
            task: Name of the task.
        """
        return []


class MMoE(MixtureOfExperts):
    r"""Experts over a shared trunk, and for each task a gate that mixes them (Ma et al., 2018).

    .. math:: h_t^{(k)} = \sum_e g_e^{(k)}(s_t)\, f_e(s)_t, \qquad s = f_s(x)

    Tasks that have little to do with each other may use different experts. With one expert it is
    :class:`HardSharing`. Here experts are layers of an encoder, and gates read what the trunk makes
    of each token; those of Ma et al. read one vector a row.

    Args:
        trunk: See :class:`MixtureOfExperts`.
        experts: Likewise.
        tasks: Names of the tasks.
        per: See :class:`MixtureOfExperts`.
        top_k: Likewise.
        noisy: Likewise.
        balance_strength: Likewise.

    Raises:
        ValueError: As :class:`MixtureOfExperts`, and if there is no task, two have the same name,
            or a name is not fit for a module.
        TypeError: As :class:`MixtureOfExperts`, and if ``tasks`` are no names.
    """

    def __init__(
        self,
        trunk: Encoder,
        experts: Sequence[EncoderLayers],
        tasks: Sequence[str],
        *,
        per: str = "token",
        top_k: int | None = None,
        noisy: bool = False,
        balance_strength: float = 0.0,
    ) -> None:
        Sharing.__init__(self)
        self._take(trunk, experts, balance_strength)
        size = trunk.width, len(experts)
        gates = {task: Gate(*size, per, top_k, noisy) for task in named(tasks)}
        self.task_gates = as_module_dict(gates)

    @classmethod
    def from_encoder(  # type: ignore[override]
        cls,
        encoder: Encoder,
        tasks: Sequence[str],
        num_experts: int,
        num_expert_layers: int = 1,
        **settings: Any,
    ) -> Self:
        """Cut an encoder, and make experts of what is above the cut.

        Args:
            encoder: See :meth:`MixtureOfExperts.from_encoder`.
            tasks: Names of the tasks.
            num_experts: See :meth:`MixtureOfExperts.from_encoder`.
            num_expert_layers: Likewise.
            **settings: Likewise.

        Raises:
            ValueError: As :meth:`MixtureOfExperts.from_encoder`, and if the names are refused.
            TypeError: Likewise.
        """
        return cls(*drawn_experts(encoder, num_experts, num_expert_layers), tasks, **settings)

    def forward(self, batch: Batch, tasks: Sequence[str]) -> Shared:
        """Run the trunk once, each expert once, and mix for each task.

        Args:
            batch: The batch. Its labels tell which texts belong to which task, for the penalty
                alone; without them there is none.
            tasks: Names of the tasks.

        Returns:
            Hidden states ``[B, T, D]`` by task; no features, since tasks share more than the
            trunk. The penalty is a sum over the tasks.

        Raises:
            KeyError: If there is no such task.
        """
        gates = {task: self._gate(task) for task in tasks}
        states, mask = self._read(batch), batch.inputs.mask
        gatings = {task: gate(states, mask) for task, gate in gates.items()}
        weights = {task: gating.weights for task, gating in gatings.items()}
        sparse = any(gate.top_k is not None for gate in gates.values())
        hidden = mixtures(self._layers(), states, mask, weights, sparse)
        penalty, parts, counts = self._balance(batch, gatings)
        return Shared(hidden, None, penalty, parts, counts)

    def _gate(self, task: str) -> Gate:
        check_known(task, list(self.task_gates))
        gate = self.task_gates[task]
        assert isinstance(gate, Gate)
        return gate

    @property
    def _per(self) -> str:
        return self._gate(next(iter(self.task_gates))).per

    @torch.no_grad()
    def gates(self, batch: Batch) -> dict[str, Tensor]:  # type: ignore[override]
        """Return the weights of the experts for each task, for plots; in evaluation mode.

        Args:
            batch: The batch; its labels are not looked at.

        Returns:
            By task ``[B, T, E]``; ``[B, E]`` of gates per text. What stands at padding means
            nothing.

        Raises:
            TypeError: If it is no batch.
        """
        check_batch("batch", batch)
        with evaluation_mode(self):
            states, mask = self._read(batch), batch.inputs.mask
            return {
                task: _shown(self._gate(task)(states, mask).weights, self._per)
                for task in self.task_gates
            }

    def causal(self, task: str) -> bool:
        """Tell whether trunk, experts and gates all read from left to right only.

        Args:
            task: Name of the task.

        Raises:
            KeyError: If there is no such task.
        """
        self._gate(task)
        return super().causal(task)

    def shared_parameters(self) -> list[torch_nn.Parameter]:
        """Return the parameters of trunk and experts."""
        return shared_of(self._uses())

    def task_parameters(self, task: str) -> list[torch_nn.Parameter]:
        """Return the parameters of the gate of a task.

        Args:
            task: Name of the task.

        Raises:
            KeyError: If there is no such task.
        """
        self._gate(task)
        return own_of(self._uses(), task)

    def _uses(self) -> Iterator[Used]:
        yield self.trunk, None
        yield self.experts, None
        for task, gate in self.task_gates.items():
            yield gate, [task]


def counted(batch: Batch, task: str, per: str) -> Tensor:
    """Tell which places of a batch are those of a task, one a token or one a text.

    Args:
        batch: A batch with labels of the task.
        task: Name of the task.
        per: ``"token"`` or ``"text"``.

    Returns:
        ``[B, T]``, or ``[B, 1]``.
    """
    texts = texts_of(task, batch).unsqueeze(1)
    return texts if per == "text" else texts & batch.inputs.mask


def _shown(weights: Tensor, per: str) -> Tensor:
    return weights.squeeze(1) if per == "text" else weights
