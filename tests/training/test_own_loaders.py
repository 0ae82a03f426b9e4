"""Loaders of one's own, told apart by what they say or by their whole first epoch."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from labelled_runs import (
    examples,
    loader,
    run,
)
from tiny_training import same_weights

from mtl_utils.data import BatchLoader
from mtl_utils.training import (
    CheckpointError,
)


class Own:
    """Batches without a digest; the last one can be another."""

    def __init__(self, last: int = 8) -> None:
        self.batches_made = [*loader(shuffle=False)]
        self.batches_made[-1] = next(iter(loader([examples()[last]])))
        self.num_batches = len(self.batches_made)

    def batches(self, epoch: int, start: int = 0, *processes: int) -> Iterator[Any]:
        yield from self.batches_made[start:]


class OwnWithDigest(Own):
    """Says what it is."""

    def __init__(self, name: Any, last: int = 8) -> None:
        super().__init__(last)
        self.name = name

    def digest(self) -> Any:
        return self.name


class Doubled(BatchLoader):
    """Does to the batches what its parent knows nothing of."""

    factor = 1

    def batches(self, *position: int) -> Iterator[Any]:
        for batch in super().batches(*position):
            batch.labels["topic"][:] = batch.labels["topic"] * self.factor % 3
            yield batch


class Tripled(Doubled):
    """Likewise."""

    factor = 2


def test_the_whole_first_epoch_of_a_loader_without_digest_is_read(tmp_path: Path) -> None:
    run(tmp_path / "run.pt", train=Own)
    run(tmp_path / "run.pt", train=Own)
    with pytest.raises(CheckpointError, match=r"training data.first epoch is 'digest"):
        run(tmp_path / "run.pt", train=lambda: Own(7))


def test_a_loader_says_itself_what_it_is(tmp_path: Path) -> None:
    run(tmp_path / "run.pt", train=lambda: OwnWithDigest("rows 2024"))
    run(tmp_path / "run.pt", train=lambda: OwnWithDigest("rows 2024", 7))
    with pytest.raises(CheckpointError, match=r"training data.content is 'rows 2024' there"):
        run(tmp_path / "run.pt", train=lambda: OwnWithDigest("rows 2025"))
    with pytest.raises(TypeError, match=r"Expected digest\(\) of OwnWithDigest to return a text"):
        run(tmp_path / "run.pt", train=lambda: OwnWithDigest([1]))


def test_a_digest_that_was_inherited_is_not_believed_alone(tmp_path: Path) -> None:
    run(tmp_path / "run.pt", train=lambda: Doubled(examples(), batch_size=2))
    with pytest.raises(CheckpointError, match=r"training data.first epoch is"):
        run(tmp_path / "run.pt", train=lambda: Tripled(examples(), batch_size=2))


def test_reading_a_loader_leaves_no_trace_in_random_numbers(tmp_path: Path) -> None:
    class Drawing(Own):
        """Uses up random numbers."""

        def batches(self, epoch: int, start: int = 0, *processes: int) -> Iterator[Any]:
            for batch in super().batches(epoch, start):
                torch.rand(3), random.random()
                yield batch

    before = torch.get_rng_state()
    found = run(tmp_path / "run.pt", train=Drawing)
    assert same_weights(found[0], run(None, train=Drawing)[0])
    assert torch.equal(torch.get_rng_state(), before)
