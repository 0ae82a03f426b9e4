"""Chapter 09: where tasks are supervised, and structure that is learnt, all tuned alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtl_utils.experiments.ablations import Ablation
from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.experiment import Config
from mtl_utils.experiments.ways_of_sharing import BILSTM, ON_ITS_OWN, SETTINGS, TOGETHER, WEIGHTS
from mtl_utils.experiments.ways_of_sharing import COMPARISON as WAYS

LAYERS = BILSTM["encoder"]["num_layers"]

INNER = {"pos": 1, "entities": LAYERS}
OUTER = {"pos": LAYERS, "entities": 1}


def _placed(name: str, depth: dict[str, int]) -> Contender:
    sharing = {"kind": "hierarchical", "depth": depth}
    return Contender(name, settings={"sharing": sharing}, trials=TOGETHER)


def mixed(name: str, weights: Sequence[Config], **settings: Any) -> Contender:
    """Return a network that learns how much each task reads of the others.

    Args:
        name: Its kind.
        weights: What it tries beside two other starts.
        settings: Its others.
    """
    own, *others = 0.9, 0.5, 0.7
    return Contender(
        name,
        settings={"sharing": {"kind": name, "own": own, **settings}},
        trials=(*({"sharing.own": other} for other in others), *weights),
    )


def sluice(weights: Sequence[Config]) -> Contender:
    """Return the sluice network of the comparison.

    Args:
        weights: What it tries beside two other starts.
    """
    return mixed("sluice", weights, subspaces=2, orthogonality=0.01)


CONTENDERS = (
    Contender("separate", "apart", trials=ON_ITS_OWN),
    Contender("hard", trials=TOGETHER),
    _placed("pos inner", INNER),
    _placed("pos outer", OUTER),
    mixed("cross-stitch", WEIGHTS),
    sluice(WEIGHTS),
)
"""Ways to place two tasks on two layers.

With hard sharing both stand at the last layer, as the outer supervision of Søgaard & Goldberg
(2016) does; "pos outer" is the order of "pos inner" turned upside down.
"""

_CONTRASTS = (
    Contrast("pos inner", "separate", "entities_f1"),
    Contrast("pos inner", "hard", "entities_f1"),
    Contrast("pos inner", "pos outer", "entities_f1"),
    Contrast("cross-stitch", "separate", "entities_f1"),
    Contrast("sluice", "separate", "entities_f1"),
)

# Separate models were offered heads without dropout, the network was not; and its weights were
# chosen by a tenth of a point at one seed. What is left of its loss where neither differs? With
# equal weights it gains half of what it was behind, so that the loss is withdrawn.
_ABLATIONS = (
    Ablation("no dropout before the heads", "cross-stitch", {"head_dropout": 0.0}),
    Ablation("equal weights", "cross-stitch", {"weights": {}}),
    Ablation("both", "cross-stitch", {"head_dropout": 0.0, "weights": {}}),
)

COMPARISON = Comparison(
    name="hierarchies",
    description="Parts of speech below, beside and above entities, and learnt mixtures.",
    settings=SETTINGS,
    contenders=CONTENDERS,
    rates=(0.001, 0.003, 0.01, 0.03, 0.1),
    seeds=(0, 1, 2, 3, 4),
    contrasts=dict.fromkeys(SETTINGS, _CONTRASTS),
    ablations=_ABLATIONS,
    withdrawn={"Atlas": (_CONTRASTS[3],)},
    controls=WAYS,
    priority=8,
    minutes=1,
)
COMPARISONS = (COMPARISON,)
EXPERIMENTS = COMPARISON.experiments()
