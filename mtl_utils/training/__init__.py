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
from mtl_utils.training.launching import fit_in_processes, run_in_processes
from mtl_utils.training.layerwise import layerwise_groups
from mtl_utils.training.lost import LostProcessError
from mtl_utils.training.memory import Memory, count_memory, peak_bytes, saved_bytes
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
from mtl_utils.training.sharded_loop import ShardedTraining, train_sharded
from mtl_utils.training.sharding import is_sharded, shard_model, whole_state
from mtl_utils.training.shares import FaintTaskWarning
from mtl_utils.training.step_cost import (
    StepCost,
    StepTime,
    fit_step_cost,
    step_batch,
    step_model,
    time_steps,
)
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
from mtl_utils.training.weighing import averaged_gradients, weighed_by_counts

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
    "LostProcessError",
    "Memory",
    "RewardScale",
    "SampledBatches",
    "ShardedTraining",
    "StepCost",
    "StepReport",
    "StepTime",
    "StopTraining",
    "StreamModel",
    "ToldBatches",
    "ToldLoader",
    "Trainer",
    "TrainerConfig",
    "TruncatedBPTTConfig",
    "UncertaintyBatches",
    "averaged_gradients",
    "bits_per_character",
    "bits_per_token",
    "calibrate",
    "competence",
    "count_memory",
    "evaluate_losses",
    "fit_in_processes",
    "fit_step_cost",
    "is_sharded",
    "layerwise_groups",
    "load_checkpoint",
    "peak_bytes",
    "perplexity",
    "run_in_processes",
    "sampler_of",
    "save_checkpoint",
    "saved_bytes",
    "schedules",
    "sentence_loss",
    "sentence_stream",
    "shard_model",
    "step_batch",
    "step_model",
    "stream_chunks",
    "stream_loss",
    "tempered_shares",
    "time_steps",
    "train_language_model",
    "train_sharded",
    "weighed_by_counts",
    "whole_state",
]
