"""Chapter 07: one pretrained encoder for several tasks against one for each, tuned alike."""

from __future__ import annotations

from typing import Any

from mtl_utils.experiments.ablations import Ablation
from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.experiment import Config

BATCH = 8
"""Rows of each data set in a batch. A step of 16 costs 1.6 to 1.8 times as much: for the same time
small batches make more steps, and read somewhat less."""

# Step sizes that suit an encoder are too small for heads that begin at random: theirs is a multiple
# of it. Beside a frozen encoder the heads are all that learns, and may be faster still.
_HEADS = 4.0
_HEADS_ALONE = 15.0

_BASE: dict[str, Any] = {
    "encoder": {"kind": "pretrained"},
    "sharing": {"kind": "hard"},
    "pooling": "mean",  # this encoder was trained to compare texts by mean states
    "crf": True,
    "head_dropout": 0.1,
    "scale": "text",
    "max_length": 512,
    "max_validation": 400,
    "layerwise": {"decay": 1.0, "head_times": _HEADS},
}

WORDS: Config = {
    **_BASE,
    "data": [["snips", None, BATCH], ["uner_ud", None, BATCH]],
    "tasks": ["intent", "slots", "entities"],
    "steps": 860,
    "validations": 4,
    "training": {"learning_rate": 0.001, "warmup_steps": 86, "schedule": "linear"},
}
"""Parts of speech, which Universal NER has too, would need one encoder more; they are left out to
stay within the time that the table may take."""

TEXTS: Config = {
    **_BASE,
    "data": [["sick", None, BATCH], ["trec", None, BATCH]],
    "tasks": ["inference", "question"],
    "steps": 260,
    "validations": 4,
    "training": {"learning_rate": 0.001, "warmup_steps": 26, "schedule": "linear"},
}

_FROZEN = {"encoder.frozen": 6, "layerwise.head_times": _HEADS_ALONE}
_LOUD, _QUIET = {"weights": {"entities": 3.0}}, {"weights": {"slots": 0.3}}
_DROPS = ({"head_dropout": 0.0}, {"head_dropout": 0.3})

# Twice the steps still added more than a point of F1: both sides are tried at twice as many again.
_LONGEST = {
    "steps": 4 * WORDS["steps"],
    "training.warmup_steps": 4 * WORDS["training"]["warmup_steps"],
}

ON_WORDS = Comparison(
    name="joint_pretrained",
    description="One pretrained encoder for SNIPS and Universal NER, or one for each task.",
    settings={"SNIPS, UNER": WORDS},
    contenders=(
        Contender("joint", trials=(_LOUD, _QUIET)),
        Contender("separate", "apart", trials=_DROPS),
        Contender("joint, by depth", settings={"layerwise.decay": 0.8}, trials=(_LOUD, _QUIET)),
        Contender("joint, frozen", settings=_FROZEN, trials=_DROPS),
    ),
    rates=(0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003),
    seeds=(0, 1, 2),
    contrasts={
        "SNIPS, UNER": tuple(
            Contrast("joint", "separate", metric)
            for metric in ("intent_accuracy", "slots_f1", "entities_f1")
        )
    },
    doubles=("joint", "separate"),  # the others are shown, and nothing is claimed of them
    ablations=(
        Ablation("joint, four times the steps", "joint", _LONGEST),
        Ablation("separate, four times the steps", "separate", _LONGEST),
    ),
    priority=12,
    minutes=4.9,
)

ON_TEXTS = Comparison(
    name="joint_pretrained_texts",
    description="One pretrained encoder for SICK and TREC, or one for each task: one seed.",
    settings={"SICK, TREC": TEXTS},
    contenders=(Contender("joint"), Contender("separate", "apart")),
    rates=(0.00003, 0.0001, 0.0003, 0.001, 0.003),
    seeds=(0,),
    contrasts={},  # one seed claims nothing
    priority=12,
    minutes=2,
)

COMPARISONS = (ON_WORDS, ON_TEXTS)
EXPERIMENTS = tuple(e for comparison in COMPARISONS for e in comparison.experiments())
