"""Timing functions in turns, so that all meet the same machine, and what comes of it."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch

Choose = Callable[[Sequence[float]], float]
Clock = Callable[[], float]


def seconds(
    functions: Mapping[str, Callable[[], object]],
    repeats: int,
    choose: Choose = statistics.median,
    clock: Clock = time.perf_counter,
) -> dict[str, float]:
    """Return the seconds of each: the median of the repeats, or what else ``choose`` picks.

    With ``time.process_time`` as the clock, what others do on the machine meanwhile is not counted.
    """
    taken: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(repeats + 1):
        for name, function in functions.items():
            began = clock()
            function()
            if turn:  # the first warms up
                taken[name].append(clock() - began)
    return {name: choose(times) for name, times in taken.items()}


def ratio(
    name: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    repeats: int = 21,
    choose: Choose = statistics.median,
    clock: Clock = time.perf_counter,
) -> float:
    """Return how many times as long theirs takes, and print it."""
    found = seconds({"ours": ours, "theirs": theirs}, repeats, choose, clock)
    times = found["theirs"] / found["ours"]
    ours_ms, theirs_ms = found["ours"] * 1e3, found["theirs"] * 1e3
    print(f"\n{name}: {ours_ms:.3g} ms, theirs {theirs_ms:.3g} ms: {times:.2f} times")
    return times


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Compute on so many threads within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    yield
    torch.set_num_threads(before)
