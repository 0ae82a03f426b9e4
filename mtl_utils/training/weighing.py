"""Losses of the rows of one process, weighed so that averaged gradients are those of all rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, distributed

from mtl_utils.arguments import check_flag, check_kind
from mtl_utils.data.batch import Batch
from mtl_utils.data.batching import shard
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.objectives.across import average_in_place, in_process_group
from mtl_utils.objectives.base import Losses
from mtl_utils.training.own_device import own_device


def weighed_by_counts(losses: Losses) -> Losses:
    r"""Weigh losses so that the average of gradients over processes is that of the whole batch.

    A loss is a mean over what a process counts, :math:`c_r` labels of :math:`\sum_q c_q`. It is
    multiplied by :math:`R c_r / \sum_q c_q`, where R is the number of processes: 0 in one without a
    label, and 1 everywhere if all count alike. So are the parts of a penalty that are means over
    texts. :class:`Trainer` does it by itself; a loop of one's own has to.

    Args:
        losses: Of the rows of this process; the tasks are the same in all.

    Returns:
        The weighed losses; their values, averaged over processes, are those of the whole batch.

    Raises:
        TypeError: If they are none of a model.
    """
    check_kind("losses", losses, Losses, "Losses, as model(batch) returns them")
    if not in_process_group():
        return losses
    tasks, parts = list(losses.by_task), list(losses.penalty_by_task)
    factors = _factors(losses, tasks, parts)
    rest = losses.penalty - sum(losses.penalty_by_task[task] for task in parts)
    scaled = {t: losses.penalty_by_task[t] * f for t, f in zip(parts, factors[1], strict=True)}
    return replace(
        losses.reweighted(dict(zip(tasks, factors[0], strict=True))),
        penalty=sum(scaled.values(), start=rest),
        penalty_by_task=scaled,
    )


def _factors(losses: Losses, tasks: list[str], parts: list[str]) -> tuple[list[float], list[float]]:
    counts = [losses.counts[task] for task in tasks]
    counts += [losses.penalty_counts[task] for task in parts]
    device = losses.penalty.device
    own = torch.stack([count.to(device).double() for count in counts])
    whole = own.clone()
    distributed.all_reduce(whole)
    found: list[float] = (distributed.get_world_size() * own / whole.clamp(min=1e-30)).tolist()
    return found[: len(tasks)], found[len(tasks) :]


def averaged_gradients(
    model: MultiTaskModel, batch: Batch, by_counts: bool = True
) -> dict[str, Tensor]:
    """Return the gradient of the summed losses, averaged over the processes that call it.

    Each process reads its rows of the batch (every so manyth), as a loader would give it. Where
    processes have GPUs (:func:`run_in_processes`), model and rows go to the process's own.

    Args:
        model: A multi-task model, the same in each process.
        batch: The whole batch.
        by_counts: Whether losses are weighed by what each process counts
            (:func:`weighed_by_counts`). Without, the result is a mean of means.

    Returns:
        By name of a parameter, on the CPU where there are several processes; what no loss depends
        on is absent.

    Raises:
        TypeError: If something is not of its kind.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    check_kind("batch", batch, Batch, "a Batch")
    check_flag("by_counts", by_counts)
    several = in_process_group()
    if several:
        batch = shard(batch, distributed.get_rank(), distributed.get_world_size())
    if (device := own_device()) is not None:
        model, batch = model.to(device), batch.to(device)
    losses = model(batch)
    losses = weighed_by_counts(losses) if by_counts else losses
    model.zero_grad()
    sum(losses.by_task.values(), start=losses.penalty).backward()
    average_in_place(model.parameters())
    found: Mapping[str, Tensor | None] = {n: p.grad for n, p in model.named_parameters()}
    there = {name: gradient for name, gradient in found.items() if gradient is not None}
    return {name: gradient.cpu() for name, gradient in there.items()} if several else there
