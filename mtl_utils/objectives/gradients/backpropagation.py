"""Backward passes for gradients by task: who gets which gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.objectives.across import (
    average_in_place,
    averaged,
    drawn_as_in_the_first_process,
    gathered,
    number_of_processes,
)
from mtl_utils.objectives.base import Losses, trained_in_common
from mtl_utils.objectives.gradients.rows import Piece

#: What combines gradients by blocks of parameters, of the tasks that are named.
Combine = Callable[[list[Piece], list[str]], list[Tensor | None]]

Gradients = Sequence[Tensor | None]

#: The name under which the penalty goes back beside the losses; no task can have it.
_PENALTY = ""


@dataclass(frozen=True)
class Graph:
    """What a tensor was computed from.

    Args:
        steps: The steps that autograd would go back.
        leaves: The parameters at their ends.
    """

    steps: frozenset[Any]
    leaves: frozenset[Tensor]

    @classmethod
    def of(cls, tensor: Tensor, until: Tensor | None = None) -> Graph:
        """Walk back from a tensor.

        Args:
            tensor: Where to start.
            until: Where to go no farther.
        """
        end = None if until is None else until.grad_fn
        waiting: list[Any] = [] if tensor.grad_fn is None else [tensor.grad_fn]
        steps: set[Any] = set()
        leaves: set[Tensor] = set()
        while waiting:
            step = waiting.pop()
            if step in steps or step is end:
                continue
            leaf = getattr(step, "variable", None)
            if leaf is not None:  # a leaf belongs to all graphs, and keeps nothing
                leaves.add(leaf)
                continue
            steps.add(step)
            waiting.extend(before for before, _ in step.next_functions if before is not None)
        return cls(frozenset(steps), frozenset(leaves))

    def keeps_for(self, other: Graph) -> bool:
        """Tell whether there are steps in common that a pass back would take the memory of.

        Args:
            other: The graph of something else.
        """
        return any(_keeps(step) for step in self.steps & other.steps)


class CombinedBackward:
    """The backward passes of one step.

    In several processes the gradient of each task is averaged before anything is combined, so that
    what is combined is the Jacobian of the whole batch, and the result is the same in all of them.

    Args:
        model: The model; what its ``shared_parameters()`` does not name belongs to single tasks.
        backward: How to back-propagate a scalar.

    Raises:
        TypeError: If the model does not say what is shared.
    """

    def __init__(self, model: torch_nn.Module, backward: Callable[[Tensor], None]) -> None:
        self.shared = trained_in_common(model)
        known = set(self.shared)
        self.own = [p for p in model.parameters() if p.requires_grad and p not in known]
        self.backward = backward
        self.processes = number_of_processes()

    def on_parameters(self, losses: Losses, combine: Combine) -> None:
        """Combine gradients on shared parameters.

        Args:
            losses: The losses.
            combine: How.
        """
        factor = self._factor(losses)
        found = self._by_task(losses, self.shared, None, factor)
        found = self._averaged(found, self.shared, losses)
        combined = self._combined(found, len(self.shared), combine, losses.penalty.device)
        if losses.penalty.requires_grad:
            self.backward(losses.penalty)
        average_in_place([*self.shared, *self.own])
        for parameter, gradient in zip(self.shared, combined, strict=True):
            _add(parameter, gradient, factor)

    def apart(self, losses: Losses) -> tuple[dict[str, Gradients], Gradients]:
        """Keep the gradients on shared parameters apart, and add their sum.

        In several processes both are those of the whole batch, in all of them.

        Args:
            losses: The losses.

        Returns:
            Those of the tasks whose gradient is not zero, and that of the penalty.
        """
        factor = self._factor(losses)
        parts = {**losses.by_task, _PENALTY: losses.penalty}
        each = replace(losses, by_task=parts, penalty=losses.penalty.detach())
        found = self._by_task(each, self.shared, None, factor)
        found = self._averaged(found, self.shared, each)
        average_in_place([*self.shared, *self.own])
        pieces = _blocks(found.values(), len(self.shared))
        for parameter, piece in zip(self.shared, pieces, strict=True):
            _add(parameter, _sum(piece), factor)
        penalty = found.pop(_PENALTY, [None] * len(self.shared))
        return {task: each for task, each in found.items() if _size(each) != 0}, penalty

    def on_features(self, losses: Losses, combine: Combine) -> None:
        """Combine gradients on the shared representation, and pass them on once.

        What is shared above it, as a decoder, is combined alongside.

        Args:
            losses: The losses.
            combine: How.

        Raises:
            ValueError: If there are no features, or something shared is reached beside them.
        """
        features = losses.features
        if features is None:
            raise ValueError(
                'on="features" needs a shared representation of one batch for all tasks, and there '
                f"is none: of {list(losses.by_task)} each has a batch of its own, or the way of "
                'sharing has none. Use on="parameters".'
            )
        if not features.requires_grad:
            self.on_parameters(losses, combine)
            return
        below = Graph.of(features)
        self._refuse_ways_round(losses, features, below)
        above = [p for p in self.shared if p not in below.leaves]
        factor = self._factor(losses)
        found = self._by_task(losses, [features, *above], features, factor)
        found, mine = self._of_all_texts(found, features, above, losses)
        first, *others = self._combined(found, 1 + len(above), combine, features.device)
        penalty = losses.penalty
        kept = penalty.requires_grad and below.keeps_for(Graph.of(penalty))
        if first is not None:
            if mine is not None:
                # Each process passes on what is its own; the average over processes halves it.
                first = self.processes * first[mine].view(features.shape)
            torch.autograd.backward(features, first * factor, retain_graph=kept)
        if penalty.requires_grad:
            self.backward(penalty)
        average_in_place([*self.shared, *self.own])
        for parameter, gradient in zip(above, others, strict=True):
            _add(parameter, gradient, factor)

    def _averaged(
        self, found: Mapping[str, Gradients], likes: Sequence[Tensor], losses: Losses
    ) -> dict[str, Gradients]:
        """Average gradients by task over processes; a task that trains nothing here takes part."""
        if self.processes == 1:
            return dict(found)
        nothing: Gradients = [None] * len(likes)
        means = averaged([found.get(task, nothing) for task in losses.by_task], likes)
        pairs = zip(losses.by_task, means, strict=True)
        return {task: row for task, row in pairs if any(g is not None for g in row)}

    def _of_all_texts(
        self,
        found: Mapping[str, Gradients],
        features: Tensor,
        above: Sequence[Tensor],
        losses: Losses,
    ) -> tuple[dict[str, Gradients], slice | None]:
        """Put the gradients on features of all processes side by side, and average the others.

        Losses are scaled so that the mean over processes is the loss of the whole batch, of which
        the gradient on the features of these texts is so many times less.
        """
        if self.processes == 1:
            return dict(found), None
        nothing: Gradients = [None] * (1 + len(above))
        rows = [found.get(task, nothing) for task in losses.by_task]
        on_texts, mine = gathered([row[0] for row in rows], features)
        on_texts = [None if row is None else row / self.processes for row in on_texts]
        means = averaged([row[1:] for row in rows], above) if above else [[] for _ in rows]
        whole = [[text, *others] for text, others in zip(on_texts, means, strict=True)]
        pairs = zip(losses.by_task, whole, strict=True)
        return {task: row for task, row in pairs if any(g is not None for g in row)}, mine

    def _combined(
        self,
        found: Mapping[str, Gradients],
        blocks: int,
        combine: Combine,
        device: torch.device,
    ) -> Sequence[Tensor | None]:
        with drawn_as_in_the_first_process(device):
            return _combined(found, blocks, combine)

    def _by_task(
        self, losses: Losses, combined: Sequence[Tensor], until: Tensor | None, factor: float
    ) -> dict[str, Gradients]:
        """Return the gradient of each task on some tensors, and add those on its own parameters.

        Each is one pass backward, through what the loss depends on and no farther; a graph that no
        other loss needs is freed on the way.

        Args:
            losses: The losses.
            combined: The tensors.
            until: Where passes end.
            factor: What the trainer multiplies losses by.
        """
        trained = {task: loss for task, loss in losses.by_task.items() if loss.requires_grad}
        graphs = [Graph.of(loss, until) for loss in (*trained.values(), losses.penalty)]
        inputs = [*combined, *self.own]
        found: dict[str, Gradients] = {}
        for place, (task, loss) in enumerate(trained.items()):
            needed = any(graphs[place].keeps_for(later) for later in graphs[place + 1 :])
            gradients = torch.autograd.grad(
                factor * loss, inputs, retain_graph=needed, allow_unused=True
            )
            dense = _apart(g if g is None or not g.is_sparse else g.to_dense() for g in gradients)
            for parameter, gradient in zip(self.own, dense[len(combined) :], strict=True):
                _add(parameter, gradient, 1.0)
            found[task] = [
                g if g is None or factor == 1 else g / factor for g in dense[: len(combined)]
            ]
        return found

    def _factor(self, losses: Losses) -> float:
        """Return what the trainer multiplies losses by, as half precision asks for it."""
        if self.backward is Tensor.backward:
            return 1.0
        probe = torch.ones((), device=losses.penalty.device, requires_grad=True)
        self.backward(probe * 1.0)
        assert probe.grad is not None
        return float(probe.grad)

    def _refuse_ways_round(self, losses: Losses, features: Tensor, below: Graph) -> None:
        """Refuse gradients on what is below the features that do not go through them."""
        under = below.leaves.intersection(self.shared)
        for task, loss in losses.by_task.items():
            if not under.isdisjoint(Graph.of(loss, features).leaves):
                raise ValueError(
                    'on="features" needs that tasks reach what they share below the features '
                    f"through them alone, and {task!r} reaches some of it otherwise, as with "
                    "states of an inner layer, experts or tied embeddings. Use "
                    'on="parameters".'
                )


def _keeps(step: Any) -> bool:
    """Tell whether a step of autograd holds tensors for the way back."""
    if hasattr(step, "saved_tensors"):
        return bool(step.saved_tensors)
    return any(name.startswith("_saved") for name in dir(step))


def _combined(
    found: Mapping[str, Gradients], blocks: int, combine: Combine
) -> Sequence[Tensor | None]:
    """Combine the gradients that are not zero; their sum, where one is not finite."""
    return _apart(_combined_or_summed(found, blocks, combine))


def _combined_or_summed(
    found: Mapping[str, Gradients], blocks: int, combine: Combine
) -> Sequence[Tensor | None]:
    sizes = {task: _size(gradients) for task, gradients in found.items()}
    tasks = [task for task, size in sizes.items() if size != 0]
    if not tasks:
        return [None if not found else _sum(block) for block in _blocks(found.values(), blocks)]
    pieces = _blocks((found[task] for task in tasks), blocks)
    if not all(math.isfinite(sizes[task]) for task in tasks):
        return [_sum(piece) for piece in pieces]
    return combine(pieces, tasks)


def _apart(gradients: Iterable[Tensor | None]) -> list[Tensor | None]:
    """Return gradients of which none is seen to change when another does.

    Autograd may hand out one tensor for several parameters, as for both of a sum, and numbers that
    are one in memory. What becomes a ``grad`` is added to and clipped in place.
    """
    seen: set[int] = set()
    found: list[Tensor | None] = []
    for gradient in gradients:
        if gradient is None:
            found.append(None)
            continue
        place = gradient.untyped_storage().data_ptr()
        if gradient._is_view() or place in seen:
            gradient = gradient.clone(memory_format=torch.contiguous_format)
        seen.add(place)
        found.append(gradient)
    return found


def _blocks(gradients: Iterable[Gradients], blocks: int) -> list[Piece]:
    """Turn gradients by task into gradients by block."""
    rows = list(gradients)
    return [[row[place] for row in rows] for place in range(blocks)]


def _sum(piece: Piece) -> Tensor | None:
    there = [gradient for gradient in piece if gradient is not None]
    return torch.stack(there).sum(dim=0) if there else None


def _size(gradients: Gradients) -> float:
    """Return the greatest absolute value, 0 where there is no gradient; nan if one is."""
    there = [g for g in gradients if g is not None and g.numel()]
    if not there:
        return 0.0
    return float(torch.stack([g.detach().abs().amax().float() for g in there]).amax())


def _add(parameter: Tensor, gradient: Tensor | None, factor: float) -> None:
    if gradient is None:
        return
    gradient = gradient.detach()
    if factor != 1:
        gradient = gradient * factor
    gradient = laid_out(gradient.to(parameter.dtype), parameter)
    if parameter.grad is None:
        parameter.grad = gradient
    else:
        parameter.grad.add_(gradient)


def laid_out(gradient: Tensor, parameter: Tensor) -> Tensor:
    """Return a gradient that lies in memory as its parameter does.

    Fused optimizers read both in one go, from the first number on, and would give each number
    another's step.

    Args:
        gradient: The gradient.
        parameter: The parameter, of the same shape.
    """
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter, requires_grad=False).copy_(gradient)
