"""Chapter 07: a pretrained encoder on five tasks of four data sets, jointly and one by one."""

from __future__ import annotations

from typing import Any

from mtl_utils.experiments.experiment import Config, Experiment
from mtl_utils.experiments.text_training import run

STEPS = 160
ROWS = 16
"""Rows of each data set in a batch: a run sees ``STEPS * ROWS`` of each set that it trains on."""

TASKS: dict[str, list[str]] = {
    "snips": ["intent", "slots"],
    "universal_ner": ["entities"],
    "sick": ["inference"],
    "trec": ["question"],
}

# In trial runs of 60 steps on validation, seed 0, the joint model did worse with 0.0002. The decay
# was not tuned.
STEP_SIZES = (5e-4, 1e-3)
TRAINING: dict[str, Any] = {
    "schedule": "linear",
    "warmup_steps": 16,
    "weight_decay": 0.01,
    "mixed_precision": "bf16",
}
LAYERWISE: dict[str, Any] = {"decay": 0.8, "head_learning_rate": 2e-3}


def _config(
    method: str, sets: list[str], step_size: float = STEP_SIZES[0], **settings: Any
) -> Config:
    return {
        "method": method,
        "data": [[name, None, ROWS] for name in sets],
        "tasks": [task for name in sets for task in TASKS[name]],
        "encoder": {"kind": "pretrained"},
        "sharing": {"kind": "hard"},
        "pooling": "mean",  # this encoder was trained to compare texts by mean states
        "head_dropout": 0.1,
        "max_length": 512,
        "max_validation": 500,
        "steps": STEPS,
        "validations": 4,
        "training": {**TRAINING, "learning_rate": step_size},
        "layerwise": LAYERWISE,
        "choose": "each",
        **settings,
    }


EVERYTHING = list(TASKS)
CONFIGS: tuple[Config, ...] = (
    *(
        _config(method, sets, step_size)
        for step_size in STEP_SIZES
        for method, sets in (("joint", EVERYTHING), *(("single", [name]) for name in TASKS))
    ),
    _config("joint, one rate", EVERYTHING, layerwise={**LAYERWISE, "decay": 1.0}),
    _config("joint, frozen", EVERYTHING, encoder={"kind": "pretrained", "frozen": 6}),
)

EXPERIMENTS = (
    Experiment(
        name="pretrained_joint",
        description="A small pretrained encoder, fine-tuned on four data sets jointly and singly.",
        configs=CONFIGS,
        seeds=(0, 1, 2),
        run=run,
    ),
)
