"""How parameters are shared between tasks, one family a module."""

from mtl_utils.sharing.base import Shared, Sharing
from mtl_utils.sharing.hard import HardSharing
from mtl_utils.sharing.shared_decoder import SharedDecoder

__all__ = ["HardSharing", "Shared", "SharedDecoder", "Sharing"]
