"""What turns a model into files, holds them against the model, and runs them without PyTorch.

A text model is one graph, a model that writes is two: ``text_model`` and ``writing_model`` write
their folders, ``onnx_model`` and ``onnx_writer`` read these.
"""

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
    "OnnxModel",
    "OnnxWriter",
    "WritingModel",
    "Written",
    "export_onnx",
    "export_translator",
    "export_writer",
    "measured",
    "note_scores",
    "of_framework",
    "of_translator",
]
