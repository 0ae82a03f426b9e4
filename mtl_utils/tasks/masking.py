"""Hiding tokens of texts: for good, or others in every epoch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from mtl_utils.arguments import check_kind, check_seed, check_several, shown
from mtl_utils.data.batch import Batch, has_label
from mtl_utils.data.batching import BatchLoader
from mtl_utils.data.content import Plain
from mtl_utils.data.examples import Example
from mtl_utils.tasks.remade_batches import RemadeBatches


class HidesTokens(Protocol):
    """A task that hides tokens; :class:`MaskedLanguageModeling` is one."""

    @property
    def name(self) -> str:
        """Under which a batch has its labels."""
        ...

    def hide(
        self, input_ids: Tensor, mask: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Hide tokens; see :meth:`MaskedLanguageModeling.hide`.

        Args:
            input_ids: ``[B, T]``.
            mask: ``[B, T]``, True at tokens that may be chosen.
            generator: Draws which.
        """
        ...


def masked(examples: Sequence[Example], task: HidesTokens, seed: int = 0) -> list[Example]:
    """Hide tokens of examples for good, as they are to be measured by.

    Args:
        examples: The examples.
        task: The task, which says what is hidden and how.
        seed: Of the choice.

    Returns:
        As many, with the labels of the task alone: others would read a text with holes.

    Raises:
        TypeError: If something is no example, the task another, or the seed no whole number.
        ValueError: If the seed is negative.
    """
    check_several("examples", examples, "Examples")
    _check_task(task)
    check_seed("seed", seed)
    made = []
    for place, example in enumerate(examples):
        check_kind("each of examples", example, Example, "an Example")
        ids = torch.tensor([list(example.input_ids)], dtype=torch.int64)
        generator = _generator(seed, "example", place)
        given = torch.tensor([example.labels.get(task.name, ids[0].tolist())], dtype=torch.int64)
        hidden, labels = task.hide(ids, has_label(given), generator)
        of_task = {task.name: labels[0].tolist()}
        made.append(replace(example, input_ids=hidden[0].tolist(), labels=of_task, lost={}))
    return made


class MaskedBatches(RemadeBatches):
    """Batches in which other tokens are hidden in every epoch.

    What is hidden depends on the seed, the epoch and the number of the batch alone, so that a run
    can resume anywhere and several processes agree. What is measured
    (:meth:`mtl_utils.tasks.RemadeBatches.once`) is the same at every validation. Where batches have
    labels of other tasks, these get a batch of their own with the text as it is.

    Args:
        loader: The batches. Texts need no labels; where some have labels of the task, the others
            are left alone.
        task: The task, which says what is hidden and how.
        seed: Of the choice.

    Raises:
        TypeError: If the loader is no :class:`mtl_utils.data.BatchLoader`, the task another, or the
            seed no whole number.
        ValueError: If the seed is negative.
    """

    def __init__(self, loader: BatchLoader, task: HidesTokens, seed: int = 0) -> None:
        _check_task(task)
        check_seed("seed", seed)
        super().__init__(loader, task.name)
        self.task, self.seed = task, seed

    def _settings(self) -> dict[str, Plain]:
        return {"task": repr(self.task), "seed": self.seed}

    def _remade(
        self, whole: Batch, epoch: int, number: int, share: Callable[[Batch], Batch]
    ) -> tuple[Batch, Batch]:
        """Hide tokens in all rows before they are shared out, so that processes agree."""
        generator = _generator(self.seed, "epoch", epoch, number)
        given = whole.labels.get(self.task.name)
        allowed = whole.inputs.mask if given is None else whole.inputs.mask & has_label(given)
        ids, labels = self.task.hide(whole.inputs.input_ids, allowed, generator)
        inputs = replace(whole.inputs, input_ids=ids)
        return share(Batch(inputs, {self.task.name: labels})), share(whole)


def _check_task(task: Any) -> None:
    if isinstance(task, type) or not callable(getattr(task, "hide", None)):
        raise TypeError(f"task must be a MaskedLanguageModeling, got {shown(task)}")


def _generator(*parts: Any) -> torch.Generator:
    digest = hashlib.sha256(" ".join(map(str, parts)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))
