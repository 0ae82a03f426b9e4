"""Losses over a whole data set."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtl_utils.arguments import check_kind
from mtl_utils.data.batch import Batch
from mtl_utils.data.loading import Loader, read_once
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.training.loader import check_named_loader, to_device


@torch.no_grad()
def evaluate_losses(model: MultiTaskModel, loader: Loader) -> dict[str, float]:
    """Measure the loss of each task, without dropout.

    Args:
        model: The model, on any device; its mode is put back.
        loader: The data. Every row is read exactly once, of all data sets where there are several
            (:class:`JointBatches`, :class:`AlternatingBatches`, :class:`SampledBatches`), whatever
            makes their epoch.

    Returns:
        By task the mean over everything that its loss counts, whatever the size of the batches.
        A task of which nothing was counted is absent.

    Raises:
        ValueError: If the loader has another number of batches than it says.
        TypeError: If the model is no :class:`mtl_utils.models.MultiTaskModel`, or the loader none.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    check_named_loader("loader", loader)
    device = next(model.parameters()).device
    sums: dict[str, Tensor] = {}
    counts: dict[str, Tensor] = {}
    with evaluation_mode(model):
        for batches in read_once(loader):
            losses = model(to_device(batches, device))
            for task, loss in losses.by_task.items():
                count = losses.counts[task].to(device)
                sums[task] = sums.get(task, 0.0) + loss.to(_precise(device)) * count
                counts[task] = counts.get(task, 0) + count
    return _means(sums, counts)


def check_labelled(model: MultiTaskModel, loader: Loader, tasks: Iterable[str] | None) -> None:
    """Refuse data that validation could not judge by; they are read until a label is found.

    Args:
        model: The model.
        loader: The data.
        tasks: Tasks that there must be a label of, one of any task if ``None``.

    Raises:
        ValueError: If there is no such label.
        KeyError: If a task is unknown.
    """
    missing = None if tasks is None else set(tasks)
    for batches in read_once(loader):
        by_task = dict.fromkeys(batches.labels, batches) if isinstance(batches, Batch) else batches
        found = {task for task, batch in by_task.items() if model.head(task).count(batch) > 0}
        missing = missing if missing is None else missing - found
        if found and not missing:
            return
    what = "a label" if missing is None else f"a label of {' or '.join(sorted(missing))}"
    raise ValueError(f"No example of the validation data has {what}; nothing to judge by")


def checked_metrics(metrics: Any, taken: Collection[str]) -> dict[str, float]:
    """Check what a reader's own evaluation returned.

    Args:
        metrics: What it returned; not a number is a number here.
        taken: Names that stand for something else.

    Raises:
        TypeError: If it is no mapping from names to numbers.
        ValueError: If a name is taken.
    """
    if not isinstance(metrics, Mapping):
        raise TypeError(
            'evaluate must return numbers by name, such as {"accuracy": 0.9}, got '
            f"{type(metrics).__name__} {metrics!r:.60}"
        )
    for name, value in metrics.items():
        array = isinstance(value, Tensor | np.ndarray) and math.prod(value.shape) == 1
        if not isinstance(name, str) or not (isinstance(value, Real) or array):
            raise TypeError(f"evaluate must return numbers by name, got {value!r:.60} of {name!r}")
    found = sorted(set(taken) & set(metrics))
    if found:
        raise ValueError(f"evaluate must not return {found}: the history has them already")
    return {name: float(value) for name, value in metrics.items()}


def _precise(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "mps" else torch.float64


def _means(sums: dict[str, Tensor], counts: dict[str, Tensor]) -> dict[str, float]:
    if not sums:
        return {}
    # Asking a GPU for one number at a time would stall it as often.
    table = torch.stack([*sums.values(), *(count.to(_dtype(sums)) for count in counts.values())])
    totals, numbers = table.view(2, len(sums)).tolist()
    means = zip(sums, totals, numbers, strict=True)
    return {task: total / number for task, total, number in means if number > 0}


def _dtype(sums: dict[str, Tensor]) -> torch.dtype:
    return next(iter(sums.values())).dtype


def check_metric(metric: str, measured: Iterable[str]) -> None:
    """Refuse a metric that is not measured.

    Args:
        metric: Its name.
        measured: Names of what is measured.

    Raises:
        KeyError: If it is not among them.
    """
    if metric not in measured:
        raise KeyError(
            f"The metric {metric!r} is not measured; there are {sorted(measured)}. Name one of "
            "them, or return it from evaluate."
        )
