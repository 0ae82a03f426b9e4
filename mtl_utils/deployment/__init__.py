"""Models outside of training: exported, quantised, served, watched, and alive in a page."""

from mtl_utils.deployment.atlas_model import AtlasSizes, train_atlas_model
from mtl_utils.deployment.drift import drift
from mtl_utils.deployment.export import export_onnx
from mtl_utils.deployment.onnx_model import OnnxModel, measured
from mtl_utils.deployment.server import create_app, serve
from mtl_utils.deployment.server_limits import ServerLimits

__all__ = [
    "AtlasSizes",
    "OnnxModel",
    "ServerLimits",
    "create_app",
    "drift",
    "export_onnx",
    "measured",
    "serve",
    "train_atlas_model",
]
