"""Hiding tokens of texts: for good, or others in every epoch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from mtl_utils.arguments import check_kind, check_seed, check_several, shown
from mtl_utils.data.batch import Batch, has_label
from mtl_utils.data.batching import BatchLoader, shard
from mtl_utils.data.content import Plain
from mtl_utils.data.examples import Example


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


class MaskedBatches:
    """Batches in which other tokens are hidden in every epoch.

    What is hidden depends on the seed, the epoch and the number of the batch alone, so that a run
    can resume anywhere and several processes agree. What is measured (:meth:`once`) is the same at
    every validation. Where batches have labels of other tasks, these get a batch of their own with
    the text as it is.

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
        check_kind("loader", loader, BatchLoader, "a BatchLoader")
        _check_task(task)
        check_seed("seed", seed)
        self.loader, self.task, self.seed = loader, task, seed

    @property
    def num_batches(self) -> int:
        """Batches an epoch."""
        return self.loader.num_batches

    def digest(self) -> dict[str, Plain]:
        """Return what tells these batches from others: the task, the seed, and the texts."""
        of_loader = {f"loader: {name}": value for name, value in self.loader.digest().items()}
        return {
            "kind": type(self).__qualname__,
            "task": repr(self.task),
            "seed": self.seed,
            **of_loader,
        }

    def batches(
        self, epoch: int = 0, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[Batch | Mapping[str, Batch]]:
        """Yield the batches of an epoch; see :meth:`mtl_utils.data.BatchLoader.batches`.

        Args:
            epoch: Number of the epoch.
            start: How many batches to leave out, because they are done already.
            rank: Number of this process.
            world_size: Number of processes.

        Returns:
            A batch with the labels of the task, or by task where there are others.

        Raises:
            ValueError: If the epoch, ``start`` or ``rank`` is out of range.
            TypeError: If something is no whole number.
        """
        self.loader.batches(epoch, start, rank, world_size)  # checked now, not when they are read
        return self._batches(epoch, start, rank, world_size)

    def once(self) -> Iterator[Batch | Mapping[str, Batch]]:
        """Yield every text once, with the same tokens hidden every time."""
        return self.batches()

    def _batches(
        self, epoch: int, start: int, rank: int, world_size: int
    ) -> Iterator[Batch | Mapping[str, Batch]]:
        for number, whole in enumerate(self.loader.batches(epoch, start), start):
            generator = _generator(self.seed, "epoch", epoch, number)
            given = whole.labels.get(self.task.name)
            allowed = whole.inputs.mask if given is None else whole.inputs.mask & has_label(given)
            ids, labels = self.task.hide(whole.inputs.input_ids, allowed, generator)
            inputs = replace(whole.inputs, input_ids=ids)
            batch = Batch(inputs, {self.task.name: labels})
            if world_size > 1:
                batch, whole = (shard(part, rank, world_size) for part in (batch, whole))
            others = dict.fromkeys((n for n in whole.labels if n != self.task.name), whole)
            yield {**others, self.task.name: batch} if others else batch


def _check_task(task: Any) -> None:
    if isinstance(task, type) or not callable(getattr(task, "hide", None)):
        raise TypeError(f"task must be a MaskedLanguageModeling, got {shown(task)}")


def _generator(*parts: Any) -> torch.Generator:
    digest = hashlib.sha256(" ".join(map(str, parts)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))
