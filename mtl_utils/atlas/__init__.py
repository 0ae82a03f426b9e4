"""Atlas, the laboratory corpus: short news-like sentences that carry every label at once.

The corpus is written by a synchronous grammar over real geography and invented people, companies
and institutions. It is generated in memory, needs no network, and the same arguments give the same
bytes.
"""

from mtl_utils.atlas.best_scores import best_scores
from mtl_utils.atlas.build import HELD_OUT_SHARE, LARGEST_SIZE, SMALLEST_SIZE, load, load_inference
from mtl_utils.atlas.labels import (
    ENTITY_TYPES,
    INFERENCE_LABELS,
    NER_TAGS,
    POS_TAGS,
    TOPICS,
    from_iob2,
    to_iob2,
)
from mtl_utils.atlas.pictured import LARGEST_PICTURED_SIZE, MEANINGS
from mtl_utils.atlas.sketches import PICTURE_SIZE, STYLES, Style, draw_picture

__all__ = [
    "ENTITY_TYPES",
    "HELD_OUT_SHARE",
    "INFERENCE_LABELS",
    "LARGEST_PICTURED_SIZE",
    "LARGEST_SIZE",
    "MEANINGS",
    "NER_TAGS",
    "PICTURE_SIZE",
    "POS_TAGS",
    "SMALLEST_SIZE",
    "STYLES",
    "Style",
    "TOPICS",
    "best_scores",
    "draw_picture",
    "from_iob2",
    "load",
    "load_inference",
    "to_iob2",
]
