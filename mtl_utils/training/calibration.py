"""Temperature scaling of a model on validation data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from mtl_utils.arguments import check_kind, check_strings
from mtl_utils.data.batch import Batch
from mtl_utils.data.loading import Loader, read_once
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.tasks.labelled_head import LabelledHead
from mtl_utils.tasks.temperature import fit_temperature
from mtl_utils.training.loader import check_named_loader, to_device

Scored = tuple[Tensor, Batch]
"""The scores that a head gave a batch, and the batch."""


def calibrate(
    model: MultiTaskModel, loader: Loader, tasks: Iterable[str] | None = None
) -> dict[str, float]:
    r"""Make the probabilities of a model as sure as it is right (Guo et al., 2017).

    All scores of a task are divided by a temperature, the one under which the labels of data that
    it was not trained on are most likely; of a CRF those of whole sequences. No class or tag that
    is predicted changes; of several labels a text some do, unless the threshold is one half. The
    temperature stays with the weights of the head, as ``temperature``; losses and training do not
    know it. Weights of labels do not count here, and of a tagger neither does the constraint.

    Args:
        model: The model, on any device; its mode is put back.
        loader: Validation data. Every row is read exactly once.
        tasks: Names of the tasks; every one that has probabilities, and labels here, if ``None``.

    Returns:
        The temperature of each: above 1 the model was too sure, below not sure enough.

    Raises:
        KeyError: If a task is unknown.
        ValueError: If there is no label to calibrate by, of one of the tasks or of any.
        TypeError: If the model is no :class:`mtl_utils.models.MultiTaskModel`, the loader none,
            or a task has no labels to choose among.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    check_named_loader("loader", loader)
    heads = _heads(model, tasks)
    seen = scored_batches(model, read_once(loader), heads)
    missing = sorted(set(heads) - set(seen))
    if not seen or (tasks is not None and missing):
        raise ValueError(
            f"loader has no label of {missing} to calibrate by: {loader!r:.60}. Give validation "
            "data of these tasks, or name other tasks."
        )
    found = {}
    for task, parts in seen.items():
        head = heads[task]
        found[task] = best_temperature(head, parts)
        parameter = next(head.parameters())
        head.temperature = torch.tensor(found[task], device=parameter.device)
    return found


def _heads(model: MultiTaskModel, tasks: Iterable[str] | None) -> dict[str, LabelledHead]:
    if tasks is None:
        every = {name: model.head(name) for name in model.tasks}
        return {name: head for name, head in every.items() if isinstance(head, LabelledHead)}
    check_strings("tasks", tasks)
    heads = {}
    for name in tasks:
        head = model.head(name)
        if not isinstance(head, LabelledHead):
            raise TypeError(
                f"tasks has {name!r}, whose {type(head).__name__} has no labels to choose among, "
                "and so no probabilities to calibrate"
            )
        heads[name] = head
    return heads


def best_temperature(head: LabelledHead, parts: Sequence[Scored]) -> float:
    """Return the temperature under which the labels of some batches are most likely.

    Args:
        head: The head that gave the scores.
        parts: The scores, each with its batch.
    """

    def likelihood(sharpness: Tensor) -> Tensor:
        losses = [head.negative_log_likelihood(*part, sharpness).cpu() for part in parts]
        return torch.stack(losses).sum()

    return fit_temperature(likelihood)


@torch.no_grad()
def scored_batches(
    model: MultiTaskModel,
    batches: Iterable[Batch | Mapping[str, Batch]],
    heads: Mapping[str, LabelledHead],
) -> dict[str, list[Scored]]:
    """Return by task the scores of each batch that has labels of it, in double precision.

    Args:
        model: The model; its mode is put back.
        batches: One batch for all tasks, or one a task.
        heads: Those of the tasks that are asked for.
    """
    device = next(model.parameters()).device
    precise = torch.float32 if device.type == "mps" else torch.float64
    seen: dict[str, list[Scored]] = {}
    with evaluation_mode(model):
        for each in batches:
            given = to_device(each, device)
            by_task = dict.fromkeys(given.labels, given) if isinstance(given, Batch) else given
            for task, batch in by_task.items():
                if task not in heads or not bool(heads[task].count(batch) > 0):
                    continue
                hidden = model.sharing(batch, [task]).hidden[task]
                outputs = heads[task](hidden, batch).to(precise)
                seen.setdefault(task, []).append((outputs, batch))
    return seen
