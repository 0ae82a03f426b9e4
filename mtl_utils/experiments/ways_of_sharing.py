"""Chapter 08: ways to share, tuned alike, with controls that are as large and share nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.experiment import Config

WIDTH = 64
WIDER = 86
"""Width of the models of their own that have as many parameters as shared-private encoders."""

BILSTM: dict[str, Any] = {
    "encoder": {"kind": "bilstm", "width": WIDTH, "num_layers": 2, "dropout": 0.1},
    "sharing": {"kind": "hard"},
    "vocab_size": 1000,
    "head_dropout": 0.1,
    "scale": "text",
    "apart": True,
    "max_validation": 600,
    "max_test": 1000,
    "steps": 1000,
    "validations": 5,
    "training": {"learning_rate": 0.01, "warmup_steps": 50, "schedule": "linear"},
}
"""What chapters 08 to 10 share, but for data and tasks: a BiLSTM of two layers."""

_TWO: dict[str, Any] = {**BILSTM, "tasks": ["pos", "entities"]}

SETTINGS: dict[str, Config] = {
    "Atlas": {**_TWO, "data": [["atlas_sentences:6000@1", 4000, 16]]},
    "UNER": {**_TWO, "data": [["uner_ud", 2000, 16]]},
}
"""Data and tasks. Rows are dealt out: each task has the labels of half of them."""

_DROPS = ({"head_dropout": 0.0}, {"head_dropout": 0.3})
ON_ITS_OWN = (*_DROPS, {"encoder.dropout": 0.0}, {"encoder.dropout": 0.3})
"""What a model for one task tries at its best step size."""

WEIGHTS = ({"weights": {"entities": 3.0}}, {"weights": {"pos": 3.0}})
"""What every model for both tasks tries, beside two settings of its own."""

_BRANCHED = {"kind": "branched", "shared_layers": 1}
_PRIVATE = {"kind": "shared-private", "orthogonality": 0.01, "adversary": 0.05}


def together(weights: Sequence[Config]) -> tuple[Config, ...]:
    """Return what a model for both tasks tries where its way of sharing has nothing to try.

    Args:
        weights: Settings with other weights of the losses.
    """
    return (*_DROPS, *weights)


TOGETHER = together(WEIGHTS)


def _soft(penalty: str, strengths: Sequence[float], weights: Sequence[Config]) -> Contender:
    middle, *others = strengths
    return Contender(
        f"soft, {penalty}",
        settings={"sharing": {"kind": "soft", "penalty": penalty, "strength": middle}},
        trials=(*({"sharing.strength": strength} for strength in others), *weights),
    )


def contenders_with(weights: Sequence[Config]) -> tuple[Contender, ...]:
    """Return ways to share and their controls.

    Shared-private encoders try the strengths of Liu et al. (2017), a tenth of them, and none.

    Args:
        weights: What every model for both tasks tries, beside two settings of its own.
    """
    joint = together(weights)
    return (
        Contender("separate", "apart", trials=ON_ITS_OWN),
        Contender("separate, wider", "apart", {"encoder.width": WIDER}, ON_ITS_OWN),
        Contender("hard", trials=joint),
        Contender("branched", settings={"sharing": _BRANCHED}, trials=joint),
        _soft("distance", (0.01, 0.001, 0.1), weights),
        _soft("trace norm", (0.001, 0.0001, 0.01), weights),
        Contender(
            "shared-private",
            settings={"sharing": _PRIVATE},
            trials=(
                {"sharing.orthogonality": 0.001, "sharing.adversary": 0.005},
                {"sharing.orthogonality": 0.0, "sharing.adversary": None},
                *weights,
            ),
        ),
    )


CONTENDERS = contenders_with(WEIGHTS)


def _contrasts(metric: str) -> tuple[Contrast, ...]:
    return (
        Contrast("hard", "separate", metric),
        Contrast("branched", "separate", metric),
        Contrast("soft, distance", "separate", metric),
        Contrast("shared-private", "separate", metric),
        Contrast("shared-private", "separate, wider", metric),
    )


COMPARISON = Comparison(
    name="ways_of_sharing",
    description="Six ways to share and a control that shares nothing.",
    settings=SETTINGS,
    contenders=CONTENDERS,
    rates=(0.001, 0.003, 0.01, 0.03, 0.1),
    seeds=(0, 1, 2, 3, 4),
    contrasts={
        "Atlas": _contrasts("entities_f1"),
        "UNER": _contrasts("entities_f1"),
    },
    priority=10,
    minutes=1,
)
COMPARISONS = (COMPARISON,)
EXPERIMENTS = COMPARISON.experiments()
