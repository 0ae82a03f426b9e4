"""Tiny data sets for the tests of samplers: numbered rows, and rows that the tiny model learns."""

from __future__ import annotations

import torch

from mtl_utils.data import BatchLoader, Example


def numbered(name: str, size: int, batch_size: int = 1) -> BatchLoader:
    """Return a data set whose labels say which example they are from."""
    examples = [Example([index + 1], {name: index}) for index in range(size)]
    return BatchLoader(examples, batch_size=batch_size)


def tagged(size: int = 7, batch_size: int = 2, seed: int = 1) -> BatchLoader:
    """Return texts of the tiny model with tags."""
    generator = torch.Generator().manual_seed(seed)
    draws = [torch.randint(4, (3 + i % 3, 2), generator=generator) for i in range(size)]
    examples = [Example((5 * d[:, 0] + 1).tolist(), {"tags": d[:, 1].tolist()}) for d in draws]
    return BatchLoader(examples, batch_size=batch_size, seed=seed)


def classified(size: int = 5, batch_size: int = 1, seed: int = 4) -> BatchLoader:
    """Return texts of the tiny model with topics."""
    examples = [Example([3, 4 + i, 9 + i][: 2 + i % 2], {"topic": i % 3}) for i in range(size)]
    return BatchLoader(examples, batch_size=batch_size, seed=seed)
