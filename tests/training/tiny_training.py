"""A tiny model of two tasks and its data, for the tests of training."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.data.batch import MISSING_LABEL, Batch, Inputs
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.encoder import Encoder
from mtl_utils.objectives import classification_loss
from mtl_utils.sharing.hard import HardSharing
from mtl_utils.tasks.base import Head

VOCABULARY, WIDTH = 20, 8


class TinyEncoder(Encoder):
    """Embeds, drops, mixes."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        self.width = WIDTH
        self.embedding = torch_nn.Embedding(VOCABULARY, WIDTH)
        self.dropout = torch_nn.Dropout(dropout)
        self.mix = torch_nn.Linear(WIDTH, WIDTH)

    def forward(self, inputs: Inputs) -> Tensor:
        return torch.tanh(self.mix(self.dropout(self.embedding(inputs.input_ids))))


class TinyHead(Head):
    """A class a token, or a class a text from the mean of its states."""

    def __init__(self, task: str, classes: int, a_text: bool) -> None:
        super().__init__(task)
        self.a_text = a_text
        self.output = torch_nn.Linear(WIDTH, classes)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        return self.output(hidden.mean(1) if self.a_text else hidden)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return classification_loss(outputs, batch.labels[self.task])

    def predict(self, hidden: Tensor, batch: Batch) -> list[Any]:
        return self(hidden, batch).argmax(-1).tolist()


class TinyTask:
    """A task."""

    causal = False

    def __init__(self, name: str, classes: int, a_text: bool) -> None:
        self.name, self.classes, self.a_text = name, classes, a_text

    def head(self, width: int) -> Head:
        return TinyHead(self.name, self.classes, self.a_text)

    def metrics(self, predictions: Sequence[Any], references: Sequence[Any]) -> dict[str, float]:
        right = [p == r for p, r in zip(predictions, references, strict=True)]
        return {"accuracy": sum(right) / len(right)}


def tiny_model(
    seed: int = 1, dropout: float = 0.2, dtype: torch.dtype = torch.float32
) -> MultiTaskModel:
    """Return a new model with the weights of a seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        tasks = [TinyTask("tags", 4, a_text=False), TinyTask("topic", 3, a_text=True)]
        return MultiTaskModel(HardSharing(TinyEncoder(dropout)), tasks).to(dtype)


class TinyLoader:
    """Random batches of both tasks; every third lacks a task, and some labels are missing.

    Two processes get very different numbers of labels; the second has only filler in some batches.
    """

    def __init__(self, num_batches: int = 6, rows: int = 6, seed: int = 0) -> None:
        self.num_batches, self.rows, self.seed = num_batches, rows, seed

    def batches(
        self, epoch: int, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[Batch | Mapping[str, Batch]]:
        for index in range(start, self.num_batches):
            yield shard(self.batch(epoch, index), rank, world_size)

    def digest(self) -> str:
        return f"{self.num_batches} batches of {self.rows} rows, seed {self.seed}"

    def batch(self, epoch: int, index: int) -> Batch:
        generator = torch.Generator().manual_seed(1000 * self.seed + 100 * epoch + index)
        rows = 1 if index % 4 == 3 else self.rows  # one row: the second process has none

        def draw(high: int, *shape: int) -> Tensor:
            return torch.randint(high, shape, generator=generator)

        ids = draw(VOCABULARY, rows, 5)
        tags, topic = draw(4, rows, 5), draw(3, rows)
        tags[draw(10, rows, 5) < 3] = MISSING_LABEL
        tags[rows // 2 :, 1:] = MISSING_LABEL
        labels = {"tags": tags, "topic": topic}
        if index % 3 == 2:
            del labels[("topic", "tags")[index // 3 % 2]]
        return Batch(Inputs(ids, torch.ones_like(ids, dtype=torch.bool)), labels)


class DisjointLoader(TinyLoader):
    """A batch for each task that the batch has labels of."""

    def batches(
        self, epoch: int, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[Batch | Mapping[str, Batch]]:
        for index in range(start, self.num_batches):
            batch, other = self.batch(epoch, index), self.batch(epoch + 50, index)
            yield {
                task: shard(Batch(source.inputs, {task: source.labels[task]}), rank, world_size)
                for task, source in (("tags", batch), ("topic", other))
                if task in source.labels
            }


class PatternLoader(TinyLoader):
    """Has or has not labels of each task, by a pattern; none of a task may be said in two ways.

    The pattern has one entry a batch: the tasks that have labels in it. The others are absent, or
    all their labels are missing.
    """

    def __init__(self, pattern: Sequence[Collection[str]], *, absent: bool, rows: int = 4) -> None:
        super().__init__(len(pattern), rows)
        self.pattern, self.absent = pattern, absent

    def batch(self, epoch: int, index: int) -> Batch:
        generator = torch.Generator().manual_seed(100 * epoch + index)
        ids = torch.randint(VOCABULARY, (self.rows, 5), generator=generator)
        labels = {
            "tags": torch.randint(4, (self.rows, 5), generator=generator),
            "topic": torch.randint(3, (self.rows,), generator=generator),
        }
        for task in labels.keys() - set(self.pattern[index]):
            if self.absent:
                del labels[task]
            else:
                labels[task] = torch.full_like(labels[task], MISSING_LABEL)
        return Batch(Inputs(ids, torch.ones_like(ids, dtype=torch.bool)), labels)


class Stopped(Exception):
    """What a session ends with when someone pulls the plug."""


class InterruptedLoader(TinyLoader):
    """Ends the session before some step of it, counted from 1."""

    def __init__(self, step: int, stop: Callable[[], None] | None = None, **settings: int) -> None:
        super().__init__(**settings)
        self.step, self.stop, self.steps = step, stop, 0

    def digest(self) -> str:
        return super().digest()

    def batches(
        self, epoch: int, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[Batch | Mapping[str, Batch]]:
        for batch in super().batches(epoch, start, rank, world_size):
            self.steps += 1
            if self.steps == self.step:
                if self.stop is None:
                    raise Stopped
                self.stop()
            yield batch


def shard(batch: Batch, rank: int, world_size: int) -> Batch:
    """Return the rows of a process, or a row of filler where there is none."""
    if world_size == 1:
        return batch
    size = -(-len(batch) // world_size)
    rows = slice(rank * size, (rank + 1) * size)
    if rank * size < len(batch):
        inputs = Inputs(batch.inputs.input_ids[rows], batch.inputs.mask[rows])
        return Batch(inputs, {task: labels[rows] for task, labels in batch.labels.items()})
    inputs = Inputs(batch.inputs.input_ids[:1], batch.inputs.mask[:1])
    filler = {t: torch.full_like(labels[:1], MISSING_LABEL) for t, labels in batch.labels.items()}
    return Batch(inputs, filler)


def weights_of(model: torch_nn.Module) -> dict[str, Tensor]:
    """Return a copy of the weights of a model."""
    return {
        name: value.detach().clone() if isinstance(value, Tensor) else _numbers(value)
        for name, value in model.state_dict().items()
    }


def _numbers(state: Any) -> Tensor:
    """Return the numbers of what a module keeps besides tensors."""
    if isinstance(state, Mapping):
        state = list(state.values())
    if isinstance(state, list | tuple):
        return torch.cat([_numbers(each) for each in state] or [torch.zeros(0)])
    return torch.tensor([state] if isinstance(state, int | float) else [], dtype=torch.float64)


def same_weights(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Tell whether weights agree to the last bit."""
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)
