"""From bare token ids to what an encoder reads."""

from __future__ import annotations

import torch
from torch import Tensor

from mtl_utils.data.batch import Inputs
from mtl_utils.data.vocabulary import EOS, PAD, SPECIALS

_PAD_ID, _EOS_ID = SPECIALS.index(PAD), SPECIALS.index(EOS)


def inputs_of(
    input_ids: Tensor, mask: Tensor | None = None, segment_ids: Tensor | None = None
) -> Inputs:
    """Read mask and segments off token ids, where they are not given.

    The ids of special tokens are those of every :class:`mtl_utils.data.Tokenizer`. For what
    :func:`mtl_utils.data.encode_text` and :func:`mtl_utils.data.encode_pair` make, the result is
    what :func:`mtl_utils.data.collate` gives.

    Args:
        input_ids: Token ids ``[B, T]``, padded on the right.
        mask: ``[B, T]``, True where there is a token. If ``None``, all but the ``<pad>`` that end a
            row.
        segment_ids: ``[B, T]``, 0 in the first text of a pair and 1 in the second. If ``None``,
            the second is what follows the first ``<eos>``.

    Raises:
        ValueError: If there is no row or no token, or the shapes do not fit.
        TypeError: If ids are not integers or the mask is not boolean.
    """
    given = torch.ones_like(input_ids, dtype=torch.bool) if mask is None else mask
    Inputs(input_ids, given, segment_ids)  # refuses what does not fit, before it is read
    if input_ids.numel() == 0:
        raise ValueError(
            f"Expected at least one text of at least one token, got input_ids "
            f"{list(input_ids.shape)}. Leave empty batches out."
        )
    if mask is None:
        # A <pad> between tokens is read as a token: padding is on the right alone.
        mask = (input_ids != _PAD_ID).flip(1).cumsum(dim=1).flip(1) > 0
    if segment_ids is None:
        ends = (input_ids == _EOS_ID).long()
        segment_ids = (ends.cumsum(dim=1) > ends).long() * mask
    return Inputs(input_ids, mask, segment_ids)
