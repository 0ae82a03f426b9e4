"""Chapter 06: one Transformer for several tasks against one for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtl_utils.experiments.experiment import Config, Experiment
from mtl_utils.experiments.text_training import run

# The step size is the best of three on validation, for the joint model and for three models alike.
ATLAS: Config = {
    "data": [["atlas_large", None, 32]],
    "tasks": ["topic", "entities", "inference"],
    "vocab_size": 1500,
    "encoder": {
        "kind": "transformer",
        "width": 96,
        "num_layers": 2,
        "num_heads": 4,
        "feedforward_width": 192,
        "dropout": 0.0,
        "max_length": 128,
    },
    "head_dropout": 0.0,
    "steps": 1800,
    "validations": 6,
    "training": {"learning_rate": 0.004, "warmup_steps": 100},
}

# From trial runs on validation with the joint model: a CRF was worth six points of slot F1, 10,000
# pieces were better than 6,000 and those better than 2,000, learnt positions than sinusoids.
SNIPS: Config = {
    "data": [["snips", None, 32]],
    "tasks": ["intent", "slots"],
    "vocab_size": 10_000,
    "encoder": {
        "kind": "transformer",
        "width": 256,
        "num_layers": 2,
        "num_heads": 4,
        "feedforward_width": 512,
        "dropout": 0.3,
        "token_dropout": 0.1,
        "positions": "learned",
        "max_length": 128,
    },
    "head_dropout": 0.2,
    "smoothing": 0.1,
    "crf": True,
    "steps": 2400,
    "validations": 6,
    "training": {"learning_rate": 0.002, "warmup_steps": 150, "mixed_precision": "bf16"},
}

# The step size is the better of two on validation, for one model and for three.
DISJOINT: Config = {
    "data": [["trec", None, 32], ["universal_ner", None, 32], ["sick", None, 32]],
    "tasks": ["question", "entities", "inference"],
    "vocab_size": 8000,
    "encoder": {
        "kind": "transformer",
        "width": 128,
        "num_layers": 2,
        "num_heads": 4,
        "feedforward_width": 256,
        "dropout": 0.2,
        "token_dropout": 0.1,
        "positions": "learned",
        "max_length": 512,
    },
    "head_dropout": 0.2,
    "crf": True,
    "steps": 600,
    "validations": 6,
    "training": {"learning_rate": 0.002, "warmup_steps": 100, "mixed_precision": "bf16"},
}


def _contender(
    base: Config, method: str, sharing: str, steps: int, **settings: Any
) -> Mapping[str, Any]:
    return {
        "method": method,
        **base,
        "sharing": {"kind": sharing},
        "steps": steps,
        "choose": "mean" if sharing == "hard" else "each",
        **settings,
    }


def _aligned(base: Config) -> tuple[Config, ...]:
    """One model, and one for each task with as many passes in all, and with as many each."""
    steps = base["steps"]
    return (
        _contender(base, "joint", "hard", steps),
        _contender(base, "separate, equal total", "separate", steps // len(base["tasks"])),
        _contender(base, "separate, equal steps", "separate", steps),
    )


def _on_atlas() -> tuple[Config, ...]:
    """Compare at equal budget, and without the task that is hardly learnt or with little of it."""
    joint, separate, _ = _aligned(ATLAS)
    little = {"topic": 1.0, "entities": 1.0, "inference": 0.1}
    return (
        joint,
        separate,
        {**joint, "method": "joint, inference weighs 0.1", "weights": little},
        {**joint, "method": "joint, without inference", "tasks": ["topic", "entities"]},
    )


EXPERIMENTS = (
    Experiment(
        name="multitask_transformer_atlas",
        description="One Transformer for three tasks on the same pairs of Atlas, or one for each.",
        configs=_on_atlas(),
        seeds=(0, 1, 2, 3, 4),
        run=run,
    ),
    Experiment(
        name="multitask_transformer_snips",
        description="One Transformer for intents and slots of SNIPS, or one for each.",
        configs=_aligned(SNIPS),
        seeds=(0, 1, 2, 3, 4),
        run=run,
    ),
    Experiment(
        name="multitask_transformer_disjoint",
        description="One Transformer for TREC, Universal NER and SICK, or one for each.",
        configs=(
            _contender(DISJOINT, "joint", "hard", DISJOINT["steps"]),
            _contender(DISJOINT, "separate", "separate", DISJOINT["steps"]),
        ),
        seeds=(0, 1, 2, 3, 4),
        run=run,
    ),
)
