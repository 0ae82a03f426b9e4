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
from mtl_utils.training.sampling import AlternatingBatches, JointBatches, SampledBatches
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
    "Callback",
    "CheckpointError",
    "CheckpointWarning",
    "EpochLines",
    "FaintTaskWarning",
    "FingerprintWarning",
    "History",
    "JointBatches",
    "Loader",
    "StepReport",
    "StopTraining",
    "StreamModel",
    "SampledBatches",
    "Trainer",
    "TrainerConfig",
    "TruncatedBPTTConfig",
    "bits_per_character",
    "bits_per_token",
    "calibrate",
    "evaluate_losses",
    "layerwise_groups",
    "load_checkpoint",
    "perplexity",
    "save_checkpoint",
    "schedules",
    "sentence_loss",
    "sentence_stream",
    "stream_chunks",
    "stream_loss",
    "train_language_model",
]
