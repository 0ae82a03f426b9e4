"""Colours of diagrams, on a light and on a dark page."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.colors import to_hex, to_rgb

from mtl_utils.plots import PALETTE


@dataclass(frozen=True)
class Theme:
    """Colours of a page and what is drawn on it.

    Attributes:
        paper: The ground.
        ink: Text.
        line: Borders of what is nobody's, and arrows forward.
        tint: Share of a role's colour in the ground of a layer.
        strong: That in the ground of a head.
        lines: Contrast of lines to the paper; WCAG 2.1 asks for 3.
    """

    paper: str
    ink: str
    line: str
    tint: float
    strong: float
    lines: float

    def colour(self, role: str | int) -> str:
        """Return the colour of borders and arrows of a role, dark or light enough for the paper.

        Args:
            role: ``"shared"``, ``"neutral"`` or the number of a task.
        """
        if role == "neutral":
            return self.line
        plain = PALETTE[-1] if role == "shared" else PALETTE[int(role)]
        shares = (step / 20 for step in range(21))
        mixed = (mix(self.ink, plain, share) for share in shares)
        return next(c for c in mixed if contrast(c, self.paper) >= self.lines)

    def ground(self, role: str | int, kind: str) -> str:
        """Return the colour that fills a box.

        Args:
            role: Whose it is.
            kind: The kind of box.
        """
        if role == "neutral" or kind in ("text", "penalty"):
            return self.paper
        plain = PALETTE[-1] if role == "shared" else PALETTE[int(role)]
        return mix(plain, self.paper, self.strong if kind == "head" else self.tint)


LIGHT = Theme("#ffffff", "#222222", "#5a6166", 0.16, 0.36, 3.0)
DARK = Theme("#14191c", "#eef2f3", "#a3aeb4", 0.34, 0.55, 4.5)


def mix(first: str, second: str, share: float) -> str:
    """Mix two colours.

    Args:
        first: A colour.
        second: Another.
        share: That of the first, from 0 to 1.
    """
    pairs = zip(to_rgb(first), to_rgb(second), strict=True)
    red, green, blue = (share * a + (1 - share) * b for a, b in pairs)
    return to_hex((red, green, blue))


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours as WCAG 2.1 defines it, from 1 to 21.

    Args:
        first: A colour.
        second: Another.
    """
    brighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour as WCAG 2.1 defines it, from 0 to 1.

    Args:
        colour: The colour.
    """
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
        for part in to_rgb(colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
