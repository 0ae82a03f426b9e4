"""The contract of an encoder."""

from __future__ import annotations

from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.data.batch import Inputs


class Encoder(torch_nn.Module):
    """Turns token ids into hidden states; owns its embeddings.

    Attributes:
        width: Size of a hidden state, D.
        causal: Whether the state at a position depends on no later token. A language model reads
            causal states only: others have seen what is to be predicted.
    """

    width: int
    causal: bool = False

    def forward(self, inputs: Inputs) -> Tensor:
        """Encode a batch.

        Args:
            inputs: B texts of at most T tokens.

        Returns:
            Hidden states ``[B, T, D]``. What they hold at padding is not specified; nothing may
            read it.
        """
        raise NotImplementedError
