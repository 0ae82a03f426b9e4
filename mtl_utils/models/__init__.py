"""Whole models."""

from mtl_utils.models.language_model import LSTMLanguageModel
from mtl_utils.models.ngram import NGramLanguageModel

__all__ = ["LSTMLanguageModel", "NGramLanguageModel"]
