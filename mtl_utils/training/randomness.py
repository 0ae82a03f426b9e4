"""The global generators of random numbers: kept, put back, and shielded from the caller."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

#: Generators of neighbouring processes must not coincide with those of neighbouring seeds.
_RANK_STRIDE = 100_003


def generator_states(device: torch.device) -> dict[str, Any]:
    """Return the states of Python's, NumPy's and PyTorch's generators, as a checkpoint holds them.

    Args:
        device: Whose generator to take beside the CPU's.
    """
    name, keys, *rest = np.random.get_state(legacy=True)
    state = {
        "python": random.getstate(),
        "numpy": [name, torch.tensor(np.asarray(keys).astype(np.int64)), *rest],
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def restore_generators(states: dict[str, Any], device: torch.device) -> None:
    """Put generators back.

    Args:
        states: What :func:`generator_states` returned.
        device: The same device, or another of its kind.
    """
    random.setstate(states["python"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


@contextmanager
def kept_generators(device: torch.device) -> Iterator[None]:
    """Have whatever is drawn for a while leave no trace in the generators.

    Args:
        device: Whose generator to put back beside the CPU's.
    """
    before = generator_states(device)
    try:
        yield
    finally:
        restore_generators(before, device)


@contextmanager
def seeded(seed: int, device: torch.device, rank: int = 0) -> Iterator[None]:
    """Seed the generators for a while; the caller finds them as they were.

    Args:
        seed: The seed; the first process uses it as it is.
        device: Whose generator to put back beside the CPU's.
        rank: Which process this is: dropout must differ between them.
    """
    own_seed = seed + rank * _RANK_STRIDE
    with kept_generators(device):
        random.seed(own_seed)
        np.random.seed(own_seed % 2**32)
        torch.manual_seed(own_seed)
        yield
