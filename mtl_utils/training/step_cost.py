"""What a step takes: measured in several processes, and a model of it that can be wrong."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np
import torch
from torch import distributed

from mtl_utils.arguments import check_number, check_several, check_whole, shown
from mtl_utils.data.batch import Batch, Inputs
from mtl_utils.data.batching import shard
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn import TransformerEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Tagging, Task
from mtl_utils.training.launching import run_in_processes
from mtl_utils.training.weighing import weighed_by_counts

_VOCABULARY, _LENGTH = 500, 16
_TERMS = ("constant", "per_parameter", "per_row", "per_message")


@dataclass(frozen=True)
class StepTime:
    """A measured step.

    Args:
        processes: How many processes shared the batch.
        rows: Rows of the whole batch.
        parameters: Weights of the model.
        seconds: From one step to the next.

    Raises:
        ValueError: If a number is below 1, or the seconds are not above 0.
        TypeError: If something is no number.
    """

    processes: int
    rows: int
    parameters: int
    seconds: float

    def __post_init__(self) -> None:
        for name in ("processes", "rows", "parameters"):
            check_whole(name, getattr(self, name), least=1)
        check_number("seconds", self.seconds, above=0)


@dataclass(frozen=True)
class StepCost:
    r"""Seconds of a step as a sum of four parts, none below 0.

    With R processes, B rows and P weights it is

    .. math::
        t = \gamma_0 + \gamma_1 P + \gamma_2 P \lceil B / R \rceil
            + \gamma_3 P \frac{2 (R - 1)}{R}

    A step has a constant part; the optimiser touches each weight; every row passes the weights; and
    averaging gradients in a ring sends each of them :math:`2(R-1)/R` times. For embeddings the
    third is not true, since a row looks up a few of them: for models that are mostly embeddings, as
    small ones are, this is one way in which the cost is wrong.

    Args:
        constant: :math:`\gamma_0`, in seconds.
        per_parameter: :math:`\gamma_1`, in seconds a weight.
        per_row: :math:`\gamma_2`, in seconds a weight and a row.
        per_message: :math:`\gamma_3`, in seconds a weight that is sent.
    """

    constant: float
    per_parameter: float
    per_row: float
    per_message: float

    def seconds(self, processes: int, rows: int, parameters: int) -> float:
        """Predict a step.

        Args:
            processes: N.
            rows: B.
            parameters: P.

        Raises:
            ValueError: If one is below 1.
            TypeError: If one is no whole number.
        """
        for name, value in (("processes", processes), ("rows", rows), ("parameters", parameters)):
            check_whole(name, value, least=1)
        return float(_features(processes, rows, parameters) @ np.array(list(asdict(self).values())))

    def errors(self, points: Sequence[StepTime]) -> list[float]:
        """Return by how much of the measured time each prediction is off, with its sign.

        Args:
            points: What was measured.

        Raises:
            ValueError: If there is none.
            TypeError: If something is no measured step.
        """
        _check_points(points, 1)
        return [self.seconds(p.processes, p.rows, p.parameters) / p.seconds - 1 for p in points]


def fit_step_cost(points: Sequence[StepTime]) -> StepCost:
    """Fit the cost of a step to measured ones, relative errors squared.

    Args:
        points: At least four, of several sizes; where none has several processes, what is sent
            costs 0.

    Raises:
        ValueError: If there are fewer than four.
        TypeError: If something is no measured step.
    """
    _check_points(points, len(_TERMS))
    seconds = np.array([point.seconds for point in points])
    rows = np.array([_features(p.processes, p.rows, p.parameters) for p in points])
    relative = rows / seconds[:, None]
    return StepCost(**dict(zip(_TERMS, _non_negative(relative), strict=True)))


def step_model(width: int) -> MultiTaskModel:
    """Make the model that steps are timed with: a Transformer of two layers and two tasks.

    Args:
        width: Its width, a multiple of 4.

    Raises:
        ValueError: If it is none.
        TypeError: If it is no whole number.
    """
    check_whole("width", width, least=4)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = TransformerEncoder(_VOCABULARY, width, 2, 4, dropout=0.0)
        tasks: list[Task] = [
            Tagging("tags", ("O", "B-X", "I-X")),
            Classification("topic", tuple("abcd")),
        ]
        return MultiTaskModel(HardSharing(encoder), tasks)


def step_batch(rows: int, length: int = _LENGTH) -> Batch:
    """Make a batch of random texts with labels of both tasks.

    Args:
        rows: How many texts.
        length: How many tokens each has.

    Raises:
        ValueError: If one is below 1.
        TypeError: If one is no whole number.
    """
    for name, value in (("rows", rows), ("length", length)):
        check_whole(name, value, least=1)
    draw = torch.Generator().manual_seed(rows)
    ids = torch.randint(4, _VOCABULARY, (rows, length), generator=draw)
    tags = torch.randint(3, (rows, length), generator=draw)
    topic = torch.randint(4, (rows,), generator=draw)
    inputs = Inputs(ids, torch.ones_like(ids, dtype=torch.bool))
    return Batch(inputs, {"tags": tags, "topic": topic})


def time_steps(
    processes: Sequence[int], rows: Sequence[int], widths: Sequence[int], steps: int = 3
) -> list[StepTime]:
    """Time steps of every number of processes with every batch and width, one core a process.

    Steps are timed on the CPU, whether there are GPUs or not.

    Args:
        processes: Numbers of processes.
        rows: Numbers of rows of the whole batch.
        widths: Widths of the model.
        steps: How many steps are timed; the fastest counts, since others waited for something.

    Returns:
        One entry a combination, in the order given.

    Raises:
        ValueError: If something is empty or below 1.
        TypeError: If something is no list of whole numbers.
    """
    for name, numbers in (("processes", processes), ("rows", rows), ("widths", widths)):
        check_several(name, numbers, "whole numbers")
    check_whole("steps", steps, least=1)
    sizes = [(each, width) for each in rows for width in widths]
    found = []
    for number in processes:
        timed = run_in_processes(time_in_process, number, sizes, steps)
        for (each, _), *of_processes in zip(sizes, *timed, strict=True):
            slowest = max(seconds for _, seconds in of_processes)
            found.append(StepTime(number, each, of_processes[0][0], slowest))
    return found


def time_in_process(sizes: Sequence[tuple[int, int]], steps: int) -> list[tuple[int, float]]:
    """Time steps in one of several processes.

    Args:
        sizes: Rows and widths.
        steps: How many steps are timed.

    Returns:
        For each size the number of weights, and the seconds of the fastest step.
    """
    torch.set_num_threads(1)
    rank, number = distributed.get_rank(), distributed.get_world_size()
    return [
        _timed(step_model(width), shard(step_batch(r), rank, number), steps) for r, width in sizes
    ]


def _timed(model: MultiTaskModel, batch: Batch, steps: int) -> tuple[int, float]:
    parallel = torch.nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    seconds = []
    for _ in range(steps + 1):  # the first one makes the optimiser's state
        distributed.barrier()
        start = time.perf_counter()
        losses = weighed_by_counts(parallel(batch))
        sum(losses.by_task.values()).backward()  # type: ignore[union-attr]
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - start)
    return sum(p.numel() for p in model.parameters()), min(seconds[1:])


def _features(processes: int, rows: int, parameters: int) -> np.ndarray:
    share = -(-rows // processes)
    sent = 2 * (processes - 1) / processes
    return np.array([1.0, parameters, parameters * share, parameters * sent])


def _non_negative(relative: np.ndarray) -> list[float]:
    """Return the least squares without a negative coefficient: the best of all sets of terms."""
    scales = np.linalg.norm(relative, axis=0)
    scales[scales == 0] = 1.0
    scaled, ones = relative / scales, np.ones(len(relative))
    best, least = np.zeros(relative.shape[1]), np.inf
    for size in range(1, relative.shape[1] + 1):
        for chosen in map(list, combinations(range(relative.shape[1]), size)):
            found = np.linalg.lstsq(scaled[:, chosen], ones, rcond=None)[0]
            error = float(((scaled[:, chosen] @ found - ones) ** 2).sum())
            if (found >= 0).all() and error < least - 1e-12:
                best, least = np.zeros(relative.shape[1]), error
                best[chosen] = found
    return [float(value) for value in best / scales]


def _check_points(points: Sequence[StepTime], least: int) -> None:
    check_several("points", points, "measured steps")
    if not all(isinstance(point, StepTime) for point in points):
        raise TypeError(f"points must be a list of StepTime, got {shown(points)}")
    if len(points) < least:
        raise ValueError(f"points must be at least {least} measured steps, got {shown(points)}")
