"""What it costs to measure each task's share of the gradient every 50 steps, of a training."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import pytest
import side_by_side
import torch

from mtl_utils.data import BatchLoader, Example
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Tagging
from mtl_utils.training import JointBatches, Loader
from mtl_utils.training.processes import make_accelerator
from mtl_utils.training.shares import GradientShares

EVERY, VOCABULARY = 50, 1000


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
    """Against a loop written by hand, which has nothing but what every step needs."""
    labels = tuple("abcde")
    tasks = [Tagging("tags", labels), Classification("topic", labels, "mean")]
    tasks += [Classification("mood", labels, "mean")]
    model, trained = (
        MultiTaskModel(HardSharing(BiLSTMEncoder(VOCABULARY, 64)), tasks) for _ in range(2)
    )
    accelerator = make_accelerator("no")
    optimizer = torch.optim.AdamW(trained.parameters())
    batches = next(iter(data().batches(0)))
    losses = model(batches)
    weights = dict.fromkeys(losses.by_task, 1.0)

    def measure() -> None:
        shares = GradientShares(model.shared_parameters(), accelerator)
        shares.add(losses, weights)
        assert shares.measured()

    def step() -> None:
        optimizer.zero_grad()
        sum(trained(batches).by_task.values()).backward()
        torch.nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        optimizer.step()

    with side_by_side.threads(1):
        name = f"a measurement of shares, {data.__name__}; a training step"
        steps = 1 / side_by_side.ratio(name, measure, step, 15, min, time.process_time)
    assert steps / EVERY < 0.05
