"""Labels that come later: a head that gains some, and says of the others what it said before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn as torch_nn

from mtl_utils.arguments import check_kind, check_strings, shown
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.multitask.parts import note_tasks
from mtl_utils.tasks import Classification, MultiLabel, Tagging


def add_labels(model: MultiTaskModel, task: str, labels: Sequence[str]) -> None:
    """Give a task of a model more labels, in place.

    The logits of the labels that were there stay the same to the last bit, and so do the scores
    that a CRF gives to sequences of them. Their *probabilities* do not: a softmax divides by a sum
    over all labels, and the new ones have some of it before they are trained. The model is saved
    and loaded as any other.

    Args:
        model: The model.
        task: Name of the task: one of classification, of several labels, or of tagging.
        labels: Names of the new labels; their ids follow those that there are.

    Raises:
        ValueError: If there is no label, or one occurs twice or is there already.
        KeyError: If there is no such task.
        TypeError: If something is not of its kind, or the task has no labels that could be more.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    head, old = model.head(task), model.tasks[task]
    if not isinstance(old, Classification | MultiLabel | Tagging):
        raise TypeError(
            f"task must be one of labels: a Classification, MultiLabel or Tagging, got {task!r}, "
            f"which is a {type(old).__name__}"
        )
    check_strings("labels", labels, distinct=True)
    known = [label for label in labels if label in old.labels]
    if not labels or known:
        raise ValueError(
            f"labels must be new ones of {task!r}, which has {shown(old.labels)}; got "
            f"{shown(known or list(labels))}"
        )
    grown = replace(old, labels=(*old.labels, *labels), added=(*old.added, len(labels)))
    parameter = next(head.parameters())
    made = grown.head(model.sharing.width).to(parameter.device, parameter.dtype)
    _take_over(made, head)
    model.heads[task], model.tasks[task] = made.train(head.training), grown
    note_tasks(model)


@torch.no_grad()
def _take_over(made: Any, head: torch_nn.Module) -> None:
    """Copy the weights of a head into one with more labels."""
    found = dict(made.named_parameters())
    for name, weight in head.named_parameters():
        place = found[_renamed(name, head)]
        place[tuple(slice(0, size) for size in weight.shape)] = weight
        place.requires_grad_(weight.requires_grad)
    temperature: Any = getattr(head, "temperature", None)
    made.temperature = None if temperature is None else temperature.clone()


def _renamed(name: str, head: torch_nn.Module) -> str:
    """Say what a weight of the only output layer is called where there are several."""
    if name.startswith("output.") and isinstance(head.output, torch_nn.Linear):
        return name.replace("output.", "output.0.", 1)
    return name
