"""Training and evaluation."""

from mtl_utils.data.loading import Loader
from mtl_utils.training import schedules
from mtl_utils.training.calibration import calibrate
from mtl_utils.training.callbacks import Callback, EpochLines, StepReport, StopTraining
from mtl_utils.training.checkpoints import (
    CheckpointError,
    CheckpointWarning,
    load_checkpoint,
    save_checkpoint,
)
from mtl_utils.training.configuration import TrainerConfig
from mtl_utils.training.evaluation import bits_per_character, bits_per_token, perplexity
from mtl_utils.training.fingerprint import FingerprintWarning
from mtl_utils.training.history import History
from mtl_utils.training.layerwise import layerwise_groups
from mtl_utils.training.sampling import (
    EXP3S,
    AlternatingBatches,
    AnnealedBatches,
    CurriculumBatches,
    DataSetDraws,
    DrawnBatches,
    JointBatches,
    LearningProgressBatches,
    RewardScale,
    SampledBatches,
    ToldBatches,
    ToldLoader,
    UncertaintyBatches,
    competence,
    sampler_of,
    tempered_shares,
)
from mtl_utils.training.shares import FaintTaskWarning
from mtl_utils.training.stream_model import StreamModel
from mtl_utils.training.trainer import Trainer
from mtl_utils.training.truncated_bptt import (
    TruncatedBPTTConfig,
    sentence_loss,
    sentence_stream,
    stream_chunks,
    stream_loss,
    train_language_model,
)
from mtl_utils.training.validation import evaluate_losses

__all__ = [
    "AlternatingBatches",
    "AnnealedBatches",
    "Callback",
    "CheckpointError",
    "CheckpointWarning",
    "CurriculumBatches",
    "DataSetDraws",
    "DrawnBatches",
    "EXP3S",
    "EpochLines",
    "FaintTaskWarning",
    "FingerprintWarning",
    "History",
    "JointBatches",
    "LearningProgressBatches",
    "Loader",
    "RewardScale",
    "SampledBatches",
    "StepReport",
    "StopTraining",
    "StreamModel",
    "ToldBatches",
    "ToldLoader",
    "Trainer",
    "TrainerConfig",
    "TruncatedBPTTConfig",
    "UncertaintyBatches",
    "bits_per_character",
    "bits_per_token",
    "calibrate",
    "competence",
    "evaluate_losses",
    "layerwise_groups",
    "load_checkpoint",
    "perplexity",
    "sampler_of",
    "save_checkpoint",
    "schedules",
    "sentence_loss",
    "sentence_stream",
    "stream_chunks",
    "stream_loss",
    "tempered_shares",
    "train_language_model",
]
