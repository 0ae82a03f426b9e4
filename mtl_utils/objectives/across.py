"""Gradients of several processes: averaged, gathered, and combined from the same random numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, distributed
from torch import nn as torch_nn


def number_of_processes() -> int:
    """Return how many processes train together; 1 where there is no process group."""
    return int(distributed.get_world_size()) if in_process_group() else 1


def in_process_group() -> bool:
    """Tell whether this is one of several processes that were started together, or a single one."""
    return distributed.is_available() and distributed.is_initialized()


def averaged(
    rows: Sequence[Sequence[Tensor | None]], likes: Sequence[Tensor]
) -> list[list[Tensor | None]]:
    """Average gradients over processes.

    Of what has no gradient here and one elsewhere, as that of a task without a label in this
    process, the average takes a zero. What has none anywhere stays so: no optimiser then moves it.

    Args:
        rows: One a task, the same tasks in every process; in a row one gradient a parameter.
        likes: The parameters.

    Returns:
        As ``rows``, the same in every process to the last bit.
    """
    number = number_of_processes()
    if number == 1 or not rows:
        return [list(row) for row in rows]
    there = torch.tensor([[g is not None for g in row] for row in rows], dtype=torch.int32)
    there = there.to(likes[0].device) if likes else there
    distributed.all_reduce(there)
    found: list[list[Tensor | None]] = []
    for row, flags in zip(rows, there.tolist(), strict=True):
        needed = [place for place, flag in enumerate(flags) if flag]
        whole = [_or_zeros(row[place], likes[place]) for place in needed]
        means = iter(_all_reduced(whole, number))
        found.append([next(means) if flag else None for flag in flags])
    return found


def average_in_place(parameters: Iterable[torch_nn.Parameter]) -> None:
    """Average what parameters have as ``grad`` over processes.

    Args:
        parameters: The same in every process.
    """
    given = list(parameters)
    if number_of_processes() == 1 or not given:
        return
    (means,) = averaged([[parameter.grad for parameter in given]], given)
    for parameter, mean in zip(given, means, strict=True):
        parameter.grad = mean


def gathered(rows: Sequence[Tensor | None], like: Tensor) -> tuple[list[Tensor | None], slice]:
    """Put the gradients on representations of different texts side by side.

    Args:
        rows: One a task, on the texts of this process.
        like: Their representation.

    Returns:
        By task ``[P]`` over the texts of all processes, ``None`` where there is none in any; and
        the columns that are this process's.
    """
    number = number_of_processes()
    sizes = torch.tensor([like.numel()], device=like.device)
    listed = [torch.empty_like(sizes) for _ in range(number)]
    distributed.all_gather(listed, sizes)
    widths = [int(size) for size in listed]
    there = torch.tensor([row is not None for row in rows], dtype=torch.int32, device=like.device)
    distributed.all_reduce(there)
    found: list[Tensor | None] = []
    for row, flag in zip(rows, there.tolist(), strict=True):
        found.append(_side_by_side(_or_zeros(row, like), widths) if flag else None)
    start = sum(widths[: distributed.get_rank()])
    return found, slice(start, start + like.numel())


@contextmanager
def drawn_as_in_the_first_process(device: torch.device) -> Iterator[None]:
    """Draw in every process what the first one draws; the others' generators stay as they were.

    Args:
        device: Whose generator is meant beside the CPU's.
    """
    if number_of_processes() == 1:
        yield
        return
    on_gpu = device.type == "cuda"
    before = torch.get_rng_state()
    before_on_gpu = torch.cuda.get_rng_state(device) if on_gpu else None
    state = before.clone().to(device)
    distributed.broadcast(state, 0)
    torch.set_rng_state(state.cpu())
    if before_on_gpu is not None:
        state = before_on_gpu.clone().to(device)
        distributed.broadcast(state, 0)
        torch.cuda.set_rng_state(state.cpu(), device)
    try:
        yield
    finally:
        if distributed.get_rank() != 0:
            torch.set_rng_state(before)
            if before_on_gpu is not None:
                torch.cuda.set_rng_state(before_on_gpu, device)


def _or_zeros(gradient: Tensor | None, like: Tensor) -> Tensor:
    if gradient is None:
        return torch.zeros_like(like)
    return (gradient.to_dense() if gradient.is_sparse else gradient).detach()


def _all_reduced(tensors: Sequence[Tensor], number: int) -> list[Tensor]:
    """Average tensors, those of one kind in one message."""
    kinds = list(dict.fromkeys((tensor.device, tensor.dtype) for tensor in tensors))
    found: dict[int, Tensor] = {}
    for kind in kinds:
        places = [p for p, tensor in enumerate(tensors) if (tensor.device, tensor.dtype) == kind]
        flat = torch.cat([tensors[place].reshape(-1) for place in places])
        distributed.all_reduce(flat)
        flat /= number
        parts = flat.split([tensors[place].numel() for place in places])
        for place, part in zip(places, parts, strict=True):
            found[place] = part.view(tensors[place].shape).clone()
    return [found[place] for place in range(len(tensors))]


def _side_by_side(row: Tensor, widths: Sequence[int]) -> Tensor:
    padded = row.new_zeros(max(widths))
    padded[: row.numel()] = row.reshape(-1)
    parts = [torch.empty_like(padded) for _ in widths]
    distributed.all_gather(parts, padded)
    return torch.cat([part[:width] for part, width in zip(parts, widths, strict=True)])
