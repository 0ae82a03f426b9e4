"""Atlas, the laboratory corpus: short news-like sentences that carry every label at once.

The corpus is written by a synchronous grammar over real geography and invented people, companies
and institutions. It is generated in memory, needs no network, and the same arguments give the same
bytes.
"""

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

__all__ = [
    "ENTITY_TYPES",
    "HELD_OUT_SHARE",
    "INFERENCE_LABELS",
    "LARGEST_SIZE",
    "NER_TAGS",
    "POS_TAGS",
    "SMALLEST_SIZE",
    "TOPICS",
    "from_iob2",
    "load",
    "load_inference",
    "to_iob2",
]
