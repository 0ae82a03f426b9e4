"""Models outside of training: exported, quantised, served, watched, and alive in a page.

``export`` turns models into files and runs these, ``server`` answers for a model over HTTP, and
``live`` makes the models that answer in pages of the book; the last two read what the first wrote,
and nothing of each other.
"""

from mtl_utils.deployment.drift import drift
from mtl_utils.deployment.export import (
    OnnxLanguageModel,
    OnnxModel,
    OnnxWriter,
    Written,
    export_language_model,
    export_onnx,
    export_translator,
    measured,
)
from mtl_utils.deployment.live import AtlasSizes, train_atlas_model
from mtl_utils.deployment.server import ServerLimits, create_app, serve

__all__ = [
    "AtlasSizes",
    "OnnxLanguageModel",
    "OnnxModel",
    "OnnxWriter",
    "ServerLimits",
    "Written",
    "create_app",
    "drift",
    "export_language_model",
    "export_onnx",
    "export_translator",
    "measured",
    "serve",
    "train_atlas_model",
]
