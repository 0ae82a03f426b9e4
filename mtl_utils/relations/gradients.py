"""Whether tasks pull shared parameters the same way: gradients by task, and their cosines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_kind, check_tensor, check_whole
from mtl_utils.data.batch import Batch, check_batch
from mtl_utils.data.loading import Loader, read_once
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.objectives.base import Losses
from mtl_utils.relations.square import square
from mtl_utils.training.loader import check_named_loader

Batches = Batch | Mapping[str, Batch]


def task_gradients(
    model: MultiTaskModel, batches: Batch | Mapping[str, Batch]
) -> dict[str, Tensor]:
    r"""Return the gradient of each task's loss on what tasks share, :math:`\nabla_{\theta_s} L_k`.

    It is taken without dropout and without the penalty, and leaves the gradients that parameters
    have.

    Args:
        model: The model.
        batches: One batch, or one a task.

    Returns:
        ``[P]`` by task, over ``model.shared_parameters()`` that are trained, one after the other;
        tasks without a label at hand are left out.

    Raises:
        ValueError: If tasks share no parameter that is trained, or as the model does.
        KeyError: As the model does.
        TypeError: If ``model`` is no multi-task model, or as the model does.
    """
    shared = shared_parameters(model)
    with measuring(model):
        return {
            task: flat(loss_gradient(loss, shared))
            for task, loss in counted_losses(model(on_device(batches, model))).items()
        }


def cosines(gradients: Tensor) -> Tensor:
    r"""Return the cosines of the angles between K gradients.

    .. math:: \cos_{ij} = \frac{g_i \cdot g_j}{\lVert g_i \rVert \lVert g_j \rVert}

    Below 0 a step for one task is, to first order, a step against the other (Yu et al., 2020).

    Args:
        gradients: ``[K, P]``.

    Returns:
        ``[K, K]``, symmetric, 1 on the diagonal; nan where a gradient is 0, which has no direction.

    Raises:
        TypeError: If it is no tensor of floating-point numbers.
        ValueError: If it has another number of dimensions.
    """
    check_tensor("gradients", gradients, "[K, P]", "floating-point")
    # Squares of small numbers must not vanish: the greatest entry of each row becomes 1.
    greatest = gradients.abs().amax(dim=1, keepdim=True) if gradients.numel() else gradients
    scaled = gradients / greatest
    directions = scaled / torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
    return (directions @ directions.T).clamp(-1.0, 1.0)


def gradient_cosines(
    model: MultiTaskModel, data: Loader, *, max_batches: int | None = None
) -> pd.DataFrame:
    """Average the cosines between gradients of tasks on shared parameters over batches.

    Args:
        model: The model, which stays as it is.
        data: What to read: its epoch 0, in which tasks stand side by side as in training. Tasks
            with texts of their own need :class:`~mtl_utils.training.JointBatches`.
        max_batches: Read no more than so many.

    Returns:
        ``[K, K]`` over the tasks of the model: for each pair the mean over the batches in which
        both have a gradient that is not 0; nan where there is none.

    Raises:
        ValueError: As :func:`task_gradients`, if ``max_batches`` is below 1, or no two tasks have a
            gradient in the same batch.
        TypeError: If ``model`` is no multi-task model, ``data`` no loader, or ``max_batches`` no
            whole number.
        KeyError: As the model does.
    """
    shared_parameters(model)
    tasks = list(model.tasks)
    sums, counts = np.zeros((len(tasks), len(tasks))), np.zeros((len(tasks), len(tasks)))
    for batches in _epoch(data, max_batches):
        found = task_gradients(model, batches)
        if not found:
            continue
        places = [tasks.index(task) for task in found]
        between = cosines(torch.stack([*found.values()])).double().cpu().numpy()
        there = np.isfinite(between)
        block = np.ix_(places, places)
        sums[block] += np.where(there, between, 0.0)
        counts[block] += there
    if len(tasks) > 1 and not (counts - np.diag(np.diag(counts))).any():
        raise ValueError(
            f"data must have a batch in which two of the tasks {tasks} have a gradient, got none; "
            "read data sets side by side with training.JointBatches"
        )
    with np.errstate(invalid="ignore"):
        return square(sums / counts, tasks)


def _epoch(data: Loader, max_batches: int | None) -> Iterator[Batches]:
    """Read epoch 0; what reads each row once would read one data set after the other."""
    _check_reading(data, max_batches)
    return islice(data.batches(0), max_batches)


def first_batches(data: Loader, max_batches: int | None) -> Iterator[Batches]:
    """Read data once, or the beginning of them.

    Args:
        data: The data.
        max_batches: The most to read; all if ``None``.

    Raises:
        TypeError: If ``data`` is no loader, or ``max_batches`` no whole number.
        ValueError: If ``max_batches`` is below 1.
    """
    _check_reading(data, max_batches)
    return islice(read_once(data), max_batches)


def _check_reading(data: Loader, max_batches: int | None) -> None:
    check_named_loader("data", data)
    if max_batches is not None:
        check_whole("max_batches", max_batches, least=1)


def shared_parameters(model: MultiTaskModel) -> list[torch_nn.Parameter]:
    """Return what tasks share and is trained.

    Args:
        model: The model.

    Raises:
        TypeError: If it is no multi-task model.
        ValueError: If there is no such parameter.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    shared = [p for p in model.shared_parameters() if p.requires_grad]
    if not shared:
        raise ValueError(
            f"model must have parameters that tasks share and that are trained, got "
            f"{type(model.sharing).__name__} without any; relations between tasks are measured on "
            "them"
        )
    return shared


@contextmanager
def measuring(model: torch_nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, with gradients.

    Args:
        model: The model.
    """
    # cuDNN has no backward pass of recurrent layers in evaluation mode.
    with (
        evaluation_mode(model),
        torch.enable_grad(),
        torch.backends.cudnn.flags(enabled=False),
    ):
        yield


def on_device(batches: Batches, model: torch_nn.Module) -> Batches:
    """Bring batches to where a model is; one object stays one object.

    Args:
        batches: One batch, or one a task.
        model: The model.

    Raises:
        TypeError: If something is no batch.
    """
    device = next(model.parameters()).device
    if not isinstance(batches, Mapping):
        check_batch("batches", batches)
        return batches.to(device)
    for task, batch in batches.items():
        check_batch(f"batches[{task!r}]", batch)
    moved = {id(batch): batch.to(device) for batch in batches.values()}
    return {task: moved[id(batch)] for task, batch in batches.items()}


def counted_losses(losses: Losses) -> dict[str, Tensor]:
    """Return the losses of the tasks that have a label at hand.

    Args:
        losses: Those of a batch.
    """
    return {task: loss for task, loss in losses.by_task.items() if float(losses.counts[task]) > 0}


def loss_gradient(loss: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradient of a loss on some parameters, zeros where it does not depend on them.

    Args:
        loss: A scalar; its graph is kept.
        parameters: The parameters.
    """
    if not loss.requires_grad:
        return [torch.zeros_like(parameter) for parameter in parameters]
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    pairs = zip(parameters, found, strict=True)
    return [torch.zeros_like(p) if gradient is None else gradient for p, gradient in pairs]


def flat(tensors: Sequence[Tensor]) -> Tensor:
    """Return numbers one after the other, ``[P]``.

    Args:
        tensors: Of any shapes.
    """
    return torch.cat([tensor.detach().flatten() for tensor in tensors])
