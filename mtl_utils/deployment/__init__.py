"""Models outside of training: exported, quantised, and alive in a page."""

from mtl_utils.deployment.atlas_model import AtlasSizes, train_atlas_model
from mtl_utils.deployment.export import export_onnx
from mtl_utils.deployment.onnx_model import OnnxModel, measured

__all__ = ["AtlasSizes", "OnnxModel", "export_onnx", "measured", "train_atlas_model"]
