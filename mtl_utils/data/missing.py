"""Labels that are missing in a table."""

from __future__ import annotations

from numbers import Real
from typing import Any


def is_missing(label: Any) -> bool:
    """Whether a cell of a table says that there is no label.

    That is what ``None`` says, and what pandas makes of it: not a number, ``NaT`` and ``NA``.

    Args:
        label: The cell.
    """
    kind = type(label)
    if kind is str or kind is int:  # most labels
        return False
    if label is None or kind.__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(label, Real) and label != label
