"""Terms that a training minimises beside the losses of its tasks, for as long as one says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from torch import Tensor

from mtl_utils.arguments import check_callable, check_kind
from mtl_utils.data.batch import Batch
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.objectives.base import Losses


class Term(Protocol):
    """What is added to the losses of a step: :class:`Elastic`, :class:`Distilled`, or your own."""

    def __call__(
        self, model: MultiTaskModel, batches: Batch | Mapping[str, Batch], losses: Losses
    ) -> Tensor:
        """Return a scalar.

        Args:
            model: The model that is trained.
            batches: What the losses are of: one batch, or one a task.
            losses: The losses.
        """
        ...


@contextmanager
def penalised(model: MultiTaskModel, *terms: Term) -> Iterator[None]:
    """Have terms added to what a model minimises, wherever it is trained meanwhile.

    ``with penalised(model, Elastic([anchor])): model.fit(...)``. The terms are part of the model's
    penalty, which stands in the history as ``train_penalty``: any balancer may be used, and a
    checkpoint belongs to a training under the same terms. Where the model is measured, and so in
    evaluation mode, nothing is added.

    Args:
        model: The model.
        *terms: What to add.

    Raises:
        TypeError: If ``model`` is no multi-task model, or a term cannot be called.
    """
    check_kind("model", model, MultiTaskModel, "a MultiTaskModel")
    for term in terms:
        check_callable("terms", term, "functions of a model, its batches and their losses")
    hooks = [model.register_forward_hook(_Adding(term)) for term in terms]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@dataclass(frozen=True)
class _Adding:
    """A term in the role of a hook: what it is made of is part of what a checkpoint belongs to."""

    term: Term

    def __call__(self, model: Any, given: tuple[Any, ...], losses: Losses) -> Losses | None:
        if not model.training:
            return None
        return replace(losses, penalty=losses.penalty + self.term(model, given[0], losses))
