"""Objectives: losses, and what turns the losses of several tasks into one update."""

from mtl_utils.objectives.base import Balancer, Losses
from mtl_utils.objectives.chebyshev import SmoothChebyshev, smooth_chebyshev
from mtl_utils.objectives.contrastive import contrastive_loss
from mtl_utils.objectives.distillation import annealed_share, distillation_loss
from mtl_utils.objectives.dynamic_average import DynamicWeightAverage, dynamic_weights
from mtl_utils.objectives.famo import FAMO, famo_slopes, famo_weights
from mtl_utils.objectives.geometric_mean import GeometricMean, geometric_mean
from mtl_utils.objectives.gradient_norms import GradNorm, gradnorm_slopes
from mtl_utils.objectives.gradients import (
    IMTLG,
    MGDA,
    AdaTask,
    AlignedMTL,
    CAGrad,
    Combination,
    Combiner,
    FairGrad,
    FromTorchJD,
    GradDrop,
    GradientSurgery,
    GradVac,
    GramCombiner,
    NashMTL,
    On,
    PCGrad,
    UPGrad,
)
from mtl_utils.objectives.impartial import ImpartialLosses, impartial_loss
from mtl_utils.objectives.logarithm import ScaleInvariantLog, log_sum
from mtl_utils.objectives.losses import classification_loss, label_smoothing_loss
from mtl_utils.objectives.random_weights import RandomWeights, draw_weights
from mtl_utils.objectives.scalarization import Scalarization
from mtl_utils.objectives.scales import DEFAULT_SCALE, Scale, count_scaled, scaled_loss, scaled_mean
from mtl_utils.objectives.sequence import minimum_risk_loss, sequence_loss
from mtl_utils.objectives.task_scalarization import TaskScalarization
from mtl_utils.objectives.uncertainty import UncertaintyWeights, uncertainty_loss
from mtl_utils.objectives.weighting import EqualWeights, FixedWeights

__all__ = [
    "AdaTask",
    "AlignedMTL",
    "Balancer",
    "CAGrad",
    "Combination",
    "Combiner",
    "DEFAULT_SCALE",
    "DynamicWeightAverage",
    "EqualWeights",
    "FAMO",
    "FairGrad",
    "FixedWeights",
    "FromTorchJD",
    "GeometricMean",
    "GradDrop",
    "GradNorm",
    "GradVac",
    "GradientSurgery",
    "GramCombiner",
    "IMTLG",
    "ImpartialLosses",
    "Losses",
    "MGDA",
    "NashMTL",
    "On",
    "PCGrad",
    "RandomWeights",
    "Scalarization",
    "Scale",
    "ScaleInvariantLog",
    "SmoothChebyshev",
    "TaskScalarization",
    "UPGrad",
    "UncertaintyWeights",
    "annealed_share",
    "classification_loss",
    "contrastive_loss",
    "count_scaled",
    "distillation_loss",
    "draw_weights",
    "dynamic_weights",
    "famo_slopes",
    "famo_weights",
    "geometric_mean",
    "gradnorm_slopes",
    "impartial_loss",
    "label_smoothing_loss",
    "log_sum",
    "minimum_risk_loss",
    "scaled_loss",
    "scaled_mean",
    "sequence_loss",
    "smooth_chebyshev",
    "uncertainty_loss",
]
