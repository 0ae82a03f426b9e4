"""What the tests of launching, sharding and resuming run in processes of their own."""

from __future__ import annotations

import contextlib
import io
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from tiny_training import (
    VOCABULARY,
    InterruptedLoader,
    PatternLoader,
    Stopped,
    TinyLoader,
    TinyTask,
    weights_of,
)
from torch import distributed
from torch.utils.data import DataLoader

from mtl_utils.data.batch import Batch
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn import TransformerEncoder
from mtl_utils.objectives import Balancer, GradVac
from mtl_utils.sharing import HardSharing
from mtl_utils.training import (
    LostProcessError,
    ShardedTraining,
    Trainer,
    TrainerConfig,
    averaged_gradients,
    shard_model,
    train_sharded,
)

CONFIG = TrainerConfig(epochs=3, learning_rate=0.02, checkpoint_every=2)


def ranks(offset: int) -> tuple[int, int]:
    """Return a number that differs between processes, and one that all agree on."""
    total = torch.tensor(distributed.get_rank() + offset)
    distributed.all_reduce(total)
    return distributed.get_rank() + offset, int(total)


def failing(rank: int) -> None:
    """Fail in one process, while the others wait for it."""
    if distributed.get_rank() == rank:
        raise KeyError("no such thing")
    distributed.barrier()


def reading() -> list[int]:
    """Read with a process of its own, as loaders of large data do."""
    numbers: Any = DataLoader(range(4), batch_size=None, num_workers=1)
    return list(numbers)


def both_ways(model: MultiTaskModel, batch: Batch) -> list[dict[str, torch.Tensor]]:
    """Return gradients averaged with and without the counts."""
    return [averaged_gradients(model, batch, by_counts) for by_counts in (True, False)]


def deep_model(dropout: float = 0.0, dtype: torch.dtype = torch.float64) -> MultiTaskModel:
    """A Transformer of two layers with two tasks."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        encoder = TransformerEncoder(VOCABULARY, 8, 2, 2, dropout=dropout)
        tasks = [TinyTask("tags", 4, a_text=False), TinyTask("topic", 3, a_text=True)]
        return MultiTaskModel(HardSharing(encoder), tasks).to(dtype)


def session(folder: Path, stop: int, balancer: Balancer) -> dict[str, Any]:
    """Train, or go on with it, until a step; say what was told on the way."""
    said = io.StringIO()
    model = deep_model()
    trainer = Trainer(
        model, CONFIG, balancer=balancer, checkpoint=folder / "run.pt", progress=False
    )
    with contextlib.redirect_stderr(said), contextlib.suppress(Stopped):
        trainer.fit(InterruptedLoader(stop), TinyLoader(3, seed=9))
    return {"weights": weights_of(model), "said": said.getvalue()}


class Deadly(TinyLoader):
    """Has one process killed before some step, the first time that it is read so far."""

    def __init__(self, note: Path, rank: int, index: int) -> None:
        super().__init__()
        self.note, self.rank, self.index = note, rank, index

    def digest(self) -> str:
        return "as if nobody were killed"

    def batches(
        self, epoch: int, start: int = 0, rank: int = 0, world_size: int = 1
    ) -> Iterator[Batch | Mapping[str, Batch]]:
        for index, batch in enumerate(super().batches(epoch, start, rank, world_size), start):
            if (epoch, index, rank) == (1, self.index, self.rank) and not self.note.exists():
                self.note.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch


def losing(folder: Path) -> None:
    """One process ends without a word; write down what the trainer of the other one says."""
    if distributed.get_rank() == 1:
        os._exit(0)
    try:
        Trainer(deep_model(), CONFIG, progress=False).fit(TinyLoader())
    except LostProcessError as error:
        (folder / "said").write_text(str(error), "utf-8")


def sharded(steps: int) -> ShardedTraining:
    """Train a sharded model in a loop; in one process, one that is whole."""
    model = deep_model(dtype=torch.float32)
    return train_sharded(model, TinyLoader(steps), learning_rate=0.01, weight_decay=0.1)


#: Tasks with a label, by batch; the others are there, and all their labels are missing.
RARE = [{"tags", "topic"}, {"topic"}, {"topic"}, set(), {"tags"}, {"topic"}]


def rarely_labelled() -> ShardedTraining:
    """Train where some batches have a task without a label, and one has no label at all."""
    loader = PatternLoader(RARE, absent=False)
    return train_sharded(deep_model(), loader, epochs=2, learning_rate=0.01, weight_decay=0.1)


def refused_balancers() -> list[str]:
    """Say what is refused where a model is sharded."""
    found = []
    for balancer in (GradVac(), None):
        model = shard_model(deep_model()) if balancer is None else deep_model()
        try:
            if balancer is None:
                Trainer(model)
            else:
                shard_model(model, balancer=balancer)
        except ValueError as error:
            found.append(str(error))
    return found


def sharding(steps: int) -> tuple[ShardedTraining, list[str], ShardedTraining]:
    """Do all about sharding in one process group."""
    return sharded(steps), refused_balancers(), rarely_labelled()
