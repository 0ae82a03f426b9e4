"""How parameters are shared between tasks, one family a module."""

from mtl_utils.sharing.base import Shared, Sharing
from mtl_utils.sharing.branching import BranchedSharing
from mtl_utils.sharing.hard import HardSharing
from mtl_utils.sharing.hierarchical import HierarchicalSharing
from mtl_utils.sharing.per_task import PerTask
from mtl_utils.sharing.shared_decoder import SharedDecoder
from mtl_utils.sharing.shared_private import SharedPrivate, orthogonality_penalty
from mtl_utils.sharing.soft import SoftSharing, squared_distance, trace_norm

__all__ = [
    "BranchedSharing",
    "HardSharing",
    "HierarchicalSharing",
    "PerTask",
    "Shared",
    "SharedDecoder",
    "SharedPrivate",
    "Sharing",
    "SoftSharing",
    "orthogonality_penalty",
    "squared_distance",
    "trace_norm",
]
