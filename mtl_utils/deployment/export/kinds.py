"""Which tasks can be exported, and what must be known of them to read their outputs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mtl_utils.tasks import Head, Task
from mtl_utils.tasks.classification import ClassificationHead
from mtl_utils.tasks.multi_label import MultiLabelHead
from mtl_utils.tasks.regression import RegressionHead
from mtl_utils.tasks.tagging import TaggingHead

_KINDS: dict[type[Head], str] = {
    ClassificationHead: "classification",
    MultiLabelHead: "multi_label",
    RegressionHead: "regression",
    TaggingHead: "tagging",
}


def kind_of(name: str, task: Task, head: Head) -> str:
    """Return the kind of a task.

    Args:
        name: Its name.
        task: The task.
        head: Its head.

    Raises:
        TypeError: If it is of a kind that cannot be exported.
    """
    kind = _KINDS.get(type(head))
    if kind is None:
        raise TypeError(
            f"The task {name!r}, a {type(task).__name__} with a {type(head).__name__}, cannot be "
            "exported. Expected Classification, PairClassification, MultiLabel, Regression or "
            "Tagging; leave it out with model.remove_task."
        )
    return kind


def description(name: str, task: Any, head: Head) -> dict[str, Any]:
    """Return all that is needed to turn the outputs of a task into labels, as JSON can hold it.

    Args:
        name: Its name, and that of its output.
        task: The task.
        head: Its head.

    Raises:
        TypeError: If it is of a kind that cannot be exported.
    """
    kind = kind_of(name, task, head)
    found: dict[str, Any] = {
        "kind": kind,
        "reads_words": bool(task.reads_words),
        "pair": len(task.inputs) > 1,
    }
    if isinstance(head, RegressionHead):
        return found
    temperature = getattr(head, "temperature", None)
    found["labels"] = list(task.labels)
    found["temperature"] = None if temperature is None else float(temperature)
    if isinstance(head, MultiLabelHead):
        found["threshold"] = head.threshold
    if isinstance(head, TaggingHead):
        found["search"] = search_scores(head)
    return found


def search_scores(head: TaggingHead) -> dict[str, Any] | None:
    """Return the scores that the best sequence of tags is searched with.

    Args:
        head: The head.

    Returns:
        ``start`` and ``end``, a number a tag, and ``transitions`` from tag to tag; ``None`` stands
        for minus infinity, what is forbidden. ``None`` where each tag is chosen by itself.
    """
    if head.crf is not None:
        crf = head.crf
        parts = {
            "start": _forbid(crf.start, crf.allowed_start),
            "transitions": _forbid(crf.transitions, crf.allowed),
            "end": _forbid(crf.end, crf.allowed_end),
        }
    elif head.constrained:
        nothing = torch.zeros_like(head.start)
        parts = {"start": head.start, "transitions": head.transitions, "end": nothing}
    else:
        return None
    return {name: _plain(scores.detach().float().cpu()) for name, scores in parts.items()}


def _forbid(scores: Tensor, allowed: Tensor) -> Tensor:
    return scores.masked_fill(~allowed, -torch.inf)


def _plain(scores: Tensor) -> list[Any]:
    if scores.dim() > 1:
        return [_plain(row) for row in scores]
    return [None if value == -torch.inf else value for value in scores.tolist()]
