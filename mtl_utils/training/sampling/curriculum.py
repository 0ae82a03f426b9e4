"""A curriculum: easy rows first, and more and more of the others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from mtl_utils.arguments import check_number, check_seed, check_several, check_sizes, check_whole
from mtl_utils.data.batch import Batch
from mtl_utils.data.batching import BatchLoader, epoch_generator, shard
from mtl_utils.data.content import Plain, examples_digest, rows_digest
from mtl_utils.data.examples import Example, collate_as, tasks_of_numbers, tasks_of_tokens
from mtl_utils.training.sampling.several import checked_number


def competence(step: int, steps: int, first: float = 0.01, power: float = 2.0) -> float:
    """Return the share of the rows, easy ones first, that a step may draw from.

    c(t) = min(1, (t (1 - c₀ᵖ) / S + c₀ᵖ)^(1/p)) for step t of S, with a first share c₀ (Platanios
    et al., 2019). With p = 1 rows are added at an even pace; with p = 2, their square root, at one
    that falls as there are more to be met.

    Args:
        step: t, from 0.
        steps: S, after which all rows are drawn.
        first: c₀, in (0, 1].
        power: p, at least 1.

    Returns:
        A share in (0, 1].

    Raises:
        ValueError: If a number is outside its range.
        TypeError: If one is no number.
    """
    check_whole("step", step, least=0)
    check_sizes(steps=steps)
    check_number("first", first, above=0, most=1)
    check_number("power", power, least=1)
    done = min(step / steps, 1.0)
    # Not first ** power and back, which underflows where the power is great.
    start = math.exp(power * math.log(first))
    return float(min(1.0, max(first, (done * (1 - start) + start) ** (1 / power))))


class CurriculumBatches:
    """Batches of one data set, drawn from its easiest rows at first and from all of it later.

    Step t draws ``batch_size`` rows, none twice, alike from the share c(t) of the rows that are
    easiest (Platanios et al., 2019, who continue Bengio et al., 2009); see :func:`competence`. Of
    rows of the same difficulty the earlier ones count as easier. To tell the order from the pacing,
    train with difficulties that are drawn at random too: these have the same number of rows at
    every step.

    Which rows a step has depends on ``seed`` and its number alone, so that a run can be resumed. An
    epoch is no pass: easy rows come often, and some rows not at all.

    Args:
        examples: The examples, at least one.
        difficulty: One number an example, greater where it is harder: its length, say.
        batch_size: Rows of a batch; all of them where there are fewer.
        steps: S, after which all rows are drawn.
        first: c₀, the share that the first step draws from, in (0, 1]; a batch at least.
        power: p of the pacing, at least 1: 1 is linear, 2 the square root.
        num_batches: Batches that make an epoch; as many as the rows make if ``None``.
        pad_id: Id that fills the inputs.
        seed: What the draws depend on.

    Raises:
        ValueError: If there are no examples, not one difficulty each, one is not finite, or a
            number is outside its range.
        TypeError: If something is no example, or a number no number.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        difficulty: Sequence[float],
        batch_size: int,
        steps: int,
        first: float = 0.01,
        power: float = 2.0,
        num_batches: int | None = None,
        pad_id: int = 0,
        seed: int = 0,
    ) -> None:
        self.rows = BatchLoader(examples, batch_size=batch_size, shuffle=False, pad_id=pad_id)
        self.examples = self.rows.examples
        check_several("difficulty", difficulty, "numbers, one an example")
        for place, value in enumerate(difficulty):
            check_number(f"difficulty[{place}]", value)
        if len(difficulty) != len(self.examples):
            raise ValueError(
                f"Expected a difficulty for each of {len(self.examples)} examples, got "
                f"{len(difficulty)}"
            )
        competence(0, steps, first, power)
        check_seed("seed", seed)
        self.batch_size = min(batch_size, len(self.examples))
        self.steps, self.first, self.power, self.seed = steps, float(first), float(power), seed
        self.num_batches = checked_number(
            self.rows.num_batches if num_batches is None else num_batches
        )
        self.order = np.argsort(np.asarray(difficulty, dtype=np.float64), kind="stable").tolist()
        self._tokens = tasks_of_tokens(self.examples)
        self._numbers = tasks_of_numbers(self.examples)

    def num_rows(self, step: int) -> int:
        """Return from how many rows, the easiest, a step draws.

        Args:
            step: Its number in the run, from 0.
        """
        share = competence(step, self.steps, self.first, self.power)
        return max(self.batch_size, math.ceil(share * len(self.order) - 1e-9))

    def drawn(self, step: int) -> list[int]:
        """Return which examples a step has.

        Args:
            step: Its number in the run, from 0.
        """
        generator = epoch_generator(self.seed, step, "rows ")
        ranks = torch.randperm(self.num_rows(step), generator=generator)[: self.batch_size]
        return [self.order[rank] for rank in ranks.tolist()]

    def batches(
        self, epoch: int = 0, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[Batch]:
        """Yield the batches of an epoch; see :meth:`Loader.batches`.

        Args:
            epoch: Number of the epoch.
            start: How many batches to leave out, because they are done already.
            rank: Number of this process.
            world_size: Number of processes.
        """
        for step in range(epoch * self.num_batches + start, (epoch + 1) * self.num_batches):
            chosen = [self.examples[place] for place in self.drawn(step)]
            batch = collate_as(chosen, self.rows.pad_id, self._tokens, self._numbers)
            yield batch if world_size == 1 else shard(batch, rank, world_size)

    def once(self) -> Iterator[Batch]:
        """Yield every row exactly once, as validation reads it."""
        return self.rows.batches()

    def digest(self) -> dict[str, Plain]:
        """Return what tells these batches from others."""
        return {
            "kind": type(self).__qualname__,
            "batch_size": self.batch_size,
            "steps": self.steps,
            "first": self.first,
            "power": self.power,
            "num_batches": self.num_batches,
            "pad_id": self.rows.pad_id,
            "seed": self.seed,
            "order": rows_digest(self.order),
            "examples": examples_digest(self.examples),
        }
