"""Whole models."""

from mtl_utils.models.bilstm_framework import BiLSTMFramework
from mtl_utils.models.language_model import LSTMLanguageModel
from mtl_utils.models.loading import load
from mtl_utils.models.multitask_transformer import MultiTaskTransformer, TransformerLogits
from mtl_utils.models.ngram import NGramLanguageModel
from mtl_utils.models.pair_analysis import PairAnalysis
from mtl_utils.models.pretrained_text_model import PretrainedTextModel
from mtl_utils.models.seq2seq import Alignment, Seq2Seq
from mtl_utils.models.tagger import Tagger
from mtl_utils.models.text_model import TextModel
from mtl_utils.models.three_tasks import ThreeTaskModel
from mtl_utils.multitask import MultiTaskModel

__all__ = [
    "Alignment",
    "BiLSTMFramework",
    "LSTMLanguageModel",
    "MultiTaskModel",
    "MultiTaskTransformer",
    "NGramLanguageModel",
    "PairAnalysis",
    "PretrainedTextModel",
    "Seq2Seq",
    "Tagger",
    "TextModel",
    "ThreeTaskModel",
    "TransformerLogits",
    "load",
]
