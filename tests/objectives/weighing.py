"""Losses on two weights, and what tests of weighing losses have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from mtl_utils.objectives import Losses

TASKS = ("ner", "topic", "fr")


class Parts(torch.nn.Module):
    """One weight a task, shared out of one vector: the loss of task k is ``scale * weight_k``."""

    def __init__(self, **scales: float) -> None:
        super().__init__()
        self.scales = scales
        self.vector = torch.nn.Parameter(torch.ones(len(scales), dtype=torch.float64))

    def losses(self, only: Any = None, penalty: float = 0.0, dtype: Any = None) -> Losses:
        """The losses of some tasks: exactly their scales, with that slope by their own weight."""
        by_task = {
            task: (scale * self.vector[place]).to(dtype or torch.float64)
            for place, (task, scale) in enumerate(self.scales.items())
            if only is None or task in only
        }
        counts = {task: torch.tensor(1) for task in by_task}
        return Losses(by_task, penalty * self.vector.sum(), None, counts)

    def shared_parameters(self) -> list[torch.nn.Parameter]:
        return [self.vector]


def weights_by_gradient(
    balancer: Any, losses: Mapping[str, float], only: Any = None, **options: Any
) -> dict[str, float]:
    """Return what each loss was multiplied by, as its gradient tells; compare what was returned."""
    model = Parts(**losses)
    told = balancer.backward(model.losses(only, **options), model)
    found = {}
    for place, (task, loss) in enumerate(losses.items()):
        if only is None or task in only:
            found[task] = float(model.vector.grad[place]) / loss if loss else 0.0
        else:
            assert float(model.vector.grad[place]) == 0
    compared = {task: weight if losses[task] else 0.0 for task, weight in told.items()}
    torch.testing.assert_close(
        torch.tensor([compared[t] for t in found]),
        torch.tensor(list(found.values())),
        rtol=1e-2 if options.get("dtype") else 1e-6,
        atol=1e-9,
    )
    return found
