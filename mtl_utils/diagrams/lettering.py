"""Text of a diagram: how wide it is, where its lines break, how it is read aloud."""

from __future__ import annotations

import re
from functools import cache

from matplotlib.cbook import is_math_text
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

#: Points. A diagram is 450 points wide, so on a phone of 390 pixels it is 9.5 pixels high.
SIZE = 11.0
#: Points from one line of text to the next.
LEADING = 15.0
#: The font that Matplotlib ships: the same diagram on every machine.
FAMILY = "DejaVu Sans"

# Hints for the screen widen letters a little beyond their outlines.
_HINTING = 1.04

_SPOKEN = {
    r"\bar\theta": "their mean",
    r"\theta": "θ",
    r"\eta": "η",
    r"\Omega": "Ω",
    r"\Sigma": "Σ",
    r"^{\mathrm{T}}": "ᵀ",
    r"\lambda": "λ",
    r"\gamma": "γ",
    r"\alpha": "α",
    r"\sigma": "σ",
    r"\phi": "φ",
    r"\tanh": "tanh",
    r"\bar h": "mean state",
    r"\beta": "β",
    r"\nabla": "∇",
    r"\Vert": "‖",
    r"\,": " ",
    "^2": "²",
}


@cache
def width_of(text: str, weight: str = "normal") -> float:
    """Return the width of a line of text in points.

    Args:
        text: The line, with mathematics between dollar signs.
        weight: ``"normal"`` or ``"bold"``.
    """
    font = FontProperties(family=FAMILY, size=SIZE, weight=weight)
    plain, is_math = _as_drawn(text)
    width, _, _ = text_to_path.get_text_width_height_descent(plain, font, is_math)
    return float(width) * _HINTING


def _as_drawn(text: str) -> tuple[str, bool]:
    """Tell what Matplotlib draws, and whether it reads it as mathematics."""
    is_math = bool(is_math_text(text))
    return (text if is_math else text.replace(r"\$", "$")), is_math


def broken(text: str, width: float, weight: str = "normal") -> tuple[str, ...]:
    r"""Break text into lines that are no wider than a width.

    Lines break at spaces, after hyphens, underscores and slashes, and where nothing else helps
    within a word, which then gets a hyphen. Mathematics is kept whole.

    Args:
        text: The text; ``"\n"`` breaks a line in any case.
        width: Points.
        weight: ``"normal"`` or ``"bold"``.
    """
    return tuple(line for part in text.split("\n") for line in _balanced(part, width, weight))


def _balanced(text: str, width: float, weight: str) -> list[str]:
    """Break text into as few lines as it takes, of about the same length."""
    best = _lines(text, width, weight)
    while len(best) > 1:
        width -= 2
        narrower = _lines(text, width, weight)
        if len(narrower) > len(best) or _hyphens(narrower) > _hyphens(best):
            break
        best = narrower
    return best


def _hyphens(lines: list[str]) -> int:
    return sum(line.endswith("-") for line in lines)


def _lines(text: str, width: float, weight: str) -> list[str]:
    lines: list[str] = []
    line = ""
    for piece in (p for word in _pieces(text) for p in _fitting(word, width, weight)):
        if line and width_of((line + piece).rstrip(), weight) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece
    return [*lines, line.rstrip()]


def _pieces(text: str) -> list[str]:
    """Cut text after each place where a line may break."""
    words = re.findall(r"(?:\\\$|\$[^$]*\$|[^\s$])+\s*", text)
    return [p for w in words for p in ([w] if "$" in w else re.split(r"(?<=[-_/])(?=\w)", w))]


def _fitting(word: str, width: float, weight: str) -> list[str]:
    """Cut a word that is wider than a line."""
    if "$" in word or width_of(word.rstrip(), weight) <= width:
        return [word]
    most = len(word) - 3  # a rest of one or two letters looks like a slip
    end = max(2, most)
    while end > 1 and width_of(word[:end] + "-", weight) > width:
        end -= 1
    return [f"{word[:end]}-", *_fitting(word[end:], width, weight)]


def spoken(text: str) -> str:
    """Return text as a screen reader should have it: one line, no mark-up.

    Args:
        text: A label or a caption.
    """
    text = re.sub(r"(?<!\\)\$([^$]*)\$", lambda found: _read(found[1]), text)
    text = re.sub(r"[●○]( [●○])+", lambda found: _counted(found[0]), text)
    text = text.replace("○ label", "a label that is").replace(r"\$", "$")
    return re.sub(r"\s+", " ", text).strip()


def _read(mathematics: str) -> str:
    for written, said in _SPOKEN.items():
        mathematics = mathematics.replace(written, said)
    return re.sub(r"\\math\w+|[_^{}]", "", mathematics)


def _counted(circles: str) -> str:
    return f"{circles.count('●')} of {circles.count('●') + circles.count('○')} labels"
