"""The multi-task model: a way of sharing below, one head a task above."""

from mtl_utils.multitask.model import MultiTaskModel

__all__ = ["MultiTaskModel"]
