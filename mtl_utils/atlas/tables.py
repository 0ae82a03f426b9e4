"""Reading the plain data files of the lexicon."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def lines(filename: str) -> tuple[str, ...]:
    """Return the lines of a lexicon file, without comments and empty lines.

    Args:
        filename: Name of a file in ``mtl_utils/atlas/lexicon``.

    Returns:
        Its lines, in order.
    """
    text = (files("mtl_utils.atlas") / "lexicon" / filename).read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


def rows(filename: str) -> list[list[str]]:
    """Return the rows of a tab-separated lexicon file.

    Args:
        filename: Name of a file in ``mtl_utils/atlas/lexicon``.

    Returns:
        One list of columns a line.
    """
    return [line.split("\t") for line in lines(filename)]
