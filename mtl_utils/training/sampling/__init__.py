"""Which data a step trains on: what is joined, drawn, told of losses, or ordered by difficulty."""

from mtl_utils.training.sampling.alternating import AlternatingBatches
from mtl_utils.training.sampling.bandit import EXP3S, RewardScale
from mtl_utils.training.sampling.curriculum import CurriculumBatches, competence
from mtl_utils.training.sampling.drawn import DrawnBatches
from mtl_utils.training.sampling.draws import DataSetDraws
from mtl_utils.training.sampling.joint import JointBatches
from mtl_utils.training.sampling.learning_progress import LearningProgressBatches
from mtl_utils.training.sampling.named import Sampling, check_sampling, sampler_of, with_epochs
from mtl_utils.training.sampling.sampled import AnnealedBatches, SampledBatches, tempered_shares
from mtl_utils.training.sampling.told import ToldBatches
from mtl_utils.training.sampling.told_loader import ToldLoader
from mtl_utils.training.sampling.uncertainty import UncertaintyBatches

__all__ = [
    "AlternatingBatches",
    "AnnealedBatches",
    "CurriculumBatches",
    "DataSetDraws",
    "DrawnBatches",
    "EXP3S",
    "JointBatches",
    "LearningProgressBatches",
    "RewardScale",
    "SampledBatches",
    "Sampling",
    "ToldBatches",
    "ToldLoader",
    "UncertaintyBatches",
    "check_sampling",
    "competence",
    "sampler_of",
    "tempered_shares",
    "with_epochs",
]
