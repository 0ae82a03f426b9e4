"""Weights of losses by the number of classes, for the training on many tasks that comes first."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from mtl_utils.arguments import check_several, shown


def class_scaled_weights(tasks: Iterable[Any]) -> dict[str, float]:
    r"""Return the weights :math:`1 / \log C_k` of tasks with :math:`C_k` classes.

    Pre-finetuning on many tasks scales losses so (Aghajanyan et al., 2021): a guess among C labels
    costs :math:`\log C` nats, so that a task that has learnt nothing costs 1, whatever it is. As
    weights of :class:`mtl_utils.objectives.FixedWeights` they do to losses that are means over
    labels what the scale ``"uniform"`` of :data:`mtl_utils.objectives.Scale` does in the loss.

    Args:
        tasks: The tasks, each with ``labels``; of one that writes text the vocabulary of its
            tokenizer is what it chooses among.

    Returns:
        A weight by name of the task; 1 where there is one class, whose loss is 0 anyway.

    Raises:
        TypeError: If something is no task with labels or a tokenizer, or they are not several.
        ValueError: If there is none, or two have the same name.
    """
    check_several("tasks", tasks, "tasks", sized=False)
    weights: dict[str, float] = {}
    for task in tasks:
        name, number = getattr(task, "name", None), _number_of_classes(task)
        if number is None or not isinstance(name, str):
            raise TypeError(
                f"tasks must have names, and labels or a tokenizer to choose among, got "
                f"{shown(task)}"
            )
        if name in weights:
            raise ValueError(f"tasks must have different names, got {name!r} twice")
        weights[name] = 1.0 if number < 2 else 1.0 / math.log(number)
    if not weights:
        raise ValueError("tasks must be at least one, got []")
    return weights


def _number_of_classes(task: Any) -> int | None:
    labels = getattr(task, "labels", None)
    if isinstance(labels, tuple | list):
        return len(labels)
    size = getattr(getattr(task, "tokenizer", None), "vocab_size", None)
    return size if isinstance(size, int) else None
