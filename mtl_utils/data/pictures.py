"""Pictures beside texts: from what stands in a cell of a table to what an encoder reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtl_utils.arguments import check_sizes, shown
from mtl_utils.data.missing import is_missing

Pixels = NDArray[np.uint8]
"""A picture as numbers ``[H, W, C]`` from 0 to 255."""


def picture_pixels(cell: Any, size: int | None = None) -> Pixels | None:
    """Return the numbers of a picture.

    Args:
        cell: A picture of PIL, which becomes red, green and blue over white where it lets light
            through; an array ``[H, W, C]`` of ``uint8``, which stays as it is; or what says that
            there is none (``None``, or not a number).
        size: Height and width that it is scaled to, whatever its shape; it keeps its own if
            ``None``.

    Returns:
        ``[H, W, C]``, ``None`` where there is no picture.

    Raises:
        TypeError: If it is something else, or an array of other numbers.
        ValueError: If an array has another shape, or the size is below 1.
    """
    if size is not None:
        check_sizes(size=size)
    if is_missing(cell):
        return None
    pixels = _of_pil(cell) if hasattr(cell, "getbands") else _of_array(cell)  # PIL has bands
    return pixels if size is None else _scaled(pixels, size)


def _of_array(cell: Any) -> Pixels:
    if not isinstance(cell, np.ndarray):
        raise TypeError(
            "picture must be a picture of PIL, an array [H, W, C] of uint8, or None where there is "
            f"none, got {shown(cell)}"
        )
    if cell.dtype != np.uint8:
        raise TypeError(
            f"picture must hold uint8, from 0 to 255, got an array of {cell.dtype}; where numbers "
            "reach from 0 to 1, use (255 * picture).round().astype('uint8')"
        )
    if cell.ndim != 3 or 0 in cell.shape:
        raise ValueError(f"picture must have the shape [H, W, C], got {list(cell.shape)}")
    return cell


def _scaled(pixels: Pixels, size: int) -> Pixels:
    """Scale each colour by itself, as PIL does where a picture has three of them."""
    if pixels.shape[:2] == (size, size):
        return pixels
    from PIL import Image  # most pictures need none of it

    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(pixels, 2, 0)]
    return np.stack([np.asarray(plane.resize((size, size))) for plane in planes], axis=-1)


def _of_pil(picture: Any) -> Pixels:
    if picture.mode == "RGB":
        return np.asarray(picture, np.uint8)
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return np.asarray(picture.convert("RGB"), np.uint8)
    over = np.asarray(picture.convert("RGBA"), np.float64)
    share = over[..., 3:] / 255
    return np.asarray((over[..., :3] * share + 255 * (1 - share)).round(), np.uint8)


def stacked_pictures(pictures: Sequence[Pixels | None]) -> tuple[Tensor | None, Tensor | None]:
    """Return the pictures of a batch as what an encoder reads.

    Args:
        pictures: Of each row the numbers of its picture, or ``None``.

    Returns:
        ``[B, C, H, W]`` from 0 to 1, zero where there is none, and ``[B]``, where there is one;
        twice ``None`` where no row has one.

    Raises:
        ValueError: If two are of different shapes.
    """
    given = [picture for picture in pictures if picture is not None]
    if not given:
        return None, None
    shapes = {picture.shape for picture in given}
    if len(shapes) > 1:
        raise ValueError(
            f"The pictures of a batch must have one shape [H, W, C], got {sorted(shapes)[:3]}; "
            "resize them, as by picture.resize((48, 48))"
        )
    stacked = np.zeros((len(pictures), *given[0].shape), np.uint8)
    present = np.array([picture is not None for picture in pictures])
    stacked[present] = np.stack(given)
    planes = torch.from_numpy(stacked).permute(0, 3, 1, 2)
    return planes.float().div_(255.0).contiguous(), torch.from_numpy(present)


def checked_presence(
    pictures: Tensor | None, has_picture: Tensor | None, num_rows: int
) -> Tensor | None:
    """Refuse pictures that do not fit the rows of a batch, and say which rows have one.

    Args:
        pictures: ``[B, C, H, W]`` or ``None``.
        has_picture: ``[B]``; all if ``None``.
        num_rows: B.

    Returns:
        ``[B]``; ``None`` where there are no pictures.

    Raises:
        TypeError: If pictures are not floating-point, or ``has_picture`` is not boolean.
        ValueError: If a shape is another, or there is ``has_picture`` without pictures.
    """
    if pictures is None:
        if has_picture is not None:
            raise ValueError(
                f"has_picture {list(has_picture.shape)} says which rows have a picture, and there "
                "are no pictures; give both, or leave both out"
            )
        return None
    if not pictures.is_floating_point():
        raise TypeError(
            f"Expected floating-point pictures, from 0 to 1, got {pictures.dtype}; use "
            "pictures / 255"
        )
    if pictures.dim() != 4 or len(pictures) != num_rows:
        raise ValueError(
            f"Expected pictures [B, C, H, W] with B = {num_rows} rows, got {list(pictures.shape)}"
        )
    if has_picture is None:
        return torch.ones(num_rows, dtype=torch.bool, device=pictures.device)
    if has_picture.dtype != torch.bool:
        raise TypeError(f"Expected a boolean has_picture, got {has_picture.dtype}")
    if has_picture.shape != (num_rows,):
        raise ValueError(
            f"Expected has_picture [B] with B = {num_rows} rows, got {list(has_picture.shape)}"
        )
    return has_picture
