"""Objectives: losses, and what turns the losses of several tasks into one update."""

from mtl_utils.objectives.base import Balancer, Losses
from mtl_utils.objectives.losses import classification_loss, label_smoothing_loss
from mtl_utils.objectives.sequence import minimum_risk_loss, sequence_loss
from mtl_utils.objectives.weighting import EqualWeights, FixedWeights

__all__ = [
    "Balancer",
    "EqualWeights",
    "FixedWeights",
    "Losses",
    "classification_loss",
    "label_smoothing_loss",
    "minimum_risk_loss",
    "sequence_loss",
]
