"""What the tests of a trainer of shards run in processes of their own."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from launched_runs import deep_model
from tiny_training import InterruptedLoader, Stopped, TinyLoader, weights_of

from mtl_utils.multitask import MultiTaskModel
from mtl_utils.objectives import UncertaintyWeights
from mtl_utils.training import Trainer, TrainerConfig, sharding

CONFIG = TrainerConfig(
    epochs=3, max_steps=50, learning_rate=0.01, weight_decay=0.1, clip_norm=0.2, checkpoint_every=4
)


TRAINED: list[MultiTaskModel] = []
"""What was trained last in this process."""


class Watched(UncertaintyWeights):
    """Notes which model it is asked to train."""

    def backward(self, losses: Any, model: MultiTaskModel, **how: Any) -> Any:
        TRAINED[:] = [model]
        return super().backward(losses, model, **how)


def kept() -> int:
    """Return how many weights of what was trained last this process has between steps."""
    parts = [getattr(p, "to_local", lambda p=p: p)() for p in TRAINED[0].parameters()]
    return sum(part.numel() for part in parts)


def evaluate(model: MultiTaskModel) -> dict[str, float]:
    """Measure with whole weights, by no call of the model itself."""
    with torch.no_grad():
        found = model.predict(TinyLoader().batch(0, 0))
    assert not sharding.is_sharded(model)
    return {"first_topic": float(found["topic"][0])}


def trainer(dtype: torch.dtype = torch.float32, **settings: Any) -> Trainer:
    """A trainer with losses weighed by what is learnt, and embeddings in a group of their own."""
    model = deep_model(dtype=dtype)
    embeddings = [p for n, p in model.named_parameters() if "embedding" in n]
    ids = {id(p) for p in embeddings}
    rest = [p for p in model.parameters() if id(p) not in ids]
    defaults: dict[str, Any] = {
        "config": CONFIG,
        "balancer": Watched(["tags", "topic"]),
        "parameter_groups": [{"params": embeddings, "lr": 0.005}, {"params": rest}],
        "evaluate": evaluate,
        "progress": False,
        "sharded": True,
    }
    return Trainer(model, **{**defaults, **settings})


def session(folder: Path, stop: int) -> tuple[dict[str, torch.Tensor], int]:
    """Train, or go on with it, until a step; return weights, and how many were kept here."""
    made = trainer(torch.float64, checkpoint=folder / "run.pt")
    with contextlib.suppress(Stopped):
        made.fit(InterruptedLoader(stop), TinyLoader(3, seed=9))
    return weights_of(made.model), kept()


def diverging() -> tuple[str, dict[str, torch.Tensor]]:
    """Train until a loss is no finite number; say what was said, and which weights are left."""
    config = replace(CONFIG, learning_rate=1e18, clip_norm=None, schedule="constant")
    made = trainer(config=config, parameter_groups=None, evaluate=None)
    try:
        made.fit(TinyLoader(17))
    except FloatingPointError as error:
        return str(error), weights_of(made.model)
    return "", {}
