"""A model as a folder: written whole, and read again without running any code from it."""

from mtl_utils.saving.savable import Savable, SavableModule
from mtl_utils.saving.starts import RemembersStarts

__all__ = ["RemembersStarts", "Savable", "SavableModule"]
