"""What it costs to measure each task's share of the gradient every 50 steps, of a training."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import pytest
import side_by_side

from mtl_utils.data import BatchLoader, Example
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Tagging
from mtl_utils.training import JointBatches, Loader, Trainer, TrainerConfig

STEPS, VOCABULARY = 100, 1000


def examples(tasks: tuple[str, ...], seed: int) -> list[Example]:
    draw = random.Random(seed)
    rows = []
    for _ in range(400):
        ids = [draw.randrange(VOCABULARY) for _ in range(draw.randint(8, 20))]
        labels: dict[str, Any] = {task: draw.randrange(5) for task in tasks if task != "tags"}
        if "tags" in tasks:
            labels["tags"] = [draw.randrange(5) for _ in ids]
        rows.append(Example(ids, labels))
    return rows


def aligned() -> Loader:
    return BatchLoader(examples(("tags", "topic", "mood"), 0), batch_size=16)


def disjoint() -> Loader:
    parts = [examples((task,), seed) for seed, task in enumerate(("tags", "topic", "mood"))]
    return JointBatches([BatchLoader(part, batch_size=16) for part in parts])


@pytest.mark.parametrize("data", [aligned, disjoint])
def test_measuring_shares_is_a_small_part_of_training(data: Callable[[], Loader]) -> None:
    labels = tuple("abcde")
    tasks = [Tagging("tags", labels), Classification("topic", labels, "mean")]
    tasks += [Classification("mood", labels, "mean")]
    model = MultiTaskModel(HardSharing(BiLSTMEncoder(VOCABULARY, 64)), tasks)
    loader = data()
    config = TrainerConfig(epochs=100, max_steps=STEPS)

    def train(every: int | None) -> None:
        trainer = Trainer(model, config, progress=False, shares_every=every)
        trainer.fit(loader)
        assert len(trainer.shares) == (STEPS // every if every else 0)

    with side_by_side.threads(1):
        found = side_by_side.ratio(
            f"{STEPS} steps with shares every 50, {data.__name__}; without",
            lambda: train(50),
            lambda: train(None),
            9,
            min,
            time.process_time,
        )
    assert found > 1 / 1.05
