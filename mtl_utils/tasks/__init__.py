"""Tasks: what is predicted, with which head, loss and metric."""

from mtl_utils.tasks.base import Head, Task
from mtl_utils.tasks.language_modeling import LanguageModeling, LanguageModelingHead
from mtl_utils.tasks.translation import Translation, TranslationHead

__all__ = [
    "Head",
    "LanguageModeling",
    "LanguageModelingHead",
    "Task",
    "Translation",
    "TranslationHead",
]
