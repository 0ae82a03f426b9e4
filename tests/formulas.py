"""The formulas of a Markdown text, in chapters and on pages of the book."""

import re
from collections.abc import Iterator

_FENCE = re.compile(r"^[ >]*(`{3,}|~{3,})(.*?)^[ >]*\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+)[^`].*?\1", re.DOTALL)
_FORMULA = re.compile(
    r"\$\$(?P<shown>.+?)\$\$"
    r"|\\begin\{(?P<kind>(?:align|aligned|equation|gather)\*?)\}(?P<lines>.+?)\\end\{(?P=kind)\}"
    r"|\$(?P<inline>[^$]+?)\$",
    re.DOTALL,
)


def formulas(markdown: str) -> Iterator[str]:
    r"""Yield what stands in ``$...$``, ``$$...$$`` and ``\begin{align}``.

    Code, in fences or between backticks, has no formulas.

    Raises:
        ValueError: A formula would not be read: a dollar is left over, or it is in a fence.
    """
    if re.search(r"^[ >]*[`:~]{3,}\{math\}", markdown, re.MULTILINE):
        raise ValueError("a formula is in a fence; write it between double dollars")
    text = re.sub(r"\\\$", " ", _CODE.sub(" ", _FENCE.sub(" ", markdown)))
    for match in _FORMULA.finditer(text):
        yield next(part for name, part in match.groupdict().items() if part and name != "kind")
    left = _FORMULA.sub(" ", text)
    if "$" in left:
        near = left[max(0, left.index("$") - 40) :][:80]
        raise ValueError(f"a dollar belongs to no formula: {near!r}")
