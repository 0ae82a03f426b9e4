"""Leaving out the padding of a batch where positions do not look at each other."""

from __future__ import annotations

from torch import Tensor

from mtl_utils.arguments import check_tensor
from mtl_utils.nn.masks import check_mask


class Packing:
    """Where the tokens of a padded batch are.

    All of a Transformer but the attention treats each position alone, and spends most of its time
    there; padding need not pass through it (Zeng et al., 2022). To know the number of tokens, the
    CPU would have to wait for a GPU: there it is not worth it.

    Args:
        mask: ``[B, T]``, True where there is a token.

    Raises:
        TypeError: If the mask is not boolean.
        ValueError: If it is not ``[B, T]``.
    """

    def __init__(self, mask: Tensor) -> None:
        check_mask(mask)
        check_tensor("mask", mask, "[B, T]")
        self.mask = mask
        self.places = mask.flatten().nonzero().squeeze(1)  # [N]

    def pack(self, padded: Tensor) -> Tensor:
        """Keep the tokens.

        Args:
            padded: ``[B, T, D]``.

        Returns:
            ``[N, D]``, row by row.
        """
        return padded.flatten(0, 1).index_select(0, self.places)

    def unpack(self, packed: Tensor) -> Tensor:
        """Put the tokens back.

        Args:
            packed: ``[N, D]``.

        Returns:
            ``[B, T, D]``, zero at padding.
        """
        zeros = packed.new_zeros(self.mask.numel(), packed.shape[-1])
        # Adding to zeros is the fastest way of putting rows in their places.
        return zeros.index_add(0, self.places, packed).unflatten(0, self.mask.shape)
