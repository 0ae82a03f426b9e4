"""Task embeddings: a vector for each task, near where tasks need the same of a model."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from mtl_utils.arguments import check_flag
from mtl_utils.data.batch import Batch
from mtl_utils.data.loading import Loader
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.multitask.parts import grouped
from mtl_utils.relations.gradients import (
    Batches,
    first_batches,
    flat,
    loss_gradient,
    measuring,
    on_device,
    shared_parameters,
)
from mtl_utils.sharing.texts import texts_of


def task_embeddings(
    model: MultiTaskModel,
    data: Loader,
    *,
    max_batches: int | None = None,
    by_tensor: bool = False,
) -> dict[str, Tensor]:
    r"""Embed tasks by how sensitive their losses are to each shared parameter.

    .. math:: F_k = \frac1N \sum_n \left(\nabla_{\theta_s} L_k(x_n)\right)^2

    element by element, over the N texts with a label of task k: the diagonal of the empirical
    Fisher information, after Achille et al. (2019) and, for texts, Vu et al. (2020). It is of the
    loss of a text as its head computes it, with the labels of the data. :func:`cosines` of the
    stacked embeddings says how near tasks are; all entries are positive, and so are these.

    Args:
        model: The model, which stays as it is.
        data: What to read, once. Each text takes a backward pass for each of its tasks.
        max_batches: Read no more than so many batches.
        by_tensor: Whether to give the mean over each parameter's tensor instead of all its
            numbers, which is what can be stored and plotted.

    Returns:
        ``[P]`` by task, over ``model.shared_parameters()`` that are trained, one after the other;
        ``[number of tensors]`` with ``by_tensor``. Tasks without a label are left out.

    Raises:
        ValueError: If tasks share no parameter that is trained, ``max_batches`` is below 1, or as
            the model does.
        TypeError: If ``model`` is no multi-task model, ``data`` no loader, ``max_batches`` no whole
            number, or ``by_tensor`` no flag.
        KeyError: As the model does.
    """
    shared = shared_parameters(model)
    check_flag("by_tensor", by_tensor)
    sums: dict[str, list[Tensor]] = {}
    counts: dict[str, int] = {}
    with measuring(model):
        for batches in first_batches(data, max_batches):
            for task, text in _texts(on_device(batches, model), model):
                found = loss_gradient(model({task: text}).by_task[task], shared)
                total = sums.setdefault(task, [torch.zeros_like(p) for p in shared])
                for place, gradient in enumerate(found):
                    total[place] += gradient.square()
                counts[task] = counts.get(task, 0) + 1
    means = {
        task: [part / counts[task] for part in sums[task]] for task in model.tasks if task in sums
    }
    if by_tensor:
        return {task: torch.stack([part.mean() for part in parts]) for task, parts in means.items()}
    return {task: flat(parts) for task, parts in means.items()}


def _texts(batches: Batches, model: MultiTaskModel) -> Iterator[tuple[str, Batch]]:
    """Yield each text that has a label of a task, with that task's labels alone."""
    for batch, tasks in grouped(batches, model):
        for task in tasks:
            labels = batch.labels[task]
            for row in texts_of(task, batch).nonzero():
                yield task, Batch(batch.inputs.rows(row), {task: labels[row]})
