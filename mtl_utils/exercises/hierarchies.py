"""Checks of the exercises of chapter 09."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mtl_utils.exercises.checking import Answer, exercise

__all__ = [
    "check_count_trees",
    "check_held_minimum",
    "check_label_states",
    "check_moved_layers",
]


def _drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _one_too_high(depth: Mapping[str, int], num_layers: int) -> list[set[str]]:
    return [{t for t, d in depth.items() if d > layer} for layer in range(1, num_layers + 1)]


def _above(depth: Mapping[str, int], num_layers: int) -> list[set[str]]:
    return [{t for t, d in depth.items() if d <= layer} for layer in range(1, num_layers + 1)]


def _read_alone(depth: Mapping[str, int], num_layers: int) -> list[set[str]]:
    return [{t for t, d in depth.items() if d == layer} for layer in range(1, num_layers + 1)]


@exercise("moved_layers", wrong=[_one_too_high, _above, _read_alone])
def check_moved_layers(answer: Answer) -> None:
    """For each layer the tasks whose losses move it."""
    hint = "A loss moves the layer that its task reads, and all layers below that."
    answer.gives(
        {"pos": 1, "entities": 2}, 2, expected=[{"pos", "entities"}, {"entities"}], hint=hint
    )
    answer.gives({"a": 3, "b": 3}, 3, expected=[{"a", "b"}] * 3, hint=hint)
    answer.gives({"a": 0, "b": 1}, 2, expected=[{"b"}, set()], hint=hint)


def _most_likely(logits: Tensor, embeddings: Tensor) -> Tensor:
    return embeddings[logits.argmax(dim=-1)]


def _over_tokens(logits: Tensor, embeddings: Tensor) -> Tensor:
    return logits.softmax(dim=0) @ embeddings


def _without_softmax(logits: Tensor, embeddings: Tensor) -> Tensor:
    return logits @ embeddings


@exercise("label_states", wrong=[_most_likely, _over_tokens, _without_softmax])
def check_label_states(answer: Answer) -> None:
    """The mean embedding of the labels of each token, weighted by their probabilities."""
    hint = "A softmax over the labels of each token, then a mean of the rows of the table."
    for tokens, labels, width in ((2, 3, 4), (5, 2, 1), (1, 4, 2)):
        logits, table = _drawn(tokens, labels), _drawn(labels, width, seed=1)
        weights = logits.exp() / logits.exp().sum(1, keepdim=True)
        rows = [sum(w * row for w, row in zip(ws, table, strict=True)) for ws in weights]
        answer.gives(logits, table, expected=torch.stack(rows), hint=hint)


def _forgets(optimum: Tensor, curvature: Tensor, before: Tensor, strength: float) -> Tensor:
    return (optimum + 2 * strength * before) / (1 + 2 * strength)


def _without_the_two(optimum: Tensor, curvature: Tensor, before: Tensor, strength: float) -> Tensor:
    return (curvature * optimum + strength * before) / (curvature + strength)


def _swapped(optimum: Tensor, curvature: Tensor, before: Tensor, strength: float) -> Tensor:
    return (curvature * before + 2 * strength * optimum) / (curvature + 2 * strength)


@exercise("held_minimum", wrong=[_forgets, _without_the_two, _swapped])
def check_held_minimum(answer: Answer) -> None:
    """Where a quadratic loss and the penalty of successive regularisation are least."""
    hint = "Set the derivative to zero: curvature (θ - optimum) + 2 strength (θ - before) = 0."
    optimum, before = _drawn(3), _drawn(3, seed=1)
    curvature = torch.tensor([0.5, 1.0, 4.0])
    for strength in (0.0, 0.3, 50.0):
        # Newton's method, which a quadratic needs one step of.
        theta = torch.zeros(3)
        slope = curvature * (theta - optimum) + 2 * strength * (theta - before)
        expected = theta - slope / (curvature + 2 * strength)
        answer.gives(optimum, curvature, before, strength, expected=expected, hint=hint)


_BELL = (1, 1, 2, 5, 15)


def _cuts(num_tasks: int, num_layers: int) -> int:
    return num_layers + 1


def _freely(num_tasks: int, num_layers: int) -> int:
    return int(_BELL[num_tasks] ** num_layers)


def _one_layer(num_tasks: int, num_layers: int) -> int:
    return _BELL[num_tasks]


@exercise("count_trees", wrong=[_cuts, _freely, _one_layer])
def check_count_trees(answer: Answer) -> None:
    """How many ways there are to branch."""
    hint = (
        "At the first layer the tasks fall into groups, and each group goes on with one layer "
        "less. Choose the group of the first task, then group the rest."
    )
    # Chains of ever finer partitions, which are the L-fold iterated Bell numbers.
    known = {0: (1, 1, 1, 1), 1: (1, 2, 5, 15), 2: (1, 3, 12, 60), 3: (1, 4, 22, 154)}
    for num_layers, counts in known.items():
        for num_tasks, expected in enumerate(counts, start=1):
            answer.gives(num_tasks, num_layers, expected=expected, hint=hint)
