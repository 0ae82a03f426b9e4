"""Mixtures of experts: what is shared depends on the input, and on the task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, Self

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
from mtl_utils.sharing.ownership import Used, is_causal
from mtl_utils.sharing.per_task import as_module_dict, named
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
        self._take(trunk, experts, per, balance_strength)
        self.gate = Gate(trunk.width, len(experts), per, top_k, noisy)

    def _take(
        self, trunk: Encoder, experts: Sequence[EncoderLayers], per: str, strength: float
    ) -> None:
        check_encoder("trunk", trunk)
        check_number("balance_strength", strength, least=0)
        self.width = check_experts("experts", experts)
        self.trunk, self.experts = trunk, torch_nn.ModuleList(experts)
        self.per, self.balance_strength = per, strength

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
        penalties = balance_of(self, batch, {task: [gating] for task in tasks})
        return Shared(dict.fromkeys(tasks, hidden), hidden, *penalties)

    def _read(self, batch: Batch) -> Tensor:
        """Return the states of the trunk ``[B, T, D]``, zero at padding."""
        hidden: Tensor = self.trunk(batch.inputs)
        return cleared(hidden, batch.inputs.mask)

    def _layers(self) -> list[EncoderLayers]:
        return list(self.experts)  # type: ignore[arg-type]

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
            return shown_weights(self.gate(self._read(batch), batch.inputs.mask), self.per)

    def penalty_counts(self, batch: Batch, tasks: Sequence[str]) -> dict[str, Tensor]:
        """Count what the penalty of each task is a mean over; see :meth:`Sharing.penalty_counts`.

        Args:
            batch: The batch.
            tasks: Names of the tasks.

        Returns:
            The tokens of its texts, or, of gates per text, its texts.
        """
        return balance_counts(self, batch, tasks)

    def causal(self, task: str) -> bool:
        """Tell whether trunk, experts and gates all read from left to right only.

        Args:
            task: Name of the task.

        Raises:
            KeyError: If this was made for some tasks, and it is none of them.
        """
        self._check_known(task)
        return self.per == "token" and is_causal(self.trunk, *self.experts)

    def _uses(self) -> Iterator[Used]:
        yield self, None


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

    task_names: list[str]

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
        self._take(trunk, experts, per, balance_strength)
        self.task_names = named(tasks)
        size = trunk.width, len(experts)
        gates = {task: Gate(*size, per, top_k, noisy) for task in self.task_names}
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
        self._check_known(*tasks)
        states, mask = self._read(batch), batch.inputs.mask
        gatings = {task: self._gate(task)(states, mask) for task in tasks}
        weights = {task: gating.weights for task, gating in gatings.items()}
        sparse = any(self._gate(task).top_k is not None for task in tasks)
        hidden = mixtures(self._layers(), states, mask, weights, sparse)
        said = {task: [gating] for task, gating in gatings.items()}
        return Shared(hidden, None, *balance_of(self, batch, said))

    def _gate(self, task: str) -> Gate:
        gate = self.task_gates[task]
        assert isinstance(gate, Gate)
        return gate

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
                task: shown_weights(gate(states, mask), self.per)
                for task, gate in self.task_gates.items()
            }

    def _uses(self) -> Iterator[Used]:
        yield self.trunk, None
        yield self.experts, None
        for task, gate in self.task_gates.items():
            yield gate, [task]


class Balanced(Protocol):
    """What has gates, and may be penalised for uneven use of experts."""

    per: str
    balance_strength: float

    def parameters(self) -> Iterator[torch_nn.Parameter]:
        """Yield all parameters."""
        ...


def balance_counts(sharing: Balanced, batch: Batch, tasks: Iterable[str]) -> dict[str, Tensor]:
    """Count what the penalty on uneven use of each task is a mean over, its tokens or texts.

    Args:
        sharing: Whose penalty it is.
        batch: The batch.
        tasks: Names of the tasks; those without labels in the batch are left out.
    """
    if sharing.balance_strength == 0:
        return {}
    known = [task for task in tasks if task in batch.labels]
    return {task: _counted(batch, task, sharing.per).sum() for task in known}


def balance_of(
    sharing: Balanced, batch: Batch, gatings: Mapping[str, Sequence[Gating]]
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """Return the penalty on uneven use, its part for each task, and what that is a mean over.

    Args:
        sharing: Whose penalty it is.
        batch: The batch, with labels.
        gatings: By task, what the gates say that its texts pass.
    """
    counts, parts = balance_counts(sharing, batch, gatings), {}
    for task in counts:
        places = _counted(batch, task, sharing.per)
        uneven = torch.stack([gating.balance(places) for gating in gatings[task]])
        parts[task] = sharing.balance_strength * uneven.mean()
    start = next(sharing.parameters()).new_zeros(())
    return sum(parts.values(), start=start), parts, counts


def shown_weights(gating: Gating, per: str) -> Tensor:
    """Return the weights for a plot, ``[B, T, E]`` or, of a gate per text, ``[B, E]``.

    Args:
        gating: What a gate says.
        per: ``"token"`` or ``"text"``.
    """
    return gating.weights.squeeze(1) if per == "text" else gating.weights


def _counted(batch: Batch, task: str, per: str) -> Tensor:
    """Tell which places of a batch are those of a task, one a token ``[B, T]`` or text ``[B, 1]``.

    Args:
        batch: A batch with labels of the task.
        task: Name of the task.
        per: ``"token"`` or ``"text"``.
    """
    texts = texts_of(task, batch).unsqueeze(1)
    return texts if per == "text" else texts & batch.inputs.mask
