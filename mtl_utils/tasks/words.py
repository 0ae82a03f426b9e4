"""Words among the pieces that an encoder reads: where they begin, and what belongs to them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtl_utils.arguments import check_kind, check_several, check_whole
from mtl_utils.data.tokenization import Pieces


def compact(values: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Move what is kept of each row together, to the left.

    Args:
        values: ``[B, T]`` or ``[B, T, C]``.
        kept: ``[B, T]``, True at what is kept.

    Returns:
        Values ``[B, U]`` or ``[B, U, C]`` in their order, U being the most that is kept of a row,
        and their mask ``[B, U]``. What the mask leaves out has no meaning.
    """
    lengths = kept.sum(dim=1)  # [B]
    longest = int(lengths.max()) if lengths.numel() else 0
    order = (~kept).to(torch.uint8).argsort(dim=1, stable=True)[:, :longest]  # [B, U]
    mask = torch.arange(longest, device=kept.device) < lengths.unsqueeze(1)
    if values.dim() == 3:
        order = order.unsqueeze(2).expand(-1, -1, values.shape[2])
    return values.gather(1, order), mask


def word_positions(sentences: Sequence[Pieces], length: int | None = None) -> Tensor:
    """Say where the words of sentences begin.

    Args:
        sentences: The pieces of each sentence.
        length: T, where the inputs hold more than the pieces, such as ``<eos>``; the longest
            sentence if ``None``.

    Returns:
        ``[B, T]``, True at the first piece of each word: what
        :meth:`mtl_utils.tasks.TaggingHead.decode` is to label.

    Raises:
        ValueError: If a sentence is longer than ``length``.
        TypeError: If something is no :class:`mtl_utils.data.Pieces`, or ``length`` no whole number.
    """
    check_several("sentences", sentences, "Pieces")
    for pieces in sentences:
        check_kind("each of sentences", pieces, Pieces, "Pieces")
    if length is not None:
        check_whole("length", length)
    longest = max((len(pieces.ids) for pieces in sentences), default=0)
    if length is not None and longest > length:
        raise ValueError(f"A sentence has {longest} pieces, but length is {length}")
    positions = torch.zeros(len(sentences), longest if length is None else length).bool()
    for row, pieces in enumerate(sentences):
        positions[row, pieces.first_pieces] = True
    return positions
