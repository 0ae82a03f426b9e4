"""Training and evaluation."""

from mtl_utils.training.evaluation import bits_per_character, bits_per_token, perplexity
from mtl_utils.training.truncated_bptt import (
    TruncatedBPTTConfig,
    sentence_loss,
    sentence_stream,
    stream_chunks,
    stream_loss,
    train_language_model,
)

__all__ = [
    "TruncatedBPTTConfig",
    "bits_per_character",
    "bits_per_token",
    "perplexity",
    "sentence_loss",
    "sentence_stream",
    "stream_chunks",
    "stream_loss",
    "train_language_model",
]
