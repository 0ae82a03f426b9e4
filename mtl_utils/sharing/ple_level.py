"""One level of progressive layered extraction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.nn.encoder import EncoderLayers
from mtl_utils.nn.masks import cleared
from mtl_utils.sharing.gates import Gate, Gating, mixed
from mtl_utils.sharing.per_task import as_module_dict

States = dict[str | None, Tensor]


class Level(torch_nn.Module):
    """Shared experts and experts of each task, and the gates that mix them.

    Args:
        shared: The shared experts.
        own: The experts of each task, by name; there may be none.
        per: See :class:`mtl_utils.sharing.gates.Gate`.
        top_k: Likewise; gates with fewer experts keep all.
        noisy: Likewise.
        last: Whether it is the last level, where nothing is mixed for shared experts above.
    """

    def __init__(
        self,
        shared: Sequence[EncoderLayers],
        own: Mapping[str, Sequence[EncoderLayers]],
        per: str,
        top_k: int | None,
        noisy: bool,
        last: bool,
    ) -> None:
        super().__init__()
        width, total = shared[0].width, len(shared) + sum(map(len, own.values()))

        def gate(number: int) -> Gate:
            kept = None if top_k is None else min(top_k, number)
            return Gate(width, number, per, kept, noisy)

        self.shared = torch_nn.ModuleList(shared)
        self.gates = as_module_dict({t: gate(len(shared) + len(e)) for t, e in own.items()})
        self.own = torch_nn.ModuleDict({t: torch_nn.ModuleList(e) for t, e in own.items()})
        self.shared_gate = None if last else gate(total)

    def experts(self) -> Iterator[torch_nn.Module]:
        """Yield all experts."""
        yield from self.shared
        for experts in self.own.values():
            yield from experts  # type: ignore[misc]

    def forward(
        self, states: States, mask: Tensor, tasks: Sequence[str]
    ) -> tuple[States, dict[str | None, Gating]]:
        """Run the experts and mix what they make.

        Args:
            states: What the experts of each task read ``[B, T, D]``, and under ``None`` what the
                shared ones read; finite at padding.
            mask: ``[B, T]``, True where there is a token.
            tasks: The tasks that are to be computed at the last level; others need all.

        Returns:
            What the next level reads, and what each gate says.
        """
        last = self.shared_gate is None
        needed = list(tasks) if last else list(self.own)

        def run(experts: torch_nn.Module, hidden: Tensor) -> list[Tensor]:
            return [cleared(e(hidden, mask), mask) for e in experts]  # type: ignore[attr-defined]

        of_all = run(self.shared, states[None])
        by_task = {task: run(self.own[task], states[task]) for task in needed}
        found: States = {}
        said: dict[str | None, Gating] = {}
        for task in needed:
            said[task] = self.gates[task](states[task], mask)
            found[task] = mixed([*by_task[task], *of_all], said[task].weights)
        if self.shared_gate is not None:
            said[None] = self.shared_gate(states[None], mask)
            everything = [made for task in self.own for made in by_task[task]]
            found[None] = mixed([*everything, *of_all], said[None].weights)
        return found, said
