"""Random weights, drawn anew for every step: what any method of weighing has to be better than."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtl_utils.arguments import check_kind, check_seed, check_sizes
from mtl_utils.objectives.task_scalarization import TaskScalarization


def draw_weights(num_tasks: int, generator: torch.Generator) -> Tensor:
    r"""Draw :math:`w = K \operatorname{softmax}(z)` with z from a normal distribution.

    Those of Lin et al. (2022) sum to 1; these sum to K, so that each is 1 in the mean, and a step
    as long as one of equal weights.

    Args:
        num_tasks: How many tasks there are, K.
        generator: What draws, on the CPU.

    Returns:
        ``[K]`` in double precision.

    Raises:
        ValueError: If ``num_tasks`` is below 1.
        TypeError: If something is not of its kind.
    """
    check_sizes(num_tasks=num_tasks)
    check_kind("generator", generator, torch.Generator, "a torch.Generator")
    drawn = torch.randn(num_tasks, generator=generator, dtype=torch.float64)
    return num_tasks * torch.softmax(drawn, dim=0)


class RandomWeights(TaskScalarization):
    """Random loss weighting (Lin et al., 2022); see :func:`draw_weights`.

    Every step draws a weight for each task of the model, also for those that a batch has no labels
    of: with batches of one task, its weight differs from step to step all the same. The state of
    the generator, which is its own, is kept with the balancer: a run that is resumed draws what it
    would have drawn, and nothing else that draws is disturbed.

    Args:
        tasks: Names of the model's tasks.
        seed: Where the generator starts. Below 2⁶³.

    Raises:
        ValueError: If ``tasks`` is empty, a name occurs twice or has a dot, or the seed is outside
            its range.
        TypeError: If something is not of its kind.
    """

    generator_state: Tensor

    def __init__(self, tasks: Sequence[str], seed: int = 0) -> None:
        super().__init__(tasks)
        check_seed("seed", seed)
        state = torch.Generator().manual_seed(int(seed)).get_state()
        self.register_buffer("generator_state", state)

    def objective(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """Return the sum under weights that are drawn now.

        Args:
            losses: Those of the tasks at hand ``[K]``.
            tasks: Their names.
        """
        generator = torch.Generator()
        generator.set_state(self.generator_state.cpu())
        drawn = draw_weights(len(self.tasks), generator)
        self.generator_state.copy_(generator.get_state())
        return (drawn[self._places(tasks)].to(losses) * losses).sum()
