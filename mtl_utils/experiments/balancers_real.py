"""Chapters 12 and 13: eight ways of weighing and combining on real texts, tuned as on Atlas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtl_utils.experiments.balancers import RELATIVE, TUNED, Weighed, contenders_for
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.experiment import Config

METRICS = {
    "intent": "intent_accuracy",
    "slots": "slots_f1",
    "question": "question_accuracy",
    "entities": "entities_f1",
    "inference": "inference_accuracy",
}

BALANCERS = (
    *("equal weights", "uncertainty", "dynamic average", "FAMO"),
    *("PCGrad", "CAGrad", "Nash-MTL", "UPGrad"),
)
CONTRASTED = ("equal weights", "uncertainty", "FAMO", "PCGrad", "UPGrad")
"""As on Atlas."""

_SHARED: dict[str, Any] = {
    "encoder": {"kind": "bilstm", "width": 64, "num_layers": 1, "dropout": 0.2},
    "sharing": {"kind": "hard"},
    "vocab_size": 4000,
    "head_dropout": 0.1,
    "crf": True,
    "pair_pooling": "compare",
    "scale": "text",
    "max_validation": 400,
    "max_test": 1000,
    "steps": 2000,
    "validations": 5,
    "training": {"learning_rate": 0.01, "warmup_steps": 100, "schedule": "linear"},
}


def _comparison(name: str, description: str, setting: str, own: Config) -> Weighed:
    tasks: Sequence[str] = own["tasks"]
    return Weighed(
        name=name,
        description=description,
        settings={setting: {**_SHARED, **own}},
        contenders=contenders_for(tuple(tasks), BALANCERS),
        rates=(),
        seeds=(0, 1, 2, 3, 4),
        contrasts={setting: tuple(Contrast(way, TUNED, RELATIVE) for way in CONTRASTED)},
        metrics=METRICS,
        priority=4,
        minutes=0.6,
    )


SAME_TEXTS = _comparison(
    "balancers_snips",
    "Intents and slots of the same commands: weights and combined gradients.",
    "SNIPS",
    {"data": [["snips", None, 16]], "tasks": ["intent", "slots"]},
)
OTHER_TEXTS = _comparison(
    "balancers_disjoint",
    "Questions, entities and inference, each on texts of its own: weights and combined gradients.",
    "three data sets",
    {
        "data": [
            ["trec/question", None, 16],
            ["uner_ud/entities", None, 16],
            ["sick/inference", None, 16],
        ],
        "tasks": ["question", "entities", "inference"],
    },
)

COMPARISONS = (SAME_TEXTS, OTHER_TEXTS)
EXPERIMENTS = tuple(e for comparison in COMPARISONS for e in comparison.experiments())
