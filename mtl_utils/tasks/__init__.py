"""Tasks: what is predicted, with which head, loss and metric."""

from mtl_utils.tasks.base import Head, Task
from mtl_utils.tasks.classification import (
    Classification,
    ClassificationHead,
    PairClassification,
)
from mtl_utils.tasks.contrastive import Contrastive, ContrastiveHead
from mtl_utils.tasks.contrastive_batches import ContrastiveBatches, parted
from mtl_utils.tasks.entity_labels import iob2_constraints
from mtl_utils.tasks.label_weights import balanced_weights
from mtl_utils.tasks.labelled_head import LabelledHead
from mtl_utils.tasks.language_modeling import LanguageModeling, LanguageModelingHead
from mtl_utils.tasks.masked_language_modeling import (
    MaskedLanguageModeling,
    MaskedLanguageModelingHead,
)
from mtl_utils.tasks.masking import HidesTokens, MaskedBatches, masked
from mtl_utils.tasks.multi_label import MultiLabel, MultiLabelHead
from mtl_utils.tasks.pooling import (
    AlignedTexts,
    Pool,
    Pooling,
    compared_means,
    first_state,
    mean_state,
)
from mtl_utils.tasks.regression import Regression, RegressionHead
from mtl_utils.tasks.reliability import Calibration, calibration
from mtl_utils.tasks.remade_batches import RemadeBatches
from mtl_utils.tasks.retrieval import retrieval_ranks, retrieval_scores
from mtl_utils.tasks.schemes import TAG_SCHEMES, convert_tags, repair_iob2
from mtl_utils.tasks.spans import Span, SpanErrors, match_spans, span_errors, to_spans
from mtl_utils.tasks.tagging import Tagging, TaggingHead
from mtl_utils.tasks.text_task import Row, Text, TextTask, WordTask
from mtl_utils.tasks.translation import Translation
from mtl_utils.tasks.word_head import WordHead
from mtl_utils.tasks.words import word_positions
from mtl_utils.tasks.writing import (
    MakeDecoder,
    TranslationHead,
    TranslationOutput,
    WritingHead,
    WritingTask,
)

__all__ = [
    "AlignedTexts",
    "TAG_SCHEMES",
    "Calibration",
    "Classification",
    "ClassificationHead",
    "Contrastive",
    "ContrastiveBatches",
    "ContrastiveHead",
    "Head",
    "HidesTokens",
    "LabelledHead",
    "LanguageModeling",
    "LanguageModelingHead",
    "MakeDecoder",
    "MaskedBatches",
    "MaskedLanguageModeling",
    "MaskedLanguageModelingHead",
    "MultiLabel",
    "MultiLabelHead",
    "PairClassification",
    "Pool",
    "Pooling",
    "Regression",
    "RegressionHead",
    "RemadeBatches",
    "Row",
    "Span",
    "SpanErrors",
    "Tagging",
    "TaggingHead",
    "Task",
    "Text",
    "TextTask",
    "Translation",
    "TranslationHead",
    "TranslationOutput",
    "WordTask",
    "WordHead",
    "WritingHead",
    "WritingTask",
    "balanced_weights",
    "calibration",
    "compared_means",
    "convert_tags",
    "first_state",
    "iob2_constraints",
    "masked",
    "match_spans",
    "mean_state",
    "parted",
    "repair_iob2",
    "retrieval_ranks",
    "retrieval_scores",
    "span_errors",
    "to_spans",
    "word_positions",
]
