"""Tasks: what is predicted, with which head, loss and metric."""

from mtl_utils.tasks.base import Head, Task
from mtl_utils.tasks.classification import (
    Classification,
    ClassificationHead,
    PairClassification,
)
from mtl_utils.tasks.entity_labels import iob2_constraints
from mtl_utils.tasks.labelled_head import LabelledHead
from mtl_utils.tasks.language_modeling import LanguageModeling, LanguageModelingHead
from mtl_utils.tasks.pooling import Pooling, compared_means, first_state, mean_state
from mtl_utils.tasks.reliability import Calibration, calibration
from mtl_utils.tasks.schemes import TAG_SCHEMES, convert_tags, repair_iob2
from mtl_utils.tasks.spans import Span, SpanErrors, match_spans, span_errors, to_spans
from mtl_utils.tasks.tagging import Tagging, TaggingHead
from mtl_utils.tasks.translation import (
    MakeDecoder,
    Translation,
    TranslationHead,
    TranslationOutput,
    WritingHead,
)
from mtl_utils.tasks.words import word_positions

__all__ = [
    "TAG_SCHEMES",
    "Calibration",
    "Classification",
    "ClassificationHead",
    "Head",
    "LabelledHead",
    "LanguageModeling",
    "LanguageModelingHead",
    "MakeDecoder",
    "PairClassification",
    "Pooling",
    "Span",
    "SpanErrors",
    "Tagging",
    "TaggingHead",
    "Task",
    "Translation",
    "TranslationHead",
    "TranslationOutput",
    "WritingHead",
    "calibration",
    "compared_means",
    "convert_tags",
    "first_state",
    "iob2_constraints",
    "match_spans",
    "mean_state",
    "repair_iob2",
    "span_errors",
    "to_spans",
    "word_positions",
]
