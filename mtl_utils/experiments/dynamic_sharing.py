"""Chapter 10: experts and gates, and small additions for each task, all tuned alike."""

from __future__ import annotations

from typing import Any

from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.experiment import Config
from mtl_utils.experiments.joint_pretrained import WORDS
from mtl_utils.experiments.ways_of_sharing import COMPARISON as WAYS
from mtl_utils.experiments.ways_of_sharing import ON_ITS_OWN, SETTINGS, TOGETHER, WEIGHTS

_BARE = {"head_dropout": 0.0}  # what separate models gained most by, on validation
_GATING: dict[str, Any] = {"per": "token", "balance_strength": 0.0}
_GATINGS = (_BARE, {"sharing.per": "text"}, *WEIGHTS)


def _gated(name: str, kind: str, **settings: Any) -> Contender:
    return Contender(
        name, settings={"sharing": {"kind": kind, **settings, **_GATING}}, trials=_GATINGS
    )


CONTENDERS = (
    Contender("separate", "apart", trials=ON_ITS_OWN),
    Contender("hard", trials=TOGETHER),
    _gated("one gate", "experts", num_experts=4),
    _gated("MMoE", "mmoe", num_experts=4),
    _gated("CGC", "ple", num_shared_experts=2, num_task_experts=1),
    Contender(
        "adapters",
        settings={"sharing": {"kind": "adapters", "bottleneck": 32}},
        trials=(_BARE, {"sharing.bottleneck": 128}, *WEIGHTS),
    ),
)
"""Experts are the upper layer of the encoder; the lower one and the embeddings are the trunk.

Four experts have fewer parameters than two models of their own: "separate" is their control. Gates
also try to weigh experts per text, and every contender heads without dropout. With adapters the
encoder is trained too, by all tasks.
"""

_CONTRASTS = (
    Contrast("one gate", "hard", "entities_f1"),
    Contrast("MMoE", "hard", "entities_f1"),
    Contrast("MMoE", "separate", "entities_f1"),
    Contrast("CGC", "separate", "entities_f1"),
    Contrast("adapters", "hard", "entities_f1"),
)

ON_BILSTMS = Comparison(
    name="dynamic_sharing",
    description="Experts with one gate, with one per task and of a task; adapters; on a BiLSTM.",
    settings=SETTINGS,
    contenders=CONTENDERS,
    rates=(0.001, 0.003, 0.01, 0.03, 0.1),
    seeds=(0, 1, 2, 3, 4),
    contrasts=dict.fromkeys(SETTINGS, _CONTRASTS),
    controls=WAYS,
    priority=6,
    minutes=1,
)

TAGS: Config = {
    **WORDS,
    "tasks": ["slots", "entities"],
    "steps": 430,
    "training": {"learning_rate": 0.001, "warmup_steps": 43, "schedule": "linear"},
}
"""Intents, which SNIPS has too, are left out: every model has nearly all of them."""

_FROZEN = {"encoder.frozen": 6}
_BOTTLENECK = 32


def _added(name: str, kind: str, **settings: Any) -> Contender:
    return Contender(name, settings={**_FROZEN, "sharing": {"kind": kind, **settings}})


ON_PRETRAINED = Comparison(
    name="task_additions",
    description="Full fine-tuning, or small additions for each task to one frozen encoder.",
    settings={"SNIPS, UNER": TAGS},
    contenders=(
        Contender("separate", "apart"),
        _added("adapters", "adapters", bottleneck=_BOTTLENECK),
        _added("hyper-adapters", "hyper-adapters", bottleneck=_BOTTLENECK, embedding_size=32),
        _added("LoRA", "lora", rank=8, alpha=16.0, on=["query", "value"]),
    ),
    rates=(0.00003, 0.0001, 0.0003, 0.001, 0.003),
    seeds=(0, 1, 2),
    contrasts={
        "SNIPS, UNER": tuple(
            Contrast(first, second, metric)
            for first, second in (("adapters", "separate"), ("hyper-adapters", "adapters"))
            for metric in ("slots_f1", "entities_f1")
        )
    },
    doubles=("separate", "adapters", "hyper-adapters"),  # of LoRA nothing is claimed
    priority=6,
    minutes=2.9,
)
"""The step size of additions is that of the heads, a multiple of the encoder's."""

COMPARISONS = (ON_BILSTMS, ON_PRETRAINED)
EXPERIMENTS = tuple(e for comparison in COMPARISONS for e in comparison.experiments())
