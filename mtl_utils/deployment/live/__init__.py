"""The models that answer in pages of the book: how each is trained, measured and put there.

``pages`` lists the boxes; ``python -m mtl_utils.deployment FOLDER`` makes the folder of one again.
"""

from mtl_utils.deployment.live.atlas_model import AtlasSizes, train_atlas_model

__all__ = ["AtlasSizes", "train_atlas_model"]
