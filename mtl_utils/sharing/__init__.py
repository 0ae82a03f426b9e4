"""How parameters are shared between tasks, one family a module."""

from mtl_utils.sharing.base import Shared, Sharing
from mtl_utils.sharing.hard import HardSharing

__all__ = ["HardSharing", "Shared", "Sharing"]
