"""How much each shared weight matters to a task: the diagonal of the Fisher information."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal

import torch
from torch import Tensor

from mtl_utils.arguments import check_choice, check_kind, check_seed, check_whole
from mtl_utils.data.batch import Batch, has_label
from mtl_utils.data.loading import Loader, read_once
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.multitask.parts import grouped
from mtl_utils.relations.gradients import loss_gradient, measuring, on_device
from mtl_utils.tasks.base import Head
from mtl_utils.tasks.soft_heads import check_soft
from mtl_utils.training.loader import check_named_loader

LABELS = ("sampled", "given")


def fisher_diagonal(
    model: MultiTaskModel,
    data: Loader,
    tasks: Iterable[str] | None = None,
    *,
    labels: Literal["sampled", "given"] = "sampled",
    max_rows: int | None = None,
    seed: int = 0,
) -> dict[str, Tensor]:
    r"""Return the mean over rows of the squared gradient of the log-likelihood of each.

    .. math:: F_i = \frac{1}{N} \sum_{n=1}^{N}
        \left(\frac{\partial \log p(y_n \mid x_n)}{\partial \theta_i}\right)^2

    With ``labels="sampled"`` :math:`y_n` is drawn from what the model itself says of :math:`x_n`:
    in expectation that is the diagonal of the Fisher information. With ``labels="given"`` it is the
    label in the data, which gives what is called the *empirical* Fisher, another number: it is
    small wherever the model has learnt its rows by heart, however sharp the optimum (Kunstner et
    al., 2019). The gradient is that of a row, not of a batch: the square of a mean is not the mean
    of squares. So a row costs a backward pass of its own.

    Args:
        model: The model, which stays as it is; read without dropout.
        data: Rows with labels of the tasks; where one is missing, none is drawn.
        tasks: Whose likelihood it is of; all that have labels in the data if ``None``. That of
            several tasks of a row is the sum of its tasks'.
        labels: Where labels come from. Only heads whose labels are independent given the states can
            draw them: classification, and tagging without a CRF.
        max_rows: Read no more than so many rows; all if ``None``.
        seed: Of what is drawn.

    Returns:
        By name of a shared parameter (``model.shared_weights()``), of the same shape.
        The log-likelihood of a sentence of tags is the sum over its tags, in nats; in units of
        log C for a task with the scale ``"uniform"``.

    Raises:
        ValueError: If there is no such way of labels, no row has a label of the tasks, nothing
            is shared, or ``max_rows`` is below 1.
        KeyError: If there is no such task.
        TypeError: If something is not of its kind, or labels of a head cannot be drawn.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    check_named_loader("data", data)
    check_choice("labels", labels, LABELS)
    if max_rows is not None:
        check_whole("max_rows", max_rows, least=1)
    check_seed("seed", seed)
    chosen = list(model.tasks) if tasks is None else list(tasks)
    for task in chosen:
        head = model.head(task)
        if labels == "sampled" and tasks is not None:
            check_soft(head, "labels", labels)
    named = model.shared_weights()
    if not named:
        raise ValueError(
            f"model must share parameters between tasks, got {type(model.sharing).__name__}, which "
            "has none that are"
        )
    weights = list(named.values())
    sums = [torch.zeros_like(weight) for weight in weights]
    count, generator = 0, torch.Generator().manual_seed(seed)
    trained = [weight.requires_grad for weight in weights]
    try:
        for weight in weights:  # what is frozen now may be trained later
            weight.requires_grad_(True)
        with measuring(model):
            for row, known in islice(_rows(model, data, chosen), max_rows):
                likelihood = _likelihood(model, row, known, labels, generator)
                for total, gradient in zip(sums, loss_gradient(likelihood, weights), strict=True):
                    total += gradient.detach() ** 2
                count += 1
    finally:
        for weight, was in zip(weights, trained, strict=True):
            weight.requires_grad_(was)
    if not count:
        raise ValueError(f"data must have a label of one of the tasks {chosen}, got none")
    return {name: total / count for name, total in zip(named, sums, strict=True)}


def _rows(
    model: MultiTaskModel, data: Loader, tasks: Sequence[str]
) -> Iterator[tuple[Batch, list[str]]]:
    """Yield each row as a batch of its own, with the tasks that it has labels of."""
    for batches in read_once(data):
        for batch, names in grouped(on_device(batches, model), model):
            for place in range(len(batch)):
                known = [
                    name
                    for name in names
                    if name in tasks and bool(has_label(batch.labels[name][place]).any())
                ]
                if known:
                    chosen = torch.tensor([place], device=batch.inputs.input_ids.device)
                    labels = {name: batch.labels[name][place : place + 1] for name in known}
                    yield Batch(batch.inputs.rows(chosen), labels), known


def _likelihood(
    model: MultiTaskModel,
    row: Batch,
    tasks: Sequence[str],
    labels: str,
    generator: torch.Generator,
) -> Tensor:
    """Return the log-likelihood of a row's labels, but for its sign."""
    hidden = model.sharing(row, tasks).hidden
    total = next(iter(hidden.values())).new_zeros(())
    for task in tasks:
        head = model.head(task)
        outputs = head(hidden[task], row)
        counted = row
        if labels == "sampled":
            counted = Batch(row.inputs, {task: _drawn(head, outputs, row, generator)})
        total = total + head.loss(outputs, counted) * head.count(counted)
    return total


def _drawn(head: Head, outputs: Tensor, row: Batch, generator: torch.Generator) -> Tensor:
    """Draw labels from what the head says, where there are some."""
    check_soft(head, "labels", "sampled")
    known = row.labels[head.task]
    counted = has_label(known)
    probabilities = outputs.detach()[counted].float().softmax(dim=-1).cpu()
    labels = known.clone()
    labels[counted] = torch.multinomial(probabilities, 1, generator=generator)[:, 0].to(known)
    return labels
