"""Checks of the exercises of chapter 22."""

from __future__ import annotations

from collections.abc import Sequence

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_kept_bytes",
    "check_loss_factors",
    "check_training_bytes",
    "check_whole_mean",
]


def _mean_of_means(means: Sequence[float], counts: Sequence[int]) -> float:
    return sum(means) / len(means)


def _sum_of_sums(means: Sequence[float], counts: Sequence[int]) -> float:
    return sum(m * c for m, c in zip(means, counts, strict=True))


def _of_those_that_count(means: Sequence[float], counts: Sequence[int]) -> float:
    there = [m for m, c in zip(means, counts, strict=True) if c]
    return sum(there) / len(there)


@exercise("whole_mean", wrong=[_mean_of_means, _sum_of_sums, _of_those_that_count])
def check_whole_mean(answer: Answer) -> None:
    """The mean loss of the whole batch from the means and counts of processes."""
    hint = "A mean times its count is a sum; sums and counts add up over processes."
    answer.gives([1.0, 3.0], [1, 1], expected=2.0, hint=hint)
    answer.gives([1.0, 3.0], [3, 1], expected=1.5, hint=hint)
    answer.gives([2.0, 0.0], [5, 0], expected=2.0, hint="A process without a label has no say.")
    answer.gives([0.5, 1.0, 4.0], [10, 5, 5], expected=1.5, hint=hint)


def _without_number(counts: Sequence[int]) -> list[float]:
    return [c / sum(counts) for c in counts]


def _number_of_those_that_count(counts: Sequence[int]) -> list[float]:
    return [sum(1 for c in counts if c) * c / sum(counts) for c in counts]


def _turned_over(counts: Sequence[int]) -> list[float]:
    return [sum(counts) / (len(counts) * max(c, 1)) for c in counts]


@exercise("loss_factors", wrong=[_without_number, _number_of_those_that_count, _turned_over])
def check_loss_factors(answer: Answer) -> None:
    """What each process multiplies its mean loss by, before gradients are averaged."""
    hint = "An average over R processes divides by R, which the factors have to make good."
    answer.gives([4, 4], expected=[1.0, 1.0], hint=hint)
    answer.gives([6, 2], expected=[1.5, 0.5], hint=hint)
    answer.gives([3, 0], expected=[2.0, 0.0], hint=hint)
    answer.gives([1, 2, 0, 5], expected=[0.5, 1.0, 0.0, 2.5], hint=hint)


def _sgd(weights: int, processes: int = 1) -> float:
    return 8 * weights / processes


def _weights_whole(weights: int, processes: int = 1) -> float:
    return 4 * weights + 12 * weights / processes


def _no_shards(weights: int, processes: int = 1) -> float:
    return 16 * weights


@exercise("training_bytes", wrong=[_sgd, _weights_whole, _no_shards])
def check_training_bytes(answer: Answer) -> None:
    """Bytes of weights, gradients and Adam's states of a process, sharded over several."""
    hint = "Four numbers of four bytes a weight, and sharding deals out all four."
    answer.gives(1000, 1, expected=16_000, hint=hint)
    answer.gives(1000, 4, expected=4_000, hint=hint)
    answer.gives(7_000_000_000, 8, expected=14_000_000_000, hint=hint)


def _nothing_inside(layers: int, boundary: int, inside: int) -> int:
    return layers * boundary


def _all_inside(layers: int, boundary: int, inside: int) -> int:
    return layers * (boundary + inside)


def _one_boundary(layers: int, boundary: int, inside: int) -> int:
    return boundary + inside


@exercise("kept_bytes", wrong=[_nothing_inside, _all_inside, _one_boundary])
def check_kept_bytes(answer: Answer) -> None:
    """The most that is kept at one time where layers are computed again."""
    hint = "All boundaries stay, and on the way back the inside of one layer at a time."
    answer.gives(12, 3, 40, expected=76, hint=hint)
    answer.gives(1, 5, 100, expected=105, hint=hint)
    answer.gives(24, 4, 0, expected=96, hint=hint)
