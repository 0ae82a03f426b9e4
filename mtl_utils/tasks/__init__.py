"""Tasks: what is predicted, with which head, loss and metric."""

from mtl_utils.tasks.base import Head, Task
from mtl_utils.tasks.classification import (
    Classification,
    ClassificationHead,
    PairClassification,
)
from mtl_utils.tasks.language_modeling import LanguageModeling, LanguageModelingHead
from mtl_utils.tasks.pooling import Pooling, compared_means, first_state, mean_state
from mtl_utils.tasks.reliability import Calibration, calibration
from mtl_utils.tasks.spans import Span, SpanErrors, match_spans, span_errors, to_spans
from mtl_utils.tasks.tagging import Tagging, TaggingHead, iob2_constraints, word_positions
from mtl_utils.tasks.translation import (
    MakeDecoder,
    Translation,
    TranslationHead,
    TranslationOutput,
    WritingHead,
)

__all__ = [
    "Calibration",
    "Classification",
    "ClassificationHead",
    "Head",
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
    "first_state",
    "iob2_constraints",
    "match_spans",
    "mean_state",
    "span_errors",
    "to_spans",
    "word_positions",
]
