"""What turns a model into files, holds them against the model, and runs them without PyTorch.

A text model is one graph, a model that writes is two, a language model is one that is given its
state: ``text_model``, ``writing_model`` and ``language_model`` write their folders, ``onnx_model``,
``onnx_writer`` and ``onnx_language_model`` read these.
"""

from mtl_utils.deployment.export.language_model import export_language_model
from mtl_utils.deployment.export.onnx_language_model import OnnxLanguageModel
from mtl_utils.deployment.export.onnx_model import OnnxModel, measured
from mtl_utils.deployment.export.onnx_writer import OnnxWriter, Written
from mtl_utils.deployment.export.text_model import export_onnx, note_scores
from mtl_utils.deployment.export.translators import export_translator
from mtl_utils.deployment.export.writing_model import (
    WritingModel,
    export_writer,
    of_framework,
    of_translator,
)

__all__ = [
    "OnnxLanguageModel",
    "OnnxModel",
    "OnnxWriter",
    "WritingModel",
    "Written",
    "export_language_model",
    "export_onnx",
    "export_translator",
    "export_writer",
    "measured",
    "note_scores",
    "of_framework",
    "of_translator",
]
