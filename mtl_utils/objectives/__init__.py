"""Objectives: losses, and what turns the losses of several tasks into one update."""

from mtl_utils.objectives.base import Balancer, Losses
from mtl_utils.objectives.gradients import (
    IMTLG,
    MGDA,
    AlignedMTL,
    CAGrad,
    Combination,
    Combiner,
    FairGrad,
    FromTorchJD,
    GradDrop,
    GradVac,
    GramCombiner,
    NashMTL,
    On,
    PCGrad,
    UPGrad,
)
from mtl_utils.objectives.losses import classification_loss, label_smoothing_loss
from mtl_utils.objectives.scales import (
    DEFAULT_SCALE,
    Scale,
    count_scaled,
    scaled_loss,
    scaled_mean,
)
from mtl_utils.objectives.sequence import minimum_risk_loss, sequence_loss
from mtl_utils.objectives.weighting import EqualWeights, FixedWeights

__all__ = [
    "DEFAULT_SCALE",
    "AlignedMTL",
    "Balancer",
    "CAGrad",
    "Combination",
    "Combiner",
    "EqualWeights",
    "FairGrad",
    "FixedWeights",
    "FromTorchJD",
    "GradDrop",
    "GradVac",
    "GramCombiner",
    "IMTLG",
    "Losses",
    "MGDA",
    "NashMTL",
    "On",
    "PCGrad",
    "Scale",
    "UPGrad",
    "classification_loss",
    "count_scaled",
    "label_smoothing_loss",
    "minimum_risk_loss",
    "scaled_loss",
    "scaled_mean",
    "sequence_loss",
]
