"""Small pictures of what a name may be, drawn from shapes in styles that splits do not share."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_utils.arguments import check_choice, check_seed

PICTURE_SIZE = 32
"""Height and width of a picture in pixels."""

Mask = NDArray[np.bool_]
Shape = tuple[Mask, int]
"""Where something is drawn, and in which of the colours of the picture."""


@dataclass(frozen=True)
class Style:
    """How shapes are drawn.

    Attributes:
        background: From which lightness to which the background is.
        ink: From which lightness to which the shapes are.
        colourful: How far colours are from grey, from 0 to 1.
        outline: Whether only the edges of shapes are drawn.
        stripes: Width of the stripes that shapes are filled with; 0 for none.
        grain: Standard deviation of what is added to each number.
    """

    background: tuple[float, float]
    ink: tuple[float, float]
    colourful: float
    outline: bool = False
    stripes: int = 0
    grain: float = 0.03


STYLES: dict[str, dict[str, Style]] = {
    "train": {
        "poster": Style((0.8, 1.0), (0.1, 0.6), 0.9),
        "night": Style((0.0, 0.25), (0.5, 1.0), 0.8),
        "pencil": Style((0.8, 1.0), (0.0, 0.4), 0.1, outline=True),
        "chalk": Style((0.05, 0.3), (0.7, 1.0), 0.2, outline=True),
        "hatching": Style((0.7, 1.0), (0.0, 0.5), 0.4, stripes=2),
        "old photograph": Style((0.55, 0.8), (0.05, 0.4), 0.1, grain=0.09),
    },
    "validation": {
        "neon": Style((0.0, 0.15), (0.6, 1.0), 1.0, outline=True),
        "pastel": Style((0.85, 1.0), (0.5, 0.75), 0.5),
    },
    "test": {
        "blueprint": Style((0.2, 0.4), (0.8, 1.0), 0.4, outline=True, grain=0.05),
        "woodcut": Style((0.0, 0.2), (0.6, 1.0), 0.3, stripes=2),
    },
}
"""By split, the styles of its pictures."""


def draw_picture(meaning: str, split: str, seed: int) -> tuple[NDArray[np.uint8], str]:
    """Draw a picture.

    Args:
        meaning: What it shows, one of ``MEANINGS``.
        split: In whose styles.
        seed: Of the style, the place, the size, the proportions and the colours.

    Returns:
        ``[32, 32, 3]`` from 0 to 255, and the name of the style.

    Raises:
        ValueError: If there is no such thing to draw, no such split, or the seed is negative.
        TypeError: If the seed is no whole number.
    """
    check_choice("meaning", meaning, _DRAWN)
    check_choice("split", split, STYLES)
    check_seed("seed", seed)
    rng = np.random.default_rng(seed)
    name = str(rng.choice(list(STYLES[split])))
    style = STYLES[split][name]
    y, x = np.mgrid[:PICTURE_SIZE, :PICTURE_SIZE] / (PICTURE_SIZE - 1) * 2 - 1  # from -1 to 1
    size = rng.uniform(0.75, 1.1)
    y, x = (y - rng.uniform(-0.15, 0.15)) / size, (x - rng.uniform(-0.15, 0.15)) / size
    picture = np.full((PICTURE_SIZE, PICTURE_SIZE, 3), _colour(rng, style.background, style))
    inks = [_colour(rng, style.ink, style) for _ in range(3)]
    phase = (np.arange(PICTURE_SIZE)[:, None] + np.arange(PICTURE_SIZE)) if style.stripes else None
    for mask, ink in _DRAWN[meaning](y, x, rng):
        drawn = mask & ~_shrunk(mask) if style.outline else mask
        if phase is not None:
            drawn = drawn & ((phase // style.stripes % 2 == 0) | (mask & ~_shrunk(mask)))
        if style.outline:
            picture[mask] = picture[0, 0]  # what stands before hides what is behind
        picture[drawn] = inks[ink]
    picture += rng.normal(0, style.grain, picture.shape)
    return (picture.clip(0, 1) * 255).round().astype(np.uint8), name


def encoded_picture(pixels: NDArray[np.uint8]) -> dict[str, Any]:
    """Return a picture as ``datasets`` keeps it, in PNG, which loses nothing.

    Args:
        pixels: ``[H, W, 3]``.
    """
    from PIL import Image  # not needed by texts alone

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG", compress_level=1)
    return {"bytes": stream.getvalue(), "path": None}


def _colour(
    rng: np.random.Generator, lightness: tuple[float, float], style: Style
) -> NDArray[np.float64]:
    level = rng.uniform(*lightness)
    tint = rng.uniform(-0.5, 0.5, 3)
    return np.asarray(level + style.colourful * (tint - tint.mean()) * 0.7)


def _shrunk(mask: Mask) -> Mask:
    """Return a mask without the pixels at its edge."""
    padded = np.pad(mask, 1)
    return np.asarray(
        padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:] & mask
    )


def _box(y: Any, x: Any, top: float, bottom: float, left: float, right: float) -> Mask:
    return np.asarray((y >= top) & (y < bottom) & (x >= left) & (x < right))


def _person(y: Any, x: Any, rng: np.random.Generator) -> list[Shape]:
    head, lean = rng.uniform(0.24, 0.34), rng.uniform(-0.1, 0.1)
    broad = rng.uniform(0.5, 0.8)
    shoulders = (x / broad) ** 2 + ((y - 0.95) / rng.uniform(0.7, 0.95)) ** 2 < 1
    face = (x - lean) ** 2 + (y + 0.35) ** 2 < head**2
    hair = face & (y < -0.35 - head * rng.uniform(0.1, 0.5))
    return [(shoulders & (y < 0.95), 0), (face, 1), (hair, 2)]


def _company(y: Any, x: Any, rng: np.random.Generator) -> list[Shape]:
    top, bottom = rng.uniform(-0.85, -0.6), rng.uniform(0.0, 0.25)
    half = rng.uniform(0.65, 0.9)
    pole = _box(y, x, bottom, 0.95, -0.1, 0.1)
    board = _box(y, x, top, bottom, -half, half)
    shapes = [(pole, 2), (board, 0)]
    left, middle = -half + 0.15, (top + bottom) / 2
    while left < half - 0.25:  # letters
        width = rng.uniform(0.1, 0.25)
        shapes.append((_box(y, x, middle - 0.18, middle + 0.18, left, left + width), 1))
        left += width + 0.12
    return shapes


def _city(y: Any, x: Any, rng: np.random.Generator) -> list[Shape]:
    shapes: list[Shape] = []
    left = -0.95
    while left < 0.85:
        width, height = rng.uniform(0.3, 0.5), rng.uniform(0.5, 1.6)
        right = min(left + width, 0.95)
        shapes.append((_box(y, x, 0.95 - height, 0.95, left, right), int(rng.integers(2))))
        for floor in np.arange(0.95 - height + 0.15, 0.8, 0.3):
            shapes.append((_box(y, x, floor, floor + 0.1, left + 0.1, right - 0.1), 2))
        left = right
    return shapes


def _country(y: Any, x: Any, rng: np.random.Generator) -> list[Shape]:
    top, left = rng.uniform(-0.85, -0.6), rng.uniform(-0.85, -0.65)
    bottom, right = top + rng.uniform(0.8, 1.0), rng.uniform(0.7, 0.95)
    y = y + rng.uniform(0.0, 0.12) * np.sin(4 * x)  # the wind
    shapes: list[Shape] = [(_box(y, x, top - 0.05, 0.95, left - 0.12, left), 1)]
    upright = rng.random() < 0.5
    for stripe in range(3):
        if upright:
            first, last = (left + (right - left) * part / 3 for part in (stripe, stripe + 1))
            shapes.append((_box(y, x, top, bottom, first, last), stripe))
        else:
            first, last = (top + (bottom - top) * part / 3 for part in (stripe, stripe + 1))
            shapes.append((_box(y, x, first, last, left, right), stripe))
    return shapes


def _river(y: Any, x: Any, rng: np.random.Generator) -> list[Shape]:
    bend, phase = rng.uniform(0.2, 0.4), rng.uniform(0, 2 * np.pi)
    course = bend * np.sin(rng.uniform(2.0, 3.5) * y + phase)
    broad = 0.16 + 0.14 * (y + 1)  # wider where it is near
    water = (np.abs(x - course) < broad) & (np.abs(y) < 0.95)
    shapes: list[Shape] = [(water, 0)]
    for side in (-1, 1):  # trees
        at, height = rng.uniform(0.55, 0.8) * side, rng.uniform(-0.6, 0.4)
        shapes.append((((x - at) ** 2 + (y - height) ** 2 < 0.03) & ~water, 1))
    return shapes


_DRAWN: dict[str, Callable[[Any, Any, np.random.Generator], list[Shape]]] = {
    "person": _person,
    "company": _company,
    "city": _city,
    "country": _country,
    "river": _river,
}
