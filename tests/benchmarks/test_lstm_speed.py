"""Training steps of BiLSTMs: each direction by itself and fused Adam, against packed sequences."""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import side_by_side
import torch

from mtl_utils.data import Batch, Example, collate
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder, recurrent_layers
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Tagging, Task

VOCABULARY, LABELS, STEPS = 1000, tuple(f"label {number}" for number in range(11)), 12


@contextmanager
def packed() -> Iterator[None]:
    """Read every batch with padding as packed sequences, as was done before."""
    before = recurrent_layers._read_each_way
    recurrent_layers._read_each_way = recurrent_layers._read_packed
    yield
    recurrent_layers._read_each_way = before


def batches_of(size: int, longest: int) -> list[Batch]:
    """Rows of mixed lengths with a class and tags each."""
    draw = random.Random(0)
    made = []
    for _ in range(STEPS):
        rows = []
        for _ in range(size):
            length = draw.randint(longest // 4, longest)
            ids = draw.choices(range(4, VOCABULARY), k=length)
            tags = draw.choices(range(len(LABELS)), k=length)
            rows.append(Example(ids, {"topic": draw.randrange(5), "tags": tags}))
        made.append(collate(rows))
    return made


@pytest.mark.parametrize(
    ("width", "num_layers", "size", "longest", "at_least"),
    [(64, 2, 16, 50, 2.5), (64, 2, 32, 30, 1.66), (256, 1, 32, 30, 1.1)],
)
def test_a_step_takes_less_than_with_packed_sequences(
    width: int, num_layers: int, size: int, longest: int, at_least: float
) -> None:
    torch.manual_seed(0)
    tasks: list[Task] = [Classification("topic", LABELS[:5], "mean"), Tagging("tags", LABELS)]
    encoder = BiLSTMEncoder(VOCABULARY, width, num_layers, dropout=0.0)
    first = MultiTaskModel(HardSharing(encoder), tasks)
    batches = batches_of(size, longest)

    def train(fused: bool) -> None:
        model = copy.deepcopy(first)
        optimizer = torch.optim.AdamW(model.parameters(), fused=fused)
        for batch in batches:
            optimizer.zero_grad()
            sum(model(batch).by_task.values()).backward()
            optimizer.step()

    def as_before() -> None:
        with packed():
            train(fused=False)

    name = f"a BiLSTM of width {width} and {num_layers} layers, batches of {size}"
    with side_by_side.threads(1):
        times = side_by_side.ratio(
            name, lambda: train(fused=True), as_before, 5, min, time.process_time
        )
    assert times > at_least
