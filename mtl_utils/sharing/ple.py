"""Progressive layered extraction: experts of all tasks and experts of one, level upon level."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_number, check_sizes, check_whole, shown
from mtl_utils.data.batch import Batch, check_batch
from mtl_utils.nn.encoder import Encoder, EncoderLayers, check_encoder, number_of_layers
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.nn.masks import cleared
from mtl_utils.sharing.base import Shared, Sharing
from mtl_utils.sharing.expert_layers import check_experts, drawn_again
from mtl_utils.sharing.experts import balance_counts, balance_of, shown_weights
from mtl_utils.sharing.gates import check_noisy
from mtl_utils.sharing.ownership import Used, is_causal
from mtl_utils.sharing.per_task import named
from mtl_utils.sharing.ple_level import Level


class PLE(Sharing):
    r"""Progressive layered extraction (Tang et al., 2020); with one level, CGC.

    At each level there are experts that all tasks use, and experts of one task. With :math:`S^j`
    what shared experts make of :math:`x_s^{j - 1}`, and :math:`E_k^j` what those of task k make of
    :math:`x_k^{j - 1}`,

    .. math:: x_k^j = g_k^j(x_k^{j - 1})^\top [E_k^j; S^j], \qquad
        x_s^j = g_s^j(x_s^{j - 1})^\top [E_1^j; \dots; E_K^j; S^j], \qquad
        x_k^0 = x_s^0 = f_s(x),

    and task k reads :math:`h^{(k)} = x_k^J`; at the last level there is no :math:`x_s`. So an
    expert of a task at the last level is moved by its loss alone; lower ones reach the others
    through the shared experts above. With a single shared expert a level and none of a task it is
    :class:`HardSharing`. Customised gate control is one level of it.

    Args:
        trunk: What the first level reads; it owns the embeddings.
        shared: For each level the shared experts, at least one.
        own: By task, for each level the experts of that task; a level may have none.
        per: Whether each ``"token"`` has weights of its own, or a ``"text"`` the same for all its
            tokens, from the mean of the states. The latter is never causal.
        top_k: How many experts a gate takes, at most as many as it has; all if ``None``.
        noisy: See :class:`MixtureOfExperts`.
        balance_strength: Strength of a penalty on uneven use, the mean of :func:`load_balance` over
            the gates that the texts of a task pass; see :class:`MixtureOfExperts`.

    Attributes:
        width: Size of a hidden state, D.

    Raises:
        ValueError: If there is no level, no task, no shared expert at a level, numbers of levels
            or widths differ, an expert was given twice, a name is not fit for a module, ``per`` is
            something else, ``top_k`` is below 1, there is noise without it, or the strength is
            negative.
        TypeError: If ``trunk`` is no encoder, ``shared`` or ``own`` hold no lists of layers, or a
            setting is of another type.
    """

    penalty_on_states = True
    task_names: list[str]

    def __init__(
        self,
        trunk: Encoder,
        shared: Sequence[Sequence[EncoderLayers]],
        own: Mapping[str, Sequence[Sequence[EncoderLayers]]],
        *,
        per: str = "token",
        top_k: int | None = None,
        noisy: bool = False,
        balance_strength: float = 0.0,
    ) -> None:
        super().__init__()
        check_encoder("trunk", trunk)
        check_number("balance_strength", balance_strength, least=0)
        if top_k is not None:
            check_whole("top_k", top_k, least=1)
        check_noisy(noisy, top_k)
        _check_levels(trunk.width, shared, own)
        last = len(shared) - 1
        self.trunk = trunk
        self.levels = torch_nn.ModuleList(
            Level(
                experts,
                {task: levels[place] for task, levels in own.items()},
                per,
                top_k,
                noisy,
                last=place == last,
            )
            for place, experts in enumerate(shared)
        )
        self.per, self.balance_strength = per, balance_strength
        self.width = trunk.width
        self.task_names = list(own)

    @classmethod
    def from_encoder(
        cls,
        encoder: Encoder,
        tasks: Sequence[str],
        *,
        num_levels: int = 1,
        num_shared_experts: int = 1,
        num_task_experts: int = 1,
        **settings: Any,
    ) -> Self:
        """Make experts of the uppermost layers of an encoder, one layer a level.

        Args:
            encoder: Copied; it stays as it is. The first shared expert of a level has the weights
                of its layer, the others new ones.
            tasks: Names of the tasks.
            num_levels: How many levels; 1 is CGC.
            num_shared_experts: How many shared experts a level has.
            num_task_experts: How many experts each task has at a level; there may be none.
            **settings: The other arguments of the class, by name.

        Raises:
            ValueError: If the encoder has not as many layers, a number is too small, or the names
                or a setting are refused.
            TypeError: If the encoder cannot be cut between its layers, or a setting is of another
                type.
        """
        check_encoder("encoder", encoder)
        check_sizes(num_shared_experts=num_shared_experts)
        check_whole("num_task_experts", num_task_experts, least=0)
        total = number_of_layers(encoder)
        check_whole("num_levels", num_levels, least=1, most=total)

        def drawn(number: int, *first: list[EncoderLayers]) -> list[list[EncoderLayers]]:
            """Return experts for each level, of which some are there already."""
            made = [drawn_again(encoder).layers()[1][-num_levels:] for _ in range(number)]
            return [[expert[j] for expert in (*first, *made)] for j in range(num_levels)]

        upper = encoder.layers()[1][-num_levels:]
        shared = drawn(num_shared_experts - 1, upper)
        own = {task: drawn(num_task_experts) for task in named(tasks)}
        return cls(encoder.cut(total - num_levels)[0], shared, own, **settings)

    def forward(self, batch: Batch, tasks: Sequence[str]) -> Shared:
        """Run the trunk once, and each expert that is needed once.

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
        hidden, gatings = self._run(batch, tasks)
        passed = {
            task: [said[name] for said in gatings for name in (task, None) if name in said]
            for task in tasks
        }
        return Shared(hidden, None, *balance_of(self, batch, passed))

    def _run(
        self, batch: Batch, tasks: Sequence[str]
    ) -> tuple[dict[str, Tensor], list[dict[str | None, Any]]]:
        """Return the states of tasks, and what the gates of each level say."""
        mask = batch.inputs.mask
        read = cleared(self.trunk(batch.inputs), mask)
        states: dict[str | None, Tensor] = dict.fromkeys([*self.task_names, None], read)
        gatings = []
        for level in self.levels:
            states, said = level(states, mask, tasks)
            gatings.append(said)
        return {task: states[task] for task in tasks}, gatings

    @torch.no_grad()
    def gates(self, batch: Batch) -> dict[str, list[Tensor]]:
        """Return the weights of the experts for each task, for plots; in evaluation mode.

        Args:
            batch: The batch; its labels are not looked at.

        Returns:
            By task, for each level ``[B, T, E]``, its own experts first, then the shared ones;
            ``[B, E]`` of gates per text. What stands at padding means nothing.

        Raises:
            TypeError: If it is no batch.
        """
        check_batch("batch", batch)
        with evaluation_mode(self):
            _, gatings = self._run(batch, self.task_names)
        return {
            task: [shown_weights(said[task], self.per) for said in gatings]
            for task in self.task_names
        }

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
            KeyError: If there is no such task.
        """
        self._check_known(task)
        experts = [expert for level in self.levels for expert in level.experts()]  # type: ignore[operator]
        return self.per == "token" and is_causal(self.trunk, *experts)

    def _uses(self) -> Iterator[Used]:
        yield self.trunk, None
        levels: list[Level] = list(self.levels)  # type: ignore[arg-type]
        for place, level in enumerate(levels):
            yield level.shared, None
            if level.shared_gate is not None:
                yield level.shared_gate, None
            for task in self.task_names:
                yield level.own[task], [task] if level is levels[-1] else None
                # What a task reads reaches the others through experts of its own alone, and those
                # of the last level are only for itself.
                reach = any(
                    len(above.own[task])  # type: ignore[arg-type]
                    for above in levels[place + 1 : -1]
                )
                yield level.gates[task], None if reach else [task]


def _check_levels(width: int, shared: Any, own: Any) -> None:
    if not isinstance(shared, list | tuple):
        raise TypeError(f"shared must be a list of levels of experts, got {shown(shared)}")
    if not shared:
        raise ValueError(f"shared must have at least one level, got {shared!r}")
    if not isinstance(own, Mapping):
        raise TypeError(f"own must be a mapping of tasks to levels of experts, got {shown(own)}")
    named_levels = {"shared": shared}
    for task in named(list(own)) if own else []:
        named_levels[f"own[{task!r}]"] = own[task]
    if not own:
        raise ValueError(f"own must have the levels of at least one task, got {own!r}")
    every: list[EncoderLayers] = []
    for name, levels in named_levels.items():
        if not isinstance(levels, list | tuple):
            raise TypeError(f"{name} must be a list of levels of experts, got {shown(levels)}")
        if len(levels) != len(shared):
            raise ValueError(
                f"{name} must have as many levels as shared, {len(shared)}, got {len(levels)}"
            )
        for place, experts in enumerate(levels):
            if name == "shared" or not isinstance(experts, list | tuple) or experts:
                check_experts(f"{name}[{place}]", experts)
                every += experts
    if check_experts("shared and own", every) != width:
        raise ValueError(
            f"shared and own must have the width of the trunk, {width}, got {every[0].width}"
        )
