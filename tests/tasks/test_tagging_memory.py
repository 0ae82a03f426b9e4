"""What tagging with very many labels needs beside its weights, in the profiler's bytes."""

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from mtl_utils.data import Example, collate
from mtl_utils.tasks import Tagging

LABELS = tuple(f"word_{number}" for number in range(30_000))
WIDTH, ROWS, LENGTH = 16, 4, 32


@pytest.fixture(scope="module")
def head():
    return Tagging("words", LABELS).head(WIDTH)


@pytest.fixture(scope="module")
def batch():
    labels = [[(7 * row + 11 * t) % len(LABELS) for t in range(LENGTH)] for row in range(ROWS)]
    return collate([Example([5] * LENGTH, {"words": row}) for row in labels])


def peak(call):
    """Largest number of bytes that were allocated at once and by torch."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        kept = call()
    current = most = 0
    for event in found.profiler.kineto_results.events():
        if event.name() == "[memory]":
            current += event.nbytes()
            most = max(most, current)
    del kept
    return most


def test_the_head_holds_its_weights_alone(head):
    assert list(head.buffers()) == []
    weights = sum(parameter.numel() for parameter in head.parameters())
    assert weights == len(LABELS) * (WIDTH + 1)
    unconstrained = Tagging("tags", ("O", "B-X", "I-X"), constrained=False).head(WIDTH)
    assert list(unconstrained.buffers()) == []


def test_the_peak_is_few_times_the_logits(head, batch):
    logits = ROWS * LENGTH * len(LABELS) * 4  # bytes
    hidden = torch.randn(ROWS, LENGTH, WIDTH, requires_grad=True)

    def train():
        head.train()
        head.loss(head(hidden, batch), batch).backward()

    def evaluate():
        head.eval()
        with torch.no_grad():
            head.compare(hidden, batch)
            return head.predict(hidden, batch)

    weights = sum(parameter.numel() for parameter in head.parameters()) * 4
    trained = peak(train) - weights  # gradients of the weights
    assert 2 * logits < trained < 3.3 * logits
    assert 0.99 * logits < peak(evaluate) < 1.2 * logits
